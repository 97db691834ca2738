//! Inputs that once crashed a fuzz target, and the seeds of the targets, replayed.

use std::fs;
use std::path::Path;

use crate::corpus::read;

#[expect(unreachable_pub, reason = "the fuzz crate has it as a public module")]
#[path = "../../fuzz/src/checks.rs"]
mod checks;

/// Replays every file of `tests/data/crashes/<target>` and `fuzz/seeds/<target>`.
fn replay(target: &str, check: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crashes = root.join("tests/data/crashes").join(target);
    let seeds = root.join("fuzz/seeds").join(target);
    let mut replayed = 0;
    for directory in [crashes, seeds] {
        for file in fs::read_dir(directory).into_iter().flatten() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "no file for {target}");
}

#[test]
fn feed_parser() {
    replay("feed_parser", checks::feed_parser);
}

#[test]
fn policy_json() {
    replay("policy_json", checks::policy_json);
}

#[test]
fn chain() {
    replay("chain", checks::chain);
}

#[test]
fn evaluate_vs_oracle() {
    let questions: Vec<checks::Question> = read("crashes/questions.jsonl");
    assert!(!questions.is_empty());
    questions.iter().for_each(checks::evaluate_vs_oracle);
}
