//! `/api/v1/zones`.
//!
//! Source: Okta Zones API.

mod list;

pub(super) use self::list::list;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use threatinsight::{NetworkZone, ZoneStatus, ZoneUsage};

use super::body::{Body, json};
use super::links;
use crate::app::App;
use crate::clock::Moment;
use crate::control::{self, Decided, is_dynamic, is_exempt_zone};
use crate::event::{Administrator, ZoneEvent, zone_event};
use crate::identifier;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::store::{Change, StoredZone};
use crate::visit::Visit;
use crate::zone_body::{Place, ZoneBody};

/// Says which zones of an answer are stored and not enforced.
static NOT_ENFORCED: HeaderName = HeaderName::from_static("x-threatinsight-not-enforced");

type Visited = Extension<Arc<Visit>>;

pub(super) async fn read(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    visit.require(Scope::NetworkZonesRead)?;
    let zone = app.control.read(|state| state.zone(&id).cloned()).await;
    let zone = zone.ok_or_else(|| not_found(&id))?;
    Ok(answer(&visit, &zone.zone))
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let administrator = visit.administrator(Scope::NetworkZonesManage)?;
    let body: ZoneBody = json(&headers, body)?;
    let id = identifier::zone();
    let decide = move |state: &control::State| {
        let mut zone = body.zone(state, Place::New(&id))?;
        let now = Moment::now();
        let head = zone.head_mut();
        head.created = Some(now.to_second());
        head.last_updated = Some(now.to_second());
        let mut events = vec![zone_event(
            &administrator,
            ZoneEvent::Create,
            now,
            &zone,
            None,
        )];
        if zone.head().usage == ZoneUsage::Blocklist {
            events.push(zone_event(
                &administrator,
                ZoneEvent::MakeBlocklist,
                now,
                &zone,
                None,
            ));
        }
        let stored = StoredZone {
            ordinal: state.next_ordinal(),
            zone: zone.clone(),
        };
        Ok(Decided {
            changes: vec![Change::PutZone(Box::new(stored))],
            events,
            answer: zone,
        })
    };
    let zone = app.control.change(decide).await?;
    Ok(answer(&visit, &zone))
}

pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let administrator = visit.administrator(Scope::NetworkZonesManage)?;
    let body: ZoneBody = json(&headers, body)?;
    let decide = move |state: &control::State| {
        let before = state.zone(&id).ok_or_else(|| not_found(&id))?;
        let zone = body.zone(state, Place::Of(&before.zone))?;
        let mut what = vec![ZoneEvent::Update];
        match (before.zone.head().usage, zone.head().usage) {
            (ZoneUsage::Policy, ZoneUsage::Blocklist) => what.push(ZoneEvent::MakeBlocklist),
            (ZoneUsage::Blocklist, ZoneUsage::Policy) => what.push(ZoneEvent::RemoveBlocklist),
            (ZoneUsage::Policy, ZoneUsage::Policy)
            | (ZoneUsage::Blocklist, ZoneUsage::Blocklist) => {}
        }
        Ok(put(&administrator, &what, before, zone))
    };
    let zone = app.control.change(decide).await?;
    if is_exempt_zone(&zone) {
        let zone = ExemptZone {
            zone: links::with_links(&visit.base, &zone),
            use_as_black_list: false,
            use_as_exempt_list: true,
        };
        return Ok(Json(zone).into_response());
    }
    Ok(answer(&visit, &zone))
}

/// The exempt zone as the answer to its replacement has it, and no other answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExemptZone {
    #[serde(flatten)]
    zone: NetworkZone,
    use_as_black_list: bool,
    use_as_exempt_list: bool,
}

pub(super) async fn activate(
    app: State<Arc<App>>,
    visit: Visited,
    id: Path<String>,
) -> Result<Response, Refusal> {
    set_status(app, visit, id, ZoneStatus::Active).await
}

