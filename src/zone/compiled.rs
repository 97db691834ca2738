//! Zones, compiled.
//!
//! One trie for all gateways and one for all proxies, each from an address to the set of zones it
//! is in. What a zone is for (blocklist, excluded, exempt) is asked of the set, so a change of the
//! configuration does not touch the tries.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;

use super::{IpZone, NetworkZone, ZoneAddress, ZoneHead, ZoneStatus, ZoneUsage};
use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::error::{CompileError, Warning};
use crate::prefix::{Family, Prefix, PrefixBits, parse_addresses};
use crate::trie::{RootSet, Trie};

/// Every zone, compiled; immutable.
#[derive(Debug)]
pub struct Zones {
    zones: Vec<NetworkZone>,
    by_id: AHashMap<String, usize>,
    /// The gateways of every ACTIVE zone.
    gateways: ZoneTrie,
    /// The proxies of every ACTIVE zone.
    proxies: ZoneTrie,
    /// The ACTIVE blocklist zones, and what their gateways look like from afar.
    blocklists: ZoneSet,
    blocklisted: Arc<Outline>,
    digest: Digest,
    warnings: Vec<Warning>,
}

/// From an address to the zones it is in.
#[derive(Debug)]
pub(crate) struct ZoneTrie {
    v4: Trie<u32>,
    v6: Trie<u128>,
    /// The sets the tries number from 1. INVARIANT: set 0 is the empty one.
    sets: Vec<ZoneSet>,
}

/// A set of zones, a bit for each, in words; words that are missing at the end are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ZoneSet(Vec<u64>);

/// As many zones as sets of them stay small; Okta's limit is 100.
const ZONE_LIMIT: usize = 1 << 12;

/// The number of a set in a [`ZoneTrie`]; 0 is the empty set.
pub(crate) type SetNumber = u32;

impl Zones {
    /// Compiles zones as Okta's API sends them.
    ///
    /// The same zones in any order compile to zones that match alike, with an equal digest.
    ///
    /// # Complexity
    ///
    /// O(n log n) in the gateways and proxies, and for each distinct set of zones that an address
    /// is in, a bit for each zone.
    ///
    /// # Errors
    ///
    /// When there are more than 4,096 zones, a zone is dynamic, an id or name occurs twice, or a gateway or proxy is not an address,
    /// prefix or range. The place is named.
    pub fn compile(zones: &[NetworkZone]) -> Result<Self, CompileError> {
        if zones.len() > ZONE_LIMIT {
            return Err(CompileError::too_many("zones", zones.len(), ZONE_LIMIT));
        }
        let mut by_id = AHashMap::with_hasher(fixed_hasher());
        let mut names = AHashMap::with_hasher(fixed_hasher());
        let mut gateways = Vec::new();
        let mut proxies = Vec::new();
        let mut warnings = Vec::new();
        let mut digest = Digest::default();
        for (place, zone) in zones.iter().enumerate() {
            let zone = match zone {
                NetworkZone::Ip(zone) => zone,
                NetworkZone::Dynamic(_) | NetworkZone::DynamicV2(_) => {
                    return Err(CompileError::dynamic_zone(zone.head()));
                }
            };
            let head = &zone.head;
            if names.insert(head.name.as_str(), place).is_some() {
                return Err(CompileError::duplicate_zone_name(&head.name));
            }
            if let Some(id) = &head.id
                && by_id.insert(id.clone(), place).is_some()
            {
                return Err(CompileError::duplicate_zone_id(id));
            }
            let inside = prefixes(head, "gateways", zone.gateways.as_deref(), &mut warnings)?;
            let trusted = prefixes(head, "proxies", zone.proxies.as_deref(), &mut warnings)?;
            digest += zone_digest(zone, &inside, &trusted);
            match head.status {
                ZoneStatus::Active => {
                    gateways.extend(inside.into_iter().map(|prefix| (prefix, place)));
                    proxies.extend(trusted.into_iter().map(|prefix| (prefix, place)));
                }
                ZoneStatus::Inactive => {}
            }
        }
        let gateways = ZoneTrie::compile(gateways);
        let blocklists = blocklists(zones);
        Ok(Self {
            by_id,
            blocklisted: Arc::new(gateways.outline(&blocklists)),
            blocklists,
            gateways,
            proxies: ZoneTrie::compile(proxies),
            digest,
            warnings,
            zones: zones.to_vec(),
        })
    }

