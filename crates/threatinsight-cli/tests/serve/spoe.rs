//! The agent for HAProxy, beside the API: one engine, one log, one end. Its protocol is tested in
//! its own crate; here it is spoken in bytes, once.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::server::{Server, TOKEN, agent, ask, command};

/// HAPROXY-HELLO, whole, without its length: versions, frame size, capabilities.
const HELLO: &[u8] = b"\x01\0\0\0\x01\0\0\
    \x12supported-versions\x08\x032.0\
    \x0emax-frame-size\x03\xfc\xf0\x06\
    \x0ccapabilities\x08\x0apipelining";

/// NOTIFY, stream 1, frame 1: a message `check` with `client`, 203.0.113.7.
const ASK: &[u8] = b"\x03\0\0\0\x01\x01\x01\x05check\x01\x06client\x06\xcb\0\x71\x07";

/// The same without a client.
const ASK_NOTHING: &[u8] = b"\x03\0\0\0\x01\x01\x02\x05check\0";

fn exchange(stream: &mut TcpStream, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(frame).unwrap();
    receive(stream)
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut answer).unwrap();
    answer
}

fn contains(answer: &[u8], part: &[u8]) -> bool {
    answer.windows(part.len()).any(|window| window == part)
}

#[test]
fn haproxy_is_answered_by_the_engine_that_the_api_changes() {
    let data = TempDir::new().unwrap();
    let mut command = command();
    command.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
    let mut server = Server::spawn_with(command, data.path(), |command| {
        command.args(["--spoe", "127.0.0.1:0"]);
    });
    let mut line = String::new();
    server.said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("spoe on ").unwrap();
    let change = |method: &str, path: &str, body: &str| {
        let url = format!("{}{path}", server.url);
        assert_eq!(ask(&agent(), method, &url, TOKEN, body).unwrap().0, 200);
    };

    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    assert_eq!(exchange(&mut stream, HELLO)[0], 101);
    change(
        "PUT",
        "/v1/feeds/scanners",
        r#"{"prefix": "203.0.113.0/24"}"#,
    );
    let answer = exchange(&mut stream, ASK);
    assert!(contains(&answer, b"\x07verdict\x08\x05allow"), "{answer:?}");
    change(
        "POST",
        "/api/v1/threats/configuration",
        r#"{"action":"block"}"#,
    );
    let answer = exchange(&mut stream, ASK);
    assert!(contains(&answer, b"\x07verdict\x08\x05block"), "{answer:?}");
    assert!(contains(&answer, b"\x04feed\x08\x08scanners"), "{answer:?}");
    let events = server.events("203.0.113.7");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["outcome"]["result"], "DENY");

    let answer = exchange(&mut stream, ASK_NOTHING);
    assert!(!contains(&answer, b"verdict"), "{answer:?}");
    let metrics = agent()
        .get(format!("{}/metrics", server.url))
        .call()
        .unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    let expected = r#"threatinsight_unjudged_total{gateway="spoe"} 1"#;
    assert!(metrics.lines().any(|line| line == expected), "{metrics}");

    // It ends although HAProxy's connection is open, and says so.
    let id = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(server.child.wait().unwrap().success());
    assert_eq!(receive(&mut stream)[0], 102);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
