//! What the operator sets: Okta's configuration object, and our extensions kept apart from it.

use std::fmt;

use crate::decision::Verdict;
#[cfg(feature = "serde")]
use crate::strict::Strict;
use crate::threat::{Level, Pattern, Patterns};
use crate::zone::{Links, NetworkZone};

/// The configured response to a listed client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Action {
    /// Nothing is logged or blocked for being listed; decisions still say what was listed.
    None,
    /// Listed clients are let through and logged.
    Audit,
    /// Listed clients are blocked, or logged below [`Extensions::enforce_from`].
    Block,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Audit => "audit",
            Self::Block => "block",
        })
    }
}

/// Okta's `ThreatInsightConfiguration` object, with its members in the order Okta sends them.
///
/// `created`, `lastUpdated` and `_links` are read-only on the wire: the engine carries them for
/// echo and never looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Configuration {
    /// The configured response; the only required member.
    pub action: Action,
    /// Ids of the zones whose chains are not judged. Absent and `null` mean none.
    pub exclude_zones: Vec<String>,
    /// When the configuration first existed, as the API rendered it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub created: Option<String>,
    /// When the configuration last changed, as the API rendered it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub last_updated: Option<String>,
    /// Where the API serves the object.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "_links", skip_serializing_if = "Option::is_none")
    )]
    pub links: Option<Links>,
}

impl Configuration {
    /// A configuration with `action` and no excluded zone.
    #[must_use]
    pub const fn new(action: Action) -> Self {
        Self {
            action,
            exclude_zones: Vec::new(),
            created: None,
            last_updated: None,
            links: None,
        }
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Configuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::Members::deserialize(Strict(deserializer))
    }
}

/// How much of the list is enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Edition {
    /// Every entry, every kind of request.
    #[default]
    #[cfg_attr(feature = "serde", serde(alias = "Full"))]
    Full,
    /// Limited capacity: only entries of level [`Level::High`], only authentication requests.
    #[cfg_attr(feature = "serde", serde(alias = "Trial"))]
    Trial,
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Trial => "trial",
        })
    }
}

/// What we add to Okta's configuration. The default leaves Okta's behaviour as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensions {
    /// The verdict on a request whose client cannot be known. Default: log.
    pub on_unknown_client: Verdict,
    /// The lowest level that [`Action::Block`] blocks; below it a listed client is logged.
    /// Default: [`Level::Low`], so that every listed client is blocked.
    pub enforce_from: Level,
    /// Whether an IPv6 address is also judged by the IPv4 address it embeds
    /// (NAT64 `64:ff9b::/96`, 6to4 `2002::/16`, Teredo `2001::/32`). Default: yes.
    pub embedded_ipv4: bool,
    /// How much of the list is enforced. Default: all of it.
    pub edition: Edition,
    /// The id of the exempt zone, whose gateways override the list and the blocklist zones.
    /// Default: there is none.
    pub exempt_zone: Option<String>,
    /// The patterns that make an entry cover requests other than authentication.
    /// Default: [`Pattern::NegativeIpReputation`].
    pub patterns_beyond_authentication: Patterns,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            on_unknown_client: Verdict::Log,
            enforce_from: Level::Low,
            embedded_ipv4: true,
            edition: Edition::Full,
            exempt_zone: None,
            patterns_beyond_authentication: Pattern::NegativeIpReputation.into(),
        }
    }
}

/// A whole policy: configuration, extensions and zones, as one policy file holds them.
///
/// On the wire one flat JSON object: the members of [`Configuration`], `zones`, and the extensions
/// `onUnknownClient`, `enforceFrom`, `embeddedIpv4`, `edition`, `exemptZone`,
/// `patternsBeyondAuthentication`. An unknown member is
/// an error, because a typo must not switch protection off; an unknown member of a zone is ignored,
/// as Okta's API does.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use threatinsight::{Action, Policy};
///
/// let policy: Policy = serde_json::from_str(r#"{"action": "audit", "enforceFrom": "high"}"#).unwrap();
/// assert_eq!(policy.configuration.action, Action::Audit);
///
/// let typo = serde_json::from_str::<Policy>(r#"{"action": "block", "excludedZones": []}"#);
/// assert!(typo.unwrap_err().to_string().contains("unknown field `excludedZones`"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(into = "wire::Policy"))]
pub struct Policy {
    /// Okta's configuration object.
    pub configuration: Configuration,
    /// What we add to it.
    pub extensions: Extensions,
    /// Every zone there is, excluded or not: their proxies are trusted, their ids referred to.
    pub zones: Vec<NetworkZone>,
}

