//! Listening, and ending.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use threatinsight::Engine;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection::converse;
use crate::message::Event;

/// How long to wait after a connection could not be accepted, for want of descriptors perhaps.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers HAProxy by an engine's current snapshot.
#[derive(Clone)]
pub struct Agent {
    pub(crate) engine: Engine,
    pub(crate) sink: Option<Arc<Sink>>,
    pub(crate) unjudged: Option<Arc<Unjudged>>,
    pub(crate) limits: Limits,
}

type Sink = dyn Fn(&Event<'_>) + Send + Sync;
type Unjudged = dyn Fn(&str) + Send + Sync;

/// What peers may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are open at once; further ones are closed. Default: 4,096.
    pub connections: usize,
    /// How long a new connection may take to say hello. Default: five seconds.
    pub hello: Duration,
    /// How long a connection may take from one frame to the end of the next, and to take its
    /// answers. More than HAProxy's `timeout idle`, so that HAProxy is the one to close. Default:
    /// two minutes.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            hello: Duration::from_secs(5),
            idle: Duration::from_secs(120),
        }
    }
}

impl Agent {
    /// Judges by `engine`'s current snapshot.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            sink: None,
            unjudged: None,
            limits: Limits::default(),
        }
    }

    /// Calls `sink` once for every decision, before HAProxy is answered. The request waits: a sink
    /// that is slow should queue.
    #[must_use]
    pub fn on_decision(mut self, sink: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Calls `sink` once for every frame that names no client, and so is not judged, with what is
    /// wrong: where HAProxy's rules let such requests pass, nothing else tells that they do.
    #[must_use]
    pub fn on_unjudged(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.unjudged = Some(Arc::new(sink));
        self
    }

    /// Bounds what peers may use up.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves the connections of `listener` until `stop` is ready. Then no connection is accepted
    /// any more, frames that have arrived are answered, and HAProxy is told of the end. Dropping
    /// the future ends all at once.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let agent = Arc::new(self);
        let room = Arc::new(Semaphore::new(agent.limits.connections));
        let (ending, ended) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                biased;
                () = &mut stop => break,
                stream = accept(&listener) => stream,
            };
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                continue;
            };
            let (agent, ended) = (Arc::clone(&agent), ended.clone());
            connections.spawn(async move {
                converse(&agent, stream, ended).await;
                drop(place);
            });
        }
        drop(listener);
        let _ = ending.send(true);
        while connections.join_next().await.is_some() {}
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("engine", &self.engine)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
