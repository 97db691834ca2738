//! Requests a second, and how long each takes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::Result;
use crate::client::{Connection, quantile};
use crate::lists::Questions;

/// Each number is the median of this many rounds.
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);

/// Who is asked.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    ThreatInsight { address: String },
    CrowdSec { address: String, key: String },
}

impl Peer {
    fn address(&self) -> &str {
        match self {
            Self::ThreatInsight { address } | Self::CrowdSec { address, .. } => address,
        }
    }
}

/// How one question was answered.
pub(crate) struct Rate {
    pub(crate) question: String,
    pub(crate) per_second: f64,
    /// In seconds, as `p99`.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Whether `peer` blocks `address`.
pub(crate) async fn ask(peer: &Peer, connection: &mut Connection, address: IpAddr) -> Result<bool> {
    let text = address.to_string();
    match peer {
        Peer::ThreatInsight { .. } => {
            let headers = [("x-forwarded-for", text.as_str())];
            let (status, _) = connection.ask("GET", "/v1/authorize", &headers, "").await?;
            match status.as_u16() {
                200 => Ok(false),
                403 => Ok(true),
                other => Err(format!("{address}: {other}").into()),
            }
        }
        Peer::CrowdSec { key, .. } => {
            let path = format!("/v1/decisions?ip={text}");
            let headers = [("x-api-key", key.as_str()), ("user-agent", "bench/1.0")];
            let (status, body) = connection.ask("GET", &path, &headers, "").await?;
            match status.as_u16() {
                200 => Ok(&body[..] != b"null"),
                other => Err(format!("{address}: {other}").into()),
            }
        }
    }
}

/// Misses and hits, through one connection and through sixteen.
pub(crate) async fn measure(peer: &Peer, questions: &Questions) -> Result<Vec<Rate>> {
    let mut rates = Vec::new();
    for connections in [1, 16] {
        for (kind, addresses, blocked) in [
            ("miss", &questions.misses, false),
            ("hit", &questions.hits, true),
        ] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(round(peer, connections, addresses, blocked).await?);
            }
            let median = |of: fn(&[f64; 3]) -> f64| {
                let mut values: Vec<f64> = rounds.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                quantile(&values, 0.5)
            };
            let plural = if connections == 1 { "" } else { "s" };
            rates.push(Rate {
                question: format!("{kind}, {connections} connection{plural}"),
                per_second: median(|round| round[0]),
                p50: median(|round| round[1]),
                p99: median(|round| round[2]),
            });
        }
    }
    Ok(rates)
}

/// Requests a second, p50 and p99 of one round.
async fn round(
    peer: &Peer,
    connections: usize,
    addresses: &[IpAddr],
    blocked: bool,
) -> Result<[f64; 3]> {
    let tasks = LocalSet::new();
    let started = Instant::now();
    let mut running = Vec::new();
    for number in 0..connections {
        let mut connection = Connection::open(peer.address()).await?;
        let (peer, addresses) = (peer.clone(), addresses.to_vec());
        let first = addresses.len() / connections * number;
        running.push(tasks.spawn_local(async move {
            let mut times = Vec::new();
            for address in addresses.iter().cycle().skip(first) {
                let asked = Instant::now();
                if asked - started > ROUND {
                    break;
                }
                let answer = ask(&peer, &mut connection, *address).await;
                times.push(asked.elapsed().as_secs_f64());
                match answer {
                    Ok(answer) if answer == blocked => {}
                    Ok(_) => return Err(format!("{address}: expected {blocked}")),
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(times)
        }));
    }
    tasks.await;
    let elapsed = started.elapsed().as_secs_f64();
    let mut times = Vec::new();
    for task in running {
        times.extend(task.await??);
    }
    times.sort_by(f64::total_cmp);
    let count = times.len() as f64;
    Ok([
        count / elapsed,
        quantile(&times, 0.5),
        quantile(&times, 0.99),
    ])
}
