//! What the inputs are compiled to.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new([
        (
            "a.txt",
            "# two networks\n\n192.0.2.0/24\n192.0.2.128/25\n198.51.100.0/31\n2001:db8::/64\n\
             192.0.2.0/33\n",
        ),
        (
            "b.jsonl",
            concat!(
                r#"{"prefix": "192.0.2.0/25"}"#,
                "\n",
                r#"{"prefix": "198.51.100.1-198.51.100.3"}"#,
                "\n",
                r#"{"prefix": "203.0.113.7", "expires": "2026-01-01T00:00:00Z"}"#,
                "\n",
                r#"{"prefix": "2001:db8::/65", "level": "low"}"#,
                "\n",
            ),
        ),
        ("c.txt", "203.0.113.0/24\n"),
    ])
}

#[test]
fn counts_and_overlaps_are_exact() {
    let output = sandbox()
        .run("inspect --json --feed a.txt --feed b.jsonl --feed c.txt --now 2026-06-01T00:00:00Z")
        .done();
    let mut inspection: Value = serde_json::from_str(&output).unwrap();
    let inspection = inspection.as_object_mut().unwrap();
    for measured in ["memoryBytes", "compileMicroseconds"] {
        assert!(inspection.remove(measured).unwrap().is_u64(), "{measured}");
    }
    let digest = inspection.remove("digest").unwrap();
    assert!(
        digest
            .as_str()
            .unwrap()
            .chars()
            .all(|c| c.is_ascii_hexdigit()),
        "{digest}"
    );
    assert_eq!(
        Value::from(inspection.clone()),
        json!({
            "feeds": [
                {
                    "name": "a", "source": "a.txt",
                    "lines": 7, "blank": 1, "comments": 1, "accepted": 4,
                    "entries": 4,
                    "addresses": {"ipv4": "258", "ipv6": "18446744073709551616"},
                    "rejected": [{
                        "line": 7,
                        "reason": "prefix length 33 is longer than 32",
                        "text": "192.0.2.0/33",
                    }],
                },
                {
                    "name": "b", "source": "b.jsonl",
                    "lines": 4, "blank": 0, "comments": 0, "accepted": 4,
                    "entries": 4,
                    "addresses": {"ipv4": "131", "ipv6": "9223372036854775808"},
                    "rejected": [],
                },
                {
                    "name": "c", "source": "c.txt",
                    "lines": 1, "blank": 0, "comments": 0, "accepted": 1,
                    "entries": 1,
                    "addresses": {"ipv4": "256", "ipv6": "0"},
                    "rejected": [],
                },
            ],
            "overlaps": [{
                "feeds": ["a", "b"],
                "addresses": {"ipv4": "129", "ipv6": "9223372036854775808"},
            }],
            "entries": 9,
            "addresses": {"ipv4": "516", "ipv6": "18446744073709551616"},
            "warnings": [],
        })
    );
}

#[test]
fn people_read_the_same_and_every_rejected_line() {
    let output = sandbox()
        .run("inspect --feed a.txt b.jsonl c.txt --now 2026-06-01T00:00:00Z")
        .done();
    for line in [
        "feed `a` from a.txt",
        "  lines      7: 4 accepted, 1 rejected, 1 comments, 1 blank",
        "  addresses  258 IPv4, 18446744073709551616 IPv6",
        "  rejected   line 7: prefix length 33 is longer than 32 in `192.0.2.0/33`",
        "overlap of `a` and `b`: 129 IPv4, 9223372036854775808 IPv6",
    ] {
        assert!(
            output.lines().any(|l| l == line),
            "`{line}` is missing in\n{output}"
        );
    }
}

#[test]
fn the_digest_depends_on_content_and_not_on_order() {
    let sandbox = Sandbox::new([
        ("a.txt", "192.0.2.0/24\n198.51.100.7\n"),
        (
            "b.txt",
            "# the same\n198.51.100.7/32\n192.0.2.77/24\n192.0.2.0/24\n",
        ),
        ("c.txt", "192.0.2.0/24\n198.51.100.8\n"),
        ("policy.json", r#"{"action": "audit"}"#),
    ]);
    let digest = |arguments: &str| {
        let output = sandbox.run(&format!("inspect --json {arguments}")).done();
        let inspection: Value = serde_json::from_str(&output).unwrap();
        inspection["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest("--feed x=a.txt"), digest("--feed x=b.txt"));
    assert_ne!(digest("--feed x=a.txt"), digest("--feed x=c.txt"));
    assert_ne!(
        digest("--feed x=a.txt"),
        digest("--feed x=a.txt --policy policy.json")
    );
}

#[test]
fn warnings_are_shown() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.0/24\n::/0\n")]);
    let inspected = sandbox.run("inspect --feed a.txt --admission open").done();
    assert!(
        inspected.contains("  warning    feed `a`: ::/0 covers"),
        "{inspected}"
    );
    let evaluated = sandbox.run("evaluate --feed a.txt --admission open 198.51.100.1");
    assert!(
        evaluated
            .stderr
            .starts_with("threatinsight: warning: feed `a`: ::/0 covers")
    );
    assert_eq!(
        evaluated.stdout,
        "198.51.100.1\tallow\tnot-listed\t198.51.100.1\n"
    );
}

#[test]
fn a_policy_that_does_not_compile_is_refused() {
    let sandbox = Sandbox::new([
        ("a.txt", "192.0.2.0/24\n"),
        (
            "policy.json",
            r#"{"action": "block", "excludeZones": ["nzoGone"]}"#,
        ),
    ]);
    assert_eq!(
        sandbox
            .run("inspect --feed a.txt --policy policy.json")
            .refused(),
        "threatinsight: policy.json: excludeZones[0]: no zone has id `nzoGone`\n"
    );
}
