//! Who the client is, which zones contain it, and the verdict.

use std::collections::BTreeSet;
use std::net::IpAddr;

use threatinsight::{
    Action, Edition, IpZone, Kind, Level, NetworkZone, Patterns, Policy, Reason, Stage, Verdict,
    ZoneAddress, ZoneStatus, ZoneUsage,
};

use crate::address::{Prefix, embedded, prefixes};
use crate::chain::Hop;

/// How many hops a zone looks at, from the right.
const ZONE_HOPS: usize = 5;

/// Everything a decision depends on, uncompiled.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// The entries of all feeds, in any order.
    pub entries: Vec<Listing>,
    /// Configuration, extensions and zones.
    pub policy: Policy,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// One entry of one feed.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The feed's name.
    pub feed: String,
    /// What the feed lists.
    pub prefix: Prefix,
    /// How dangerous the feed says it is.
    pub level: Level,
    /// Why it is listed.
    pub patterns: Patterns,
    /// When it ceases to be live, in seconds since the Unix epoch.
    pub expires: Option<u64>,
    /// Until when the feed's source vouches for it, whatever `expires` says.
    pub asserted_until: Option<u64>,
}

/// What should be decided about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What the gateway does.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The first stage that applied.
    pub stage: Stage,
    /// Who the client is; `None` when unknown.
    pub client: Option<IpAddr>,
    /// The highest level of the entries that count; `None` when the list was not asked or is silent.
    pub level: Option<Level>,
    /// Their patterns.
    pub patterns: Patterns,
    /// Their feeds.
    pub feeds: BTreeSet<String>,
}

impl Oracle {
    /// The verdict on a request of `kind` that came through `chain`: the first stage that applies.
    pub fn decide(&self, chain: &[Hop], kind: Kind) -> Judgement {
        let action = self.policy.configuration.action;
        let extensions = &self.policy.extensions;
        let client = self.client(chain).map(|(_, address)| address);
        let mut listings = client.map_or_else(Vec::new, |client| self.listings(client, kind));
        let level = listings.iter().map(|l| l.level).max();
        let unknown = extensions.on_unknown_client;
        let (stage, verdict, reason) = if self.exempt(chain) {
            (Stage::Exempt, Verdict::Allow, Reason::Exempt)
        } else if chain.iter().flatten().any(|hop| self.blocklisted(*hop)) {
            (Stage::Blocklist, Verdict::Block, Reason::Blocklisted)
        } else if client.is_none() && action != Action::None {
            (Stage::Unknown, unknown, Reason::UnknownClient)
        } else if action == Action::None {
            (Stage::Disabled, Verdict::Allow, Reason::Disabled)
        } else if listings.is_empty() {
            (Stage::NotListed, Verdict::Allow, Reason::NotListed)
        } else if self.excluded(chain, kind) {
            (Stage::Excluded, Verdict::Allow, Reason::Excluded)
        } else if action == Action::Audit {
            (Stage::Audit, Verdict::Log, Reason::Listed)
        } else if level >= Some(extensions.enforce_from) {
            (Stage::Block, Verdict::Block, Reason::Listed)
        } else {
            (Stage::Below, Verdict::Log, Reason::Listed)
        };
        listings.retain(|_| stage >= Stage::Disabled);
        Judgement {
            verdict,
            reason,
            stage,
            client,
            level: listings.iter().map(|l| l.level).max(),
            patterns: listings.iter().flat_map(|l| l.patterns.iter()).collect(),
            feeds: listings.iter().map(|l| l.feed.clone()).collect(),
        }
    }

    /// The first hop from the right that is no trusted proxy, or else the leftmost, and its place.
    /// Unknown when a hop that does not parse is reached first.
    pub fn client(&self, chain: &[Hop]) -> Option<(usize, IpAddr)> {
        let zones = self.zones(|_| true);
        let vouched_for = |address| zones.iter().any(|zone| among(&zone.proxies, address));
        let ends = |hop: &Hop| !hop.is_some_and(vouched_for);
        let place = chain.iter().rposition(ends).unwrap_or(0);
        Some((place, (*chain.get(place)?)?))
    }

