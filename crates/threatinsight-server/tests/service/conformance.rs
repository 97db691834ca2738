//! The cases of `tests/data/decisions.jsonl`, which the library and the command run too, through
//! `POST /v1/decisions`.
//!
//! A case's policy is set through the API, so zones get ids of their own, and a case's `now` is the
//! moment of the test: expiries keep their side of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use threatinsight::{Admission, Policy};

use crate::running::Running;

#[test]
fn decisions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/decisions.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // One service for each set of extensions: they are options of its start.
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for case in &cases {
        groups
            .entry(extensions(&case["policy"]).to_string())
            .or_default()
            .push(case);
    }
    let mut failures = Vec::new();
    let mut skipped = Vec::new();
    for group in groups.values() {
        let policy: Policy = serde_json::from_value(extensions(&group[0]["policy"])).unwrap();
        let exempt = group[0]["policy"]
            .get("exemptZone")
            .is_some_and(|zone| !zone.is_null());
        let running = Running::with(|options| {
            options.parse.admission = Admission::Open;
            options.extensions = policy.extensions;
            options.exempt_zone = exempt;
        });
        for case in group {
            match run(&running, case) {
                Ok(true) => {}
                Ok(false) => skipped.push(case["name"].to_string()),
                Err(failure) => failures.push(format!("{}: {failure}", case["name"])),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    println!(
        "{} of {} cases cannot be set up through the API: {}",
        skipped.len(),
        cases.len(),
        skipped.join(", ")
    );
    assert!(skipped.len() * 10 < cases.len(), "{skipped:?}");
}

/// The policy without what the API sets.
fn extensions(policy: &Value) -> Value {
    let mut members: Map<String, Value> = policy.as_object().unwrap().clone();
    for name in [
        "excludeZones",
        "zones",
        "exemptZone",
        "created",
        "lastUpdated",
        "_links",
    ] {
        members.remove(name);
    }
    let exempt = policy.get("exemptZone").is_some_and(|zone| !zone.is_null());
    members.insert("action".to_owned(), json!("none"));
    if exempt {
        members.insert("exemptZone".to_owned(), json!("it"));
    }
    Value::Object(members)
}

/// Whether the case could be set up; what of its answer differs.
fn run(running: &Running, case: &Value) -> Result<bool, String> {
    clear(running);
    let mut ids = BTreeMap::new();
    for zone in case["policy"]["zones"].as_array().into_iter().flatten() {
        let is_exempt = zone["id"].is_string() && zone["id"] == case["policy"]["exemptZone"];
        match create(running, zone, is_exempt) {
            Some(id) => ids.insert(zone["id"].as_str().unwrap_or_default(), id),
            None => return Ok(false),
        };
    }
    put_feeds(running, case);
    let excluded = case["policy"]["excludeZones"].as_array();
    let excluded: Vec<&str> = excluded
        .into_iter()
        .flatten()
        .map(|id| ids[id.as_str().unwrap()].as_str())
        .collect();
    let configuration = json!({"action": case["policy"]["action"], "excludeZones": excluded});
    running
        .post("/api/v1/threats/configuration", &configuration)
        .ok();

    let question = json!({"chain": case["chain"], "kind": case["kind"]});
    let answer = running.post("/v1/decisions", &question).ok();
    for (member, expected) in case["expect"].as_object().unwrap() {
        let found = if member == "feeds" {
            feeds(&answer)
        } else {
            answer[member].clone()
        };
        if found != *expected {
            return Err(format!("{member} of {answer}, expected {expected}"));
        }
    }
    Ok(true)
}

/// The feeds in the order of their names; none are absent from an answer.
fn feeds(answer: &Value) -> Value {
    let mut feeds: Vec<String> =
        serde_json::from_value(answer.get("feeds").cloned().unwrap_or_else(|| json!([]))).unwrap();
    feeds.sort();
    json!(feeds)
}

fn clear(running: &Running) {
    running
        .post("/api/v1/threats/configuration", &json!({"action": "none"}))
        .ok();
    for zone in running
        .get("/api/v1/zones?limit=200")
        .ok()
        .as_array()
        .unwrap()
    {
        let path = format!("/api/v1/zones/{}", zone["id"].as_str().unwrap());
        if zone["name"] == "DefaultExemptIpZone" {
            let body =
                json!({"type": "IP", "name": "DefaultExemptIpZone", "useAsExemptList": true});
            running.put(&path, &body).ok();
        } else if zone["system"] == false {
            running
                .post_nothing(&format!("{path}/lifecycle/deactivate"))
                .ok();
            assert_eq!(running.delete(&path).status, 204);
        }
    }
}

/// The id of a zone like `zone`; `None` when the API, unlike a policy file, knows no such zone.
fn create(running: &Running, zone: &Value, is_exempt: bool) -> Option<String> {
    let mut body = zone.clone();
    if is_exempt {
        let zones = running.get("/api/v1/zones?limit=200").ok();
        let zones = zones.as_array().unwrap();
        let exempt = zones
            .iter()
            .find(|zone| zone["name"] == "DefaultExemptIpZone")
            .unwrap();
        body["name"] = json!("DefaultExemptIpZone");
        body["useAsExemptList"] = json!(true);
        if body.get("status").is_none() {
            body["status"] = json!("ACTIVE");
        }
        let path = format!("/api/v1/zones/{}", exempt["id"].as_str().unwrap());
        let answer = running.put(&path, &body);
        return (answer.status == 200).then(|| exempt["id"].as_str().unwrap().to_owned());
    }
    let answer = running.post("/api/v1/zones", &body);
    if answer.status != 200 {
        return None;
    }
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    if zone["status"] == "INACTIVE" {
        running
            .post_nothing(&format!("/api/v1/zones/{id}/lifecycle/deactivate"))
            .ok();
    }
    Some(id)
}

fn put_feeds(running: &Running, case: &Value) {
    for feed in running.get("/v1/feeds").ok().as_array().unwrap() {
        running.delete(&format!("/v1/feeds/{}", feed["name"].as_str().unwrap()));
    }
    let mut feeds: BTreeMap<&str, String> = BTreeMap::new();
    for entry in case["entries"].as_array().unwrap() {
        let mut line = entry.clone();
        line.as_object_mut().unwrap().remove("feed");
        if let Some(expires) = entry["expires"].as_str() {
            line["expires"] = json!(moved(expires, case["now"].as_str().unwrap()));
        }
        feeds
            .entry(entry["feed"].as_str().unwrap())
            .or_default()
            .push_str(&format!("{line}\n"));
    }
    for (name, lines) in feeds {
        running.put_feed(name, lines).ok();
    }
}

/// The expiry as far from the present, in hours, as it is from `now` in seconds.
fn moved(expires: &str, now: &str) -> String {
    let second = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let present = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let distance = (second(expires) - second(now)).clamp(-8_760, 8_760) * 3_600;
    let moved = i64::try_from(present).unwrap() + distance;
    jiff::Timestamp::from_second(moved).unwrap().to_string()
}
