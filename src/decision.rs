//! The outcome of one request.

use std::fmt;
use std::net::IpAddr;

use crate::list::Threat;

/// What the gateway does with the request.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Verdict {
    /// Let it through; no event.
    Allow,
    /// Let it through and write one event.
    Log,
    /// Refuse it and write one event.
    Block,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Allow => "allow",
            Self::Log => "log",
            Self::Block => "block",
        })
    }
}

/// Why the verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// The client, and every blocklisted hop, is in the exempt zone.
    Exempt,
    /// A hop of the chain is in a blocklist zone.
    Blocklisted,
    /// The hop that would be the client does not parse.
    UnknownClient,
    /// The action is `none`.
    Disabled,
    /// No live entry that covers this kind of request covers the client.
    NotListed,
    /// The client is listed and the chain is inside an excluded zone.
    Excluded,
    /// The client is listed.
    Listed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exempt => "exempt",
            Self::Blocklisted => "blocklisted",
            Self::UnknownClient => "unknown-client",
            Self::Disabled => "disabled",
            Self::NotListed => "not-listed",
            Self::Excluded => "excluded",
            Self::Listed => "listed",
        })
    }
}

/// The stage that decided; the first that applies wins, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Stage {
    /// 1: the exempt zone.
    Exempt,
    /// 2: the blocklist zones.
    Blocklist,
    /// 3a: the client is unknown and the action is not `none`.
    Unknown,
    /// 3b: the action is `none`.
    Disabled,
    /// 4: the client is not listed.
    NotListed,
    /// 5: the chain is inside an excluded zone.
    Excluded,
    /// 6: listed, and the action is `audit`.
    Audit,
    /// 7: listed at a level that is enforced, and the action is `block`.
    Block,
    /// 8: listed below the level that is enforced, and the action is `block`.
    Below,
}

impl Stage {
    /// The reason this stage gives.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Exempt => Reason::Exempt,
            Self::Blocklist => Reason::Blocklisted,
            Self::Unknown => Reason::UnknownClient,
            Self::Disabled => Reason::Disabled,
            Self::NotListed => Reason::NotListed,
            Self::Excluded => Reason::Excluded,
            Self::Audit | Self::Block | Self::Below => Reason::Listed,
        }
    }
}

/// The verdict on one request, with its reason.
///
/// Borrows from the snapshot that made it; 64 bytes at most, no allocation. Serializes (feature `serde`) to `verdict`,
/// `reason` and `client`, and of a listed client also `level`, `patterns` and the names of the `feeds`.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'s> {
    /// What the gateway does.
    pub verdict: Verdict,
    /// The stage that decided.
    pub stage: Stage,
    /// Who the client is; `None` when unknown.
    pub client: Option<IpAddr>,
    /// What is known about the client, when it is listed.
    ///
    /// Looked up from stage [`Stage::Disabled`] on: a decision of an earlier stage has none.
    pub threat: Option<Threat<'s>>,
}

impl Decision<'_> {
    /// Why the verdict is what it is.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.stage.reason()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Decision<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        let fields = if self.threat.is_some() { 6 } else { 3 };
        let mut decision = serializer.serialize_struct("Decision", fields)?;
        decision.serialize_field("verdict", &self.verdict)?;
        decision.serialize_field("reason", &self.reason())?;
        decision.serialize_field("client", &self.client)?;
        if let Some(threat) = self.threat {
            decision.serialize_field("level", &threat.level())?;
            decision.serialize_field("patterns", &threat.patterns())?;
            decision.serialize_field("feeds", &Feeds(threat))?;
        }
        decision.end()
    }
}

/// The names of the feeds that list a client.
#[cfg(feature = "serde")]
struct Feeds<'s>(Threat<'s>);

#[cfg(feature = "serde")]
impl serde::Serialize for Feeds<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.feeds())
    }
}
