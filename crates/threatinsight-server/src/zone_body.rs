//! A zone as a client sends it, and what makes it a zone that can be stored.
//!
//! Source: Okta Zones API; limits from Okta help, "Create an IP zone". Where the real service says
//! "IPV4", this one says that it takes IPv6 too.

use std::net::IpAddr;

use serde::Deserialize;
use threatinsight::{
    AddressRange, DynamicV2Zone, DynamicZone, IpZone, Location, NetworkZone, Prefix, Selection,
    ZoneAddress, ZoneHead, ZoneStatus, ZoneUsage, strict,
};

use crate::control::{State, is_dynamic, is_exempt_zone};
use crate::refusal::Refusal;

const NAME_LIMIT: usize = 128;
const ZONE_LIMIT: usize = 100;
const POLICY_ADDRESSES: usize = 150;
const BLOCKLIST_ADDRESSES: usize = 1_000;
const SYSTEM_ADDRESSES: usize = 5_000;
const ALL_ADDRESSES: usize = 25_000;
const DYNAMIC_LIMIT: usize = 75;
const BLANK: &str = "The field cannot be left blank";

/// A zone's members, of whichever type; others and read-only ones are ignored.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneBody {
    #[serde(rename = "type")]
    kind: Option<ZoneKind>,
    name: Option<String>,
    status: Option<ZoneStatus>,
    usage: Option<ZoneUsage>,
    gateways: Option<Vec<ZoneAddress>>,
    proxies: Option<Vec<ZoneAddress>>,
    #[serde(default)]
    proxy_type: Option<String>,
    locations: Option<Locations>,
    asns: Option<Numbers>,
    ip_service_categories: Option<SelectionBody<String>>,
    use_as_exempt_list: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ZoneKind {
    #[serde(rename = "IP")]
    Ip,
    Dynamic,
    DynamicV2,
}

