//! Feed arguments and feed files.

use crate::sandbox::Sandbox;

const LISTED: &str = "192.0.2.1\tblock\tlisted\t192.0.2.1\n";

#[test]
fn a_feed_comes_from_standard_input() {
    let sandbox = Sandbox::with_scanners();
    let output = sandbox.pipe("evaluate --feed - 192.0.2.1", b"192.0.2.1\n");
    assert_eq!(output.done(), LISTED);
    let output = sandbox.pipe(
        "evaluate --feed scanners.txt --feed drop=- --json 192.0.2.1",
        b"192.0.2.1",
    );
    assert!(output.done().contains(r#""feeds":["drop"]"#));
}

#[test]
fn several_files_may_follow_one_flag() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.1\n"), ("b.txt", "192.0.2.2\n")]);
    for arguments in [
        "evaluate --feed a.txt b.txt 192.0.2.1 192.0.2.2",
        "evaluate --feed a.txt second=b.txt --kind other 192.0.2.1 192.0.2.2",
        "evaluate 192.0.2.1 192.0.2.2 --feed a.txt --feed b.txt",
        "evaluate --feed=a.txt b.txt -- 192.0.2.1 192.0.2.2",
    ] {
        assert_eq!(
            sandbox.run(arguments).done(),
            "192.0.2.1\tblock\tlisted\t192.0.2.1\n192.0.2.2\tblock\tlisted\t192.0.2.2\n",
            "{arguments}"
        );
    }
}

#[test]
fn text_feeds_are_read_in_every_form() {
    let sandbox = Sandbox::new([(
        "a.txt",
        "\u{feff}# seen today\r\n\r\n203.0.113.7 ; SBL1\r\n203.0.113.64/255.255.255.192\r\n\
         192.0.2.0 - 192.0.2.2\r\n198.51.100.7\t1\r\n",
    )]);
    let output = sandbox
        .run("evaluate --feed a.txt 203.0.113.7 203.0.113.70 192.0.2.2 192.0.2.3 198.51.100.7");
    let verdicts: Vec<_> = output
        .done()
        .lines()
        .map(|line| line.split('\t').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["block", "block", "block", "allow", "block"]);
}

#[test]
fn spamhaus_json_lines_are_read_with_their_metadata() {
    let sandbox = Sandbox::new([(
        "drop.json",
        concat!(
            r#"{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"arin"}"#,
            "\n",
            r#"{"type":"metadata","timestamp":1767225600,"size":52,"records":1}"#,
            "\n",
        ),
    )]);
    assert_eq!(
        sandbox.run("evaluate --feed drop.json 192.0.2.1").done(),
        LISTED
    );
    let inspected = sandbox.run("inspect --feed drop.json").done();
    assert!(
        inspected.contains("lines      2: 1 accepted, 0 rejected, 1 comments"),
        "{inspected}"
    );
}

#[test]
fn an_entry_lives_to_the_end_of_the_second_it_expires_in() {
    let line = r#"{"prefix": "192.0.2.1", "expires": "2030-01-01T00:00:00.900Z"}"#;
    let sandbox = Sandbox::new([("a.jsonl", line)]);
    for (now, verdict) in [("00:00:00", "block"), ("00:00:01", "allow")] {
        let evaluate = format!("evaluate --feed a.jsonl --now 2030-01-01T{now}Z 192.0.2.1");
        let output = sandbox.run(&evaluate);
        let answer = format!("192.0.2.1\t{verdict}\t");
        assert!(output.stdout.starts_with(&answer), "{}", output.stdout);
    }
}

#[test]
fn json_lines_with_a_mistake_are_rejected_one_by_one() {
    let good = r#"{"prefix": "192.0.2.1"}"#;
    for (line, reason) in [
        (
            r#"{"prefix": "192.0.2.0/33"}"#,
            "prefix length 33 is longer than 32 in",
        ),
        (
            r#"{"prefix": "192.0.2.0/24", "score": 3}"#,
            "unknown field `score`",
        ),
        (
            r#"{"prefix": "192.0.2.0/24", "level": "severe"}"#,
            "unknown variant `severe`",
        ),
        (
            r#"{"prefix": "192.0.2.0/24", "patterns": ["Port Scan"]}"#,
            "unknown variant `Port Scan`",
        ),
        (
            r#"{"prefix": "192.0.2.0/24", "expires": "soon"}"#,
            "expires: expected a time",
        ),
        (
            r#"{"cidr": "192.0.2.0/24", "level": "low"}"#,
            "unknown field `cidr`",
        ),
        (r#"{"level": "low"}"#, "missing field `prefix`"),
        (
            r#"{"prefix": "10.0.0.0/8"}"#,
            "overlaps reserved space 10.0.0.0/8",
        ),
        ("192.0.2.0/24", "expected a JSON object"),
        (
            r#"["192.0.2.0/24", null, null, null]"#,
            "expected a JSON object",
        ),
        (r#"["192.0.2.0/24", "SBL1"]"#, "expected a JSON object"),
        (
            r#"{"prefix": "192.0.2.0/24", "level": {"low": null}}"#,
            "column 36: invalid type: map",
        ),
        (r#"{"type": {"metadata": null}}"#, "unknown field `type`"),
        (r#"{"prefix": "192.0.2.0/24"} {}"#, "trailing characters"),
    ] {
        let sandbox = Sandbox::new([("a.jsonl", format!("{good}\n\n{line}\n").as_str())]);
        let output = sandbox.run("evaluate --feed a.jsonl 192.0.2.1 192.0.2.2");
        assert_eq!(output.status, Some(0), "{line}");
        assert_eq!(
            output.stdout,
            format!("{LISTED}192.0.2.2\tallow\tnot-listed\t192.0.2.2\n")
        );
        assert!(
            output
                .stderr
                .starts_with("threatinsight: a.jsonl: line 3: ")
                && output.stderr.contains(reason)
                && output.stderr.lines().count() == 1,
            "`{line}` says:\n{}",
            output.stderr
        );
    }
}

#[test]
fn a_json_line_too_long_is_rejected_wherever_it_is_cut() {
    let long = format!("{{\"prefix\": \"192.0.2.0/24\"{}}}", " ".repeat(200_000));
    let sandbox = Sandbox::new([(
        "a.jsonl",
        format!("{{\"prefix\": \"192.0.2.1\"}}\n{long}\n{{\"prefix\": \"192.0.2.3\"}}\n").as_str(),
    )]);
    let output = sandbox.run("evaluate --feed a.jsonl 192.0.2.2 192.0.2.3");
    assert_eq!(
        output.stdout,
        "192.0.2.2\tallow\tnot-listed\t192.0.2.2\n192.0.2.3\tblock\tlisted\t192.0.2.3\n"
    );
    assert!(
        output
            .stderr
            .contains("line 2: line longer than 4096 bytes"),
        "{}",
        output.stderr
    );
}

#[test]
fn rejected_lines_are_summed_up() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.1\n192.0.2.0/33\nexample.org\n")]);
    let output = sandbox.run("evaluate --feed a.txt 192.0.2.1");
    assert_eq!((output.status, output.stdout.as_str()), (Some(0), LISTED));
    assert_eq!(
        output.stderr,
        "threatinsight: a.txt: 2 lines rejected, the first: \
         line 2: prefix length 33 is longer than 32 in `192.0.2.0/33`\n"
    );
}

#[test]
fn too_many_rejected_lines_refuse_the_feed() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.1\n192.0.2.0/33\nexample.org\n")]);
    assert_eq!(
        sandbox
            .run("evaluate --feed a.txt --max-rejected 1 192.0.2.1")
            .refused(),
        "threatinsight: a.txt: rejected more than 1 line; the first is \
         line 2: prefix length 33 is longer than 32 in `192.0.2.0/33`\n"
    );
    assert_eq!(
        sandbox
            .run("evaluate --feed a.txt --max-rejected 2 192.0.2.1")
            .status,
        Some(0)
    );
}

#[test]
fn what_is_no_list_is_refused() {
    for (text, message) in [
        (
            "<!DOCTYPE html>\n<html><body>Too many requests</body></html>\n",
            "HTML",
        ),
        ("", "nothing to read"),
        ("\n  \n", "nothing to read"),
        ("# only a comment\n", "no entry"),
        ("\u{feff}", "nothing to read"),
    ] {
        let sandbox = Sandbox::new([("a.txt", text)]);
        let stderr = sandbox.run("evaluate --feed a.txt 192.0.2.1").refused();
        assert!(
            stderr.starts_with("threatinsight: a.txt: ") && stderr.contains(message),
            "`{text}` says:\n{stderr}"
        );
    }
}

#[test]
fn reserved_space_needs_open_admission() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.1\n10.0.0.0/8\n")]);
    let guarded = sandbox.run("evaluate --feed a.txt 10.1.2.3");
    assert_eq!(guarded.stdout, "10.1.2.3\tallow\tnot-listed\t10.1.2.3\n");
    assert!(
        guarded
            .stderr
            .contains("line 2: overlaps reserved space 10.0.0.0/8")
    );
    let open = sandbox.run("evaluate --feed a.txt --admission open 10.1.2.3");
    assert_eq!(open.done(), "10.1.2.3\tblock\tlisted\t10.1.2.3\n");
}
