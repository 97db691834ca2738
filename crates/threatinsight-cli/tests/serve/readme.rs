//! The service's first minute, as its README tells it, run as it stands.

use std::env;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn the_first_minute_ends_with_a_403_in_the_log() {
    let readme = include_str!("../../../threatinsight-server/README.md");
    let script = readme
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let script = script.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    // The service ends with the script; what fails in between fails the test.
    let script = format!("set -eu\ntrap 'kill %1' EXIT\n{script}");

    let directory = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_threatinsight"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args(["60", "bash", "-m", "-c", &script])
        .current_dir(directory.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("\n403\n200\n") || text.contains("}403\n200\n"),
        "{text}"
    );
    assert!(
        text.contains(r#""outcome":{"result":"DENY","reason":"Negative IP Reputation"}"#),
        "{text}"
    );
}
