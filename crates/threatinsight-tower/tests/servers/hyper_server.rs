//! Hyper, without a framework.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use threatinsight::Action;
use threatinsight_tower::{EnforceLayer, Facts, Peer};
use tokio::net::TcpListener;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::client::Client;
use crate::engine;

/// Says what it knows of the request.
#[derive(Clone)]
struct Tell;

impl Service<Request<Incoming>> for Tell {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let facts = request.extensions().get::<Facts>();
        let reason = facts.map_or("no facts".to_owned(), |facts| facts.reason.to_string());
        ready(Ok(Response::new(reason.into())))
    }
}

#[tokio::test]
async fn a_bare_hyper_server_enforces() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let engine = engine(Action::Block);
    let peer = Peer::extension(|address: &SocketAddr| Some(address.ip()));
    let service = EnforceLayer::new(engine.clone(), peer).layer(Tell);
    tokio::spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            service.clone().call(request)
        });
        let connection = hyper::server::conn::http1::Builder::new();
        connection
            .serve_connection(TokioIo::new(stream), service)
            .await
    });
    let mut client = Client::connect(server).await;
    for (lines, status, told) in [
        (&["203.0.113.7"][..], 403, None),
        (&["203.0.113.7", "198.51.100.7"], 200, Some("no facts")),
        (&["203.0.113.7, garbage"], 200, Some("unknown-client")),
    ] {
        let answer = client.ask("/", "x-forwarded-for", lines).await;
        assert_eq!(answer.status, status, "{lines:?}");
        assert!(
            told.is_none_or(|told| told == answer.body),
            "{lines:?}: {}",
            answer.body
        );
    }
}
