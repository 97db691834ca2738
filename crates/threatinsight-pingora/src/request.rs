//! Requests, in Pingora's request phase.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use threatinsight::{Engine, Kind, Request, Verdict};
use threatinsight_access_denied as access_denied;
use threatinsight_tower::{ChainSource, Facts};

use crate::event::{Event, Sink};

/// Judges requests by an engine's current snapshot, and refuses those that are blocked.
#[derive(Clone)]
pub struct Enforce {
    engine: Engine,
    chain_source: ChainSource,
    peer: Option<Arc<Finder>>,
    sink: Option<Sink>,
}

type Finder = dyn Fn(&Session) -> Option<IpAddr> + Send + Sync;

impl Enforce {
    /// Judges by `engine`'s current snapshot, over `X-Forwarded-For` and the peer.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            chain_source: ChainSource::default(),
            peer: None,
            sink: None,
        }
    }

    /// Reads the hops before the peer from another header, or from none.
    #[must_use]
    pub fn chain_source(mut self, source: ChainSource) -> Self {
        self.chain_source = source;
        self
    }

    /// Finds the peer, or the client that the host has resolved, elsewhere than in the connection;
    /// `None` makes the client unknown.
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&Session) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// Calls `sink` once for every request that is logged or blocked, before anything else happens
    /// to it. The request waits: a sink that is slow should queue.
    #[must_use]
    pub fn on_event(mut self, sink: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Judges the request of `session` as one of `kind`, leaves what was decided in `facts`, and
    /// answers it when it is blocked: then `true`, for the proxy to return.
    ///
    /// # Errors
    ///
    /// When the refusal could not be sent. The request goes no further then either.
    pub async fn request_filter(
        &self,
        session: &mut Session,
        kind: Kind,
        facts: &mut Option<Facts>,
    ) -> pingora::Result<bool> {
        let found = self.judge(session, kind);
        *facts = Some(found);
        match found.verdict {
            Verdict::Allow | Verdict::Log => Ok(false),
            Verdict::Block => {
                let body = access_denied::body();
                let mut head = ResponseHeader::build(access_denied::STATUS, Some(4))?;
                head.insert_header("content-type", access_denied::CONTENT_TYPE)?;
                head.insert_header("cache-control", access_denied::CACHE_CONTROL)?;
                head.insert_header("content-length", body.len())?;
                session.write_error_response(head, body.into()).await?;
                Ok(true)
            }
        }
    }

    fn judge(&self, session: &Session, kind: Kind) -> Facts {
        let head = session.req_header();
        let peer = match &self.peer {
            Some(peer) => peer(session),
            None => session
                .client_addr()
                .and_then(|address| Some(address.as_inet()?.ip())),
        };
        let snapshot = self.engine.load();
        self.chain_source.judge(peer, &head.headers, |chain| {
            let request = Request::new(chain).with_kind(kind);
            let decision = snapshot.evaluate(&request);
            match (decision.verdict, &self.sink) {
                (Verdict::Log | Verdict::Block, Some(sink)) => sink(&Event {
                    decision: &decision,
                    request: &request,
                    snapshot: &snapshot,
                    head: Some(head),
                }),
                (Verdict::Log | Verdict::Block, None) | (Verdict::Allow, _) => {}
            }
            Facts::of(&decision, snapshot.generation())
        })
    }
}

impl fmt::Debug for Enforce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enforce")
            .field("engine", &self.engine)
            .field("chain_source", &self.chain_source)
            .finish_non_exhaustive()
    }
}
