//! One request: judged, then handed on or refused.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use threatinsight::Verdict;
use tower_service::Service;

use crate::event::{Event, Facts};
use crate::future::ResponseFuture;
use crate::layer::{Attach, Settings};
use crate::refusal::{AccessDenied, Refuse};

/// The service that an [`EnforceLayer`](crate::EnforceLayer) puts in front of another.
#[derive(Clone, Debug)]
pub struct Enforce<S, R = AccessDenied> {
    pub(crate) inner: S,
    pub(crate) settings: Arc<Settings>,
    pub(crate) refusal: R,
}

impl<S, R, B, C> Service<Request<B>> for Enforce<S, R>
where
    S: Service<Request<B>, Response = Response<C>>,
    R: Refuse<C>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        match self.settings.judge(&head, &self.refusal) {
            Outcome::Refused(response) => ResponseFuture::refused(response),
            Outcome::Passed(facts) => {
                self.settings.attach.attach(facts, &mut head);
                ResponseFuture::passed(self.inner.call(Request::from_parts(head, body)))
            }
        }
    }
}

/// What becomes of a request.
enum Outcome<C> {
    Passed(Facts),
    Refused(Response<C>),
}

impl Settings {
    fn judge<C>(&self, head: &Parts, refusal: &impl Refuse<C>) -> Outcome<C> {
        let snapshot = self.engine.load();
        let kind = self.kind.kind(head);
        let peer = self.peer.address(head);
        self.chain_source.judge(peer, &head.headers, |chain| {
            let request = threatinsight::Request::new(chain).with_kind(kind);
            let decision = snapshot.evaluate(&request);
            let facts = Facts::of(&decision, snapshot.generation());
            let event = Event {
                decision: &decision,
                request: &request,
                snapshot: &snapshot,
                head,
            };
            let write = || {
                if let Some(sink) = &self.sink {
                    sink(&event);
                }
            };
            match decision.verdict {
                Verdict::Allow => Outcome::Passed(facts),
                Verdict::Log => {
                    write();
                    Outcome::Passed(facts)
                }
                Verdict::Block => {
                    write();
                    let mut response = refusal.refuse(&event);
                    response.extensions_mut().insert(facts);
                    Outcome::Refused(response)
                }
            }
        })
    }
}

impl Attach {
    fn attach(self, facts: Facts, head: &mut Parts) {
        // An outer layer's facts, perhaps of another kind of request, must not pass for these.
        if let Some(earlier) = head.extensions.get_mut::<Facts>() {
            *earlier = facts;
            return;
        }
        match (self, facts.verdict) {
            (Self::Always, _) | (Self::WhenLogged, Verdict::Log | Verdict::Block) => {
                head.extensions.insert(facts);
            }
            (Self::WhenLogged, Verdict::Allow) => {}
        }
    }
}
