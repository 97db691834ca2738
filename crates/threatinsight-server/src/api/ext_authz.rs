//! gRPC for Envoy: the same engine, log and metrics as every other decision.

use std::sync::Arc;

use axum::Router;
use threatinsight_ext_authz::{AttributeContext, ExtAuthz};

use super::decisions::observe;
use crate::app::App;
use crate::event::RequestContext;

pub(super) fn routes(app: &Arc<App>) -> Router {
    let engine = app.control.engine().clone();
    let metrics = app.control.metrics().clone();
    let app = Arc::clone(app);
    let service = ExtAuthz::new(engine)
        .on_decision(move |event| {
            observe(&app, event.decision, &event.request.chain, || {
                context(event.attributes)
            });
        })
        .on_unjudged(move |error| metrics.not_judged("ext_authz", error));
    Router::new().route_service(
        "/envoy.service.auth.v3.Authorization/{method}",
        service.into_service(),
    )
}

fn context(attributes: &AttributeContext) -> RequestContext {
    let request = attributes.request.as_ref();
    request
        .and_then(|request| request.http.as_ref())
        .map(|http| RequestContext {
            user_agent: http.headers.get("user-agent").cloned(),
            uri: Some(http.path.clone()),
        })
        .unwrap_or_default()
}