    /// The zones, as they were given.
    #[must_use]
    pub fn all(&self) -> &[NetworkZone] {
        &self.zones
    }

    /// The zone with `id`.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&NetworkZone> {
        self.zones.get(*self.by_id.get(id)?)
    }

    /// A digest of what the zones match, independent of their order and of the order of their
    /// gateways and proxies.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes on the heap for matching, the zones as they were given not counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.gateways.bytes() + self.proxies.bytes()
    }

    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(crate) const fn gateways(&self) -> &ZoneTrie {
        &self.gateways
    }

    pub(crate) const fn proxies(&self) -> &ZoneTrie {
        &self.proxies
    }

    /// The ACTIVE blocklist zones.
    pub(crate) const fn blocklists(&self) -> &ZoneSet {
        &self.blocklists
    }

    /// The outline of the gateways of the blocklists and of `others`.
    pub(crate) fn outline(&self, others: &ZoneSet) -> Arc<Outline> {
        if others.is_empty() {
            Arc::clone(&self.blocklisted)
        } else {
            Arc::new(self.gateways.outline(&self.blocklists.union(others)))
        }
    }
}

impl ZoneTrie {
    fn compile(members: Vec<(Prefix, usize)>) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (prefix, place) in members {
            match prefix.family() {
                Family::V4(prefix) => v4.push((prefix, place)),
                Family::V6(prefix) => v6.push((prefix, place)),
            }
        }
        let mut sets = Sets::new();
        Self {
            v4: Trie::build(&sets.number(v4)),
            v6: Trie::build(&sets.number(v6)),
            sets: sets.sets,
        }
    }

    /// The number of the set of zones that `address`, a canonical one, is in.
    #[inline]
    pub(crate) fn lookup(&self, address: IpAddr) -> SetNumber {
        match address {
            IpAddr::V4(v4) => self.v4.lookup(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.lookup(v6.to_bits()),
        }
    }

    /// What tells most addresses that are in no zone of `zones` at one read.
    fn outline(&self, zones: &ZoneSet) -> Outline {
        let wanted = |number: SetNumber| {
            let set = self.sets.get(number as usize);
            set.is_some_and(|set| set.intersects(zones))
        };
        Outline {
            v4: self.v4.roots(wanted),
            v6: self.v6.roots(wanted),
        }
    }

    /// The set of zones that `address`, a canonical one, is in.
    #[inline]
    pub(crate) fn set(&self, address: IpAddr) -> &ZoneSet {
        const EMPTY: &ZoneSet = &ZoneSet(Vec::new());
        self.sets
            .get(self.lookup(address) as usize)
            .unwrap_or(EMPTY)
    }

    fn bytes(&self) -> usize {
        let sets = self
            .sets
            .iter()
            .map(|set| size_of_val(set) + size_of_val(&*set.0));
        self.v4.bytes() + self.v6.bytes() + sets.sum::<usize>()
    }
}

/// The top bits of the addresses that may be in some zones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    v4: RootSet,
    v6: RootSet,
}

impl Outline {
    pub(crate) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether `address`, a canonical one, may be in one of the zones; if not, it is not.
    #[inline]
    pub(crate) fn may_contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()),
        }
    }
}

/// Sets of zones, each once, numbered in the order they were first met.
struct Sets {
    sets: Vec<ZoneSet>,
    numbers: AHashMap<ZoneSet, SetNumber>,
}

impl Sets {
    fn new() -> Self {
        let mut numbers = AHashMap::with_hasher(fixed_hasher());
        numbers.insert(ZoneSet::default(), 0);
        Self {
            sets: vec![ZoneSet::default()],
            numbers,
        }
    }

