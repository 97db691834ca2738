//! What is known about a request once it is judged.

use std::net::IpAddr;

use http::request::Parts;
use threatinsight::{Decision, Level, Patterns, Reason, Request, Snapshot, Verdict};

/// One request that is logged or blocked, when it is: for the sink and for [`Refuse`](crate::Refuse).
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
    /// Method, URI, headers and extensions of the request.
    pub head: &'a Parts,
}

impl Event<'_> {
    /// The facts, to keep.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts::of(self.decision, self.snapshot.generation())
    }
}

/// What was decided about a request, as its extensions carry it.
///
/// ```
/// use threatinsight_tower::Facts;
///
/// async fn sign_in(request: http::Request<String>) -> &'static str {
///     match request.extensions().get::<Facts>() {
///         Some(facts) if facts.level.is_some() => "one more question",
///         Some(_) | None => "welcome",
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Who the client is, canonical; `None` when unknown.
    pub client: Option<IpAddr>,
    /// The highest level of the entries that list the client; `None` when it is not listed.
    pub level: Option<Level>,
    /// The patterns of those entries.
    pub patterns: Patterns,
    /// The generation of the snapshot that decided.
    pub generation: u64,
}

impl Facts {
    /// The facts of a decision by the snapshot of `generation`.
    #[must_use]
    pub fn of(decision: &Decision<'_>, generation: u64) -> Self {
        let threat = decision.threat;
        Self {
            verdict: decision.verdict,
            reason: decision.reason(),
            client: decision.client,
            level: threat.map(|threat| threat.level()),
            patterns: threat.map_or(Patterns::NONE, |threat| threat.patterns()),
            generation,
        }
    }
}
