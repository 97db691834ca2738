//! The agent for HAProxy: the same engine, log and metrics as every other decision.

use std::sync::Arc;

use threatinsight_spoe::Agent;

use super::decisions::observe;
use crate::app::App;
use crate::event::RequestContext;

pub(crate) fn agent(app: &Arc<App>) -> Agent {
    let engine = app.control.engine().clone();
    let metrics = app.control.metrics().clone();
    let app = Arc::clone(app);
    Agent::new(engine)
        .on_decision(move |event| {
            observe(&app, event.decision, &event.request.chain, || {
                RequestContext {
                    user_agent: event.text("user-agent").map(str::to_owned),
                    uri: event.text("uri").map(str::to_owned),
                }
            });
        })
        .on_unjudged(move |error| metrics.not_judged("spoe", error))
}
