//! A store that somebody else has locked: what is enforced does not wait for it.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, SqliteConnection};

use crate::running::{Answer, Running, expiring, until};

const CONFIGURATION: &str = "/api/v1/threats/configuration";

/// A connection that keeps everybody else from writing.
fn lock(running: &Running) -> SqliteConnection {
    let database = running.directory.path().join("threatinsight.db");
    running.block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = options.connect().await.unwrap();
        connection.execute("BEGIN IMMEDIATE").await.unwrap();
        connection
    })
}

/// Entries expire while `change` waits for the store, and the change does not bring them back.
fn entries_expire_during(change: impl Fn(&Running, Timestamp) -> Answer + Sync) {
    let running = Running::new();
    let expires = running.block_for(3, "192.0.2.1");
    let mut lock = lock(&running);
    thread::scope(|scope| {
        let change = scope.spawn(|| change(&running, expires));
        until(|| running.authorize("203.0.113.7") == 200);
        assert_eq!(running.authorize("192.0.2.1"), 403);
        assert!(!change.is_finished());
        running.block_on(lock.execute("ROLLBACK")).unwrap();
        change.join().unwrap().ok();
    });
    for client in ["203.0.113.7", "203.0.113.8"] {
        assert_eq!(running.authorize(client), 200, "{client}");
    }
    assert_eq!(running.authorize("192.0.2.1"), 403);
}

#[test]
fn entries_expire_while_a_zone_waits_for_the_store() {
    let gateways = json!([{"type": "CIDR", "value": "198.51.100.0/24"}]);
    let zone = json!({"type": "IP", "name": "office", "gateways": gateways});
    entries_expire_during(|running, _| running.post("/api/v1/zones", &zone));
}

#[test]
fn entries_expire_while_a_feed_waits_for_the_store() {
    entries_expire_during(|running, expires| {
        running.put_feed("second", expiring("203.0.113.8", expires, "192.0.2.1"))
    });
}

#[test]
fn the_log_has_what_waited_for_the_store_longer_than_one_write_may() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    let mut lock = lock(&running);
    let chains = vec!["203.0.113.7"; 300];
    running
        .post("/v1/decisions", &json!({"chains": chains}))
        .ok();
    // A write waits for ten seconds.
    thread::sleep(Duration::from_secs(12));
    running.block_on(lock.execute("ROLLBACK")).unwrap();
    running.events("limit=1000&filter=actor.id%20eq%20%22203.0.113.7%22", 300);
    let metrics = running.get("/metrics").text;
    assert!(
        metrics.contains("threatinsight_log_events_dropped_total 0\n"),
        "{metrics}"
    );
}

#[test]
fn a_stop_does_not_wait_for_a_store_that_takes_nothing() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    let _lock = lock(&running);
    let chains = vec!["203.0.113.7"; 10_000];
    let decisions = running.post("/v1/decisions", &json!({"chains": chains}));
    assert_eq!(decisions.status, 200);
    running.stop_in_time();
}

#[test]
fn changes_that_wait_behind_others_are_refused_and_not_made_later() {
    let running = Running::new();
    let action = || running.get(CONFIGURATION).ok()["action"].clone();
    let mut lock = lock(&running);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let answer = running.post(CONFIGURATION, &json!({"action": "block"}));
                assert_eq!(answer.refused().1, "E0000010");
            });
        }
    });
    running.block_on(lock.execute("ROLLBACK")).unwrap();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(action(), "none");
}
