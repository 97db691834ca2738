use serde_json::json;

use crate::running::Running;

const PATH: &str = "/api/v1/threats/configuration";

#[test]
fn a_fresh_configuration_has_the_recorded_shape() {
    let running = Running::new();
    let answer = running.get(PATH);
    let created = answer.ok()["created"].as_str().unwrap().to_owned();
    assert!(created.ends_with(".000Z"), "{created}");
    let href = running.url(PATH);
    assert_eq!(
        answer.text,
        format!(
            r#"{{"action":"none","excludeZones":[],"created":"{created}","lastUpdated":"{created}","_links":{{"self":{{"href":"{href}","hints":{{"allow":["GET","POST"]}}}}}}}}"#
        )
    );
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-cache, no-store"),
        ("pragma", "no-cache"),
        ("expires", "0"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("x-okta-request-id").starts_with("req"));
    assert!(!answer.header("date").is_empty());
}

#[test]
fn an_update_replaces_the_whole_configuration() {
    let running = Running::new();
    let zone = json!({"type": "IP", "name": "office", "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]});
    let zone = running.post("/api/v1/zones", &zone).ok()["id"].clone();
    let before = running.get(PATH).ok();

    let body = json!({"action": "block", "excludeZones": [zone, zone]});
    let updated = running.post(PATH, &body).ok();
    assert_eq!(updated["excludeZones"], json!([zone]));
    assert_eq!(updated["created"], before["created"]);

    // A client that posts what it got posts read-only members, and a link to another host.
    let mut round_trip = updated.clone();
    round_trip["_links"]["self"]["href"] =
        json!("https://example.com/api/v1/threats/configuration");
    round_trip["unknown"] = json!(7);
    let again = running.post(PATH, &round_trip).ok();
    assert_eq!(again["excludeZones"], json!([zone]));
    assert_eq!(again["_links"], updated["_links"]);

    for body in [
        json!({"action": "audit"}),
        json!({"action": "audit", "excludeZones": null}),
    ] {
        running
            .post(PATH, &json!({"action": "block", "excludeZones": [zone]}))
            .ok();
        assert_eq!(running.post(PATH, &body).ok()["excludeZones"], json!([]));
        assert_eq!(running.get(PATH).ok()["action"], "audit");
    }
}

#[test]
fn last_updated_moves_at_an_update_that_changes_nothing() {
    let running = Running::new();
    let before = running.post(PATH, &json!({"action": "audit"})).ok();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let after = running.post(PATH, &json!({"action": "audit"})).ok();
    assert!(after["lastUpdated"].as_str() > before["lastUpdated"].as_str());
    assert_eq!(after["created"], before["created"]);
}

#[test]
fn what_is_not_a_configuration_is_refused_and_changes_nothing() {
    let running = Running::new();
    running.post(PATH, &json!({"action": "audit"})).ok();
    let dynamic = json!({"type": "DYNAMIC", "name": "tor", "proxyType": "Tor"});
    let dynamic = running.post("/api/v1/zones", &dynamic).ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let blank = vec!["action: The field cannot be left blank".to_owned()];
    for (body, code, causes) in [
        ("{}".to_owned(), "E0000001", blank.clone()),
        (r#"{"action":null}"#.to_owned(), "E0000001", blank.clone()),
        (r#"{"action":""}"#.to_owned(), "E0000001", blank),
        (r#"{"action":"BLOCK"}"#.to_owned(), "E0000003", vec![]),
        (r#"{"action":7}"#.to_owned(), "E0000003", vec![]),
        (
            r#"{"action":"block","excludeZones":"nzo"}"#.to_owned(),
            "E0000003",
            vec![],
        ),
        (
            r#"{"action":"block","excludeZones":[7]}"#.to_owned(),
            "E0000003",
            vec![],
        ),
        ("[]".to_owned(), "E0000003", vec![]),
        (r#"["none",null]"#.to_owned(), "E0000003", vec![]),
        (r#"{"action":{"none":null}}"#.to_owned(), "E0000003", vec![]),
        (r#"{"action":"none"}{}"#.to_owned(), "E0000003", vec![]),
        ("{".to_owned(), "E0000003", vec![]),
        (String::new(), "E0000003", vec![]),
        ("[".repeat(100_000), "E0000003", vec![]),
        (
            r#"{"action":"block","excludeZones":["nzoA","nzoB"]}"#.to_owned(),
            "E0000001",
            vec![
                "excludeZones: The zone: nzoA does not exist.".to_owned(),
                "excludeZones: The zone: nzoB does not exist.".to_owned(),
            ],
        ),
        (
            json!({"action": "block", "excludeZones": [dynamic]}).to_string(),
            "E0000001",
            vec![format!(
                "excludeZones: The zone: {dynamic} is dynamic. Only IP zones can be excluded."
            )],
        ),
    ] {
        let answer = running.post_text(PATH, &body);
        assert_eq!(
            answer.refused(),
            (400, code.to_owned(), causes),
            "{body:.100}"
        );
    }
    assert_eq!(running.get(PATH).ok()["action"], "audit");
}

#[test]
fn a_restart_serves_what_was_stored() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running.trust_loopback();
    let before = running.post(PATH, &json!({"action": "block"})).ok();
    let zones = running.get("/api/v1/zones").ok();

    let running = running.restart();
    let after = running.get(PATH).ok();
    assert_eq!(
        (&after["action"], &after["created"]),
        (&before["action"], &before["created"])
    );
    let names = |zones: &serde_json::Value| -> Vec<_> {
        zones
            .as_array()
            .unwrap()
            .iter()
            .map(|zone| (zone["id"].clone(), zone["name"].clone()))
            .collect()
    };
    assert_eq!(names(&running.get("/api/v1/zones").ok()), names(&zones));
    assert_eq!(running.authorize("203.0.113.7"), 403);
    assert_eq!(running.authorize("198.51.100.7"), 200);
}

#[test]
fn links_name_the_host_by_which_the_service_was_reached() {
    let running = Running::new();
    let answer = running.get_with(
        PATH,
        &[("host", "acme.example.com"), ("x-forwarded-proto", "https")],
    );
    assert_eq!(
        answer.ok()["_links"]["self"]["href"],
        "https://acme.example.com/api/v1/threats/configuration"
    );
    let answer = running.get_with(PATH, &[("host", "a\"><script>")]);
    if answer.status == 200 {
        assert_eq!(
            answer.json()["_links"]["self"]["href"],
            format!("http://localhost{PATH}")
        );
    }
}
