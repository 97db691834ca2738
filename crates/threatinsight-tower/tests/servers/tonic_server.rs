//! Tonic: a refusal is a gRPC status.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use threatinsight::Action;
use threatinsight_tower::{EnforceLayer, Event, Peer};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::{Code, Status};
use tower_service::Service;

use crate::engine;

/// A service with one empty answer to everything.
#[derive(Clone)]
struct Empties;

impl NamedService for Empties {
    const NAME: &'static str = "test.Empties";
}

impl Service<Request<Body>> for Empties {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Status::ok("").into_http()))
    }
}

#[tokio::test]
async fn a_tonic_server_enforces() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let peer = Peer::extension(|info: &TcpConnectInfo| Some(info.remote_addr()?.ip()));
    let layer = EnforceLayer::new(engine(Action::Block), peer)
        .refuse_with(|_: &Event<'_>| Status::permission_denied("refused").into_http::<Body>());
    let server = Server::builder().layer(layer).add_service(Empties);
    tokio::spawn(server.serve_with_incoming(incoming));

    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let executor = TokioExecutor::new();
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    for (lines, code) in [
        (&["203.0.113.7"][..], Code::PermissionDenied),
        (&["203.0.113.7", "192.0.2.1"], Code::PermissionDenied),
        (&["203.0.113.7", "198.51.100.7"], Code::Ok),
    ] {
        let mut request = Request::post(format!("http://{address}/test.Empties/Ask"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for line in lines {
            request = request.header("x-forwarded-for", *line);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        let status = response.headers()["grpc-status"].to_str().unwrap();
        assert_eq!(Code::from_bytes(status.as_bytes()), code, "{lines:?}");
    }
}
