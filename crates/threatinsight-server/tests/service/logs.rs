use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use threatinsight_server::Options;

use crate::running::Running;

const PATH: &str = "/api/v1/logs";
const CONFIGURATION: &str = "/api/v1/threats/configuration";

/// A service with `count` configuration updates in its log.
fn with_updates(count: usize) -> Running {
    let running = Running::new();
    for n in 0..count {
        let action = if n % 2 == 0 { "audit" } else { "none" };
        running.post(CONFIGURATION, &json!({"action": action})).ok();
    }
    running
}

fn ids(events: &Value) -> Vec<String> {
    events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["uuid"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_event_has_its_members_in_oktas_order() {
    let running = with_updates(1);
    let text = running.get(PATH).text;
    let names = [
        "actor",
        "client",
        "authenticationContext",
        "displayMessage",
        "eventType",
        "outcome",
        "published",
        "securityContext",
        "severity",
        "debugContext",
        "legacyEventType",
        "transaction",
        "uuid",
        "version",
        "request",
        "target",
    ];
    let places: Vec<usize> = names
        .iter()
        .map(|name| {
            text.find(&format!("\"{name}\":"))
                .unwrap_or_else(|| panic!("{name} in {text}"))
        })
        .collect();
    assert!(places.is_sorted(), "{text}");
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(event[0].as_object().unwrap().len(), names.len());
}

#[test]
fn a_bounded_query_ends_and_a_polling_query_does_not() {
    let running = with_updates(5);
    let all = ids(&running.get(PATH).ok());
    assert_eq!(all.len(), 5);
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    for (query, expected) in [
        (
            format!("since={hour_ago}&until=2100-01-01T00:00:00Z&limit=2"),
            all.clone(),
        ),
        (
            "sortOrder=DESCENDING&limit=2".to_owned(),
            all.iter().rev().cloned().collect(),
        ),
    ] {
        let mut next = Some(format!("{PATH}?{query}"));
        let mut pages = Vec::new();
        while let Some(url) = next {
            let answer = running.get(&url);
            assert!(answer.link("self").is_some());
            next = answer.link("next");
            pages.push(ids(&answer.ok()));
        }
        assert_eq!(
            pages.iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 2, 1],
            "{query}"
        );
        assert_eq!(pages.concat(), expected, "{query}");
    }

    let answer = running.get(&format!("{PATH}?limit=5"));
    let next = answer.link("next").unwrap();
    let empty = running.get(&next);
    assert_eq!(empty.ok(), json!([]));
    let next = empty.link("next").unwrap();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    let polled = running.get(&next);
    assert_eq!(
        polled.ok()[0]["target"][0]["changeDetails"]["to"]["action"],
        "block"
    );
    assert_eq!(running.get(&polled.link("next").unwrap()).ok(), json!([]));
}

#[test]
fn a_query_without_events_still_has_a_next_page() {
    let running = Running::new();
    let next = running.get(PATH).link("next").unwrap();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    assert_eq!(running.get(&next).ok().as_array().unwrap().len(), 1);
}

#[test]
fn filters_and_keywords_select_events() {
    let running = with_updates(2);
    let zone = json!({"type": "IP", "name": "Head Office", "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]});
    running.post("/api/v1/zones", &zone).ok();
    for (query, count) in [
        ("filter=eventType%20eq%20%22zone.create%22", 1),
        (
            "filter=eventType%20sw%20%22security.%22%20or%20eventType%20eq%20%22zone.create%22",
            3,
        ),
        ("filter=not%20(eventType%20eq%20%22zone.create%22)", 2),
        ("filter=target.displayName%20eq%20%22Head%20Office%22", 1),
        ("filter=outcome.result%20eq%20%22DENY%22", 0),
        ("q=office", 1),
        ("q=OFFICE%20zone.create", 1),
        ("q=office%20security.threat", 0),
        ("since=2100-01-01T00:00:00Z", 0),
        ("limit=0", 0),
    ] {
        let answer = running.get(&format!("{PATH}?{query}"));
        assert_eq!(answer.ok().as_array().unwrap().len(), count, "{query}");
    }
}

#[test]
fn a_filter_that_selects_rarely_is_answered_across_pages() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    let chains: Vec<String> = (0..3_000)
        .map(|n| format!("203.0.113.{}", n % 200))
        .collect();
    running
        .post("/v1/decisions", &json!({"chains": chains}))
        .ok();
    running.events(
        "limit=1000&q=203.0.113.199&filter=actor.id%20eq%20%22203.0.113.199%22",
        15,
    );
    // No column answers this one: every event is read.
    let query = "filter=actor.id%20ew%20%22.199%22&sortOrder=DESCENDING&limit=4";
    let mut next = Some(format!("{PATH}?{query}"));
    let mut pages = Vec::new();
    while let Some(url) = next {
        let answer = running.get(&url);
        next = answer.link("next");
        pages.push(ids(&answer.ok()).len());
    }
    assert_eq!(pages, [4, 4, 4, 3]);
}

#[test]
fn events_alike_within_the_window_are_folded() {
    let running = Running::with(|options| options.log_fold = Duration::from_millis(800));
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    let chains = ["203.0.113.7", "203.0.113.8", "203.0.113.7", "203.0.113.7"];
    running
        .post("/v1/decisions", &json!({"chains": chains}))
        .ok();
    let events = running.events("filter=actor.id%20eq%20%22203.0.113.7%22", 2);
    assert_eq!(events[0]["debugContext"]["debugData"].get("repeated"), None);
    assert_eq!(events[1]["debugContext"]["debugData"]["repeated"], "2");
    running.events("filter=actor.id%20eq%20%22203.0.113.8%22", 1);
}

#[test]
fn a_full_queue_drops_and_counts_and_delays_nobody() {
    let running = Running::with(|options| options.log_queue = 8);
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    let chains = vec!["203.0.113.7"; 10_000];
    running
        .post("/v1/decisions", &json!({"chains": chains}))
        .ok();
    std::thread::sleep(Duration::from_millis(500));
    let text = running.get("/metrics").text;
    let count = |name: &str| -> u64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().parse().unwrap()
    };
    let dropped = count("threatinsight_log_events_dropped_total ");
    let written = count("threatinsight_log_events_written_total ");
    assert!(dropped > 0, "{text}");
    assert_eq!(dropped + written, 10_000);
}

#[test]
fn the_log_is_cut_by_size_and_by_age() {
    cut_by_size_and_by_age(|_| {});
}

/// On the store that `place` puts into the options.
pub(crate) fn cut_by_size_and_by_age(place: impl Fn(&mut Options)) {
    let mut running = Running::with(&place);
    for action in ["audit", "block", "none", "audit", "block"] {
        running.post(CONFIGURATION, &json!({"action": action})).ok();
    }
    let answer = running.get(PATH);
    let bodies: Vec<&RawValue> = serde_json::from_str(&answer.text).unwrap();
    let newest: usize = bodies[2..].iter().map(|body| body.get().len()).sum();
    let written = ids(&answer.ok());
    for (bytes, days, kept) in [(newest, 1, 3), (newest - 1, 1, 2), (newest, 0, 0)] {
        running = running.restart_with(|options| {
            place(options);
            options.log_bytes = bytes as u64;
            options.log_age = Duration::from_secs(days * 24 * 60 * 60);
        });
        let expected = &written[written.len() - kept..];
        let started = Instant::now();
        while ids(&running.get(PATH).ok()) != expected {
            assert!(
                started.elapsed().as_secs() < 30,
                "{bytes} bytes, {days} days"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
