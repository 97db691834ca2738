//! The laws and the examples, as programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::toolchain::{compile, library, run};

fn quickstart(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/quickstart")
        .join(file)
}

#[test]
fn laws_hold_under_address_sanitizer() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile("tests/c/laws.c", directory.path());
    assert_eq!(run(&mut Command::new(program)), "every law holds\n");
}

/// A sanitizer that is not there would let every other test pass.
#[test]
fn the_sanitizer_sees_what_is_freed_twice() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile("tests/c/freed_twice.c", directory.path());
    let output = Command::new(program).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("AddressSanitizer"), "{error}");
}

#[test]
fn the_c_example_judges_the_quickstart() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile("examples/judge.c", directory.path());
    for (chain, status, verdict) in [
        ("203.0.113.9, 10.20.0.4", 0, "allow\n"),
        ("198.51.100.23", 1, "block\n"),
        ("garbage", 0, "log\n"),
    ] {
        let mut command = Command::new(&program);
        let command = command.args([quickstart("scanners.txt"), quickstart("policy.json")]);
        let output = command.arg(chain).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let json = text
            .strip_prefix(verdict)
            .unwrap_or_else(|| panic!("{chain}: {text}"));
        let why: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(why["verdict"], verdict.trim_end(), "{chain}");
        assert_eq!(output.status.code(), Some(status), "{chain}");
    }
}

#[test]
fn the_python_example_judges_the_quickstart() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/judge.py");
    let shared = library(&format!(
        "libthreatinsight_capi{}",
        std::env::consts::DLL_SUFFIX
    ));
    let mut command = Command::new("python3");
    command.arg(example).arg(shared);
    command.args([quickstart("scanners.txt"), quickstart("policy.json")]);
    command.args(["203.0.113.9, 10.20.0.4", "198.51.100.23", "garbage"]);
    assert_eq!(
        run(&mut command),
        "allow 203.0.113.9, 10.20.0.4\nblock 198.51.100.23\nlog garbage\n"
    );
}
