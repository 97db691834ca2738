//! What is enforced, and how.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use threatinsight::{Engine, Kind};
use tower_layer::Layer;

use crate::chain_source::ChainSource;
use crate::event::Event;
use crate::peer::Peer;
use crate::refusal::AccessDenied;
use crate::service::Enforce;

/// Which requests carry their [`Facts`](crate::Facts) to the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// Those that are logged. A request without facts was allowed.
    #[default]
    WhenLogged,
    /// Every one, for a service that wants to know the client; costs an allowed request the
    /// allocations of an extension.
    Always,
}

/// Puts [`Enforce`] in front of a service.
///
/// | setting | without it |
/// |---|---|
/// | [`chain_source`](Self::chain_source) | `X-Forwarded-For` |
/// | [`kind`](Self::kind), [`kind_of`](Self::kind_of) | every request is an authentication request |
/// | [`on_event`](Self::on_event) | events go nowhere |
/// | [`refuse_with`](Self::refuse_with) | [`AccessDenied`] |
/// | [`attach`](Self::attach) | [`Attach::WhenLogged`] |
///
/// Give each route a layer of its own kind: clones share the engine.
#[derive(Clone, Debug)]
pub struct EnforceLayer<R = AccessDenied> {
    settings: Settings,
    refusal: R,
}

impl EnforceLayer {
    /// A layer that judges by `engine`'s current snapshot and finds the peer by `peer`.
    #[must_use]
    pub fn new(engine: Engine, peer: Peer) -> Self {
        Self {
            settings: Settings {
                engine,
                peer,
                chain_source: ChainSource::default(),
                kind: KindRule::Always(Kind::Authentication),
                sink: None,
                attach: Attach::default(),
            },
            refusal: AccessDenied,
        }
    }
}

impl<R> EnforceLayer<R> {
    /// Reads the hops before the peer from another header, or from none.
    #[must_use]
    pub fn chain_source(mut self, source: ChainSource) -> Self {
        self.settings.chain_source = source;
        self
    }

    /// Judges every request as one of `kind`.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.settings.kind = KindRule::Always(kind);
        self
    }

    /// Judges each request as one of the kind that `kind` finds in its head.
    #[must_use]
    pub fn kind_of(mut self, kind: impl Fn(&Parts) -> Kind + Send + Sync + 'static) -> Self {
        self.settings.kind = KindRule::Of(Arc::new(kind));
        self
    }

    /// Calls `sink` once for every request that is logged or blocked, before anything else happens
    /// to it. The request waits: a sink that is slow should queue.
    #[must_use]
    pub fn on_event(mut self, sink: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.settings.sink = Some(Arc::new(sink));
        self
    }

    /// Attaches the facts of more requests than those that are logged.
    #[must_use]
    pub fn attach(mut self, attach: Attach) -> Self {
        self.settings.attach = attach;
        self
    }

    /// Answers blocked requests with `refusal`, a [`Refuse`](crate::Refuse).
    ///
    /// ```
    /// # use threatinsight::{Action, Engine, Policy, Timestamp};
    /// # let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
    /// # let peer = threatinsight_tower::Peer::extension(|peer: &std::net::IpAddr| Some(*peer));
    /// use axum::body::Body;
    /// use http::{Response, StatusCode};
    /// use threatinsight_tower::{EnforceLayer, Event};
    ///
    /// let layer = EnforceLayer::new(engine, peer).refuse_with(|_: &Event<'_>| {
    ///     let mut response = Response::new(Body::empty());
    ///     *response.status_mut() = StatusCode::NOT_FOUND;
    ///     response
    /// });
    /// ```
    #[must_use]
    pub fn refuse_with<Q>(self, refusal: Q) -> EnforceLayer<Q> {
        EnforceLayer {
            settings: self.settings,
            refusal,
        }
    }
}

impl<S, R: Clone> Layer<S> for EnforceLayer<R> {
    type Service = Enforce<S, R>;

    fn layer(&self, inner: S) -> Enforce<S, R> {
        Enforce {
            inner,
            settings: Arc::new(self.settings.clone()),
            refusal: self.refusal.clone(),
        }
    }
}

/// What the services of a layer share.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) engine: Engine,
    pub(crate) peer: Peer,
    pub(crate) chain_source: ChainSource,
    pub(crate) kind: KindRule,
    pub(crate) sink: Option<Sink>,
    pub(crate) attach: Attach,
}

type Sink = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// What a request is for.
#[derive(Clone)]
pub(crate) enum KindRule {
    Always(Kind),
    Of(Arc<dyn Fn(&Parts) -> Kind + Send + Sync>),
}

impl KindRule {
    pub(crate) fn kind(&self, head: &Parts) -> Kind {
        match self {
            Self::Always(kind) => *kind,
            Self::Of(kind) => kind(head),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("engine", &self.engine)
            .field("chain_source", &self.chain_source)
            .field("attach", &self.attach)
            .finish_non_exhaustive()
    }
}
