use serde_json::json;

use crate::running::Running;

const CONFIGURATION: &str = "/api/v1/threats/configuration";

fn listed() -> Running {
    let running = Running::new();
    running
        .put_feed("scanners", "203.0.113.0/24\n2001:db8::/32\n")
        .ok();
    running.trust_loopback();
    running
}

#[test]
fn the_next_request_obeys_a_change_and_the_log_shows_it() {
    let running = listed();
    assert_eq!(running.authorize("203.0.113.7"), 200);
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    assert_eq!(running.authorize("198.51.100.7"), 200);

    let zone = json!({"type": "IP", "name": "office",
        "gateways": [{"type": "CIDR", "value": "203.0.113.0/28"}],
        "proxies": [{"type": "CIDR", "value": "127.0.0.1/32"}]});
    let zone = running.post("/api/v1/zones", &zone).ok()["id"].clone();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    running
        .post(
            CONFIGURATION,
            &json!({"action": "block", "excludeZones": [zone]}),
        )
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 200);
    assert_eq!(running.authorize("203.0.113.77"), 403);

    let of = |address: &str| {
        format!(
            "filter=actor.id%20eq%20%22{address}%22%20and%20eventType%20eq%20%22security.threat.detected%22%20and%20outcome.result%20eq%20%22DENY%22"
        )
    };
    let events = running.events(&of("203.0.113.7"), 2);
    let event = &events[0];
    assert_eq!(event["client"]["ipAddress"], "203.0.113.7");
    assert_eq!(event["outcome"]["reason"], "Negative IP Reputation");
    assert_eq!(event["displayMessage"], "Request from suspicious actor");
    let hops = event["request"]["ipChain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hop| &hop["ip"]);
    assert_eq!(hops.collect::<Vec<_>>(), ["203.0.113.7", "127.0.0.1"]);
    let data = &event["debugContext"]["debugData"];
    assert_eq!(data["threatSuspected"], "true");
    assert_eq!(
        data["threatDetections"],
        r#"{"Negative IP Reputation":"HIGH"}"#
    );
    running.events(&of("203.0.113.77"), 1);

    let updates = running.events(
        "filter=eventType%20eq%20%22security.threat.configuration.update%22",
        2,
    );
    assert_eq!(updates[1]["actor"]["displayName"], "administrator");
    let change = &updates[1]["target"][0]["changeDetails"];
    assert_eq!(
        change["from"],
        json!({"action": "block", "excludeZones": []})
    );
    assert_eq!(
        change["to"],
        json!({"action": "block", "excludeZones": [zone]})
    );
}

#[test]
fn a_client_that_is_listed_without_a_pattern_is_suspected() {
    let running = Running::new();
    let entry = "{\"prefix\": \"203.0.113.7\", \"patterns\": []}\n";
    running.put_feed("scanners", entry).ok();
    running.trust_loopback();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    let event = &running.events("filter=outcome.result%20eq%20%22DENY%22", 1)[0];
    assert_eq!(event["outcome"]["reason"], "LISTED");
    let data = &event["debugContext"]["debugData"];
    assert_eq!(data["threatSuspected"], "true");
    assert_eq!(data["feeds"], "scanners");
    assert_eq!(data["threatDetections"], "{}");
}

#[test]
fn audit_lets_through_and_logs_allow_and_none_logs_nothing() {
    let running = listed();
    running.post(CONFIGURATION, &json!({"action": "none"})).ok();
    assert_eq!(running.authorize("203.0.113.7"), 200);
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.8"), 200);
    let events = running.events("filter=eventType%20sw%20%22security.threat.d%22", 1);
    assert_eq!(events[0]["actor"]["id"], "203.0.113.8");
    assert_eq!(events[0]["outcome"]["result"], "ALLOW");
}

#[test]
fn a_blocklist_zone_blocks_and_is_logged_as_such() {
    let running = listed();
    let zone = json!({"type": "IP", "name": "blocked", "usage": "BLOCKLIST",
        "gateways": [{"type": "CIDR", "value": "198.51.100.0/24"}]});
    running.post("/api/v1/zones", &zone).ok();
    assert_eq!(running.authorize("198.51.100.7"), 403);
    let events = running.events("filter=eventType%20eq%20%22security.request.blocked%22", 1);
    assert_eq!(
        events[0]["displayMessage"],
        "Blocked request from IP [198.51.100.7]"
    );
    assert_eq!(
        events[0]["outcome"],
        json!({"result": "DENY", "reason": "NETWORK_ZONE_BLOCKLIST"})
    );
    running.events("filter=eventType%20eq%20%22zone.make_blacklist%22", 1);
}

#[test]
fn a_refusal_is_oktas_error_or_a_page_for_browsers() {
    let running = listed();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    let ask = |accept: &str| {
        let headers = [("x-forwarded-for", "203.0.113.7"), ("accept", accept)];
        running.get_with("/v1/authorize", &headers)
    };
    for accept in ["application/json", "*/*", "application/json, text/html"] {
        assert_eq!(
            ask(accept).refused(),
            (403, "E0000006".to_owned(), vec![]),
            "{accept}"
        );
    }
    let page = ask("text/html,application/xhtml+xml,application/json;q=0.9");
    assert_eq!(
        (page.status, page.header("content-type")),
        (403, "text/html; charset=utf-8")
    );
    assert!(page.text.contains("403 Access Forbidden"));
    let allowed = running.get_with("/v1/authorize", &[("x-forwarded-for", "198.51.100.7")]);
    assert_eq!((allowed.status, allowed.text.as_str()), (200, ""));
}

