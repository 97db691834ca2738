//! One check: judged by one snapshot.

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use threatinsight::{Decision, Engine, Request, Snapshot};
use tonic::Status;

use crate::answer::answer;
use crate::attributes::{client, kind};

/// Answers Envoy's checks by an engine's current snapshot.
#[derive(Clone)]
pub struct ExtAuthz {
    engine: Engine,
    sink: Option<Arc<Sink>>,
    unjudged: Option<Arc<Unjudged>>,
}

type Sink = dyn Fn(&Event<'_>) + Send + Sync;
type Unjudged = dyn Fn(&str) + Send + Sync;

/// One request that was judged, for the sink.
///
/// Everything is borrowed; a sink that hands it to another thread takes what it needs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The verdict, its reason, the client and what lists it. What is logged or blocked is worth
    /// an event in a log, what is allowed is not.
    pub decision: &'a Decision<'a>,
    /// The chain, which is the client alone, and the kind.
    pub request: &'a Request<'a>,
    /// The snapshot it was judged by, which can explain it.
    pub snapshot: &'a Snapshot,
    /// What Envoy said about the request.
    pub attributes: &'a AttributeContext,
}

impl ExtAuthz {
    /// Judges by `engine`'s current snapshot.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            sink: None,
            unjudged: None,
        }
    }

    /// Calls `sink` once for every decision, before Envoy is answered. The request waits: a sink
    /// that is slow should queue.
    #[must_use]
    pub fn on_decision(mut self, sink: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Calls `sink` once for every check that names no client, and so is not judged, with what is wrong: where Envoy
    /// lets such requests pass (`failure_mode_allow`), nothing else tells that they do.
    #[must_use]
    pub fn on_unjudged(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.unjudged = Some(Arc::new(sink));
        self
    }

    /// The tower service, for a tonic server or an axum route.
    #[must_use]
    pub fn into_service(self) -> AuthorizationServer<Self> {
        AuthorizationServer::new(self)
    }
}

#[tonic::async_trait]
impl Authorization for ExtAuthz {
    async fn check(
        &self,
        check: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, Status> {
        let (metadata, _, check) = check.into_parts();
        let attributes = check.attributes.unwrap_or_default();
        let client = client(&metadata, &attributes).inspect_err(|status| {
            if let Some(unjudged) = &self.unjudged {
                unjudged(status.message());
            }
        })?;
        let request = Request::from(client).with_kind(kind(&attributes));
        let snapshot = self.engine.load();
        let decision = snapshot.evaluate(&request);
        if let Some(sink) = &self.sink {
            sink(&Event {
                decision: &decision,
                request: &request,
                snapshot: &snapshot,
                attributes: &attributes,
            });
        }
        Ok(tonic::Response::new(answer(
            &decision,
            snapshot.generation(),
        )))
    }
}

impl fmt::Debug for ExtAuthz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtAuthz")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
