//! Requests that no honest client makes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use crate::running::{ADMINISTRATOR, Running};

/// What is answered to bytes on the wire, until the service closes or is silent.
fn raw(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.service().address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(8)))
        .unwrap();
    // A service that refuses early closes while we still write.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn bodies_beyond_their_limit_are_refused() {
    let running = Running::with(|options| options.feed_bytes = 1 << 16);
    let body = json!({"action": "audit", "x": "x".repeat(1 << 20)});
    assert_eq!(
        running
            .post("/api/v1/threats/configuration", &body)
            .refused()
            .0,
        413
    );
    assert_eq!(
        running
            .put_feed("big", vec![b'#'; (1 << 16) + 1])
            .refused()
            .0,
        413
    );
    assert_eq!(running.put_feed("small", "203.0.113.7\n").status, 200);
}

#[test]
fn a_head_beyond_its_limit_and_a_slow_one_are_cut_off() {
    let running = Running::with(|options| options.request_timeout = Duration::from_secs(1));
    let long = format!(
        "GET /livez HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = raw(&running, long.as_bytes());
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer:.100}");

    let started = Instant::now();
    raw(&running, b"GET /livez HTTP/1.1\r\nhost:");
    assert!(started.elapsed() < Duration::from_secs(5));

    let started = Instant::now();
    let head = format!(
        "POST /api/v1/threats/configuration HTTP/1.1\r\nhost: a\r\nauthorization: SSWS {ADMINISTRATOR}\r\n\
         content-type: application/json\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{{"
    );
    let answer = raw(&running, head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer:.100}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_of_another_type_is_refused() {
    let running = Running::new();
    let head = format!(
        "POST /api/v1/threats/configuration HTTP/1.1\r\nhost: a\r\nauthorization: SSWS {ADMINISTRATOR}\r\n\
         content-type: application/xml\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    let answer = raw(&running, head.as_bytes());
    assert!(answer.contains("E0000021"), "{answer}");
}

#[test]
fn paths_and_methods_that_do_not_exist_are_refused_in_oktas_form() {
    let running = Running::new();
    assert_eq!(
        running.get("/api/v1/users").refused(),
        (404, "E0000008".to_owned(), vec![])
    );
    assert_eq!(
        running.delete("/api/v1/zones").refused(),
        (405, "E0000022".to_owned(), vec![])
    );
    assert_eq!(
        running.delete("/api/v1/threats/configuration").refused().1,
        "E0000022"
    );
    assert_eq!(running.get("/api/v1/zones/%ff").refused().0, 400);
}

#[test]
fn no_header_and_no_query_takes_the_service_down() {
    let running = Running::new();
    let config = ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let path = prop::sample::select(vec!["/v1/authorize", "/api/v1/logs", "/api/v1/zones"]);
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    proptest!(config, |(path in path, query in bytes(), value in bytes())| {
        let query: String = query.iter().map(|byte| format!("%{byte:02x}")).collect();
        let mut request = format!(
            "GET {path}?filter={query}&q={query}&after={query}&kind={query} HTTP/1.1\r\nhost: a\r\n\
             authorization: SSWS {ADMINISTRATOR}\r\nconnection: close\r\nx-forwarded-for: "
        ).into_bytes();
        request.extend(value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        request.extend_from_slice(b"\r\n\r\n");
        let answer = raw(&running, &request);
        prop_assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        prop_assert!(!answer.starts_with("HTTP/1.1 5"), "{answer}");
    });
    assert_eq!(running.get("/readyz").status, 200);
}

#[test]
fn no_body_takes_the_service_down() {
    let running = Running::new();
    let config = ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let paths = vec![
        "/api/v1/threats/configuration",
        "/api/v1/zones",
        "/v1/decisions",
    ];
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"action\"",
        "\"block\"",
        "\"excludeZones\"",
        "\"type\"",
        "\"IP\"",
        "\"name\"",
        "\"gateways\"",
        "\"CIDR\"",
        "\"value\"",
        "\"chain\"",
        "\"chains\"",
        "null",
        "1e999",
        "-0",
        "\"\\ud800\"",
        "\"192.0.2.0/24\"",
        "true",
    ]);
    let words = prop::collection::vec(word, 0..30).prop_map(|words| words.concat());
    let body = prop_oneof![words, any::<String>()];
    proptest!(config, |(path in prop::sample::select(paths), body in body)| {
        let answer = running.post_text(path, &body);
        prop_assert!(answer.status < 500, "{answer:?}");
    });
    assert_eq!(running.get("/readyz").status, 200);
}

#[test]
fn a_part_of_a_feed_does_not_replace_the_whole() {
    let running = Running::new();
    let whole = "203.0.113.0/24\n198.51.100.7\n";
    running.put_feed("scanners", whole).ok();
    let part = format!(
        "PUT /v1/feeds/scanners HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: SSWS {ADMINISTRATOR}\r\nContent-Length: 13\r\n\
         Content-Range: bytes 15-27/28\r\n\r\n198.51.100.7\n"
    );
    let answer = raw(&running, part.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"errorCode\":\"E0000001\""), "{answer}");
    let stored = running.get_with("/v1/feeds/scanners", &[("accept", "text/plain")]);
    assert_eq!(stored.text, whole);
}

#[test]
fn no_byte_hides_a_header_from_the_log() {
    let running = Running::new();
    running.put_feed("scanners", "203.0.113.7\n").ok();
    running.trust_loopback();
    running
        .post("/api/v1/threats/configuration", &json!({"action": "block"}))
        .ok();
    let answer = raw(
        &running,
        b"GET /v1/authorize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
          X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Uri: /admin?\xe9\r\n\
          X-Original-Uri: /harmless\r\nUser-Agent: sqlmap/1.7 \xe9\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let query = "filter=actor.id%20eq%20%22203.0.113.7%22";
    let event = &running.events(query, 1)[0];
    assert_eq!(event["debugContext"]["debugData"]["url"], "/admin?\u{fffd}");
    assert_eq!(
        event["client"]["userAgent"]["rawUserAgent"],
        "sqlmap/1.7 \u{fffd}"
    );
}
