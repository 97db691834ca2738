//! TLS, with a certificate made for the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::{Server, TOKEN, agent, command, refused};

/// The keys of an issuer, and a token that it signed with the private one; valid until 2100.
const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "wdTCLrMOxBMr_mzwJ0caaVpT4Xhw2SFbqUiZWEEbeV0"}]}"#;
const BEARER: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLmNvbSIsImF1ZCI6Imh0dHBzOi8vYWNtZS5leGFtcGxlLmNvbSIsImV4cCI6NDEwMjQ0NDgwMCwiY2lkIjoidGVycmFmb3JtIiwic2NwIjpbIm9rdGEudGhyZWF0SW5zaWdodHMucmVhZCJdfQ.ghBXi_juy3omSUIc4kzhACK6D5JT64Ndw9H8bbEfaUvPwijMy5yDwSjawvb79eSGmWVTdKhzuiPP5adJQmAgCA";

/// A certificate for 127.0.0.1 that signed itself, and its key.
fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{message}");
    (certificate, key)
}

#[test]
fn keys_are_read_over_https_from_an_issuer_that_is_trusted() {
    let directory = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    let (trusted, key) = certificate(directory.path());
    let (untrusted, _) = certificate(other.path());
    let length = KEYS.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{KEYS}");
    fs::write(directory.path().join("keys"), answer).unwrap();
    let mut issuer = Command::new("openssl")
        .args(["s_server", "-HTTP", "-accept", "127.0.0.1:0"])
        .arg("-cert")
        .arg(&trusted)
        .arg("-key")
        .arg(&key)
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(issuer.stdout.take().unwrap()).lines();
    let address = said.find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.to_owned()));
    let url = format!("https://{}/keys", address.unwrap());
    for (certificate, expected) in [(&trusted, 200), (&untrusted, 401)] {
        let mut command = command();
        command
            .env("THREATINSIGHT_ADMIN_TOKEN", TOKEN)
            .env("SSL_CERT_FILE", certificate);
        let server = Server::spawn_with(command, &directory.path().join("store"), |command| {
            command.args(["--issuer", "https://issuer.example.com"]);
            command.args(["--audience", "https://acme.example.com", "--jwks", &url]);
        });
        let url = format!("{}/api/v1/threats/configuration", server.url);
        let bearer = format!("Bearer {BEARER}");
        let answer = agent().get(&url).header("authorization", bearer).call();
        assert_eq!(
            answer.unwrap().status(),
            expected,
            "{}",
            certificate.display()
        );
    }
    issuer.kill().unwrap();
    issuer.wait().unwrap();
}

#[test]
fn the_service_speaks_tls_and_its_links_say_so() {
    let directory = TempDir::new().unwrap();
    let (certificate, key) = certificate(directory.path());
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

#[test]
fn a_fault_is_said_of_the_file_that_has_it() {
    let (directory, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (certificate, key) = certificate(directory.path());
    let (_, foreign) = self::certificate(other.path());
    let empty = directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let broken = directory.path().join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
    let not_der = directory.path().join("not-der.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\
                -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(&not_der, text).unwrap();
    let missing = directory.path().join("missing.pem");
    for (chain, private, place) in [
        (&certificate, &foreign, &foreign),
        (&certificate, &empty, &empty),
        (&certificate, &not_der, &not_der),
        (&certificate, &missing, &missing),
        (&empty, &key, &empty),
        (&broken, &key, &broken),
        (&not_der, &key, &not_der),
        (&missing, &key, &missing),
    ] {
        let (status, message) = refused(command(), &directory.path().join("store"), |command| {
            command.arg("--tls-cert").arg(chain);
            command.arg("--tls-key").arg(private);
        });
        assert_eq!(status, Some(1));
        let expected = format!("threatinsight: serve: {}: ", place.display());
        assert!(message.starts_with(&expected), "{message}");
    }
}