impl Policy {
    /// A policy with `action`, without zones or extensions.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            configuration: Configuration::new(action),
            extensions: Extensions::default(),
            zones: Vec::new(),
        }
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Policy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::strict(deserializer).map(|policy: wire::Policy| policy.into())
    }
}

#[cfg(feature = "serde")]
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    let value = <Option<T> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(value.unwrap_or_default())
}

/// What is read: the configuration's members, and the policy file's flat shape, so that one
/// `deny_unknown_fields` guards all of it.
#[cfg(feature = "serde")]
mod wire {
    use std::fmt;

    use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

    use super::{Action, Configuration, Edition, Extensions, null_as_default};
    use crate::decision::Verdict;
    use crate::threat::{Level, Patterns};
    use crate::zone::{Links, NetworkZone};

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase", remote = "super::Configuration")]
    pub(super) struct Members {
        action: Action,
        #[serde(default, deserialize_with = "null_as_default")]
        exclude_zones: Vec<String>,
        created: Option<String>,
        last_updated: Option<String>,
        #[serde(rename = "_links")]
        links: Option<Links>,
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Policy {
        action: Action,
        #[serde(default, deserialize_with = "null_as_default")]
        exclude_zones: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_updated: Option<String>,
        #[serde(rename = "_links", default, skip_serializing_if = "Option::is_none")]
        links: Option<Links>,
        #[serde(default, deserialize_with = "zones")]
        zones: Vec<NetworkZone>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_unknown_client: Option<Verdict>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enforce_from: Option<Level>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        embedded_ipv4: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edition: Option<Edition>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exempt_zone: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patterns_beyond_authentication: Option<Patterns>,
    }

    fn zones<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NetworkZone>, D::Error> {
        null_as_default(deserializer).map(|Zones(zones)| zones)
    }

    /// A format that says where an error is says where it noticed, which may be the zone after, so the error says which
    /// zone it is.
    #[derive(Default)]
    struct Zones(Vec<NetworkZone>);

    impl<'de> Deserialize<'de> for Zones {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_seq(Numbered).map(Self)
        }
    }

    struct Numbered;

    impl<'de> Visitor<'de> for Numbered {
        type Value = Vec<NetworkZone>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of zones")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut zones = Vec::new();
            let place = |error, place| A::Error::custom(format_args!("zones[{place}]: {error}"));
            while let Some(zone) = seq.next_element().map_err(|e| place(e, zones.len()))? {
                zones.push(zone);
            }
            Ok(zones)
        }
    }

    impl From<Policy> for super::Policy {
        fn from(wire: Policy) -> Self {
            let Policy {
                action,
                exclude_zones,
                created,
                last_updated,
                links,
                zones,
                on_unknown_client,
                enforce_from,
                embedded_ipv4,
                edition,
                exempt_zone,
                patterns_beyond_authentication,
            } = wire;
            let default = Extensions::default();
            Self {
                configuration: Configuration {
                    action,
                    exclude_zones,
                    created,
                    last_updated,
                    links,
                },
                extensions: Extensions {
                    on_unknown_client: on_unknown_client.unwrap_or(default.on_unknown_client),
                    enforce_from: enforce_from.unwrap_or(default.enforce_from),
                    embedded_ipv4: embedded_ipv4.unwrap_or(default.embedded_ipv4),
                    edition: edition.unwrap_or(default.edition),
                    exempt_zone,
                    patterns_beyond_authentication: patterns_beyond_authentication
                        .unwrap_or(default.patterns_beyond_authentication),
                },
                zones,
            }
        }
    }

    impl From<super::Policy> for Policy {
        fn from(policy: super::Policy) -> Self {
            let super::Policy {
                configuration:
                    Configuration {
                        action,
                        exclude_zones,
                        created,
                        last_updated,
                        links,
                    },
                extensions:
                    Extensions {
                        on_unknown_client,
                        enforce_from,
                        embedded_ipv4,
                        edition,
                        exempt_zone,
                        patterns_beyond_authentication,
                    },
                zones,
            } = policy;
            Self {
                action,
                exclude_zones,
                created,
                last_updated,
                links,
                zones,
                on_unknown_client: Some(on_unknown_client),
                enforce_from: Some(enforce_from),
                embedded_ipv4: Some(embedded_ipv4),
                edition: Some(edition),
                exempt_zone,
                patterns_beyond_authentication: Some(patterns_beyond_authentication),
            }
        }
    }
}
