//! What must hold for any input: functions that return, or panic with what is wrong.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use threatinsight::{
    Chain, Entry, Feed, FeedError, FeedParser, Kind, Level, ParseOptions, ParsedFeed, Patterns,
    Policy, Prefix, Request, Timestamp,
};
use threatinsight_oracle::chain::Hop;
use threatinsight_oracle::{Listing, Oracle, address, chain as oracle_chain};

/// The first byte says how the rest, a feed, is cut.
pub fn feed_parser(data: &[u8]) {
    let Some((size, text)) = data.split_first() else {
        return;
    };
    let options = ParseOptions {
        max_rejected: 100,
        ..ParseOptions::default()
    };
    let whole = Feed::parse("feed", text, &options);
    let pieces = in_pieces(text, usize::from(*size).max(1), options);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            let report = whole.report;
            assert_eq!(report, pieces.report);
            assert!(whole.feed.entries().eq(pieces.feed.entries()));
            let rejected = report.rejected.len() as u64;
            let counted = report.blank + report.comments + report.accepted + rejected;
            assert_eq!(report.lines, counted);
        }
        (whole, pieces) => assert_eq!(whole.err(), pieces.err()),
    }
}

fn in_pieces(text: &[u8], size: usize, options: ParseOptions) -> Result<ParsedFeed, FeedError> {
    let mut parser = FeedParser::new("feed", options);
    for piece in text.chunks(size) {
        parser.push(piece)?;
    }
    parser.finish()
}

/// A policy file: what reads must be written as what reads the same, and compile or be refused.
pub fn policy_json(data: &[u8]) {
    let Ok(policy) = serde_json::from_slice::<Policy>(data) else {
        return;
    };
    let written = serde_json::to_string(&policy).expect("a policy is written");
    let again: Policy = serde_json::from_str(&written).expect("a written policy is read");
    assert_eq!(policy, again);
    match policy.compile(&[], Timestamp(0)) {
        Ok(snapshot) => {
            let request = Request::new(Chain::parse(b"203.0.113.7, 10.0.0.1"));
            let decided = snapshot.evaluate(&request).verdict;
            assert_eq!(snapshot.explain(&request).verdict, decided);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Lines of a header, the last of them the peer.
pub fn chain(data: &[u8]) {
    let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let peer = lines.pop().unwrap_or_default();
    let texts: Vec<&str> = lines.iter().flat_map(|line| str::from_utf8(line)).collect();
    let address = str::from_utf8(peer)
        .ok()
        .and_then(|text| text.parse::<IpAddr>().ok());
    let socket = address.map_or("unknown".to_owned(), |address| address.to_string());
    let text = String::from_utf8_lossy(data);

    let listed = hops(Chain::x_forwarded_for(address, &lines));
    let elements = hops(Chain::forwarded(address, &lines));
    let together = hops(Chain::parse(text.as_bytes()));
    assert_eq!(together, oracle_chain::text(&text));
    // The oracle reads text alone.
    if texts.len() == lines.len() {
        assert_eq!(listed, oracle_chain::x_forwarded_for(&socket, &texts));
        assert_eq!(elements, oracle_chain::forwarded(&socket, &texts));
    }
}

fn hops(chain: Chain<'_>) -> Vec<Hop> {
    let mut hops: Vec<Hop> = chain.hops().map(|hop| hop.address).collect();
    hops.reverse();
    hops
}

/// A list, a policy and requests: all that verdicts depend on, as `questions.jsonl` writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub policy: Policy,
    pub entries: Vec<QuestionEntry>,
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// The hops between commas, and what the request is for.
    pub requests: Vec<(String, Kind)>,
}

/// An entry of a [`Question`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionEntry {
    pub feed: String,
    pub address: IpAddr,
    pub length: u8,
    pub level: Level,
    pub patterns: Patterns,
    pub expires: Option<u64>,
}

/// Asks the library and the oracle; an explanation of the first answer must agree.
pub fn evaluate_vs_oracle(question: &Question) {
    let mut feeds: Vec<Feed> = Vec::new();
    for entry in &question.entries {
        if !feeds.iter().any(|feed| feed.name() == entry.feed) {
            feeds.push(Feed::new(&entry.feed));
        }
        let feed = feeds.iter_mut().find(|feed| feed.name() == entry.feed);
        feed.expect("pushed if it was missing").push(Entry {
            prefix: Prefix::new(entry.address, entry.length).expect("length fits the address"),
            level: entry.level,
            patterns: entry.patterns,
            expires: entry.expires.map(Timestamp),
        });
    }
    let oracle = Oracle {
        entries: question.entries.iter().map(listing).collect(),
        policy: question.policy.clone(),
        now: question.now,
    };
    let snapshot = question.policy.compile(&feeds, Timestamp(question.now));
    let snapshot = snapshot.expect("the policy compiles");
    for (chain, kind) in &question.requests {
        let request = Request::new(Chain::parse(chain.as_bytes())).with_kind(*kind);
        let found = snapshot.evaluate(&request);
        let wanted = oracle.decide(&oracle_chain::text(chain), *kind);
        let (level, patterns, feeds) = found.threat.map_or_else(Default::default, |threat| {
            let feeds: BTreeSet<_> = threat.feeds().map(str::to_owned).collect();
            (Some(threat.level()), threat.patterns(), feeds)
        });
        assert_eq!(
            (found.verdict, found.stage),
            (wanted.verdict, wanted.stage),
            "{chain}"
        );
        assert_eq!(
            (found.reason(), found.client),
            (wanted.reason, wanted.client),
            "{chain}"
        );
        assert_eq!(
            (level, patterns, feeds),
            (wanted.level, wanted.patterns, wanted.feeds),
            "{chain}"
        );
    }
    if let Some((chain, kind)) = question.requests.first() {
        let request = Request::new(Chain::parse(chain.as_bytes())).with_kind(*kind);
        let (explained, decided) = (snapshot.explain(&request), snapshot.evaluate(&request));
        assert_eq!(
            (explained.verdict, explained.stage),
            (decided.verdict, decided.stage)
        );
    }
}

fn listing(entry: &QuestionEntry) -> Listing {
    Listing {
        feed: entry.feed.clone(),
        prefix: address::Prefix {
            address: entry.address,
            length: entry.length,
        },
        level: entry.level,
        patterns: entry.patterns,
        expires: entry.expires,
        asserted_until: None,
    }
}
