//! What a token or a bearer may do.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// One scope; a `.manage` scope includes its `.read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `okta.threatInsights.read`
    ThreatInsightsRead,
    /// `okta.threatInsights.manage`
    ThreatInsightsManage,
    /// `okta.networkZones.read`
    NetworkZonesRead,
    /// `okta.networkZones.manage`
    NetworkZonesManage,
    /// `okta.logs.read`
    LogsRead,
    /// `threatinsight.decisions.read`: ask for decisions.
    DecisionsRead,
    /// `threatinsight.feeds.read`
    FeedsRead,
    /// `threatinsight.feeds.manage`
    FeedsManage,
}

impl Scope {
    /// Every scope: what an administrator token has.
    pub const ALL: [Self; 8] = [
        Self::ThreatInsightsRead,
        Self::ThreatInsightsManage,
        Self::NetworkZonesRead,
        Self::NetworkZonesManage,
        Self::LogsRead,
        Self::DecisionsRead,
        Self::FeedsRead,
        Self::FeedsManage,
    ];

    /// The scope as tokens and JWTs write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThreatInsightsRead => "okta.threatInsights.read",
            Self::ThreatInsightsManage => "okta.threatInsights.manage",
            Self::NetworkZonesRead => "okta.networkZones.read",
            Self::NetworkZonesManage => "okta.networkZones.manage",
            Self::LogsRead => "okta.logs.read",
            Self::DecisionsRead => "threatinsight.decisions.read",
            Self::FeedsRead => "threatinsight.feeds.read",
            Self::FeedsManage => "threatinsight.feeds.manage",
        }
    }

    /// Whether whoever has this scope may do what needs `needed`.
    #[must_use]
    pub fn includes(self, needed: Self) -> bool {
        self == needed
            || matches!(
                (self, needed),
                (Self::ThreatInsightsManage, Self::ThreatInsightsRead)
                    | (Self::NetworkZonesManage, Self::NetworkZonesRead)
                    | (Self::FeedsManage, Self::FeedsRead)
            )
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let scope = Self::ALL.into_iter().find(|scope| scope.name() == text);
        scope.ok_or_else(|| ScopeError(text.to_owned()))
    }
}

/// A text that names no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError(String);

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no scope is named `{}`, expected one of ", self.0)?;
        for (place, scope) in Scope::ALL.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{scope}")?;
        }
        Ok(())
    }
}

impl Error for ScopeError {}
