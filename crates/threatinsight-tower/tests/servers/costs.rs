//! What an allowed request costs.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::task::{Context, Poll};

use http::{Request, Response};
use threatinsight::Action;
use threatinsight_heap::allocations;
use threatinsight_tower::{Attach, EnforceLayer, Peer};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::engine;

#[derive(Clone)]
struct Nothing;

impl Service<Request<()>> for Nothing {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        // Dropping what the request holds is not what is measured.
        std::mem::forget(request);
        ready(Ok(Response::new(String::new())))
    }
}

/// How often a request of `lines` makes the layer allocate.
fn cost(attach: Attach, lines: &[&str]) -> usize {
    let peer = Peer::extension(|peer: &IpAddr| Some(*peer));
    let layer = EnforceLayer::new(engine(Action::Block), peer).attach(attach);
    let mut service = layer.layer(Nothing);
    let request = || {
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert("192.0.2.1".parse::<IpAddr>().unwrap());
        for line in lines {
            request
                .headers_mut()
                .append("x-forwarded-for", line.parse().unwrap());
        }
        request
    };
    // The first load of a thread makes its place in the engine.
    drop(service.call(request()));
    let request = request();
    allocations(|| service.call(request))
}

#[test]
fn an_allowed_request_allocates_nothing() {
    let many = ["192.0.2.1"; 40];
    for lines in [
        &[][..],
        &["198.51.100.7"],
        &["203.0.113.7, 198.51.100.7", "192.0.2.3:80"],
        &many,
    ] {
        assert_eq!(cost(Attach::WhenLogged, lines), 0, "{lines:?}");
    }
}

#[test]
fn only_an_extension_or_an_answer_allocates() {
    assert_ne!(cost(Attach::Always, &["198.51.100.7"]), 0);
    assert_ne!(cost(Attach::WhenLogged, &["203.0.113.7"]), 0);
}