pub(super) async fn deactivate(
    app: State<Arc<App>>,
    visit: Visited,
    id: Path<String>,
) -> Result<Response, Refusal> {
    set_status(app, visit, id, ZoneStatus::Inactive).await
}

async fn set_status(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(id): Path<String>,
    status: ZoneStatus,
) -> Result<Response, Refusal> {
    let administrator = visit.administrator(Scope::NetworkZonesManage)?;
    let decide = move |state: &control::State| {
        let before = state.zone(&id).ok_or_else(|| not_found(&id))?;
        let mut zone = before.zone.clone();
        zone.head_mut().status = status;
        let what = match status {
            ZoneStatus::Active => ZoneEvent::Activate,
            ZoneStatus::Inactive => ZoneEvent::Deactivate,
        };
        Ok(put(&administrator, &[what], before, zone))
    };
    let zone = app.control.change(decide).await?;
    Ok(answer(&visit, &zone))
}

/// `zone` in place of `before`, whose id, dates and place in the list it takes over.
fn put(
    administrator: &Administrator,
    what: &[ZoneEvent],
    before: &StoredZone,
    mut zone: NetworkZone,
) -> Decided<NetworkZone> {
    let now = Moment::now();
    let head = zone.head_mut();
    head.created.clone_from(&before.zone.head().created);
    head.last_updated = Some(now.to_second());
    let stored = StoredZone {
        ordinal: before.ordinal,
        zone: zone.clone(),
    };
    let events = what.iter();
    Decided {
        changes: vec![Change::PutZone(Box::new(stored))],
        events: events
            .map(|what| zone_event(administrator, *what, now, &zone, Some(&before.zone)))
            .collect(),
        answer: zone,
    }
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(visit): Visited,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let administrator = visit.administrator(Scope::NetworkZonesManage)?;
    let decide = move |state: &control::State| {
        let stored = state.zone(&id).ok_or_else(|| not_found(&id))?;
        let head = stored.zone.head();
        let refuse = |reason: String| {
            Err(Refusal::with_detail(Code::Validation, reason.clone())
                .because(format!("id: {reason}")))
        };
        if head.system {
            return refuse(format!(
                "The zone: {} is a system zone. System zones cannot be deleted.",
                head.name
            ));
        }
        if head.status == ZoneStatus::Active {
            let end = "is an active zone. Active zones cannot be deleted.";
            let refusal =
                Refusal::with_detail(Code::Validation, format!("The zone: {} {end}", head.name));
            return Err(refusal.because(format!("id: The zone: {id} {end}")));
        }
        if state.configuration.exclude_zones.contains(&id) {
            return refuse(format!(
                "The zone: {} is excluded from ThreatInsight. Excluded zones cannot be deleted.",
                head.name
            ));
        }
        let event = zone_event(
            &administrator,
            ZoneEvent::Delete,
            Moment::now(),
            &stored.zone,
            None,
        );
        Ok(Decided {
            changes: vec![Change::DeleteZone(id.clone())],
            events: vec![event],
            answer: (),
        })
    };
    app.control.change(decide).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_found(id: &str) -> Refusal {
    let id: String = id.chars().take(64).collect();
    Refusal::not_found(&id, "NetworkZone")
}

fn answer(visit: &Visit, zone: &NetworkZone) -> Response {
    let mut answer = Json(links::with_links(&visit.base, zone)).into_response();
    mark(answer.headers_mut(), std::iter::once(zone));
    answer
}

/// Names the zones of an answer that are stored and not enforced.
fn mark<'a, I: Iterator<Item = &'a NetworkZone>>(headers: &mut HeaderMap, zones: I) {
    let dynamic = zones.filter(|zone| is_dynamic(zone));
    let ids: Vec<&str> = dynamic
        .filter_map(|zone| zone.head().id.as_deref())
        .collect();
    if !ids.is_empty()
        && let Ok(value) = HeaderValue::from_str(&ids.join(","))
    {
        headers.insert(NOT_ENFORCED.clone(), value);
    }
}
