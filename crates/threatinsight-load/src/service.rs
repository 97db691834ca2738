//! The real service, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Result;
use crate::client::Connection;
use crate::lists::file;
use crate::rates::Peer;

const TOKEN: &str = "an administrator token of the bench";

pub(crate) struct Service {
    child: Child,
    data: PathBuf,
    pub(crate) address: String,
}

impl Service {
    /// A service that blocks what the list of `size` lists, asked by a gateway it trusts.
    pub(crate) async fn start(binary: &str, directory: &Path, size: usize) -> Result<Self> {
        let data = directory.join("data");
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limit"])
            .arg(u32::MAX.to_string())
            // The other side has no admission: both are to list the same.
            .args(["--admission", "open", "--data"])
            .arg(&data)
            .arg("--feed")
            .arg(format!("list={}", file(directory, size).display()))
            .env("THREATINSIGHT_ADMIN_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        let service = Self {
            child,
            data,
            address: address.ok_or("the service does not start")?.to_owned(),
        };
        let mut connection = Connection::open(&service.address).await?;
        let gateway = r#"{"type": "IP", "name": "gateway", "proxies": [{"type": "CIDR", "value": "127.0.0.1/32"}]}"#;
        post(&mut connection, "/api/v1/zones", gateway).await?;
        configure(&mut connection, "block").await?;
        Ok(service)
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::ThreatInsight {
            address: self.address.clone(),
        }
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(std::fs::remove_dir_all(self.data)?)
    }
}

pub(crate) async fn configure(connection: &mut Connection, action: &str) -> Result<()> {
    let body = format!(r#"{{"action": "{action}"}}"#);
    post(connection, "/api/v1/threats/configuration", &body).await
}

async fn post(connection: &mut Connection, path: &str, body: &str) -> Result<()> {
    let authorization = format!("SSWS {TOKEN}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let (status, answer) = connection
        .ask("POST", path, &headers, body.to_owned())
        .await?;
    if status != 200 {
        return Err(format!("{path}: {status}: {answer:?}").into());
    }
    Ok(())
}
