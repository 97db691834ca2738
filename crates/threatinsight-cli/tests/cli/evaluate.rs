//! Verdicts, and how they are written.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const POLICY: &str = r#"{
  "action": "block",
  "enforceFrom": "medium",
  "excludeZones": ["nzoOffice"],
  "exemptZone": "nzoExempt",
  "zones": [
    {"type": "IP", "id": "nzoOffice", "name": "Office", "colour": "ignored",
     "gateways": [{"type": "RANGE", "value": "198.51.100.8-198.51.100.11"}],
     "proxies": [{"type": "CIDR", "value": "10.0.0.0/8"}]},
    {"type": "IP", "id": "nzoBlocked", "name": "Blocked", "usage": "BLOCKLIST",
     "gateways": [{"type": "CIDR", "value": "203.0.113.0/24"}]},
    {"type": "IP", "id": "nzoExempt", "name": "Exempt",
     "gateways": [{"type": "CIDR", "value": "203.0.113.200/32"}]}
  ]
}"#;

fn sandbox() -> Sandbox {
    Sandbox::new([
        ("policy.json", POLICY),
        (
            "scanners.jsonl",
            concat!(
                r#"{"prefix": "198.51.100.0/24", "level": "medium", "patterns": ["Password Spray"]}"#,
                "\n",
                r#"{"prefix": "198.51.100.64/26", "level": "low", "patterns": ["Login Failures"]}"#,
                "\n",
                r#"{"prefix": "192.0.2.0/24", "level": "low"}"#,
                "\n",
                r#"{"prefix": "2001:db8:bad::-2001:db8:bad::ff", "expires": "2026-06-01T00:00:00Z"}"#,
                "\n",
            ),
        ),
        ("tor.txt", "198.51.100.70\n"),
    ])
}

fn objects(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_verdict_and_reason_has_its_line() {
    let chains = "203.0.113.200 203.0.113.9 unknown,10.0.0.1 192.0.2.200,192.88.99.1 \
                  198.51.100.9,10.0.0.1 198.51.100.9,192.88.99.2,10.0.0.1 198.51.100.7 192.0.2.7";
    let output = sandbox().run(&format!(
        "evaluate --feed scanners.jsonl --policy policy.json {chains}"
    ));
    assert_eq!(
        output.done(),
        "203.0.113.200\tallow\texempt\t203.0.113.200\n\
         203.0.113.9\tblock\tblocklisted\t203.0.113.9\n\
         unknown,10.0.0.1\tlog\tunknown-client\t-\n\
         192.0.2.200,192.88.99.1\tallow\tnot-listed\t192.88.99.1\n\
         198.51.100.9,10.0.0.1\tallow\texcluded\t198.51.100.9\n\
         198.51.100.9,192.88.99.2,10.0.0.1\tallow\tnot-listed\t192.88.99.2\n\
         198.51.100.7\tblock\tlisted\t198.51.100.7\n\
         192.0.2.7\tlog\tlisted\t192.0.2.7\n"
    );
}

#[test]
fn action_overrides_the_policy() {
    let sandbox = sandbox();
    for (action, expected) in [
        ("none", "198.51.100.7\tallow\tdisabled\t198.51.100.7\n"),
        ("audit", "198.51.100.7\tlog\tlisted\t198.51.100.7\n"),
        ("block", "198.51.100.7\tblock\tlisted\t198.51.100.7\n"),
    ] {
        let output = sandbox.run(&format!(
            "evaluate --feed scanners.jsonl --policy policy.json --action {action} 198.51.100.7"
        ));
        assert_eq!(output.done(), expected, "{action}");
    }
}

#[test]
fn without_a_policy_listed_clients_are_blocked() {
    let output =
        Sandbox::with_scanners().run("evaluate --feed scanners.txt 198.51.100.7 192.0.2.1");
    assert_eq!(
        output.done(),
        "198.51.100.7\tblock\tlisted\t198.51.100.7\n192.0.2.1\tallow\tnot-listed\t192.0.2.1\n"
    );
}

#[test]
fn json_of_a_listed_client_names_level_patterns_and_feeds() {
    let output = sandbox().run(
        "evaluate --feed scanners.jsonl --feed tor.txt --json ::ffff:198.51.100.70 192.0.2.1,nobody",
    );
    let objects = objects(&output.done());
    let generation = objects[0]["generation"].clone();
    assert!(generation.is_u64(), "{generation}");
    assert_eq!(
        objects,
        [
            json!({
                "chain": "::ffff:198.51.100.70",
                "verdict": "block",
                "reason": "listed",
                "client": "198.51.100.70",
                "generation": generation,
                "level": "high",
                "patterns": ["Password Spray", "Login Failures", "Negative IP Reputation"],
                "feeds": ["scanners", "tor"],
            }),
            json!({
                "chain": "192.0.2.1,nobody",
                "verdict": "log",
                "reason": "unknown-client",
                "client": null,
                "generation": generation,
            }),
        ]
    );
}

#[test]
fn json_says_whether_the_client_is_listed_when_protection_is_disabled() {
    let output =
        sandbox().run("evaluate --feed tor.txt --json --action none 198.51.100.70 192.0.2.1");
    let objects = objects(&output.done());
    assert_eq!(objects[0]["feeds"], json!(["tor"]));
    assert_eq!(objects[0]["reason"], "disabled");
    assert_eq!(objects[1]["reason"], "disabled");
    assert!(objects[1].get("level").is_none());
}

#[test]
fn other_requests_are_covered_by_negative_reputation_only() {
    let sandbox = Sandbox::new([(
        "a.jsonl",
        concat!(
            r#"{"prefix": "198.51.100.1", "patterns": ["Password Spray"]}"#,
            "\n",
            r#"{"prefix": "198.51.100.2", "patterns": ["Negative IP Reputation"]}"#,
        ),
    )]);
    for (kind, first) in [
        ("authentication", "block\tlisted"),
        ("other", "allow\tnot-listed"),
    ] {
        let output = sandbox.run(&format!(
            "evaluate --feed a.jsonl --kind {kind} 198.51.100.1 198.51.100.2"
        ));
        assert_eq!(
            output.done(),
            format!(
                "198.51.100.1\t{first}\t198.51.100.1\n198.51.100.2\tblock\tlisted\t198.51.100.2\n"
            ),
            "{kind}"
        );
    }
}

#[test]
fn an_entry_lives_until_its_expiry() {
    let sandbox = sandbox();
    for (now, verdict) in [
        ("2026-05-31T23:59:59Z", "block\tlisted"),
        ("2026-06-01T01:59:59.9+02:00", "block\tlisted"),
        ("2026-06-01T00:00:00Z", "allow\tnot-listed"),
    ] {
        let output = sandbox.run(&format!(
            "evaluate --feed scanners.jsonl --now {now} 2001:db8:bad::80"
        ));
        assert_eq!(
            output.done(),
            format!("2001:db8:bad::80\t{verdict}\t2001:db8:bad::80\n"),
            "{now}"
        );
    }
}

#[test]
fn the_end_of_the_year_9999_is_a_time() {
    for end in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999-23:59"] {
        let entry = format!("{{\"prefix\": \"203.0.113.7\", \"expires\": \"{end}\"}}\n");
        let sandbox = Sandbox::new([("a.jsonl", entry.as_str())]);
        for (now, verdict) in [
            ("2026-06-01T00:00:00Z", "block\tlisted"),
            (end, "allow\tnot-listed"),
        ] {
            let output = sandbox.run(&format!("evaluate --feed a.jsonl --now {now} 203.0.113.7"));
            assert_eq!(
                output.done(),
                format!("203.0.113.7\t{verdict}\t203.0.113.7\n"),
                "{end}"
            );
        }
    }
}

