//! Events about what administrators do. They are stored in the transaction of what they tell.

use std::net::IpAddr;

use serde_json::{Value, json};
use threatinsight::NetworkZone;

use super::{Account, ChangeDetails, LogEvent, Party};
use crate::clock::Moment;
use crate::store::StoredConfiguration;

/// Who makes a change.
#[derive(Clone, Debug)]
pub(crate) struct Administrator {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The API token's id; `None` for a bearer and for the service itself.
    pub(crate) token: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: String,
    pub(crate) uri: String,
}

/// What happened to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZoneEvent {
    Create,
    Update,
    Activate,
    Deactivate,
    Delete,
    MakeBlocklist,
    RemoveBlocklist,
}

impl ZoneEvent {
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("zone.create", "Create network zone"),
            Self::Update => ("zone.update", "Update network zone"),
            Self::Activate => ("zone.activate", "Activate network zone"),
            Self::Deactivate => ("zone.deactivate", "Deactivate network zone"),
            Self::Delete => ("zone.delete", "Delete network zone"),
            Self::MakeBlocklist => ("zone.make_blacklist", "Mark network zone as blocklist"),
            Self::RemoveBlocklist => ("zone.remove_blacklist", "Unmark network zone as blocklist"),
        }
    }
}

/// `security.threat.configuration.update`, with who, from what and to what.
pub(crate) fn configuration_update(
    administrator: &Administrator,
    from: &StoredConfiguration,
    to: &StoredConfiguration,
) -> LogEvent {
    let details = ChangeDetails {
        from: policy(from),
        to: policy(to),
    };
    event(
        administrator,
        "security.threat.configuration.update",
        "Update ThreatInsight configuration".to_owned(),
        to.updated,
        Party {
            id: "threatInsightConfiguration".to_owned(),
            kind: "ThreatInsightConfiguration",
            alternate_id: "unknown".to_owned(),
            display_name: "ThreatInsight configuration".to_owned(),
            detail_entry: None,
            change_details: Some(details),
        },
    )
}

fn policy(configuration: &StoredConfiguration) -> Value {
    json!({
        "action": configuration.action,
        "excludeZones": configuration.exclude_zones,
    })
}

/// `zone.*`, about `zone` as it is after the event, or was before it was deleted.
pub(crate) fn zone_event(
    administrator: &Administrator,
    what: ZoneEvent,
    published: Moment,
    zone: &NetworkZone,
    before: Option<&NetworkZone>,
) -> LogEvent {
    let (event_type, message) = what.texts();
    let head = zone.head();
    let value = |zone| serde_json::to_value(zone).unwrap_or_default();
    event(
        administrator,
        event_type,
        message.to_owned(),
        published,
        Party {
            id: head.id.clone().unwrap_or_default(),
            kind: "NetworkZone",
            alternate_id: "unknown".to_owned(),
            display_name: head.name.clone(),
            detail_entry: None,
            change_details: before.map(|before| ChangeDetails {
                from: value(before),
                to: value(zone),
            }),
        },
    )
}

fn event(
    administrator: &Administrator,
    event_type: &'static str,
    message: String,
    published: Moment,
    target: Party,
) -> LogEvent {
    LogEvent::new(Account {
        event_type,
        message,
        severity: "INFO",
        published,
        actor: Party {
            id: administrator.id.clone(),
            kind: if administrator.token.is_some() {
                "User"
            } else {
                "PublicClientApp"
            },
            alternate_id: administrator.name.clone(),
            display_name: administrator.name.clone(),
            detail_entry: None,
            change_details: None,
        },
        result: "SUCCESS",
        reason: None,
        client: administrator.address,
        user_agent: administrator.user_agent.clone(),
        request_id: administrator.request_id.clone(),
        token: administrator.token.clone(),
        debug: vec![
            ("requestId", administrator.request_id.clone()),
            ("requestUri", administrator.uri.clone()),
            ("url", administrator.uri.clone()),
            ("threatSuspected", "false".to_owned()),
        ],
        chain: administrator
            .address
            .iter()
            .map(ToString::to_string)
            .collect(),
        target: Some(vec![target]),
    })
}
