//! `/api/v1/logs`: the System Log.
//!
//! A query with `until`, or in descending order, is bounded: ordered by `published`, and its last
//! page has no next one. A query without is polling: ordered as events were stored, and every page
//! has a next one, so that a client that follows it misses nothing.
//!
//! Source: Okta System Log API, "System Log query".

mod attributes;
mod parameters;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use self::parameters::Parameters;
use super::links;
use crate::app::App;
use crate::clock::Moment;
use crate::error::StoreError;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::store::{EventQuery, EventRow, Order};
use crate::visit::Visit;

const PATH: &str = "/api/v1/logs";

/// How many rows are read at once, and how many at most for one answer. A page that ends at the
/// latter may be short; its next link goes on from there.
const STEP: i64 = 1_000;
const SCANNED: i64 = 50_000;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    visit.require(Scope::LogsRead)?;
    let parameters = Parameters::read(&query, Moment::now())?;
    let page = page(&app, &parameters).await.map_err(|error| {
        tracing::error!(%error, "the log could not be read");
        Refusal::new(Code::Unavailable)
    })?;
    let mut answer = page.body.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let after = query
        .iter()
        .find(|(name, _)| name == "after")
        .map(|(_, after)| after.as_str());
    links::add(
        headers,
        &links::page(&visit.base, PATH, &query, after),
        "self",
    );
    let next = match (parameters.order, page.more) {
        (Order::Position, _) => page
            .last
            .or(parameters.after)
            .or(Some((parameters.since, 0))),
        (Order::Published | Order::PublishedDescending, true) => page.last,
        (Order::Published | Order::PublishedDescending, false) => None,
    };
    if let Some((Moment(published), position)) = next {
        let cursor = format!("{published}_{position}");
        links::add(
            headers,
            &links::page(&visit.base, PATH, &query, Some(&cursor)),
            "next",
        );
    }
    Ok(answer)
}

struct Page {
    /// A JSON list of events as they were stored.
    body: String,
    /// Up to where the log was read.
    last: Option<(Moment, i64)>,
    more: bool,
}

async fn page(app: &App, parameters: &Parameters) -> Result<Page, StoreError> {
    let mut page = Page {
        body: String::from("["),
        last: None,
        more: false,
    };
    let mut found = 0;
    let mut scanned = 0;
    let mut after = parameters.after;
    'reading: loop {
        let query = EventQuery {
            since: parameters.since,
            until: parameters.until,
            after,
            order: parameters.order,
            equal: parameters.equalities(),
            limit: STEP,
        };
        let rows = app.control.store().events(&query).await?;
        let read = i64::try_from(rows.len()).unwrap_or(STEP);
        for row in rows {
            let matches = parameters.matches(&row);
            if matches && found == parameters.limit {
                page.more = true;
                break 'reading;
            }
            if matches {
                if found > 0 {
                    page.body.push(',');
                }
                page.body.push_str(&row.body);
                found += 1;
            }
            after = Some((row.published, row.position));
            page.last = after;
        }
        scanned += read;
        if read < STEP {
            break;
        }
        if scanned >= SCANNED {
            page.more = true;
            break;
        }
    }
    page.body.push(']');
    Ok(page)
}

impl Parameters {
    fn matches(&self, row: &EventRow) -> bool {
        if self.filter.is_none() && self.keywords.is_empty() {
            return true;
        }
        let Ok(event) = serde_json::from_str::<Value>(&row.body) else {
            return false;
        };
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(&event))
            && self
                .keywords
                .iter()
                .all(|keyword| mentions(&event, keyword))
    }
}

/// Whether a text in `value` contains `keyword`, which is in lower case.
fn mentions(value: &Value, keyword: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(keyword),
        Value::Array(elements) => elements.iter().any(|element| mentions(element, keyword)),
        Value::Object(members) => members.values().any(|member| mentions(member, keyword)),
        Value::Number(number) => number.to_string() == keyword,
        Value::Null | Value::Bool(_) => false,
    }
}
