//! The attributes that a filter of the log may name.
//!
//! Source: Okta System Log API, `LogEvent`. `published` is one of its members that cannot be
//! filtered by.

/// Attributes with a value of their own.
const ATTRIBUTES: [&str; 33] = [
    "authenticationContext.authenticationProvider",
    "authenticationContext.authenticationStep",
    "authenticationContext.credentialProvider",
    "authenticationContext.credentialType",
    "authenticationContext.externalSessionId",
    "authenticationContext.interface",
    "client.device",
    "client.geographicalContext.city",
    "client.geographicalContext.country",
    "client.geographicalContext.postalCode",
    "client.geographicalContext.state",
    "client.id",
    "client.ipAddress",
    "client.userAgent.browser",
    "client.userAgent.os",
    "client.userAgent.rawUserAgent",
    "client.zone",
    "displayMessage",
    "eventType",
    "legacyEventType",
    "outcome.reason",
    "outcome.result",
    "request.ipChain.ip",
    "request.ipChain.source",
    "request.ipChain.version",
    "securityContext.asNumber",
    "securityContext.asOrg",
    "securityContext.domain",
    "securityContext.isProxy",
    "securityContext.isp",
    "severity",
    "uuid",
    "version",
];

/// Attributes whose members are free, or many.
const TREES: [&str; 7] = [
    "actor",
    "authenticationContext.issuer",
    "client.geographicalContext.geolocation",
    "debugContext.debugData",
    "request.ipChain.geographicalContext",
    "target",
    "transaction",
];

pub(super) fn is_attribute(name: &str) -> bool {
    let within = |tree: &str| {
        let rest = name.strip_prefix(tree);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let holds = |attribute: &str| {
        let rest = attribute.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    TREES.into_iter().any(within) || ATTRIBUTES.into_iter().any(holds)
}

/// The column that has the attribute.
pub(super) fn stored_in(name: &str) -> Option<&'static str> {
    match name {
        "actor.id" => Some("actor"),
        "eventType" => Some("event_type"),
        "outcome.result" => Some("outcome"),
        _ => None,
    }
}
