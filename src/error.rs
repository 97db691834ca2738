//! Why a policy or a list does not compile, and what compiles but looks wrong.

use std::error::Error;
use std::fmt;

use crate::prefix::{Prefix, PrefixError};
use crate::zone::{ZoneAddress, ZoneHead};

/// Why feeds, zones or a configuration were refused, whole.
///
/// The message names the place, what was found and what was expected. What is being served does
/// not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    DuplicateFeed {
        name: String,
    },
    TooMany {
        what: &'static str,
        found: usize,
        limit: usize,
    },
    DynamicZone {
        zone: String,
    },
    DuplicateZoneId {
        id: String,
    },
    DuplicateZoneName {
        name: String,
    },
    ZoneAddress {
        zone: String,
        place: String,
        value: String,
        error: PrefixError,
    },
    UnknownZone {
        place: String,
        id: String,
    },
}

impl CompileError {
    pub(crate) fn duplicate_feed(name: &str) -> Self {
        Self(Kind::DuplicateFeed {
            name: name.to_owned(),
        })
    }

    pub(crate) const fn too_many(what: &'static str, found: usize, limit: usize) -> Self {
        Self(Kind::TooMany { what, found, limit })
    }

    pub(crate) fn dynamic_zone(zone: &ZoneHead) -> Self {
        Self(Kind::DynamicZone {
            zone: zone.to_string(),
        })
    }

    pub(crate) fn duplicate_zone_id(id: &str) -> Self {
        Self(Kind::DuplicateZoneId { id: id.to_owned() })
    }

    pub(crate) fn duplicate_zone_name(name: &str) -> Self {
        Self(Kind::DuplicateZoneName {
            name: name.to_owned(),
        })
    }

    pub(crate) fn zone_address(
        zone: &ZoneHead,
        member: &str,
        index: usize,
        address: &ZoneAddress,
        error: PrefixError,
    ) -> Self {
        Self(Kind::ZoneAddress {
            zone: zone.to_string(),
            place: format!("{member}[{index}]"),
            value: address.value().to_owned(),
            error,
        })
    }

    pub(crate) fn unknown_zone(place: impl Into<String>, id: &str) -> Self {
        Self(Kind::UnknownZone {
            place: place.into(),
            id: id.to_owned(),
        })
    }

    /// Whether a zone is of a type that cannot be compiled.
    #[must_use]
    pub const fn is_dynamic_zone(&self) -> bool {
        matches!(self.0, Kind::DynamicZone { .. })
    }

    /// Whether `excludeZones` or the exempt zone names a zone that does not exist.
    #[must_use]
    pub const fn is_unknown_zone(&self) -> bool {
        matches!(self.0, Kind::UnknownZone { .. })
    }

    /// Whether a gateway or proxy of a zone is not an address, prefix or range.
    #[must_use]
    pub const fn is_zone_address(&self) -> bool {
        matches!(self.0, Kind::ZoneAddress { .. })
    }

    /// Whether two feeds or two zones share what must be their own.
    #[must_use]
    pub const fn is_duplicate(&self) -> bool {
        matches!(
            self.0,
            Kind::DuplicateFeed { .. }
                | Kind::DuplicateZoneId { .. }
                | Kind::DuplicateZoneName { .. }
        )
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::DuplicateFeed { name } => {
                write!(f, "two feeds named `{name}`, expected each name once")
            }
            Kind::TooMany { what, found, limit } => {
                write!(f, "{found} {what}, expected at most {limit}")
            }
            Kind::DynamicZone { zone } => write!(
                f,
                "{zone} is dynamic, expected type IP: what a dynamic zone matches is not in it"
            ),
            Kind::DuplicateZoneId { id } => {
                write!(f, "two zones with id `{id}`, expected each id once")
            }
            Kind::DuplicateZoneName { name } => {
                write!(f, "two zones named `{name}`, expected each name once")
            }
            Kind::ZoneAddress {
                zone,
                place,
                value,
                error,
            } => {
                write!(f, "{zone}: {place}: {error} in `{value}`")
            }
            Kind::UnknownZone { place, id } => write!(f, "{place}: no zone has id `{id}`"),
        }
    }
}

impl Error for CompileError {}

/// Something that compiles and probably does not mean what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An IPv6 prefix covers `::ffff:0:0/96` without being IPv4: it covers no IPv4 address.
    CoversMappedRange {
        /// The feed, or the zone with the place in it.
        place: String,
        /// The prefix.
        prefix: Prefix,
    },
}

impl Warning {
    pub(crate) fn feed_covers_mapped_range(feed: &str, prefix: Prefix) -> Self {
        Self::CoversMappedRange {
            place: format!("feed `{feed}`"),
            prefix,
        }
    }

    pub(crate) fn zone_covers_mapped_range(
        zone: &ZoneHead,
        member: &str,
        index: usize,
        prefix: Prefix,
    ) -> Self {
        Self::CoversMappedRange {
            place: format!("{zone}: {member}[{index}]"),
            prefix,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoversMappedRange { place, prefix } => write!(
                f,
                "{place}: {prefix} covers the IPv4-mapped range and no IPv4 address; \
                 list the IPv4 prefix to cover those"
            ),
        }
    }
}
