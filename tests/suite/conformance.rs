//! Every case of `tests/data`, through every way into the library and through the oracle.

use serde::Deserialize;
use serde_json::Value;
use threatinsight::{Action, Configuration, Engine, List, NetworkZone, Policy, Timestamp};
use threatinsight_oracle::{Judgement, inside};

use crate::corpus::{Case, judgement, read, report};

fn decision_cases() -> Vec<Case> {
    let mut cases: Vec<Case> = read("decisions.jsonl");
    cases.extend(read::<Case>("headers.jsonl"));
    cases
}

/// A way from a case to a decision.
type Embedding = (&'static str, fn(&Case) -> Judgement);

const EMBEDDINGS: [Embedding; 5] = [
    ("compiled whole", compiled_whole),
    ("compiled backwards", compiled_backwards),
    ("served by an engine", served_by_an_engine),
    ("updated part by part", updated_part_by_part),
    ("oracle", oracle),
];

fn compiled_whole(case: &Case) -> Judgement {
    let snapshot = case.policy.compile(&case.feeds(), case.now()).unwrap();
    case.with_request(|request| judgement(&snapshot.evaluate(request)))
}

fn compiled_backwards(case: &Case) -> Judgement {
    let feeds = case.feeds();
    let feeds = feeds.iter().rev().map(|feed| {
        let mut backwards = threatinsight::Feed::new(feed.name());
        let entries: Vec<_> = feed.entries().collect();
        backwards.extend(entries.into_iter().rev());
        backwards
    });
    let mut policy = case.policy.clone();
    policy.zones.reverse();
    policy.configuration.exclude_zones.reverse();
    let snapshot = policy
        .compile(&feeds.collect::<Vec<_>>(), case.now())
        .unwrap();
    case.with_request(|request| judgement(&snapshot.evaluate(request)))
}

fn served_by_an_engine(case: &Case) -> Judgement {
    let engine = Engine::new(
        Policy::new(Action::Audit)
            .compile(&[], Timestamp(0))
            .unwrap(),
    );
    let mut reader = engine.reader();
    engine.swap(case.policy.compile(&case.feeds(), case.now()).unwrap());
    case.with_request(|request| {
        let read = judgement(&reader.snapshot().evaluate(request));
        let loaded = judgement(&engine.load().evaluate(request));
        assert_eq!(read, loaded, "{}", case.name);
        loaded
    })
}

fn updated_part_by_part(case: &Case) -> Judgement {
    let Policy {
        configuration,
        extensions,
        zones,
    } = &case.policy;
    let engine = Engine::new(
        Policy::new(Action::Audit)
            .compile(&[], Timestamp(0))
            .unwrap(),
    );
    engine.update_list(List::compile(&case.feeds(), case.now()).unwrap());
    engine.update_zones(zones).unwrap();
    engine
        .update_configuration(configuration, extensions)
        .unwrap();
    let snapshot = engine.load();
    case.with_request(|request| judgement(&snapshot.evaluate(request)))
}

fn oracle(case: &Case) -> Judgement {
    case.oracle().decide(&case.hops(), case.kind())
}

#[test]
fn every_embedding_decides_every_case_as_written() {
    let mut complaints = Vec::new();
    for case in decision_cases() {
        for (embedding, decide) in EMBEDDINGS {
            let complaint = case.complaint(&decide(&case));
            complaints.extend(complaint.map(|complaint| format!("{embedding}: {complaint}")));
        }
    }
    report(&complaints);
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<String> = decision_cases().into_iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert_eq!(names.windows(2).find(|pair| pair[0] == pair[1]), None);
}

/// Okta's vectors say which zone contains the chain, not only what follows from it.
#[test]
fn okta_zone_vectors_hold_for_the_zone_itself() {
    let mut complaints = Vec::new();
    let cases = decision_cases();
    let vectors = cases
        .iter()
        .filter(|case| case.name.starts_with("Okta zone vector"));
    for case in vectors.clone() {
        let expected = oracle(case).reason == threatinsight::Reason::Excluded;
        let NetworkZone::Ip(zone) = &case.policy.zones[0] else {
            panic!("{}: no IP zone", case.name);
        };
        if inside(zone, &case.hops()) != expected {
            complaints.push(format!("oracle: {}", case.name));
        }
    }
    assert_eq!(vectors.count(), 11);
    report(&complaints);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyCase {
    name: String,
    policy: Value,
    refused: Option<String>,
}

#[test]
fn policies_compile_or_are_refused_as_written() {
    let mut complaints = Vec::new();
    for PolicyCase {
        name,
        policy,
        refused,
    } in read("policies.jsonl")
    {
        let read = serde_json::from_value::<Policy>(policy).map_err(|error| error.to_string());
        let compiled = read.and_then(|policy| {
            policy
                .compile(&[], Timestamp(0))
                .map_err(|error| error.to_string())
        });
        match (compiled, refused) {
            (Ok(_), None) => {}
            (Err(found), Some(expected)) if found.contains(&expected) => {}
            (Ok(_), Some(_)) => complaints.push(format!("{name}: compiled")),
            (Err(found), _) => complaints.push(format!("{name}: {found}")),
        }
    }
    report(&complaints);
}

#[test]
fn an_update_without_exclude_zones_means_none() {
    for text in [
        r#"{"action":"block"}"#,
        r#"{"action":"block","excludeZones":null}"#,
    ] {
        let configuration: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(configuration, Configuration::new(Action::Block), "{text}");
    }
}
