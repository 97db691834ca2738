//! `/v1/feeds`: named lists of suspicious addresses.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use threatinsight::RejectedLine;

use super::body::{Body, bytes};
use crate::app::App;
use crate::control::{FeedUpdate, LoadedFeed, ParsedUpload};
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::visit::{Visit, text};

const NAME_LIMIT: usize = 128;

/// How many rejected lines an answer names.
const REJECTED_SHOWN: usize = 100;

type Visited = Extension<Arc<Visit>>;

/// A feed, as the API tells of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FeedObject {
    name: String,
    created: String,
    last_updated: String,
    lines: u64,
    accepted: u64,
    rejected: usize,
    entries: usize,
    distinct_addresses: Addresses,
}

/// Distinct addresses by family; as text, because IPv6 has more than a JSON number holds exactly.
#[derive(Serialize)]
struct Addresses {
    ipv4: String,
    ipv6: String,
}

impl From<(u128, u128)> for Addresses {
    fn from((ipv4, ipv6): (u128, u128)) -> Self {
        Self {
            ipv4: ipv4.to_string(),
            ipv6: ipv6.to_string(),
        }
    }
}

impl From<&LoadedFeed> for FeedObject {
    fn from(feed: &LoadedFeed) -> Self {
        Self {
            name: feed.feed.name().to_owned(),
            created: feed.created.to_second(),
            last_updated: feed.updated.to_second(),
            lines: feed.lines,
            accepted: feed.accepted,
            rejected: feed.rejected,
            entries: feed.feed.len(),
            distinct_addresses: (feed.distinct_ipv4, feed.distinct_ipv6).into(),
        }
    }
}

/// What an upload changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateObject {
    #[serde(flatten)]
    feed: FeedObject,
    added_addresses: Addresses,
    removed_addresses: Addresses,
    /// The first rejected lines.
    rejected_lines: Vec<Rejected>,
}

#[derive(Serialize)]
struct Rejected {
    line: u64,
    text: String,
    reason: String,
}

impl From<&RejectedLine> for Rejected {
    fn from(rejected: &RejectedLine) -> Self {
        Self {
            line: rejected.line,
            text: rejected.text.clone(),
            reason: rejected.reason.to_string(),
        }
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
) -> Result<Response, Refusal> {
    visit.require(Scope::FeedsRead)?;
    let read = |state: &crate::control::State| {
        state
            .feeds
            .values()
            .map(|feed| FeedObject::from(&**feed))
            .collect::<Vec<_>>()
    };
    Ok(Json(app.control.read(read).await).into_response())
}

/// What is known about a feed, or, when `text/plain` is asked for, its text as it was uploaded.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    visit.require(Scope::FeedsRead)?;
    check_name(&name).map_err(|_| not_found(&name))?;
    if text(&headers, &ACCEPT).is_some_and(|accept| accept.starts_with("text/plain")) {
        let stored = app.control.store().feed(&name).await.map_err(|error| {
            tracing::error!(%error, "a feed could not be read");
            Refusal::new(Code::Unavailable)
        })?;
        let mut answer = stored.ok_or_else(|| not_found(&name))?.body.into_response();
        let plain = HeaderValue::from_static("text/plain");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
        return Ok(answer);
    }
    let read = |state: &crate::control::State| {
        state.feeds.get(&name).map(|feed| FeedObject::from(&**feed))
    };
    let feed = app
        .control
        .read(read)
        .await
        .ok_or_else(|| not_found(&name))?;
    Ok(Json(feed).into_response())
}

/// Reads the text whole before it replaces anything; a text that is no feed changes nothing.
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    visit.require(Scope::FeedsManage)?;
    check_name(&name).map_err(|reason| Refusal::validation("name", [reason]))?;
    // RFC 9110, section 14.5: a client that resumes an upload sends only the rest of it.
    if headers.contains_key(CONTENT_RANGE) {
        let message = "found a part of a feed, expected the whole";
        return Err(Refusal::validation("Content-Range", [message]));
    }
    let body = bytes(body)?.to_vec();
    let upload = ParsedUpload::read(name, body, app.control.parse_options()).await?;
    let FeedUpdate {
        feed,
        rejected,
        added,
        removed,
    } = app.control.put_feed(upload).await?;
    let update = UpdateObject {
        feed: FeedObject::from(&*feed),
        added_addresses: added.into(),
        removed_addresses: removed.into(),
        rejected_lines: rejected
            .iter()
            .take(REJECTED_SHOWN)
            .map(Rejected::from)
            .collect(),
    };
    Ok(Json(update).into_response())
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    visit.require(Scope::FeedsManage)?;
    if app.control.delete_feed(name.clone()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found(&name))
    }
}

/// Names become labels and paths.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // No client sends a path that ends in these: it stands for another one.
    let is_path = matches!(name, "." | "..");
    if (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(allowed) && !is_path {
        return Ok(());
    }
    let found: String = name.chars().take(NAME_LIMIT).collect();
    Err(format!(
        "expected 1 to {NAME_LIMIT} letters, digits, `-`, `_` and `.`, not `.` or `..`, in `{found}`"
    ))
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(&name.chars().take(NAME_LIMIT).collect::<String>(), "Feed")
}
