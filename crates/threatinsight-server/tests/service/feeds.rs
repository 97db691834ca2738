use std::time::Duration;

use serde_json::{Value, json};
use threatinsight::Admission;

use crate::running::Running;

#[test]
fn an_upload_reports_what_it_changed() {
    let running = Running::new();
    let first = running
        .put_feed(
            "scanners",
            "203.0.113.0/25\n198.51.100.7\nnonsense\n# note\n",
        )
        .ok();
    assert_eq!(
        (&first["lines"], &first["accepted"], &first["rejected"]),
        (&json!(4), &json!(2), &json!(1))
    );
    assert_eq!(
        first["distinctAddresses"],
        json!({"ipv4": "129", "ipv6": "0"})
    );
    assert_eq!(first["addedAddresses"], json!({"ipv4": "129", "ipv6": "0"}));
    assert_eq!(
        first["rejectedLines"],
        json!([{"line": 3, "text": "nonsense", "reason": "not an IPv4 or IPv6 address"}])
    );
    let second = running
        .put_feed(
            "scanners",
            "203.0.113.64/26\n192.0.2.0/31\n2001:db8::/127\n",
        )
        .ok();
    assert_eq!(second["addedAddresses"], json!({"ipv4": "2", "ipv6": "2"}));
    // 65 of the first: half of the prefix, and the single address.
    assert_eq!(
        second["removedAddresses"],
        json!({"ipv4": "65", "ipv6": "0"})
    );
    assert_eq!(second["created"], first["created"]);

    assert_eq!(running.get("/v1/feeds").ok()[0]["name"], "scanners");
    let text = running.get_with("/v1/feeds/scanners", &[("accept", "text/plain")]);
    assert_eq!(text.text, "203.0.113.64/26\n192.0.2.0/31\n2001:db8::/127\n");
    assert_eq!(running.delete("/v1/feeds/scanners").status, 204);
    assert_eq!(running.delete("/v1/feeds/scanners").refused().1, "E0000007");
    assert_eq!(running.get("/v1/feeds").ok(), json!([]));
}

#[test]
fn a_text_that_is_no_feed_changes_nothing() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running.trust_loopback();
    running
        .post("/api/v1/threats/configuration", &json!({"action": "block"}))
        .ok();
    for (text, reason) in [
        ("", "nothing to read, expected a list"),
        (
            "<!doctype html>\n<p>busy",
            "found an HTML or XML page, expected a list",
        ),
        (
            "a\nb\n",
            "no entry in 2 lines; the first is line 1: not an IPv4 or IPv6 address in `a`",
        ),
        (
            "0.0.0.0/0\n",
            "no entry in 1 line; the first is line 1: prefix length 0 is shorter than 8, the shortest that is admitted in `0.0.0.0/0`",
        ),
    ] {
        let (status, code, causes) = running.put_feed("scanners", text).refused();
        assert_eq!((status, code.as_str()), (400, "E0000001"));
        assert!(causes[0].contains(reason), "{causes:?}");
        assert_eq!(running.authorize("203.0.113.7"), 403);
    }
    for name in ["a%2Fb", "a%20b", "%C3%A9", "%2E%2E"] {
        assert_eq!(
            running.put_feed(name, "203.0.113.7\n").refused().1,
            "E0000001",
            "{name}"
        );
    }
    let names: Vec<Value> = running
        .get("/v1/feeds")
        .ok()
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].clone())
        .collect();
    assert_eq!(names, ["scanners"]);
}

#[test]
fn a_listed_address_has_feed_prefix_level_and_since_when() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    std::thread::sleep(Duration::from_millis(1_100));
    let entries =
        "{\"prefix\": \"203.0.113.7\", \"level\": \"low\", \"patterns\": [\"Password Spray\"]}\n";
    running.put_feed("logins", entries).ok();
    let later = running
        .put_feed("scanners", "203.0.113.0/24\n203.0.113.0/28\n")
        .ok();

    let answer = running.get("/v1/listed/::ffff:203.0.113.7").ok();
    assert_eq!(
        (&answer["address"], &answer["listed"]),
        (&json!("203.0.113.7"), &json!(true))
    );
    let entries = answer["entries"].as_array().unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|e| (&e["feed"], &e["prefix"], &e["level"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("logins"), &json!("203.0.113.7/32"), &json!("low")),
            (&json!("scanners"), &json!("203.0.113.0/28"), &json!("high")),
            (&json!("scanners"), &json!("203.0.113.0/24"), &json!("high")),
        ]
    );
    assert_eq!(entries[1]["since"], later["lastUpdated"]);
    assert_eq!(entries[2]["since"], later["created"]);

    let running = running.restart();
    assert_eq!(
        running.get("/v1/listed/203.0.113.7").ok()["entries"],
        answer["entries"]
    );
    assert_eq!(running.get("/v1/listed/198.51.100.7").ok()["listed"], false);
    assert_eq!(running.get("/v1/listed/scanner").refused().1, "E0000001");
}

#[test]
fn a_stored_feed_loads_whatever_is_admitted_at_the_next_start() {
    let running = Running::with(|options| options.parse.admission = Admission::Open);
    running.put_feed("lab", "10.0.0.0/8\n").ok();
    running.put_feed("mixed", "10.0.0.0/8\n").ok();
    std::thread::sleep(Duration::from_millis(1_100));
    let mixed = running.put_feed("mixed", "10.0.0.0/8\n192.168.0.0/16\n203.0.113.7\n");
    let mixed = mixed.ok();
    assert_ne!(mixed["created"], mixed["lastUpdated"]);

    let running = running.restart_with(|options| options.parse.max_rejected = 1);
    let feeds = running.get("/v1/feeds").ok();
    let entries = feeds.as_array().unwrap().iter();
    let entries: Vec<_> = entries
        .map(|feed| (&feed["name"], &feed["entries"]))
        .collect();
    assert_eq!(
        entries,
        [(&json!("lab"), &json!(0)), (&json!("mixed"), &json!(1))]
    );
    let listed = running.get("/v1/listed/203.0.113.7").ok();
    assert_eq!(listed["entries"][0]["since"], mixed["lastUpdated"]);
    assert_eq!(running.get("/v1/listed/10.1.2.3").ok()["listed"], false);
    assert_eq!(running.delete("/v1/feeds/lab").status, 204);

    let running = running.restart_with(|options| options.parse.admission = Admission::Open);
    let listed = running.get("/v1/listed/10.1.2.3").ok();
    assert_eq!(listed["entries"][0]["since"], mixed["created"]);
}

#[test]
fn an_entry_that_expires_is_no_longer_enforced() {
    let running = Running::new();
    running.block_for(2, "203.0.113.8");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(running.authorize("203.0.113.7"), 200);
    assert_eq!(running.authorize("203.0.113.8"), 403);
}