#[test]
fn a_forwarded_header_counts_only_from_a_trusted_peer() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 200);
    running.trust_loopback();
    assert_eq!(running.authorize("203.0.113.7"), 403);
}

#[test]
fn a_header_of_the_gateway_counts_only_when_an_option_names_it() {
    let ask = |running: &Running, values: &[&str]| {
        let headers: Vec<_> = values.iter().map(|value| ("x-real-ip", *value)).collect();
        running.get_with("/v1/authorize", &headers).status
    };
    let running = listed();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(ask(&running, &["203.0.113.7"]), 200);
    drop(running);

    let running = Running::with(|options| {
        options.client_source = "X-Real-IP".parse().unwrap();
        options.extensions.on_unknown_client = threatinsight::Verdict::Block;
    });
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    assert_eq!(ask(&running, &["203.0.113.7"]), 403);
    assert_eq!(ask(&running, &["198.51.100.7"]), 200);
    for unknown in [
        &[][..],
        &["nonsense"],
        &["198.51.100.7, 203.0.113.7"],
        &["198.51.100.7", "198.51.100.7"],
    ] {
        assert_eq!(ask(&running, unknown), 403, "{unknown:?}");
    }
}

#[test]
fn decisions_can_have_a_listener_of_their_own() {
    let running = Running::with(|options| {
        options.decisions_listen = Some("127.0.0.1:0".parse().unwrap());
    });
    let decisions = format!("http://{}", running.service().decisions_address.unwrap());
    assert_eq!(running.get("/v1/authorize").status, 404);
    assert_eq!(
        running.get(&format!("{decisions}/v1/authorize")).status,
        200
    );
    assert_eq!(running.get(&format!("{decisions}/readyz")).status, 200);
    assert_eq!(
        running.get(&format!("{decisions}{CONFIGURATION}")).status,
        404
    );
}

#[test]
fn a_gateway_that_asks_with_its_clients_method_path_and_query_is_answered_alike() {
    let running = listed();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    let ask = |method: &str, target: &str, client: &str| {
        running
            .ask_with(method, target, &[("x-forwarded-for", client)])
            .status
    };
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        for path in [
            "/v1/authorize",
            "/v1/authorize/",
            "/v1/authorize/sign/in?a=b",
        ] {
            assert_eq!(ask(method, path, "203.0.113.7"), 403, "{method} {path}");
            assert_eq!(ask(method, path, "198.51.100.7"), 200, "{method} {path}");
        }
    }

    // Below the path the query is the client's, who may not choose what is asked.
    let sprayer = r#"{"prefix": "192.0.2.0/24", "patterns": ["Password Spray"]}"#;
    running.put_feed("sprayers", sprayer).ok();
    assert_eq!(ask("GET", "/v1/authorize?kind=other", "192.0.2.7"), 200);
    assert_eq!(ask("GET", "/v1/authorize/?kind=other", "192.0.2.7"), 403);

    // And where the gateway hands on what the client asked with.
    for header in ["x-forwarded-uri", "x-original-uri"] {
        for (uri, expected) in [
            ("/sign-in?kind=other", 403),
            ("/sign-in?a=b", 200),
            ("/", 200),
        ] {
            let headers = [("x-forwarded-for", "192.0.2.7"), (header, uri)];
            let answer = running.ask_with("GET", "/v1/authorize?kind=other", &headers);
            assert_eq!(answer.status, expected, "{header}: {uri}");
        }
    }
}

#[test]
fn many_chains_are_decided_in_order_and_explained_on_request() {
    let running = listed();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    let question = json!({"chains": ["203.0.113.7", "198.51.100.7", "garbage"]});
    let answer = running.post("/v1/decisions", &question).ok();
    let verdicts: Vec<_> = answer["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["verdict"])
        .collect();
    assert_eq!(verdicts, ["block", "allow", "log"]);

    let question = json!({"chain": "203.0.113.99", "kind": "other", "explain": true});
    let answer = running.post("/v1/decisions", &question).ok();
    assert_eq!(
        answer["explanation"]["entries"][0]["prefix"],
        "203.0.113.0/24"
    );
    assert_eq!(answer["explanation"]["kind"], "other");

    for (question, code) in [
        (json!({}), "E0000001"),
        (json!({"chain": "a", "chains": []}), "E0000001"),
        (json!({"chains": vec!["a"; 10_001]}), "E0000001"),
        (
            json!({"chains": vec!["a"; 101], "explain": true}),
            "E0000001",
        ),
        (json!({"chian": "203.0.113.7"}), "E0000003"),
        (json!(["203.0.113.7", null]), "E0000003"),
        (
            json!({"chain": "203.0.113.7", "kind": {"other": null}}),
            "E0000003",
        ),
    ] {
        assert_eq!(running.post("/v1/decisions", &question).refused().1, code);
    }
    // Only the questions that were requests are in the log.
    running.events("filter=eventType%20eq%20%22security.threat.detected%22", 2);
}

#[test]
fn metrics_count_decisions_by_verdict_and_reason() {
    let running = listed();
    running
        .post(CONFIGURATION, &json!({"action": "block"}))
        .ok();
    for address in ["203.0.113.7", "203.0.113.8", "198.51.100.7"] {
        running.authorize(address);
    }
    let text = running.get("/metrics").text;
    for line in [
        r#"threatinsight_decisions_total{verdict="block",reason="listed"} 2"#,
        r#"threatinsight_decisions_total{verdict="allow",reason="not-listed"} 1"#,
        r#"threatinsight_entries{feed="scanners"} 2"#,
        "threatinsight_log_events_dropped_total 0",
        r#"threatinsight_api_requests_total{method="POST",route="/api/v1/threats/configuration",status="200"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}
