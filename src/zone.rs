//! Network zones: Okta's `NetworkZone` object, and what is compiled from it.

mod compiled;

pub use self::compiled::Zones;
pub(crate) use self::compiled::{Outline, ZoneSet, ZoneTrie, fixed_hasher};

use std::fmt;

/// A named network zone, as Okta's zones API sends and accepts it.
///
/// The type is the discriminator. IP zones are compiled; the dynamic types are carried faithfully
/// and refused by the compiler, because what they match is not in them. Unknown members are
/// ignored. Members are written in the order Okta writes them.
///
/// Source: Okta Management API, `NetworkZone` (OpenAPI 2026.06).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type"))]
pub enum NetworkZone {
    /// Addresses, by prefix or range.
    #[cfg_attr(feature = "serde", serde(rename = "IP"))]
    Ip(#[cfg_attr(feature = "serde", serde(deserialize_with = "crate::strict"))] IpZone),
    /// Locations, autonomous systems or a proxy type.
    #[cfg_attr(feature = "serde", serde(rename = "DYNAMIC"))]
    Dynamic(#[cfg_attr(feature = "serde", serde(deserialize_with = "crate::strict"))] DynamicZone),
    /// Locations, autonomous systems and address service categories.
    #[cfg_attr(feature = "serde", serde(rename = "DYNAMIC_V2"))]
    DynamicV2(
        #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::strict"))] DynamicV2Zone,
    ),
}

impl NetworkZone {
    /// The members that every type of zone has.
    #[must_use]
    pub const fn head(&self) -> &ZoneHead {
        match self {
            Self::Ip(zone) => &zone.head,
            Self::Dynamic(zone) => &zone.head,
            Self::DynamicV2(zone) => &zone.head,
        }
    }

    /// The members that every type of zone has, to change them.
    pub const fn head_mut(&mut self) -> &mut ZoneHead {
        match self {
            Self::Ip(zone) => &mut zone.head,
            Self::Dynamic(zone) => &mut zone.head,
            Self::DynamicV2(zone) => &mut zone.head,
        }
    }
}

/// The members that every type of zone has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ZoneHead {
    /// What `excludeZones` refers to; absent in a zone that has not been created yet.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub id: Option<String>,
    /// The name, unique among the zones.
    pub name: String,
    /// Whether the zone contains anything.
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "crate::strict"))]
    pub status: ZoneStatus,
    /// What the zone is for.
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "crate::strict"))]
    pub usage: ZoneUsage,
    /// When the zone was created, as the API rendered it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub created: Option<String>,
    /// When the zone last changed, as the API rendered it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_updated: Option<String>,
    /// Whether the zone came with the organisation.
    #[cfg_attr(feature = "serde", serde(default))]
    pub system: bool,
}

impl ZoneHead {
    /// An active policy zone.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            name: name.into(),
            status: ZoneStatus::Active,
            usage: ZoneUsage::Policy,
            created: None,
            last_updated: None,
            system: false,
        }
    }
}

impl fmt::Display for ZoneHead {
    /// The name, and the id where there is one: how messages name a zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "zone `{}` ({id})", self.name),
            None => write!(f, "zone `{}`", self.name),
        }
    }
}

/// Whether a zone contains anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "UPPERCASE"))]
pub enum ZoneStatus {
    /// The zone is matched and its proxies are trusted.
    #[default]
    Active,
    /// The zone contains nothing and its proxies are not trusted.
    Inactive,
}

/// What a zone is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "UPPERCASE"))]
pub enum ZoneUsage {
    /// Referred to by policies, such as `excludeZones`.
    #[default]
    Policy,
    /// Whatever is in it is blocked.
    Blocklist,
}

/// A zone of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IpZone {
    /// The members that every type of zone has.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub head: ZoneHead,
    /// The addresses in the zone. `None` is `null` on the wire.
    #[cfg_attr(feature = "serde", serde(default))]
    pub gateways: Option<Vec<ZoneAddress>>,
    /// The proxies that are trusted to name the hop before them. `None` is `null` on the wire.
    #[cfg_attr(feature = "serde", serde(default))]
    pub proxies: Option<Vec<ZoneAddress>>,
    /// Where the API serves the zone.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "_links", default, skip_serializing_if = "Option::is_none")
    )]
    pub links: Option<Links>,
}

/// One gateway or proxy, as the operator wrote it: host bits and single-address ranges are kept
/// for echo and cleared when compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", content = "value"))]
pub enum ZoneAddress {
    /// `192.0.2.0/24`, or one address.
    #[cfg_attr(feature = "serde", serde(rename = "CIDR"))]
    Cidr(String),
    /// `192.0.2.1-192.0.2.9`, or one address.
    #[cfg_attr(feature = "serde", serde(rename = "RANGE"))]
    Range(String),
}

impl ZoneAddress {
    /// The text as the operator wrote it.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Cidr(value) | Self::Range(value) => value,
        }
    }
}

/// A zone of locations, autonomous systems or a proxy type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct DynamicZone {
    /// The members that every type of zone has.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub head: ZoneHead,
    /// Locations; `None` is `null` on the wire.
    #[cfg_attr(feature = "serde", serde(default))]
    pub locations: Option<Vec<Location>>,
    /// `Any`, `Tor`, `NotTorAnonymizer`, …; `null` and the empty string are none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub proxy_type: Option<String>,
    /// Autonomous system numbers, at most 75.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub asns: Option<Vec<String>>,
    /// Where the API serves the zone.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "_links", default, skip_serializing_if = "Option::is_none")
    )]
    pub links: Option<Links>,
}

/// A zone of locations, autonomous systems and address service categories.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct DynamicV2Zone {
    /// The members that every type of zone has.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub head: ZoneHead,
    /// Locations to include and exclude.
    #[cfg_attr(feature = "serde", serde(default))]
    pub locations: Selection<Location>,
    /// Address service categories to include and exclude; an open set of names.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ip_service_categories: Selection<String>,
    /// Autonomous system numbers to include and exclude.
    #[cfg_attr(feature = "serde", serde(default))]
    pub asns: Selection<String>,
    /// Where the API serves the zone.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "_links", default, skip_serializing_if = "Option::is_none")
    )]
    pub links: Option<Links>,
}

/// What a dynamic zone takes in and leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Selection<T> {
    /// Taken in.
    #[cfg_attr(feature = "serde", serde(default = "Vec::new"))]
    pub include: Vec<T>,
    /// Left out.
    #[cfg_attr(feature = "serde", serde(default = "Vec::new"))]
    pub exclude: Vec<T>,
}

impl<T> Default for Selection<T> {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }
}

/// A country, or a region of one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2; `None` is `null` on the wire and means the whole country.
    #[cfg_attr(feature = "serde", serde(default))]
    pub region: Option<String>,
}

/// Where an object can be read and what may be done with it (`_links`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Links {
    /// Activates an inactive zone.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub activate: Option<Link>,
    /// The object itself.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "self", default, skip_serializing_if = "Option::is_none")
    )]
    pub this: Option<Link>,
    /// Deactivates an active zone.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub deactivate: Option<Link>,
}

/// One link of [`Links`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link {
    /// The absolute address.
    pub href: String,
    /// What may be done there.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub hints: Option<Hints>,
}

/// What may be done at a [`Link`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hints {
    /// HTTP methods.
    pub allow: Vec<String>,
}
