//! The command serving on a free port, and a client for it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

pub(crate) const TOKEN: &str = "an administrator token of the tests";

/// Has `command` serve what is in `data`.
pub(crate) fn serve(command: &mut Command, data: &Path) {
    let limit = u32::MAX.to_string();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--rate-limit", &limit])
        .arg("--data")
        .arg(data);
}

/// The exit status of a service that was not to start, and what it said.
#[track_caller]
pub(crate) fn refused(
    mut command: Command,
    data: &Path,
    arguments: impl FnOnce(&mut Command),
) -> (Option<i32>, String) {
    serve(&mut command, data);
    arguments(&mut command);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    if !line.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "", "it started");
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The command, without its standard output.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threatinsight"));
    command
        .env_remove("THREATINSIGHT_ADMIN_TOKEN")
        .stdin(Stdio::null());
    command
}

pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// What it said on standard output after its address.
    pub(crate) said: BufReader<std::process::ChildStdout>,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        let mut command = command();
        command.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
        Self::spawn(command, data)
    }

    pub(crate) fn spawn(command: Command, data: &Path) -> Self {
        Self::spawn_with(command, data, |_| {})
    }

    pub(crate) fn spawn_with(
        mut command: Command,
        data: &Path,
        arguments: impl FnOnce(&mut Command),
    ) -> Self {
        serve(&mut command, data);
        arguments(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        Self {
            child,
            url: format!("http://{address}"),
            said,
        }
    }

    /// The events that it logged for `actor`, once there is one: decisions are logged behind the
    /// request.
    pub(crate) fn events(&self, actor: &str) -> Vec<Value> {
        let query = format!("filter=actor.id%20eq%20%22{actor}%22");
        let url = format!("{}/api/v1/logs?{query}", self.url);
        let started = Instant::now();
        loop {
            let (_, events) = ask(&agent(), "GET", &url, TOKEN, "").unwrap();
            let events = events.as_array().unwrap();
            if !events.is_empty() || started.elapsed() > Duration::from_secs(20) {
                return events.clone();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .build();
    config.into()
}

/// Status and JSON of a request; `None` when the connection broke before the answer was whole.
pub(crate) fn ask(
    agent: &Agent,
    method: &str,
    url: &str,
    token: &str,
    body: &str,
) -> Option<(u16, Value)> {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", format!("SSWS {token}"))
        .header("content-type", "application/json");
    let mut response = if body.is_empty() {
        agent.run(request.body(()).unwrap())
    } else {
        agent.run(request.body(body.to_owned()).unwrap())
    }
    .ok()?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().ok()?;
    Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}