/// A list in a DYNAMIC zone, a selection in a `DYNAMIC_V2` one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Locations {
    List(#[serde(deserialize_with = "strict")] Vec<Location>),
    Selection(#[serde(deserialize_with = "strict")] SelectionBody<Location>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Numbers {
    List(Vec<String>),
    Selection(#[serde(deserialize_with = "strict")] SelectionBody<String>),
}

#[derive(Clone, Debug, Deserialize)]
struct SelectionBody<T> {
    include: Option<Vec<T>>,
    exclude: Option<Vec<T>>,
}

impl<T> From<SelectionBody<T>> for Selection<T> {
    fn from(body: SelectionBody<T>) -> Self {
        let SelectionBody { include, exclude } = body;
        Self {
            include: include.unwrap_or_default(),
            exclude: exclude.unwrap_or_default(),
        }
    }
}

/// What a zone is in place of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// Nothing: it gets this id.
    New(&'a str),
    /// The zone with its id.
    Of(&'a NetworkZone),
}

impl ZoneBody {
    /// The zone, if it may be stored beside the others of `state`; with id, without dates.
    pub(crate) fn zone(&self, state: &State, place: Place<'_>) -> Result<NetworkZone, Refusal> {
        let before = match place {
            Place::New(_) => None,
            Place::Of(zone) => Some(zone),
        };
        let name = self.name(state, before)?;
        let kind = self
            .kind
            .ok_or_else(|| Refusal::validation("type", [BLANK]))?;
        if before.is_some_and(|before| kind_of(before) != kind) {
            let message = "The type of a network zone cannot be changed.";
            return Err(Refusal::validation("type", [message]));
        }
        if before.is_none() && state.zones.len() >= ZONE_LIMIT {
            let message = format!("No more than {ZONE_LIMIT} network zones may be created.");
            return Err(Refusal::validation("name", [message]));
        }
        let exempt = before.is_some_and(is_exempt_zone);
        if exempt
            && (self.use_as_exempt_list != Some(true) || self.usage == Some(ZoneUsage::Blocklist))
        {
            let message = "The network zone does not allow usage changes for DefaultExemptIpZone.";
            return Err(Refusal::validation("useAsExemptList", [message]));
        }
        let system = before.filter(|before| before.head().system);
        let head = ZoneHead {
            // A new zone is active, whatever it says, as in the real service.
            status: before.map_or(ZoneStatus::Active, |before| {
                self.status.unwrap_or(before.head().status)
            }),
            usage: match system {
                Some(system) => system.head().usage,
                None => self.usage.unwrap_or_default(),
            },
            system: system.is_some(),
            ..ZoneHead::new(
                match place {
                    Place::New(id) => id,
                    Place::Of(zone) => zone.head().id.as_deref().unwrap_or_default(),
                },
                name,
            )
        };
        match kind {
            ZoneKind::Ip => self.ip(state, head, exempt),
            ZoneKind::Dynamic => self.dynamic(head),
            ZoneKind::DynamicV2 => self.dynamic_v2(head),
        }
    }

    fn name(&self, state: &State, before: Option<&NetworkZone>) -> Result<String, Refusal> {
        let refuse = |message: String| Err(Refusal::validation("name", [message]));
        let name = self.name.as_deref().unwrap_or_default().trim();
        if name.is_empty() {
            return refuse(BLANK.to_owned());
        }
        if name.chars().count() > NAME_LIMIT {
            return refuse(format!(
                "The name may not be longer than {NAME_LIMIT} characters."
            ));
        }
        // PostgreSQL has no text with it.
        if name.contains('\0') {
            return refuse("The name may not contain U+0000.".to_owned());
        }
        if before.is_some_and(|before| before.head().system && before.head().name != name) {
            return refuse("The name of a system zone cannot be changed.".to_owned());
        }
        let id = before.and_then(|before| before.head().id.as_deref());
        let taken = |zone: &&crate::store::StoredZone| {
            zone.zone.head().name == name && Some(zone.id()) != id
        };
        if state.zones.iter().any(|zone| taken(&zone)) {
            return refuse(format!(
                "The name: {name} is already in use by another network zone."
            ));
        }
        Ok(name.to_owned())
    }

    fn ip(&self, state: &State, head: ZoneHead, exempt: bool) -> Result<NetworkZone, Refusal> {
        let limit = match (head.system, head.usage) {
            (true, _) => SYSTEM_ADDRESSES,
            (false, ZoneUsage::Blocklist) => BLOCKLIST_ADDRESSES,
            (false, ZoneUsage::Policy) => POLICY_ADDRESSES,
        };
        let gateways = addresses("gateways", self.gateways.as_deref(), limit)?;
        let proxies = addresses("proxies", self.proxies.as_deref(), limit)?;
        let count = |list: &Option<Vec<ZoneAddress>>| list.as_ref().map_or(0, Vec::len);
        if exempt && count(&proxies) > 0 {
            let message = "DefaultExemptIpZone takes no proxies.";
            return Err(Refusal::validation("proxies", [message]));
        }
        if !head.system && count(&gateways) + count(&proxies) == 0 {
            let message = "An IP zone needs at least one gateway or proxy.";
            return Err(Refusal::validation("gateways", [message]));
        }
        let others = state
            .zones
            .iter()
            .filter(|zone| Some(zone.id()) != head.id.as_deref());
        let others: usize = others
            .map(|zone| match &zone.zone {
                NetworkZone::Ip(zone) => count(&zone.gateways) + count(&zone.proxies),
                NetworkZone::Dynamic(_) | NetworkZone::DynamicV2(_) => 0,
            })
            .sum();
        if others + count(&gateways) + count(&proxies) > ALL_ADDRESSES {
            let message = format!("No more than {ALL_ADDRESSES} addresses may be in all IP zones.");
            return Err(Refusal::validation("gateways", [message]));
        }
        Ok(NetworkZone::Ip(IpZone {
            head,
            gateways,
            proxies,
            links: None,
        }))
    }

    fn dynamic(&self, head: ZoneHead) -> Result<NetworkZone, Refusal> {
        let locations = match &self.locations {
            None => None,
            Some(Locations::List(list)) => Some(sorted(list.clone())),
            Some(Locations::Selection(_)) => {
                return Err(Refusal::new(crate::refusal::Code::Malformed));
            }
        };
        let asns = match &self.asns {
            None => None,
            Some(Numbers::List(list)) => Some(list.clone()),
            Some(Numbers::Selection(_)) => {
                return Err(Refusal::new(crate::refusal::Code::Malformed));
            }
        };
        at_most("locations", locations.as_ref().map_or(0, Vec::len))?;
        at_most("asns", asns.as_ref().map_or(0, Vec::len))?;
        let proxy_type = self.proxy_type.clone();
        if locations.as_ref().is_none_or(Vec::is_empty)
            && asns.as_ref().is_none_or(Vec::is_empty)
            && proxy_type.as_ref().is_none_or(String::is_empty)
        {
            let message = "A dynamic zone needs a location, an ASN or a proxy type.";
            return Err(Refusal::validation("locations", [message]));
        }
        Ok(NetworkZone::Dynamic(DynamicZone {
            head,
            locations,
            proxy_type,
            asns,
            links: None,
        }))
    }

    fn dynamic_v2(&self, head: ZoneHead) -> Result<NetworkZone, Refusal> {
        let malformed = || Refusal::new(crate::refusal::Code::Malformed);
        let mut locations: Selection<Location> = match self.locations.clone() {
            None => Selection::default(),
            Some(Locations::Selection(selection)) => selection.into(),
            Some(Locations::List(_)) => return Err(malformed()),
        };
        let asns: Selection<String> = match self.asns.clone() {
            None => Selection::default(),
            Some(Numbers::Selection(selection)) => selection.into(),
            Some(Numbers::List(_)) => return Err(malformed()),
        };
        let categories: Selection<String> = self
            .ip_service_categories
            .clone()
            .map(Into::into)
            .unwrap_or_default();
        locations.include = sorted(locations.include);
        locations.exclude = sorted(locations.exclude);
        let lengths = [
            (
                "locations",
                locations.include.len().max(locations.exclude.len()),
            ),
            ("asns", asns.include.len().max(asns.exclude.len())),
            (
                "ipServiceCategories",
                categories.include.len().max(categories.exclude.len()),
            ),
        ];
        for (member, length) in lengths {
            at_most(member, length)?;
        }
        Ok(NetworkZone::DynamicV2(DynamicV2Zone {
            head,
            locations,
            ip_service_categories: categories,
            asns,
            links: None,
        }))
    }
}

const fn kind_of(zone: &NetworkZone) -> ZoneKind {
    match zone {
        NetworkZone::Ip(_) => ZoneKind::Ip,
        NetworkZone::Dynamic(_) => ZoneKind::Dynamic,
        NetworkZone::DynamicV2(_) => ZoneKind::DynamicV2,
    }
}

fn at_most(member: &str, found: usize) -> Result<(), Refusal> {
    if found <= DYNAMIC_LIMIT {
        return Ok(());
    }
    let message =
        format!("No more than {DYNAMIC_LIMIT} {member} may be included in a Location Zone.");
    Err(Refusal::validation(member, [message]))
}

/// The real service answers with locations in this order.
fn sorted(mut locations: Vec<Location>) -> Vec<Location> {
    locations.sort_by(|a, b| (&a.country, &a.region).cmp(&(&b.country, &b.region)));
    locations
}

/// The gateways or proxies as they are stored: a range of one address with both its ends.
fn addresses(
    member: &str,
    given: Option<&[ZoneAddress]>,
    limit: usize,
) -> Result<Option<Vec<ZoneAddress>>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    if given.len() > limit {
        let message = format!("No more than {limit} {member} may be included in the network zone.");
        return Err(Refusal::validation(member, [message]));
    }
    let mut stored = Vec::with_capacity(given.len());
    let mut wrong = Vec::new();
    for address in given {
        match canonical(address) {
            Ok(address) => stored.push(address),
            Err(message) => wrong.push(message),
        }
    }
    if wrong.is_empty() {
        Ok(Some(stored))
    } else {
        Err(Refusal::validation(member, wrong))
    }
}

fn canonical(address: &ZoneAddress) -> Result<ZoneAddress, String> {
    let message = |found: &str, kind: &str, value: &str| {
        format!(
            "The IP: {found} in the {kind}: {value} is invalid. \
             Make sure it is a valid IPV4 or IPV6."
        )
    };
    match address {
        ZoneAddress::Cidr(value) => {
            let value = value.trim();
            value
                .parse::<Prefix>()
                .map_err(|_| message(value, "CIDR", value))?;
            Ok(ZoneAddress::Cidr(value.to_owned()))
        }
        ZoneAddress::Range(value) => {
            let value = value.trim();
            let Some((first, last)) = value.split_once('-') else {
                value
                    .parse::<IpAddr>()
                    .map_err(|_| message(value, "RANGE", value))?;
                return Ok(ZoneAddress::Range(format!("{value}-{value}")));
            };
            for end in [first, last] {
                let end = end.trim();
                end.parse::<IpAddr>()
                    .map_err(|_| message(end, "RANGE", value))?;
            }
            // Both ends parse, so it is their order or their families.
            value
                .parse::<AddressRange>()
                .map_err(|_| message(last.trim(), "RANGE", value))?;
            Ok(ZoneAddress::Range(value.to_owned()))
        }
    }
}

/// Why `zone` may not be named in `excludeZones`, if it may not.
pub(crate) fn not_excludable(zone: &NetworkZone) -> Option<String> {
    is_dynamic(zone).then(|| {
        format!(
            "The zone: {} is dynamic. Only IP zones can be excluded.",
            zone.head().id.as_deref().unwrap_or_default()
        )
    })
}
