//! SIGTERM and SIGINT: what is under way is answered and logged, nothing new is taken, and nobody is
//! waited for without end.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, TOKEN, agent, ask, command, serve};

/// How many chains the request asks about that is under way when the service is told to stop. Their
/// events are more than the log writes at once, so that some wait when the last answer is given.
const CHAINS: usize = 5_000;

/// Longer than the ten seconds for which requests under way are waited for.
const BOUND: Duration = Duration::from_secs(25);

/// A service that logs what it decides about 203.0.113.0/24.
fn start(data: &TempDir) -> Server {
    let server = Server::start(data.path());
    for (method, path, body) in [
        ("PUT", "/v1/feeds/scanners", "203.0.113.0/24\n"),
        (
            "POST",
            "/api/v1/threats/configuration",
            r#"{"action": "audit"}"#,
        ),
    ] {
        let url = format!("{}{path}", server.url);
        assert_eq!(ask(&agent(), method, &url, TOKEN, body).unwrap().0, 200);
    }
    server
}

fn connect(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

/// A request of which the service has read the head, and half of the body; and the other half.
fn under_way(server: &Server) -> (TcpStream, String) {
    let mut body = json!({"chains": vec!["203.0.113.7"; CHAINS]}).to_string();
    let rest = body.split_off(body.len() / 2);
    let mut stream = connect(server);
    let length = body.len() + rest.len();
    write!(
        stream,
        "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nAuthorization: SSWS {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The service says this when it begins to read the body.
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = vec![0; expected.len()];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(said, expected);
    stream.write_all(body.as_bytes()).unwrap();
    (stream, rest)
}

fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

/// Tells the service to stop, and waits until it takes no connection any more.
fn terminate(server: &Server) {
    send("-TERM", &server.child);
    let address = server.url.strip_prefix("http://").unwrap();
    let started = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            Ok(_) | Err(_) => assert!(started.elapsed() < BOUND, "connections are still taken"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > BOUND {
            child.kill().unwrap();
            panic!("the service goes on");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// How many events the log has.
fn logged(server: &Server) -> usize {
    let mut after = String::new();
    let mut count = 0;
    loop {
        let url = format!(
            "{}/api/v1/logs?limit=1000&filter=eventType%20eq%20%22security.threat.detected%22{after}",
            server.url
        );
        let mut answer = agent()
            .get(&url)
            .header("authorization", format!("SSWS {TOKEN}"))
            .call()
            .unwrap();
        let next = answer.headers().get_all("link").iter().find_map(|link| {
            let link = link.to_str().unwrap().strip_suffix(">; rel=\"next\"")?;
            let (_, after) = link.split_once("after=")?;
            Some(format!("&after={}", after.split('&').next()?))
        });
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string();
        let events: Value = serde_json::from_str(&text.unwrap()).unwrap();
        match events.as_array().unwrap().len() {
            0 => return count,
            events => count += events,
        }
        after = next.unwrap();
    }
}

#[test]
fn what_is_under_way_is_answered_and_logged_and_nothing_new_is_taken() {
    let data = TempDir::new().unwrap();
    let mut server = start(&data);
    let mut idle = connect(&server);
    let get = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    idle.write_all(get).unwrap();
    let mut one = [0];
    idle.read_exact(&mut one).unwrap();
    let (mut stream, rest) = under_way(&server);

    terminate(&server);
    // The rest of its answer, and the end: an idle connection is not waited for.
    idle.read_to_end(&mut Vec::new()).unwrap();
    assert!(
        server.child.try_wait().unwrap().is_none(),
        "it did not wait"
    );

    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(answer.matches(r#""reason":"listed""#).count(), CHAINS);
    assert_eq!(end(&mut server.child).code(), Some(0));

    let server = Server::start(data.path());
    assert_eq!(logged(&server), CHAINS);
}

#[test]
fn a_client_that_does_not_end_its_request_is_not_waited_for_without_end() {
    let data = TempDir::new().unwrap();
    let mut server = start(&data);
    let mut head = connect(&server);
    head.write_all(b"GET /livez HTTP/1.1\r\nHost").unwrap();
    let (mut stream, _) = under_way(&server);
    terminate(&server);
    assert_eq!(end(&mut server.child).code(), Some(0));
    let mut answer = String::new();
    assert!(
        stream.read_to_string(&mut answer).is_err() || !answer.starts_with("HTTP/1.1 200"),
        "{answer}"
    );
}

#[test]
fn a_start_that_waits_for_a_file_ends_when_it_is_told_to() {
    let data = TempDir::new().unwrap();
    let pipe = data.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for signal in ["-TERM", "-INT"] {
        let mut command = command();
        serve(&mut command, &data.path().join("store"));
        let mut child = command.arg("--feed").arg(&pipe).spawn().unwrap();
        let (opened, reads) = mpsc::channel();
        let path = pipe.clone();
        // It can be opened once the service reads it, and is closed when the test ends.
        thread::spawn(move || opened.send(File::options().write(true).open(path)));
        let _writer = reads.recv_timeout(BOUND).unwrap().unwrap();
        send(signal, &child);
        assert_eq!(end(&mut child).code(), Some(0), "{signal}");
    }
}
