//! Every case of `tests/data`, through C.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;
use threatinsight::{Kind, Level, Pattern, Patterns, Reason, Verdict};
use threatinsight_corpus::{Arrival, Case, Found, Header};

use crate::toolchain::{compile, run};

#[test]
fn every_case_is_decided_as_written() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile("tests/c/conformance.c", directory.path());
    let cases = threatinsight_corpus::cases();
    let questions = directory.path().join("questions");
    let text: String = cases.iter().map(question).collect();
    fs::write(&questions, text).unwrap();
    let mut command = Command::new(program);
    let answers = run(command.stdin(File::open(&questions).unwrap()));
    assert_eq!(answers.lines().count(), cases.len());
    let complaints: Vec<String> = cases
        .iter()
        .zip(answers.lines())
        .filter_map(|(case, answer)| {
            let (found, why) = read(answer);
            let feeds = feeds(&why);
            let missed = case
                .expected_feeds()
                .is_some_and(|expected| *expected != feeds);
            let missed = missed.then(|| format!("{}: {feeds:?}", case.name));
            case.complaint(&found).or(missed)
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The feeds whose entries count, as the explanation names them.
fn feeds(why: &Value) -> BTreeSet<String> {
    let entries = why["entries"].as_array().unwrap().iter();
    let entries = entries.filter(|entry| entry["counts"] == true);
    entries
        .map(|entry| entry["feed"].as_str().unwrap().to_owned())
        .collect()
}

/// A case, as `conformance.c` reads it.
fn question(case: &Case) -> String {
    let mut text = format!("now {}\n", case.now().0);
    let policy = serde_json::to_vec(&case.policy).unwrap();
    writeln!(text, "policy {}", hex(&policy)).unwrap();
    for feed in case.feeds() {
        for entry in feed.entries() {
            let bit =
                |pattern: &Pattern| 1 << Pattern::ALL.iter().position(|p| p == pattern).unwrap();
            let patterns: u8 = entry.patterns.iter().map(|pattern| bit(&pattern)).sum();
            writeln!(
                text,
                "feed {}\nprefix {}\nlevel {}\npatterns {patterns}\nexpires {}\nentry",
                hex(feed.name().as_bytes()),
                hex(entry.prefix.to_string().as_bytes()),
                entry.level as u8 + 1,
                entry.expires.map_or(u64::MAX, |moment| moment.0),
            )
            .unwrap();
        }
    }
    let kind = match case.kind {
        Kind::Authentication => 0,
        Kind::Other => 1,
    };
    let (syntax, peer, lines) = match (&case.chain, case.arrival()) {
        (Some(chain), _) => (2, None, vec![chain.clone()]),
        (
            None,
            Some(Arrival {
                peer,
                header,
                lines,
            }),
        ) => match header {
            Header::XForwardedFor => (0, peer, lines),
            Header::Forwarded => (1, peer, lines),
        },
        (None, None) => panic!("{} has no request", case.name),
    };
    let peer = match peer {
        None => String::new(),
        Some(IpAddr::V4(peer)) => hex(&peer.octets()),
        Some(IpAddr::V6(peer)) => hex(&peer.octets()),
    };
    writeln!(text, "kind {kind}\nsyntax {syntax}\npeer {peer}").unwrap();
    for line in lines {
        writeln!(text, "line {}", hex(line.as_bytes())).unwrap();
    }
    text.push_str("judge\n");
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer of `conformance.c`, and the explanation in it.
fn read(answer: &str) -> (Found, Value) {
    let words: Vec<&str> = answer.splitn(7, ' ').collect();
    let [verdict, reason, level, patterns, family, client, why] = words[..] else {
        panic!("{answer}");
    };
    let verdict = [Verdict::Allow, Verdict::Log, Verdict::Block][number(verdict) - 1];
    let reason = [
        Reason::Exempt,
        Reason::Blocklisted,
        Reason::UnknownClient,
        Reason::Disabled,
        Reason::NotListed,
        Reason::Excluded,
        Reason::Listed,
    ][number(reason) - 1];
    let level = [
        None,
        Some(Level::Low),
        Some(Level::Medium),
        Some(Level::High),
    ][number(level)];
    let bits = number(patterns);
    let has = |(place, pattern): (usize, Pattern)| (bits >> place & 1 == 1).then_some(pattern);
    let patterns: Patterns = Pattern::ALL
        .into_iter()
        .enumerate()
        .filter_map(has)
        .collect();
    let bytes = u128::from_str_radix(client, 16).unwrap().to_be_bytes();
    let client = match family {
        "0" => None,
        "4" => Some(IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]])),
        "6" => Some(IpAddr::from(bytes)),
        _ => panic!("{answer}"),
    };
    let why: Value = serde_json::from_str(why).unwrap();
    assert_eq!(why["verdict"], verdict.to_string());
    assert_eq!(why["reason"], reason.to_string());
    let found = Found {
        verdict,
        reason,
        client,
        level,
        patterns,
    };
    (found, why)
}

fn number(word: &str) -> usize {
    word.parse().unwrap()
}
