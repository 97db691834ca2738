//! `/api/v1/threats/configuration`.
//!
//! Source: Okta ThreatInsight API. An update replaces the whole configuration; what is not said
//! there follows the siblings of the endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;
use threatinsight::{Action, Configuration, strict};

use super::body::{Body, json};
use super::links;
use crate::app::App;
use crate::clock::Moment;
use crate::control;
use crate::control::Decided;
use crate::event::configuration_update;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::store::{Change, StoredConfiguration};
use crate::visit::Visit;
use crate::zone_body::not_excludable;

/// The members that count; all others, and read-only ones, are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationBody {
    action: Option<Value>,
    exclude_zones: Option<Vec<String>>,
}

pub(super) async fn read(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Result<Json<Configuration>, Refusal> {
    visit.require(Scope::ThreatInsightsRead)?;
    let stored = app.control.read(|state| state.configuration.clone()).await;
    Ok(answer(&visit, &stored))
}

pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Configuration>, Refusal> {
    let administrator = visit.administrator(Scope::ThreatInsightsManage)?;
    let body: ConfigurationBody = json(&headers, body)?;
    let action = action(body.action)?;
    let mut exclude_zones = Vec::new();
    for id in body.exclude_zones.unwrap_or_default() {
        if !exclude_zones.contains(&id) {
            exclude_zones.push(id);
        }
    }
    let decide = move |state: &control::State| {
        refuse_unknown(state, &exclude_zones)?;
        let configuration = StoredConfiguration {
            action,
            exclude_zones: exclude_zones.clone(),
            created: state.configuration.created,
            updated: Moment::now(),
        };
        let event = configuration_update(&administrator, &state.configuration, &configuration);
        Ok(Decided {
            changes: vec![Change::Configuration(configuration.clone())],
            events: vec![event],
            answer: configuration,
        })
    };
    let stored = app.control.change(decide).await?;
    Ok(answer(&visit, &stored))
}

fn answer(visit: &Visit, stored: &StoredConfiguration) -> Json<Configuration> {
    Json(Configuration {
        links: Some(links::of_configuration(&visit.base)),
        ..stored.object()
    })
}

fn action(action: Option<Value>) -> Result<Action, Refusal> {
    let blank = || Refusal::validation("action", ["The field cannot be left blank"]);
    match action {
        None => Err(blank()),
        Some(Value::String(text)) if text.is_empty() => Err(blank()),
        Some(value) => strict(value).map_err(|_| Refusal::new(Code::Malformed)),
    }
}

fn refuse_unknown(state: &control::State, ids: &[String]) -> Result<(), Refusal> {
    let wrong: Vec<String> = ids
        .iter()
        .filter_map(|id| match state.zone(id) {
            None => Some(format!(
                "The zone: {} does not exist.",
                id.chars().take(64).collect::<String>()
            )),
            Some(zone) => not_excludable(&zone.zone),
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::validation("excludeZones", wrong))
    }
}