    /// The client, and every blocklisted hop, is in the exempt zone's gateways.
    fn exempt(&self, chain: &[Hop]) -> bool {
        let exempt = self.policy.extensions.exempt_zone.as_ref();
        let exempt = self.zones(|zone| exempt.is_some() && zone.head.id.as_ref() == exempt);
        let is_exempt = |hop| exempt.iter().any(|zone| among(&zone.gateways, hop));
        let mut hops = chain.iter().flatten();
        self.client(chain)
            .is_some_and(|(_, client)| is_exempt(client))
            && hops.all(|hop| !self.blocklisted(*hop) || is_exempt(*hop))
    }

    fn blocklisted(&self, hop: IpAddr) -> bool {
        let blocklists = self.zones(|zone| zone.head.usage == ZoneUsage::Blocklist);
        blocklists.iter().any(|zone| among(&zone.gateways, hop))
    }

    /// The chain is inside an excluded zone. When only the embedded address is listed, a zone may
    /// also know the client by that one; no zone steps left of the client because of it.
    fn excluded(&self, chain: &[Hop], kind: Kind) -> bool {
        let mut alias = Vec::new();
        if let Some((place, client)) = self.client(chain)
            && self.covering(client, kind).is_empty()
        {
            alias.push(self.embedded(client));
            alias.extend(chain.iter().skip(place + 1));
        }
        let ids = &self.policy.configuration.exclude_zones;
        let zones = self.zones(|zone| ids.iter().any(|id| zone.head.id.as_ref() == Some(id)));
        zones
            .iter()
            .any(|zone| inside(zone, chain) || inside(zone, &alias))
    }

    /// The entries that list the client, by its address or by the one embedded in it.
    fn listings(&self, client: IpAddr, kind: Kind) -> Vec<&Listing> {
        let addresses = [Some(client), self.embedded(client)].into_iter().flatten();
        addresses
            .flat_map(|address| self.covering(address, kind))
            .collect()
    }

    /// The live entries that contain `address` and count for this kind of request and edition.
    fn covering(&self, address: IpAddr, kind: Kind) -> Vec<&Listing> {
        let extensions = &self.policy.extensions;
        let authentication = kind == Kind::Authentication;
        let beyond = extensions.patterns_beyond_authentication;
        let covers = self.entries.iter().filter(|e| e.prefix.contains(address));
        let now = Some(self.now);
        let lives = covers.filter(|e| e.expires.is_none() || now < e.expires.max(e.asserted_until));
        let full = lives.filter(|e| authentication || e.patterns.intersects(beyond));
        let trial = |e: &&Listing| authentication && e.level == Level::High;
        full.filter(|e| extensions.edition == Edition::Full || trial(e))
            .collect()
    }

    fn embedded(&self, address: IpAddr) -> Hop {
        embedded(address).filter(|_| self.policy.extensions.embedded_ipv4)
    }

    /// The active IP zones that are `wanted`.
    fn zones(&self, wanted: impl Fn(&IpZone) -> bool) -> Vec<&IpZone> {
        let zones = self.policy.zones.iter().filter_map(|zone| match zone {
            NetworkZone::Ip(zone) => Some(zone),
            NetworkZone::Dynamic(_) | NetworkZone::DynamicV2(_) => None,
        });
        zones
            .filter(|zone| zone.head.status == ZoneStatus::Active && wanted(zone))
            .collect()
    }
}

/// Whether `chain` is inside `zone`: from the right, past the zone's own proxies, to one of its
/// gateways. Nothing is inside an inactive zone.
pub fn inside(zone: &IpZone, chain: &[Hop]) -> bool {
    for hop in chain.iter().rev().take(ZONE_HOPS).copied() {
        match hop.filter(|_| zone.head.status == ZoneStatus::Active) {
            Some(address) if among(&zone.gateways, address) => return true,
            Some(address) if among(&zone.proxies, address) => {}
            Some(_) | None => return false,
        }
    }
    false
}

fn among(addresses: &Option<Vec<ZoneAddress>>, address: IpAddr) -> bool {
    let addresses = addresses.iter().flatten();
    let mut prefixes = addresses.flat_map(|text| prefixes(text.value()));
    prefixes.any(|prefix| prefix.contains(address))
}