    /// Every prefix once, ascending, with the number of the set of zones that it or a prefix
    /// above it is in.
    fn number<B: Bits>(
        &mut self,
        mut members: Vec<(PrefixBits<B>, usize)>,
    ) -> Vec<(PrefixBits<B>, SetNumber)> {
        members.sort_unstable();
        let mut numbered = Vec::new();
        let mut covering: Vec<(PrefixBits<B>, ZoneSet)> = Vec::new();
        for same in members.chunk_by(|a, b| a.0 == b.0) {
            let Some((prefix, _)) = same.first() else {
                continue;
            };
            while covering
                .pop_if(|(above, _)| !above.covers(*prefix))
                .is_some()
            {}
            let mut set = covering
                .last()
                .map(|(_, set)| set.clone())
                .unwrap_or_default();
            set.extend(same.iter().map(|(_, place)| *place));
            numbered.push((*prefix, self.intern(&set)));
            covering.push((*prefix, set));
        }
        numbered
    }

    fn intern(&mut self, set: &ZoneSet) -> SetNumber {
        if let Some(number) = self.numbers.get(set) {
            return *number;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "no more sets than prefixes, which the trie numbers in 31 bits"
        )]
        let number = self.sets.len() as SetNumber;
        self.sets.push(set.clone());
        self.numbers.insert(set.clone(), number);
        number
    }
}

impl ZoneSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn contains(&self, place: usize) -> bool {
        self.word(place / 64) & (1 << (place % 64)) != 0
    }

    pub(crate) fn remove(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.places().chain(other.places()).collect()
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn word(&self, word: usize) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }

    /// The places in the set, ascending.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|place| self.contains(*place))
    }
}

impl Extend<usize> for ZoneSet {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, places: I) {
        for place in places {
            if self.0.len() <= place / 64 {
                self.0.resize(place / 64 + 1, 0);
            }
            if let Some(word) = self.0.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }
}

impl FromIterator<usize> for ZoneSet {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let mut set = Self::default();
        set.extend(places);
        set
    }
}

/// The ACTIVE blocklist zones.
fn blocklists(zones: &[NetworkZone]) -> ZoneSet {
    let heads = zones.iter().map(NetworkZone::head).enumerate();
    heads
        .filter(|(_, head)| match (head.status, head.usage) {
            (ZoneStatus::Active, ZoneUsage::Blocklist) => true,
            (ZoneStatus::Inactive, _) | (_, ZoneUsage::Policy) => false,
        })
        .map(|(place, _)| place)
        .collect()
}

/// The prefixes of `gateways` or `proxies`, each once, ascending.
fn prefixes(
    zone: &ZoneHead,
    member: &str,
    addresses: Option<&[ZoneAddress]>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Prefix>, CompileError> {
    let mut prefixes = Vec::new();
    for (index, address) in addresses.unwrap_or_default().iter().enumerate() {
        let parsed = parse_addresses(address.value().trim())
            .map_err(|error| CompileError::zone_address(zone, member, index, address, error))?;
        for prefix in parsed.prefixes() {
            if prefix.covers_mapped_range() {
                warnings.push(Warning::zone_covers_mapped_range(
                    zone, member, index, prefix,
                ));
            }
            prefixes.push(prefix);
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes)
}

fn zone_digest(zone: &IpZone, gateways: &[Prefix], proxies: &[Prefix]) -> Digest {
    let ZoneHead {
        id,
        name,
        status,
        usage,
        created: _,
        last_updated: _,
        system: _,
    } = &zone.head;
    let fact = Fact::new(2)
        .text(id.as_deref().unwrap_or_default())
        .text(name)
        .word(*status as u64)
        .word(*usage as u64);
    let digest = |digest: Digest, (tag, prefix): (u64, &Prefix)| {
        let [family, high, low] = prefix.words();
        digest + fact.word(tag).word(family).word(high).word(low).digest()
    };
    let members = gateways.iter().map(|prefix| (1, prefix));
    members
        .chain(proxies.iter().map(|prefix| (2, prefix)))
        .fold(fact.digest(), digest)
}

/// Fixed seeds: these maps hold only what the operator wrote.
pub(crate) fn fixed_hasher() -> ahash::RandomState {
    ahash::RandomState::with_seeds(1, 2, 3, 4)
}
