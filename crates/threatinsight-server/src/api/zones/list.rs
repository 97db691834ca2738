//! The list of zones, newest first, page by page.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::json;
use threatinsight::NetworkZone;

use super::super::links;
use super::mark;
use crate::app::App;
use crate::filter::Filter;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::visit::Visit;

const DEFAULT_LIMIT: usize = 20;
const GREATEST_LIMIT: usize = 200;
const ATTRIBUTES: [&str; 3] = ["id", "usage", "system"];

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    visit.require(Scope::NetworkZonesRead)?;
    let value = |wanted: &str| {
        let pair = query.iter().find(|(name, _)| name == wanted);
        pair.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let limit = value("limit").map_or(Ok(DEFAULT_LIMIT), limit)?;
    let filter = value("filter").map(filter).transpose()?;
    // Not an id, because that zone may be gone when somebody asks for the next page.
    let before = value("after").map_or(Ok(i64::MAX), cursor)?;
    let (zones, last) = app
        .control
        .read(|state| {
            let zones = state.zones.iter().filter(|zone| zone.ordinal < before);
            let mut zones =
                zones.filter(|zone| filter.as_ref().is_none_or(|f| matches(f, &zone.zone)));
            let page: Vec<_> = zones.by_ref().take(limit).collect();
            let more = zones.next().is_some();
            let last = page.last().map(|zone| zone.ordinal.to_string());
            let page: Vec<NetworkZone> = page.into_iter().map(|zone| zone.zone.clone()).collect();
            (page, last.filter(|_| more))
        })
        .await;
    let objects: Vec<NetworkZone> = zones
        .iter()
        .map(|zone| links::with_links(&visit.base, zone))
        .collect();
    let mut answer = Json(objects).into_response();
    let headers = answer.headers_mut();
    let mut pairs = query.clone();
    if value("limit").is_none() {
        pairs.retain(|(name, _)| name != "limit");
        pairs.push(("limit".to_owned(), DEFAULT_LIMIT.to_string()));
    }
    let path = "/api/v1/zones";
    links::add(
        headers,
        &links::page(&visit.base, path, &pairs, value("after")),
        "self",
    );
    if let Some(last) = last {
        links::add(
            headers,
            &links::page(&visit.base, path, &pairs, Some(&last)),
            "next",
        );
    }
    mark(headers, zones.iter());
    Ok(answer)
}

/// -1 is Okta's way to say that there is none; more than the greatest is the greatest.
fn limit(text: &str) -> Result<usize, Refusal> {
    match text.parse::<i32>() {
        Ok(-1) => Ok(DEFAULT_LIMIT),
        Ok(limit @ 1..) => Ok(usize::try_from(limit)
            .unwrap_or(GREATEST_LIMIT)
            .min(GREATEST_LIMIT)),
        Ok(_) | Err(_) => Err(Refusal::validation(
            "limit",
            [format!("expected a number from 1 to {GREATEST_LIMIT}")],
        )),
    }
}

fn cursor(text: &str) -> Result<i64, Refusal> {
    let invalid = |_| Refusal::new(Code::Paging).because("Invalid cursor.");
    text.parse().map_err(invalid)
}

fn filter(text: &str) -> Result<Filter, Refusal> {
    let search = |detail: String| Refusal::with_detail(Code::Search, detail);
    let filter: Filter = text
        .parse()
        .map_err(|error| search(format!("Invalid search criteria. {error}")))?;
    let attributes = filter.attributes();
    let unknown = attributes
        .iter()
        .find(|(name, _)| !ATTRIBUTES.contains(name));
    match unknown {
        Some((name, _)) => Err(search(format!(
            "Invalid search criteria. field is not valid: {name}"
        ))),
        None => Ok(filter),
    }
}

fn matches(filter: &Filter, zone: &NetworkZone) -> bool {
    let head = zone.head();
    filter.matches(&json!({"id": head.id, "usage": head.usage, "system": head.system}))
}
