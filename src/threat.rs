//! What is known about a suspicious address.

use std::fmt;

/// How dangerous a feed says an address is.
///
/// Ordered: `Low < Medium < High`. Several covering entries combine to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Level {
    /// Worth watching.
    #[cfg_attr(feature = "serde", serde(alias = "Low", alias = "LOW"))]
    Low,
    /// Repeatedly seen in attacks.
    #[cfg_attr(feature = "serde", serde(alias = "Medium", alias = "MEDIUM"))]
    Medium,
    /// Attacking now; the level of a feed that states none.
    #[cfg_attr(feature = "serde", serde(alias = "High", alias = "HIGH"))]
    High,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// An attack pattern, in the words Okta's System Log uses for `outcome.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Pattern {
    /// `Password Spray`: one password tried against many accounts.
    #[cfg_attr(feature = "serde", serde(rename = "Password Spray"))]
    PasswordSpray,
    /// `Login Failures`: many failed sign-ins.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "Login Failures", alias = "Login failures")
    )]
    LoginFailures,
    /// `Login failures with high unknown users count`: sign-ins to accounts that do not exist.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "Login failures with high unknown users count")
    )]
    UnknownUsers,
    /// `Negative IP Reputation`: known for abuse elsewhere; the pattern of a feed that states none.
    #[cfg_attr(feature = "serde", serde(rename = "Negative IP Reputation"))]
    NegativeIpReputation,
}

impl Pattern {
    /// Every pattern, in declaration order.
    pub const ALL: [Self; 4] = [
        Self::PasswordSpray,
        Self::LoginFailures,
        Self::UnknownUsers,
        Self::NegativeIpReputation,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PasswordSpray => "Password Spray",
            Self::LoginFailures => "Login Failures",
            Self::UnknownUsers => "Login failures with high unknown users count",
            Self::NegativeIpReputation => "Negative IP Reputation",
        })
    }
}

/// A set of [`Pattern`]s in one byte.
///
/// ```
/// use threatinsight::{Pattern, Patterns};
///
/// let patterns: Patterns = [Pattern::LoginFailures, Pattern::PasswordSpray].into_iter().collect();
/// assert!(patterns.contains(Pattern::LoginFailures));
/// assert!(!patterns.contains(Pattern::NegativeIpReputation));
/// assert_eq!(patterns.to_string(), "Password Spray, Login Failures");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Patterns(u8);

impl Patterns {
    /// The set without a pattern.
    pub const NONE: Self = Self(0);

    /// Whether `pattern` is in the set.
    #[must_use]
    pub const fn contains(self, pattern: Pattern) -> bool {
        self.0 & pattern.bit() != 0
    }

    /// Whether the two sets share a pattern.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The patterns of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no pattern is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as a bit for each pattern.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The patterns of the set, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = Pattern> {
        Pattern::ALL.into_iter().filter(move |p| self.contains(*p))
    }
}

impl From<Pattern> for Patterns {
    fn from(pattern: Pattern) -> Self {
        Self(pattern.bit())
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<I: IntoIterator<Item = Pattern>>(iter: I) -> Self {
        iter.into_iter()
            .fold(Self::NONE, |set, p| set.union(p.into()))
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pattern) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            pattern.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Patterns {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Patterns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patterns = <Vec<Pattern> as serde::Deserialize>::deserialize(deserializer)?;
        Ok(patterns.into_iter().collect())
    }
}
