//! TLS, with a certificate made for the test.

use std::process::Command;

use tempfile::TempDir;

use crate::server::{Server, TOKEN, command};

#[test]
fn the_service_speaks_tls_and_its_links_say_so() {
    let directory = TempDir::new().unwrap();
    let (certificate, key) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );

    let mut command = command();
    command.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
    let server = Server::spawn_with(command, &directory.path().join("store"), |command| {
        command
            .arg("--tls-cert")
            .arg(&certificate)
            .arg("--tls-key")
            .arg(&key);
    });
    let curl = |url: String| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "10", "--cacert"])
            .arg(&certificate)
            .args(["--header", &format!("Authorization: SSWS {TOKEN}"), &url])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let url = server.url.replace("http://", "https://");
    let configuration = curl(format!("{url}/api/v1/threats/configuration"));
    assert!(
        configuration.contains(&format!(r#""href":"{url}/api"#)),
        "{configuration}"
    );
    assert_eq!(curl(format!("{url}/v1/authorize")), "");
}
