//! What a sink is told.

use std::sync::Arc;

use pingora::http::RequestHeader;
use threatinsight::{Decision, Request, Snapshot};

/// One request, or connection, that is logged or blocked.
///
/// Everything is borrowed; a sink that hands it to another thread takes what it needs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The verdict, its reason, the client and what lists it.
    pub decision: &'a Decision<'a>,
    /// The chain and the kind, as they were judged.
    pub request: &'a Request<'a>,
    /// The snapshot it was judged by, which can explain it.
    pub snapshot: &'a Snapshot,
    /// Method, URI and headers; `None` for a connection, which has none yet.
    pub head: Option<&'a RequestHeader>,
}

pub(crate) type Sink = Arc<dyn Fn(&Event<'_>) + Send + Sync>;
