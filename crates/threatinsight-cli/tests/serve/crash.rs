//! Kill -9 under load: what was answered is what is enforced after the next start.
//!
//! One client per kind of change sends numbered changes; each notes the last that was answered.
//! The one in flight may or may not have been stored; nothing before it may be lost.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, TOKEN, agent, ask};

const CONFIGURATION: &str = "/api/v1/threats/configuration";
const ACTIONS: [&str; 3] = ["none", "audit", "block"];

/// How often the service is killed, and for how long at most the test goes on.
const ROUNDS: usize = 12;
const BOUND: Duration = Duration::from_secs(60);

/// Sends changes until the connection breaks; the number of the last one that was answered.
fn until_broken(mut number: usize, mut send: impl FnMut(usize) -> Option<u16>) -> usize {
    loop {
        match send(number + 1) {
            Some(status) => assert_eq!(status, 200),
            None => return number,
        }
        number += 1;
    }
}

/// A feed that names its own number in its single prefix.
fn feed(number: usize) -> String {
    format!("203.0.{}.{}/32\n", number / 256, number % 256)
}

fn zone(number: usize) -> Value {
    json!({"type": "IP", "name": format!("zone {number}"), "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]})
}

#[test]
fn nothing_that_was_answered_is_lost() {
    let data = TempDir::new().unwrap();
    let started = Instant::now();
    let mut server = Server::start(data.path());
    let zones = format!("{}/api/v1/zones", server.url);
    let created = ask(&agent(), "POST", &zones, TOKEN, &zone(0).to_string())
        .unwrap()
        .1;
    let id = created["id"].as_str().unwrap().to_owned();
    let (mut actions, mut zone_names, mut feeds) = (0, 0, 0);
    for round in 0..ROUNDS {
        if started.elapsed() > BOUND {
            println!("{round} of {ROUNDS} rounds in {BOUND:?}");
            break;
        }
        let url = server.url.clone();
        let delay = Duration::from_millis(100 + (round as u64 * 197) % 500);
        (actions, zone_names, feeds) = thread::scope(|scope| {
            let put = |path: String, method: &'static str, body: fn(usize) -> String| {
                let (agent, url) = (agent(), format!("{url}{path}"));
                move |number| {
                    ask(&agent, method, &url, TOKEN, &body(number)).map(|(status, _)| status)
                }
            };
            let action = put(CONFIGURATION.to_owned(), "POST", |n| {
                json!({"action": ACTIONS[n % 3]}).to_string()
            });
            let name = put(format!("/api/v1/zones/{id}"), "PUT", |n| {
                zone(n).to_string()
            });
            let list = put("/v1/feeds/numbers".to_owned(), "PUT", feed);
            let action = scope.spawn(move || until_broken(actions, action));
            let name = scope.spawn(move || until_broken(zone_names, name));
            let list = scope.spawn(move || until_broken(feeds, list));
            thread::sleep(delay);
            server.kill();
            (
                action.join().unwrap(),
                name.join().unwrap(),
                list.join().unwrap(),
            )
        });

        server = Server::start(data.path());
        let read = |path: &str| {
            ask(&agent(), "GET", &format!("{}{path}", server.url), TOKEN, "")
                .unwrap()
                .1
        };
        // The change in flight may have been stored: then it is the one that counts.
        let action = read(CONFIGURATION)["action"].clone();
        let places = [actions, actions + 1];
        assert!(
            places.iter().any(|n| action == ACTIONS[n % 3]),
            "{action} after {actions}"
        );
        actions += usize::from(action != ACTIONS[actions % 3]);

        let name = read(&format!("/api/v1/zones/{id}"))["name"].clone();
        let expected = [zone_names, zone_names + 1].map(|n| format!("zone {n}"));
        assert!(
            expected.iter().any(|n| name == *n.as_str()),
            "{name} after {zone_names}"
        );
        zone_names += usize::from(name == *expected[1].as_str());

        if feeds == 0 && read("/v1/feeds")[0]["name"].is_null() {
            continue;
        }
        let enforced = |n: usize| {
            let address = feed(n).trim_end().trim_end_matches("/32").to_owned();
            let listed = read(&format!("/v1/listed/{address}"))["listed"] == true;
            let decision = ask(
                &agent(),
                "POST",
                &format!("{}/v1/decisions", server.url),
                TOKEN,
                &json!({"chain": address, "explain": true}).to_string(),
            );
            let entries = decision.unwrap().1["explanation"]["entries"]
                .as_array()
                .unwrap()
                .len();
            assert_eq!(entries > 0, listed, "{address}");
            listed
        };
        let stored = [feeds, feeds + 1].map(enforced);
        assert_eq!(
            stored.iter().filter(|stored| **stored).count(),
            1,
            "{stored:?} after {feeds}"
        );
        feeds += usize::from(stored[1]);
    }
    println!("{actions} configurations, {zone_names} zones, {feeds} feeds were answered");
    assert!(actions > ROUNDS && zone_names > ROUNDS && feeds > ROUNDS);
}
