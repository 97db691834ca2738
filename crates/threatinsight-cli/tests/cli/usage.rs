//! Exit status and messages for arguments and inputs that are wrong.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn wrong_arguments_exit_with_two() {
    let sandbox = Sandbox::with_scanners();
    for (arguments, message) in [
        ("", "Usage: threatinsight <COMMAND>"),
        ("judge", "unrecognized subcommand 'judge'"),
        ("evaluate 192.0.2.1", "--feed <FILE>"),
        ("evaluate --feed", "a value is required for '--feed <FILE>'"),
        (
            "evaluate --feed scanners.txt --action drop",
            "[possible values: none, audit, block]",
        ),
        (
            "evaluate --feed scanners.txt --kind login",
            "[possible values: authentication, other]",
        ),
        (
            "evaluate --feed scanners.txt --now yesterday",
            "expected a time as in RFC 3339",
        ),
        (
            "evaluate --feed scanners.txt --now 1969-12-31T23:59:59Z",
            "expected a time from 1970 on",
        ),
        (
            "evaluate --feed scanners.txt --max-rejected many",
            "invalid value 'many'",
        ),
        (
            "evaluate --feed =scanners.txt 192.0.2.1",
            "nothing before the `=`",
        ),
        ("evaluate --feed drop= 192.0.2.1", "nothing after the `=`"),
        (
            "explain --feed scanners.txt 192.0.2.1 192.0.2.2",
            "unexpected argument '192.0.2.2'",
        ),
        (
            "inspect --feed scanners.txt 192.0.2.1",
            "unexpected argument '192.0.2.1'",
        ),
    ] {
        let stderr = sandbox.run(arguments).misused();
        assert!(stderr.contains(message), "`{arguments}` says:\n{stderr}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    let sandbox = Sandbox::with_scanners();
    assert!(
        sandbox
            .run("--version")
            .done()
            .starts_with("threatinsight 0.")
    );
    for arguments in [
        "--help",
        "evaluate --help",
        "explain --help",
        "inspect --help",
    ] {
        assert!(
            sandbox
                .run(arguments)
                .done()
                .contains("Usage: threatinsight"),
            "{arguments}"
        );
    }
}

#[test]
fn standard_input_is_read_once() {
    let sandbox = Sandbox::with_scanners();
    for (arguments, message) in [
        (
            "evaluate --feed - --feed more=- 192.0.2.1",
            "threatinsight: standard input can be read only once, but more than one input is `-`\n",
        ),
        (
            "evaluate --feed - --policy - 192.0.2.1",
            "threatinsight: standard input can be read only once, but more than one input is `-`\n",
        ),
        (
            "evaluate --feed -",
            "threatinsight: standard input is already read for `-`, \
             expected CHAINs as arguments\n",
        ),
        (
            "explain --feed -",
            "threatinsight: standard input is already read for `-`, \
             expected a CHAIN as argument\n",
        ),
    ] {
        assert_eq!(sandbox.run(arguments).misused(), message, "{arguments}");
    }
}

#[test]
fn feeds_of_one_name_are_told_apart_by_the_user() {
    let sandbox = Sandbox::new([("a.txt", "192.0.2.1\n"), ("a.list", "192.0.2.2\n")]);
    assert_eq!(
        sandbox
            .run("evaluate --feed a.txt --feed a.list 192.0.2.1")
            .misused(),
        "threatinsight: two feeds are called `a`: a.txt and a.list; \
         write NAME=FILE to tell them apart\n"
    );
    let output = sandbox.run("evaluate --feed a.txt --feed b=a.list 192.0.2.2");
    assert_eq!(output.done(), "192.0.2.2\tblock\tlisted\t192.0.2.2\n");
}

#[test]
fn files_that_cannot_be_read_exit_with_one() {
    let sandbox = Sandbox::with_scanners();
    fs::create_dir(sandbox.path().join("lists")).unwrap();
    for (arguments, message) in [
        (
            "evaluate --feed missing.txt 192.0.2.1",
            "threatinsight: missing.txt: no such file or directory\n",
        ),
        (
            "inspect --feed lists",
            "threatinsight: lists: is a directory, expected a file\n",
        ),
        (
            "explain --feed scanners.txt --policy missing.json 192.0.2.1",
            "threatinsight: missing.json: no such file or directory\n",
        ),
    ] {
        assert_eq!(sandbox.run(arguments).refused(), message, "{arguments}");
    }
}

#[test]
fn a_policy_with_a_mistake_is_refused_with_its_line() {
    for (policy, message) in [
        (
            "{\n  \"action\": \"block\",\n  \"excludedZones\": []\n}",
            "line 3: unknown field `excludedZones`, expected one of `action`, `excludeZones`",
        ),
        ("{\"action\": \"deny\"}", "line 1: unknown variant `deny`"),
        (
            "{\"action\": \"block\", \"zones\": [{\"type\": \"IP\", \"name\": \"a\"}, {\"type\": \"CIDR\"}]}",
            "line 1: zones[1]: unknown variant `CIDR`",
        ),
        ("{}", "line 1: missing field `action`"),
        ("{\"action\": \"block\"", "line 1: EOF while parsing"),
        ("", "line 1: EOF while parsing a value"),
    ] {
        let sandbox = Sandbox::new([("scanners.txt", "192.0.2.1\n"), ("policy.json", policy)]);
        let stderr = sandbox
            .run("evaluate --feed scanners.txt --policy policy.json 192.0.2.1")
            .refused();
        let expected = format!("threatinsight: policy.json: {message}");
        assert!(stderr.starts_with(&expected), "`{policy}` says:\n{stderr}");
    }
}

#[test]
fn a_policy_that_does_not_compile_is_refused_with_the_zone() {
    for (policy, names) in [
        (
            r#"{"action": "block", "zones": [{"type": "DYNAMIC", "id": "nzoTor", "name": "Tor",
                "proxyType": "Tor"}]}"#,
            ["zone `Tor` (nzoTor)", "dynamic"],
        ),
        (
            r#"{"action": "block", "excludeZones": ["nzoGone"]}"#,
            ["excludeZones", "nzoGone"],
        ),
        (
            r#"{"action": "block", "exemptZone": "nzoGone"}"#,
            ["exemptZone", "nzoGone"],
        ),
        (
            r#"{"action": "block", "zones": [{"type": "IP", "id": "nzoOffice", "name": "Office",
                "gateways": [{"type": "CIDR", "value": "192.0.2.0/33"}]}]}"#,
            ["Office", "192.0.2.0/33"],
        ),
    ] {
        let sandbox = Sandbox::new([("scanners.txt", "192.0.2.1\n"), ("policy.json", policy)]);
        let stderr = sandbox
            .run("evaluate --feed scanners.txt --policy policy.json 192.0.2.1")
            .refused();
        assert!(
            stderr.starts_with("threatinsight: policy.json: "),
            "{stderr}"
        );
        for name in names {
            assert!(stderr.contains(name), "`{policy}` says:\n{stderr}");
        }
    }
}

#[test]
fn a_policy_with_a_byte_order_mark_is_read() {
    let sandbox = Sandbox::new([
        ("scanners.txt", "192.0.2.1\n"),
        ("policy.json", "\u{feff}{\"action\": \"audit\"}"),
    ]);
    let output = sandbox.run("evaluate --feed scanners.txt --policy policy.json 192.0.2.1");
    assert_eq!(output.done(), "192.0.2.1\tlog\tlisted\t192.0.2.1\n");
}
