//! The cases of `tests/data`, which the library runs too, and the quickstart, through the command.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::{Outcome, Sandbox};

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!cases.is_empty(), "{file} has no cases");
    cases
}

/// Every failure at once: a change of meaning shows all of itself.
fn all(cases: &[Value], mut check: impl FnMut(&Value) -> Result<(), String>) {
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            check(case)
                .err()
                .map(|error| format!("{}: {error}", case["name"]))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn decisions() {
    let sandbox = Sandbox::new([]);
    all(&cases("decisions.jsonl"), |case| {
        let mut feeds: BTreeMap<&str, String> = BTreeMap::new();
        for entry in case["entries"].as_array().unwrap() {
            let mut line = entry.clone();
            let name = line.as_object_mut().unwrap().remove("feed");
            assert!(name.is_some(), "{entry} has no feed");
            let lines = feeds.entry(text(&entry["feed"])).or_default();
            lines.push_str(&format!("{line}\n"));
        }
        if feeds.is_empty() {
            // A feed file lists something; this lists nothing that a case asks for.
            feeds.insert("elsewhere", "{\"prefix\": \"233.252.0.1\"}\n".to_owned());
        }
        sandbox.write("policy.json", case["policy"].to_string().as_bytes());
        let mut command = sandbox.command("evaluate --json --admission open --policy policy.json");
        for (index, (name, lines)) in feeds.iter().enumerate() {
            let file = format!("{index}.jsonl");
            sandbox.write(&file, lines.as_bytes());
            command.args(["--feed", &format!("{name}={file}")]);
        }
        command.args(["--now", text(&case["now"]), "--kind", text(&case["kind"])]);
        command.args(["--", text(&case["chain"])]);
        let outcome = Outcome::from(command.output().unwrap());
        if outcome.status != Some(0) {
            return Err(format!("{outcome:?}"));
        }
        let mut answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
        // Which feeds, not in which order; a client that is not listed is in none.
        let mut feeds = answer["feeds"].as_array().cloned().unwrap_or_default();
        feeds.sort_by_key(ToString::to_string);
        answer["feeds"] = feeds.into();
        for (member, expected) in case["expect"].as_object().unwrap() {
            if answer[member] != *expected {
                return Err(format!("{member} of {answer}, expected {expected}"));
            }
        }
        Ok(())
    });
}

#[test]
fn feeds() {
    let sandbox = Sandbox::new([]);
    all(&cases("feeds.jsonl"), |case| {
        let options = &case["options"];
        if options.get("max_entries").is_some() {
            return Ok(());
        }
        sandbox.write("a.txt", text(&case["text"]).as_bytes());
        let mut command = sandbox.command("inspect --json --feed a.txt");
        if let Some(admission) = options.get("admission") {
            command.args(["--admission", text(admission)]);
        }
        if let Some(limit) = options.get("max_rejected") {
            command.args(["--max-rejected", &limit.to_string()]);
        }
        let outcome = Outcome::from(command.output().unwrap());
        let expect = &case["expect"];
        if let Some(refused) = expect.get("refused") {
            let is_refused = outcome.status == Some(1)
                && outcome.stderr.starts_with("threatinsight: a.txt: ")
                && outcome.stderr.contains(text(refused));
            return if is_refused {
                Ok(())
            } else {
                Err(format!("{outcome:?}"))
            };
        }
        if outcome.status != Some(0) {
            return Err(format!("{outcome:?}"));
        }
        let inspection: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let feed = &inspection["feeds"][0];
        let rejected = feed["rejected"].as_array().unwrap();
        let expected = expect["rejected"].as_array().unwrap();
        if rejected.len() != expected.len() {
            return Err(format!("rejected {rejected:?}, expected {expected:?}"));
        }
        for (rejected, expected) in rejected.iter().zip(expected) {
            if rejected["line"] != expected[0]
                || !text(&rejected["reason"]).contains(text(&expected[1]))
            {
                return Err(format!("rejected {rejected}, expected {expected}"));
            }
        }
        let counted = ["blank", "comments", "accepted"].map(|kind| feed[kind].as_u64().unwrap());
        let lines = counted.iter().sum::<u64>() + rejected.len() as u64;
        if feed["lines"] != json!(lines) {
            return Err(format!("{lines} lines have a fate in {feed}"));
        }
        Ok(())
    });
}

#[test]
fn policies() {
    let sandbox = Sandbox::with_scanners();
    all(&cases("policies.jsonl"), |case| {
        sandbox.write("policy.json", case["policy"].to_string().as_bytes());
        let outcome = sandbox.run("inspect --feed scanners.txt --policy policy.json");
        let as_expected = match case.get("refused") {
            None => outcome.status == Some(0),
            Some(reason) => {
                outcome.status == Some(1)
                    && outcome.stderr.starts_with("threatinsight: policy.json: ")
                    && outcome.stderr.contains(text(reason))
            }
        };
        if as_expected {
            Ok(())
        } else {
            Err(format!("{outcome:?}"))
        }
    });
}

#[test]
fn the_quickstart_shows_what_it_is_expected_to() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    let read = |file: &str| fs::read(directory.join(file)).unwrap();
    let sandbox = Sandbox::new([]);
    for file in ["scanners.txt", "policy.json"] {
        sandbox.write(file, &read(file));
    }
    let output = sandbox.pipe(
        "evaluate --feed scanners.txt --policy policy.json",
        &read("requests.log"),
    );
    let expected = String::from_utf8(read("expected.txt")).unwrap();
    assert_eq!(output.done(), expected);
    for shown in [
        "\tallow\texempt\t",
        "\tblock\tblocklisted\t",
        "\tlog\tunknown-client\t-\n",
        "\tallow\tnot-listed\t",
        "\tallow\texcluded\t",
        "\tblock\tlisted\t",
        "\tlog\tlisted\t",
    ] {
        assert!(expected.contains(shown), "no line shows `{shown}`");
    }
}
