//! The routes.

mod body;
mod configuration;
mod decisions;
mod ext_authz;
mod feeds;
mod links;
mod listed;
mod logs;
mod openapi;
mod operations;
mod spoe;
mod zones;

pub(crate) use self::feeds::check_name as check_feed_name;
pub(crate) use self::spoe::agent as spoe_agent;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};

use crate::app::App;
use crate::refusal::{Code, Refusal};
use crate::visit::attend;

/// How many bytes a body may have; a feed has a limit of its own.
const BODY_LIMIT: usize = 1 << 20;

/// The administration: Okta's API, feeds, and operations.
pub(crate) fn administration(app: &Arc<App>) -> Router {
    let feed = get(feeds::read).put(feeds::replace).delete(feeds::delete);
    let feed = feed.layer(DefaultBodyLimit::max(app.feed_bytes));
    let zone = get(zones::read).put(zones::replace).delete(zones::delete);
    let routes = Router::new()
        .route(
            "/api/v1/threats/configuration",
            get(configuration::read).post(configuration::replace),
        )
        .route("/api/v1/zones", get(zones::list).post(zones::create))
        .route("/api/v1/zones/{id}", zone)
        .route(
            "/api/v1/zones/{id}/lifecycle/activate",
            post(zones::activate),
        )
        .route(
            "/api/v1/zones/{id}/lifecycle/deactivate",
            post(zones::deactivate),
        )
        .route("/api/v1/logs", get(logs::list))
        .route("/v1/feeds", get(feeds::list))
        .route("/v1/feeds/{name}", feed)
        .route("/v1/listed/{address}", get(listed::read))
        .fallback(async || Refusal::new(Code::NoSuchPath))
        .method_not_allowed_fallback(async || Refusal::new(Code::Method))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(app), attend))
        .with_state(Arc::clone(app));
    operations::routes(app).merge(routes)
}

/// What gateways ask.
pub(crate) fn decisions(app: &Arc<App>) -> Router {
    Router::new()
        .route("/v1/decisions", post(decisions::decide))
        .route("/v1/authorize", any(decisions::authorize))
        // Envoy appends the path that its client asked for.
        .route("/v1/authorize/", any(decisions::authorize))
        .route("/v1/authorize/{*path}", any(decisions::authorize))
        .method_not_allowed_fallback(async || Refusal::new(Code::Method))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(app), judge_when_ready))
        .with_state(Arc::clone(app))
}

/// What Envoy asks over gRPC, on a listener of its own.
pub(crate) fn ext_authz_alone(app: &Arc<App>) -> Router {
    let routes =
        ext_authz::routes(app).layer(from_fn_with_state(Arc::clone(app), judge_when_ready));
    routes.merge(operations::health(app))
}

/// Until the first snapshot is served there is nothing to judge by; nor may a body arrive for ever.
async fn judge_when_ready(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !app.control.is_ready() {
        return Refusal::new(Code::Unavailable).into_response();
    }
    match tokio::time::timeout(app.request_timeout, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => Refusal::with_detail(Code::TimedOut, "not complete in time").into_response(),
    }
}

/// The decisions on a listener of their own.
pub(crate) fn decisions_alone(app: &Arc<App>) -> Router {
    let routes = decisions(app).fallback(async || Refusal::new(Code::NoSuchPath));
    routes.merge(operations::health(app))
}