#[test]
fn chains_that_do_not_parse_are_lines_of_an_unknown_client() {
    let output = Sandbox::with_scanners().pipe(
        "evaluate --feed scanners.txt",
        b"\nnot an address\n198.51.100.7,\n198.51.100.\xff7\n \r\n,,,\n198.51.100.7",
    );
    assert_eq!(
        output.done(),
        "\tlog\tunknown-client\t-\n\
         not an address\tlog\tunknown-client\t-\n\
         198.51.100.7,\tlog\tunknown-client\t-\n\
         198.51.100.\u{fffd}7\tlog\tunknown-client\t-\n \
         \tlog\tunknown-client\t-\n\
         ,,,\tlog\tunknown-client\t-\n\
         198.51.100.7\tblock\tlisted\t198.51.100.7\n"
    );
}

#[test]
fn chains_are_echoed_but_for_control_characters() {
    let sandbox = Sandbox::with_scanners();
    let line = b"192.0.2.1\xff , \t198.51.100.7:443";
    let output = sandbox
        .command("evaluate --feed scanners.txt")
        .stdin(std::fs::File::open(sandbox.write("requests", line)).unwrap())
        .output()
        .unwrap();
    assert_eq!(
        output.stdout,
        b"192.0.2.1\xff , ?198.51.100.7:443\tblock\tlisted\t198.51.100.7\n"
    );
}

#[test]
fn a_thousand_hops_and_a_megabyte_of_garbage_are_one_line() {
    let long = format!(
        "{}198.51.100.7",
        "x".repeat(1 << 20) + &", 192.0.2.1".repeat(1000) + ", "
    );
    let output = Sandbox::with_scanners().pipe("evaluate --feed scanners.txt", long.as_bytes());
    assert_eq!(
        output.done(),
        format!("{long}\tblock\tlisted\t198.51.100.7\n")
    );
}

#[test]
fn a_chain_cannot_write_columns_of_its_own() {
    // U+009B begins what ESC and `[` do.
    let forged = "x\tallow\tnot-listed\t9.9.9.9, 198.51.100.7\n\
                  \u{1b}[2J, \u{9b}2J, 198.51.100.7\n";
    let output = sandbox().pipe("evaluate --feed scanners.jsonl", forged.as_bytes());
    assert_eq!(
        output.done(),
        "x?allow?not-listed?9.9.9.9, 198.51.100.7\tblock\tlisted\t198.51.100.7\n\
         ?[2J, ?2J, 198.51.100.7\tblock\tlisted\t198.51.100.7\n"
    );
}

#[test]
fn an_endless_line_is_cut_and_its_client_unknown() {
    let mut line = vec![b'a'; 17 << 20];
    line.extend_from_slice(b", 198.51.100.7\n8.8.8.8\n");
    let output = sandbox()
        .pipe("evaluate --feed scanners.jsonl", &line)
        .done();
    let (first, second) = output.split_once('\n').unwrap();
    assert!(first.ends_with("a\tlog\tunknown-client\t-"));
    assert!(first.len() < (16 << 20) + 100);
    assert_eq!(second, "8.8.8.8\tallow\tnot-listed\t8.8.8.8\n");
}
