//! Connections, before TLS.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use pingora::listeners::ConnectionFilter;
use threatinsight::{Chain, Engine, Kind, Request, Verdict};

use crate::event::{Event, Sink};

/// A hop that is no address. Behind a proxy it is the client, which is then unknown.
const NO_ADDRESS: &[&[u8]] = &[b"_"];

/// Drops connections all of whose requests would be blocked.
///
/// ```
/// # use threatinsight::{Action, Policy, Timestamp};
/// # fn set<S: Send + Sync + 'static>(service: &mut pingora::services::listening::Service<S>) {
/// # let engine = threatinsight::Engine::new(
/// #     Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
/// use std::sync::Arc;
/// use threatinsight_pingora::PeerFilter;
///
/// service.set_connection_filter(Arc::new(PeerFilter::new(engine.clone())));
/// # }
/// ```
#[derive(Clone)]
pub struct PeerFilter {
    engine: Engine,
    kind: Kind,
    sink: Option<Sink>,
}

impl PeerFilter {
    /// A filter that judges by `engine`'s current snapshot.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            kind: Kind::Other,
            sink: None,
        }
    }

    /// Says what all requests of these connections are for. Without it, only what is blocked for
    /// any request is dropped.
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Calls `sink` once for every connection that is dropped.
    #[must_use]
    pub fn on_event(mut self, sink: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Whether a connection of `peer` may be worth something.
    fn accepts(&self, peer: IpAddr) -> bool {
        let chain = Chain::x_forwarded_for(Some(peer), NO_ADDRESS);
        let request = Request::new(chain).with_kind(self.kind);
        let snapshot = self.engine.load();
        let decision = snapshot.evaluate(&request);
        match (decision.verdict, decision.client) {
            (Verdict::Allow | Verdict::Log, _) => true,
            // A proxy: who the client is, its header will say.
            (Verdict::Block, None) => true,
            (Verdict::Block, Some(_)) => {
                if let Some(sink) = &self.sink {
                    sink(&Event {
                        decision: &decision,
                        request: &request,
                        snapshot: &snapshot,
                        head: None,
                    });
                }
                false
            }
        }
    }
}

#[async_trait]
impl ConnectionFilter for PeerFilter {
    async fn should_accept(&self, peer: Option<&SocketAddr>) -> bool {
        // Without an address, as on a Unix socket, the request phase judges an unknown client.
        peer.is_none_or(|peer| self.accepts(peer.ip()))
    }
}

impl fmt::Debug for PeerFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerFilter")
            .field("engine", &self.engine)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
