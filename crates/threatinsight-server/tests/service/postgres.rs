//! PostgreSQL through the same queries, and two instances over one database.
//!
//! `THREATINSIGHT_TEST_POSTGRES` points to a server, `postgres://user@host:port`, in which databases
//! may be made. Without it these tests are skipped, and say so.

use std::env;
use std::thread;
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _};
use threatinsight_server::{Location, Options};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::logs::cut_by_size_and_by_age;
use crate::running::{Running, until};

const CONFIGURATION: &str = "/api/v1/threats/configuration";

/// Keeps everybody else from changing anything.
const LOCK: &str = "BEGIN; LOCK TABLE position IN EXCLUSIVE MODE";

/// The address of a new database; `None`, said loudly, without a server.
fn database(name: &str) -> Option<String> {
    let Ok(server) = env::var("THREATINSIGHT_TEST_POSTGRES") else {
        eprintln!(
            "SKIPPED: THREATINSIGHT_TEST_POSTGRES names no server, so PostgreSQL is not tested"
        );
        return None;
    };
    let name = format!("threatinsight_{name}_{}", std::process::id());
    Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::PgConnection::connect(&format!("{server}/postgres"))
            .await
            .unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(&create).execute(&mut connection).await.unwrap();
    });
    Some(format!("{server}/{name}"))
}

fn on(url: &str) -> impl FnOnce(&mut Options) {
    let url = url.to_owned();
    move |options| options.store = Location::Postgres(url)
}

#[test]
fn what_is_stored_in_postgres_is_served_after_a_restart() {
    let Some(url) = database("restart") else {
        return;
    };
    let running = Running::with(on(&url));
    running
        .put_feed("scanners", b"203.0.113.0/24\n# caf\xe9 \x00\n")
        .ok();
    running.trust_loopback();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    let events = "filter=actor.id%20eq%20%22203.0.113.7%22&until=2100-01-01T00:00:00Z&since=";
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    running.events(&format!("{events}{since}"), 1);

    let running = running.restart_with(on(&url));
    assert_eq!(running.get(CONFIGURATION).ok()["action"], "block");
    assert_eq!(running.authorize("203.0.113.7"), 403);
    let zones = running.get("/api/v1/zones").ok();
    let names: Vec<_> = zones
        .as_array()
        .unwrap()
        .iter()
        .map(|zone| zone["name"].clone())
        .collect();
    assert_eq!(names, ["gateway", "BlockedIpZone", "LegacyIpZone"]);
    running.delete("/v1/feeds/scanners");
    assert_eq!(running.authorize("203.0.113.7"), 200);
}

#[test]
fn what_postgres_cannot_hold_is_refused_or_not_there() {
    let Some(url) = database("nul") else {
        return;
    };
    let running = Running::with(on(&url));
    let zone = json!({"type": "IP", "name": "a\u{0}b", "gateways": [{"type": "CIDR", "value": "192.0.2.0/28"}]});
    assert_eq!(
        running.post("/api/v1/zones", &zone).refused(),
        (
            400,
            "E0000001".to_owned(),
            vec!["name: The name may not contain U+0000.".to_owned()]
        )
    );
    let log = running.get("/api/v1/logs?filter=actor.id%20eq%20%22%5Cu0000%22");
    assert_eq!(log.ok(), json!([]));
    let feed = running.get_with("/v1/feeds/a%00b", &[("accept", "text/plain")]);
    assert_eq!(feed.refused().0, 404);
}

#[test]
fn the_log_in_postgres_is_cut_by_size_and_by_age() {
    let Some(url) = database("retention") else {
        return;
    };
    cut_by_size_and_by_age(|options| on(&url)(options));
}

#[test]
fn another_instances_change_arrives_by_notification_and_else_by_the_poll() {
    let Some(url) = database("pair") else { return };
    // A poll that would come too late: what arrives was notified.
    let notified = |options: &mut Options| options.poll = Duration::from_secs(600);
    let first = Running::with(|options| {
        on(&url)(options);
        notified(options);
    });
    let second = Running::with(|options| {
        on(&url)(options);
        notified(options);
    });
    second.trust_loopback();
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let action = if round % 2 == 0 { "block" } else { "audit" };
        first.post(CONFIGURATION, &json!({"action": action})).ok();
        slowest = slowest.max(until(|| second.get(CONFIGURATION).ok()["action"] == action));
    }
    println!("a notified change was served by the other instance within {slowest:?}");
    first.post(CONFIGURATION, &json!({"action": "block"})).ok();
    first.put_feed("scanners", "203.0.113.0/24\n").ok();
    until(|| second.authorize("203.0.113.7") == 403);

    // Both change at once, and no change is lost.
    thread::scope(|scope| {
        for (running, letter) in [(&first, 'a'), (&second, 'b')] {
            scope.spawn(move || {
                for n in 0..10 {
                    let gateways = json!([{"type": "CIDR", "value": "192.0.2.0/24"}]);
                    let zone =
                        json!({"type": "IP", "name": format!("{letter}{n}"), "gateways": gateways});
                    running.post("/api/v1/zones", &zone).ok();
                }
            });
        }
    });
    for running in [&first, &second] {
        until(|| {
            running
                .get("/api/v1/zones?limit=200")
                .ok()
                .as_array()
                .unwrap()
                .len()
                == 23
        });
    }
}

#[test]
fn a_change_waits_for_a_lock_for_ten_seconds_and_expiry_not_at_all() {
    let Some(url) = database("lock") else { return };
    let running = Running::with(on(&url));
    running.block_for(3, "192.0.2.1");

    let audit = json!({"action": "audit"});
    let mut lock = running.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        connection.execute(LOCK).await.unwrap();
        connection
    });
    thread::scope(|scope| {
        let change = scope.spawn(|| running.post(CONFIGURATION, &audit));
        until(|| running.authorize("203.0.113.7") == 200);
        assert!(!change.is_finished());
        running.block_on(lock.execute("ROLLBACK")).unwrap();
        change.join().unwrap().ok();

        running.block_on(lock.execute(LOCK)).unwrap();
        assert_eq!(running.post(CONFIGURATION, &audit).status, 503);
        running.block_on(lock.execute("ROLLBACK")).unwrap();
        running.post(CONFIGURATION, &audit).ok();
    });
}

#[test]
fn entries_expire_and_the_service_stops_without_its_database() {
    let Some(url) = database("away") else { return };
    let away = Runtime::new().unwrap();
    let (listener, server) = away.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = url.rsplit('@').next().unwrap();
        (listener, host.split('/').next().unwrap().to_owned())
    });
    let url = url.replace(&server, &listener.local_addr().unwrap().to_string());
    away.spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let running = Running::with(on(&url));
    running.block_for(4, "192.0.2.1");
    drop(away);
    let late = until(|| running.authorize("203.0.113.7") == 200);
    assert!(late < Duration::from_secs(8), "{late:?}");
    running.stop_in_time();
}

#[test]
fn a_poll_is_enough_when_nothing_notifies() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let poll = |options: &mut Options| {
        options.store = Location::Directory(path.clone());
        options.poll = Duration::from_millis(100);
    };
    let first = Running::with(poll);
    let second = Running::with(poll);
    first.put_feed("scanners", "203.0.113.0/24\n").ok();
    first.trust_loopback();
    first.post(CONFIGURATION, &json!({"action": "block"})).ok();
    until(|| second.authorize("203.0.113.7") == 403);
    second.post(CONFIGURATION, &json!({"action": "audit"})).ok();
    until(|| first.authorize("203.0.113.7") == 200);
}
