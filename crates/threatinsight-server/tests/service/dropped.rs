//! A service that nobody holds any more, as when only its engine is wanted: it goes on.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use threatinsight::{Kind, Request, Verdict};
use threatinsight_server::Location;

use crate::running::{Running, until};

#[test]
fn dropping_a_service_stops_nothing() {
    let mut running = Running::with(|options| options.poll = Duration::from_millis(100));
    running.block_for(3, "203.0.113.8");
    let engine = running.abandon();
    let verdict = |client: &str| {
        let client: IpAddr = client.parse().unwrap();
        let request = Request::from(client).with_kind(Kind::Authentication);
        engine.load().evaluate(&request).verdict
    };
    assert_eq!(verdict("203.0.113.7"), Verdict::Block);

    // The log is written.
    assert_eq!(running.authorize("203.0.113.8"), 403);
    running.events("filter=actor.id%20eq%20%22203.0.113.8%22", 1);
    // Entries expire.
    until(|| verdict("203.0.113.7") == Verdict::Allow);
    assert_eq!(verdict("203.0.113.8"), Verdict::Block);
    // Changes of others arrive.
    let directory = running.directory.path().to_owned();
    let other = Running::with(|options| options.store = Location::Directory(directory));
    let none = json!({"action": "none"});
    other.post("/api/v1/threats/configuration", &none).ok();
    until(|| verdict("203.0.113.8") == Verdict::Allow);
}
