//! A gateway in axum that decides in its own process, behind whichever proxies the zones name.
//!
//! ```sh
//! THREATINSIGHT_ADMIN_TOKEN=change-me-this-is-an-example \
//!     axum-gateway 127.0.0.1:18701 127.0.0.1:18090 127.0.0.1:18702 ./data
//! ```

mod control;

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::{Authority, Scheme};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use threatinsight_server::Service;
use threatinsight_tower::{EnforceLayer, Peer};
use tokio::net::TcpListener;

use self::control::Arguments;

#[derive(Clone)]
struct Application {
    client: Client<HttpConnector, Body>,
    authority: Authority,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let service = Service::start(arguments.options).await?;
    let application = Application {
        client: Client::builder(TokioExecutor::new()).build_http(),
        authority: arguments.application.to_string().parse()?,
    };
    let peer = Peer::extension(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| Some(peer.ip()));
    let mut router = Router::new().fallback(pass_on).with_state(application);
    if arguments.filtered {
        router = router.layer(EnforceLayer::new(service.engine(), peer));
    }
    let listener = TcpListener::bind(arguments.listen).await?;
    let gateway = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, gateway).await?;
    Ok(())
}

/// Sends a request to the application, and its answer back.
async fn pass_on(State(application): State<Application>, mut request: Request) -> Response {
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(application.authority);
    let Ok(uri) = Uri::from_parts(parts) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    match application.client.request(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
