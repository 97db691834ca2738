//! A whole gateway: judged by peer before TLS would begin and by chain in the request phase, with
//! list and policy from files that are read again at SIGHUP.
//!
//!     gateway LISTEN UPSTREAM POLICY.json FEED.txt
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it says what it does"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::{Server, ShutdownWatch};
use pingora::services::background::{BackgroundService, background_service};
use pingora::upstreams::peer::HttpPeer;
use threatinsight::{Engine, Feed, Kind, ParseOptions, Policy, Snapshot, Timestamp};
use threatinsight_pingora::{Enforce, Event, Facts, PeerFilter};
use tokio::signal::unix::{SignalKind, signal};

struct Gateway {
    enforce: Enforce,
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Option<Facts>;

    fn new_ctx(&self) -> Option<Facts> {
        None
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        facts: &mut Option<Facts>,
    ) -> pingora::Result<bool> {
        let kind = match session.req_header().uri.path() {
            path if path.starts_with("/static/") => Kind::Other,
            _ => Kind::Authentication,
        };
        self.enforce.request_filter(session, kind, facts).await
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        _: &mut Option<Facts>,
    ) -> pingora::Result<Box<HttpPeer>> {
        let peer = HttpPeer::new(self.upstream, false, String::new());
        Ok(Box::new(peer))
    }

    /// Tells the upstream who asked, which Pingora does not.
    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut Option<Facts>,
    ) -> pingora::Result<()> {
        let peer = session.client_addr().and_then(|peer| peer.as_inet());
        if let Some(peer) = peer {
            request.append_header("x-forwarded-for", peer.ip().to_string())?;
        }
        Ok(())
    }
}

/// Where list and policy are.
struct Files {
    policy: PathBuf,
    feed: PathBuf,
}

impl Files {
    fn read(&self) -> Result<Snapshot, Box<dyn Error>> {
        let policy: Policy = serde_json::from_slice(&fs::read(&self.policy)?)?;
        let name = self.feed.file_stem().unwrap_or_default().to_string_lossy();
        let parsed = Feed::parse(name, &fs::read(&self.feed)?, &ParseOptions::default())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(policy.compile(&[parsed.feed], Timestamp(now))?)
    }
}

/// Reads the files again at SIGHUP; what does not compile changes nothing.
struct Reload {
    files: Files,
    engine: Engine,
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return eprintln!("SIGHUP: {error}"),
        };
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = shutdown.changed() => return,
            }
            match self.files.read() {
                Ok(snapshot) => {
                    self.engine.swap(snapshot);
                    println!("serving generation {}", self.engine.load().generation());
                }
                Err(error) => eprintln!("not reloaded: {error}"),
            }
        }
    }
}

fn say(event: &Event<'_>) {
    let path = event.head.map_or("connection", |head| head.uri.path());
    let decision = event.decision;
    println!(
        "{} {} {path} {:?}",
        decision.verdict,
        decision.reason(),
        decision.client
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, upstream, policy, feed] = &arguments[..] else {
        return Err("usage: gateway LISTEN UPSTREAM POLICY.json FEED.txt".into());
    };
    let files = Files {
        policy: policy.into(),
        feed: feed.into(),
    };
    let engine = Engine::new(files.read()?);

    let mut server = Server::new(None)?;
    server.bootstrap();
    let gateway = Gateway {
        enforce: Enforce::new(engine.clone()).on_event(say),
        upstream: upstream.parse()?,
    };
    let mut service = http_proxy_service(&server.configuration, gateway);
    service.set_connection_filter(Arc::new(PeerFilter::new(engine.clone()).on_event(say)));
    service.add_tcp(listen);
    server.add_service(service);
    server.add_service(background_service("reload", Reload { files, engine }));
    server.run_forever()
}
