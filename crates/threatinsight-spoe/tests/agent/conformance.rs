//! The cases whose chain is one hop: a client that HAProxy has resolved.

use std::sync::{Arc, Mutex};

use spop::TypedData;
use threatinsight_corpus::{Arrival, Found};
use threatinsight_spoe::Agent;

use crate::empty;
use crate::haproxy::{Running, src};

#[test]
fn every_case_of_one_hop_is_decided_as_written() {
    let engine = empty();
    let seen: Arc<Mutex<Vec<Found>>> = Arc::default();
    let events = Arc::clone(&seen);
    let agent = Agent::new(engine.clone())
        .on_decision(move |event| events.lock().unwrap().push(event.decision.into()));
    let running = Running::start(agent);
    let mut connection = running.connect();

    let (mut decided, mut undecided, mut complaints) = (0, 0, Vec::new());
    for case in threatinsight_corpus::cases() {
        let Some(Arrival { peer, lines, .. }) = case.arrival() else {
            continue;
        };
        if lines.iter().any(|line| !line.trim().is_empty()) {
            continue;
        }
        engine.swap(case.policy.compile(&case.feeds(), case.now()).unwrap());
        let kind = case.kind.to_string().into();
        let client = peer.map_or(TypedData::Null, src);
        let variables = connection.ask(&[("client", client), ("kind", kind)]);
        let found: Vec<Found> = std::mem::take(&mut seen.lock().unwrap());
        match (peer, &found[..]) {
            (Some(_), [found]) => {
                let text = |name: &str| match variables.get(name) {
                    Some(TypedData::String(text)) => text.as_str(),
                    None => "",
                    other => panic!("{}: {other:?}", case.name),
                };
                assert_eq!(text("verdict"), found.verdict.to_string(), "{}", case.name);
                assert_eq!(text("reason"), found.reason.to_string(), "{}", case.name);
                let generation = engine.load().generation().into();
                assert_eq!(variables["generation"], generation, "{}", case.name);
                if let Some(feeds) = case.expected_feeds() {
                    let feeds: Vec<&str> = feeds.iter().map(String::as_str).collect();
                    assert_eq!(text("feed"), feeds.join(", "), "{}", case.name);
                }
                complaints.extend(case.complaint(found));
                decided += 1;
            }
            (None, []) => {
                assert!(variables.is_empty(), "{}: {variables:?}", case.name);
                undecided += 1;
            }
            other => panic!("{}: {other:?}", case.name),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{decided} cases decided, {undecided} without an address");
    assert!(decided > 100 && undecided > 0, "{decided}, {undecided}");
}
