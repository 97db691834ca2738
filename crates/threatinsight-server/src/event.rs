//! System Log events, with their members in Okta's order.
//!
//! Source: Okta System Log API, `LogEvent`; texts of the event types from its event catalogue.

mod administration;
mod observation;
mod writer;

pub(crate) use self::administration::{Administrator, ZoneEvent, configuration_update, zone_event};
pub(crate) use self::observation::{Observation, RequestContext};
pub(crate) use self::writer::{EventQueue, Retention, WriterOptions, write_events};

use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Moment;

/// One event of the System Log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEvent {
    actor: Party,
    client: Client,
    authentication_context: AuthenticationContext,
    display_message: String,
    event_type: &'static str,
    outcome: Outcome,
    #[serde(serialize_with = "to_millisecond")]
    published: Moment,
    security_context: SecurityContext,
    severity: &'static str,
    debug_context: DebugContext,
    legacy_event_type: Option<&'static str>,
    transaction: Transaction,
    uuid: String,
    version: &'static str,
    request: RequestChain,
    target: Option<Vec<Party>>,
}

/// What is said of an event, apart from the members that every event has alike.
pub(crate) struct Account {
    pub(crate) event_type: &'static str,
    pub(crate) message: String,
    pub(crate) severity: &'static str,
    pub(crate) published: Moment,
    pub(crate) actor: Party,
    pub(crate) result: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: String,
    pub(crate) token: Option<String>,
    pub(crate) debug: Vec<(&'static str, String)>,
    /// The hops, left to right, the peer last.
    pub(crate) chain: Vec<String>,
    pub(crate) target: Option<Vec<Party>>,
}

impl LogEvent {
    pub(crate) fn new(account: Account) -> Self {
        let debug = account.debug.into_iter();
        let debug_data = debug.map(|(name, value)| (name.to_owned(), Value::String(value)));
        Self {
            actor: account.actor,
            client: Client::new(account.client, account.user_agent),
            authentication_context: AuthenticationContext::default(),
            display_message: account.message,
            event_type: account.event_type,
            outcome: Outcome {
                result: account.result,
                reason: account.reason,
            },
            published: account.published,
            security_context: SecurityContext::default(),
            severity: account.severity,
            debug_context: DebugContext {
                debug_data: debug_data.collect(),
            },
            legacy_event_type: Some(account.event_type),
            transaction: Transaction {
                kind: "WEB",
                id: account.request_id,
                detail: Detail {
                    request_api_token_id: account.token,
                },
            },
            uuid: Uuid::new_v4().to_string(),
            version: "0",
            request: RequestChain {
                ip_chain: account.chain.into_iter().map(ChainHop::new).collect(),
            },
            target: account.target,
        }
    }

    pub(crate) const fn moment(&self) -> Moment {
        self.published
    }

    pub(crate) const fn event_type(&self) -> &'static str {
        self.event_type
    }

    pub(crate) fn actor_id(&self) -> &str {
        &self.actor.id
    }

    pub(crate) const fn result(&self) -> &'static str {
        self.outcome.result
    }
}

/// An actor or a target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Party {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) alternate_id: String,
    pub(crate) display_name: String,
    pub(crate) detail_entry: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change_details: Option<ChangeDetails>,
}

/// What a target was before an event, and what it was after.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChangeDetails {
    pub(crate) from: Value,
    pub(crate) to: Value,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    user_agent: Option<UserAgent>,
    zone: &'static str,
    device: &'static str,
    id: Option<String>,
    ip_address: Option<IpAddr>,
    geographical_context: Option<Value>,
}

impl Client {
    fn new(address: Option<IpAddr>, user_agent: Option<String>) -> Self {
        Self {
            user_agent: user_agent.map(|raw_user_agent| UserAgent {
                raw_user_agent,
                os: "Unknown",
                browser: "UNKNOWN",
            }),
            zone: "null",
            device: "Unknown",
            id: None,
            ip_address: address,
            geographical_context: None,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserAgent {
    raw_user_agent: String,
    os: &'static str,
    browser: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthenticationContext {
    authentication_provider: Option<String>,
    credential_provider: Option<String>,
    credential_type: Option<String>,
    issuer: Option<Value>,
    interface: Option<String>,
    authentication_step: u32,
    external_session_id: &'static str,
}

impl Default for AuthenticationContext {
    fn default() -> Self {
        Self {
            authentication_provider: None,
            credential_provider: None,
            credential_type: None,
            issuer: None,
            interface: None,
            authentication_step: 0,
            external_session_id: "unknown",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Outcome {
    result: &'static str,
    reason: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    as_number: Option<u32>,
    as_org: Option<String>,
    isp: Option<String>,
    domain: Option<String>,
    is_proxy: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DebugContext {
    debug_data: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug, Serialize)]
struct Transaction {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    detail: Detail,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_api_token_id: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestChain {
    ip_chain: Vec<ChainHop>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChainHop {
    ip: String,
    geographical_context: Option<Value>,
    version: &'static str,
    source: Option<String>,
}

impl ChainHop {
    fn new(ip: String) -> Self {
        Self {
            version: if ip.contains(':') { "V6" } else { "V4" },
            ip,
            geographical_context: None,
            source: None,
        }
    }
}

fn to_millisecond<S: serde::Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.to_millisecond())
}
