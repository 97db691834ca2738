//! `/v1/listed/{address}`: who lists an address, and since when.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Serialize;
use threatinsight::address::canonical;
use threatinsight::{Level, Patterns, Prefix, Request, Timestamp};

use crate::app::App;
use crate::clock::Moment;
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::visit::Visit;

#[derive(Serialize)]
pub(super) struct Listed {
    address: IpAddr,
    listed: bool,
    generation: u64,
    entries: Vec<ListedEntry>,
}

#[derive(Serialize)]
struct ListedEntry {
    feed: String,
    prefix: Prefix,
    level: Level,
    patterns: Patterns,
    /// Since when the feed has listed the prefix without a break.
    since: Option<String>,
    expires: Option<String>,
}

/// Every entry that covers the address or the IPv4 address it embeds, longest prefix first.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(text): Path<String>,
) -> Result<Json<Listed>, Refusal> {
    visit.require(Scope::FeedsRead)?;
    let address: IpAddr = text.parse().map_err(|_| {
        let found: String = text.chars().take(64).collect();
        let message = format!("not an IPv4 or IPv6 address in `{found}`");
        Refusal::validation("address", [message])
    })?;
    let address = canonical(address);
    let listed = app.control.read(|state| {
        let snapshot = app.control.engine().load();
        let explanation = snapshot.explain(&Request::from(address));
        let entries: Vec<ListedEntry> = explanation
            .entries
            .into_iter()
            .map(|entry| ListedEntry {
                since: state
                    .listed_since(&entry.feed, entry.prefix)
                    .map(Moment::to_second),
                expires: entry.expires.map(render),
                feed: entry.feed,
                prefix: entry.prefix,
                level: entry.level,
                patterns: entry.patterns,
            })
            .collect();
        Listed {
            address,
            listed: !entries.is_empty(),
            generation: snapshot.generation(),
            entries,
        }
    });
    Ok(Json(listed.await))
}

fn render(Timestamp(seconds): Timestamp) -> String {
    Moment(
        i64::try_from(seconds)
            .unwrap_or(i64::MAX / 1_000)
            .saturating_mul(1_000),
    )
    .to_second()
}
