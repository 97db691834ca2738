//! The account of one verdict.

use serde_json::Value;

use crate::sandbox::Sandbox;

const POLICY: &str = r#"{"action": "block", "excludeZones": ["nzoOffice"], "zones": [
  {"type": "IP", "id": "nzoOffice", "name": "Office",
   "gateways": [{"type": "CIDR", "value": "198.51.100.8/30"}],
   "proxies": [{"type": "CIDR", "value": "10.0.0.0/8"}]}
]}"#;

fn sandbox() -> Sandbox {
    Sandbox::new([
        ("scanners.txt", "198.51.100.0/24\n"),
        ("policy.json", POLICY),
    ])
}

#[test]
fn explanation_agrees_with_evaluation_and_names_what_decided() {
    let sandbox = sandbox();
    for (chain, verdict, names) in [
        (
            "198.51.100.7,10.0.0.1",
            "block",
            &["198.51.100.7", "10.0.0.1", "scanners", "198.51.100.0/24"][..],
        ),
        (
            "198.51.100.9,10.0.0.1",
            "allow",
            &["excluded", "Office", "scanners"],
        ),
        ("nobody,10.0.0.1", "log", &["nobody", "10.0.0.1"]),
    ] {
        let inputs = format!("--feed scanners.txt --policy policy.json {chain}");
        let evaluated = sandbox.run(&format!("evaluate {inputs}")).done();
        assert_eq!(evaluated.split('\t').nth(1), Some(verdict));

        let tree = sandbox.run(&format!("explain {inputs}")).done();
        let first = tree.lines().next().unwrap();
        assert!(first.contains(verdict), "{tree}");
        for name in names {
            assert!(tree.contains(name), "`{name}` is missing in\n{tree}");
        }

        let json = sandbox.run(&format!("explain --json {inputs}")).done();
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["verdict"], verdict, "{json}");
        assert_eq!(json.lines().count(), 1);
    }
}

#[test]
fn the_chain_may_come_from_standard_input() {
    let sandbox = sandbox();
    let inputs = "explain --feed scanners.txt --policy policy.json";
    let argument = sandbox.run(&format!("{inputs} 198.51.100.7")).done();
    assert_eq!(sandbox.pipe(inputs, b"198.51.100.7\n").done(), argument);
    assert_eq!(sandbox.pipe(inputs, b"198.51.100.7").done(), argument);
    assert_eq!(
        sandbox.pipe(inputs, b"198.51.100.7\n192.0.2.1\n").refused(),
        "threatinsight: standard input: line 2: expected one chain; `evaluate` takes many\n"
    );
    assert_eq!(
        sandbox.pipe(inputs, b"").refused(),
        "threatinsight: standard input: nothing to read, expected one chain\n"
    );
}

#[test]
fn without_a_terminal_nothing_is_coloured() {
    let output = sandbox()
        .run("explain --feed scanners.txt 198.51.100.7")
        .done();
    assert!(!output.contains('\u{1b}'), "{output:?}");
}

#[test]
fn action_and_kind_are_explained_as_they_are_evaluated() {
    let sandbox = sandbox();
    let tree = sandbox
        .run("explain --feed scanners.txt --action audit 198.51.100.7")
        .done();
    assert!(tree.lines().next().unwrap().contains("log"), "{tree}");
}
