//! Health, metrics, and the API's own description.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::openapi;
use crate::app::App;

/// `/livez` and `/readyz`: the latter is ready once what is stored is served.
pub(super) fn health(app: &Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(Arc::clone(app))
}

/// What the administration's listener has beside the API.
pub(super) fn routes(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || Json(openapi::document())))
        .with_state(Arc::clone(app));
    routes.merge(health(app))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if !app.control.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "loading\n").into_response();
    }
    let generation = app.control.engine().load().generation();
    format!("ready, generation {generation}\n").into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.control.metrics().text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
