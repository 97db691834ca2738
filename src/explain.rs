//! The full account of one decision, for people and programs.
//!
//! The verdict is the one that [`Snapshot::evaluate`] gives; everything else is looked up around
//! it, in the control plane's way: it allocates.

mod changes;
mod display;

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};

use crate::address::embedded_ipv4;
use crate::chain::Hop;
use crate::configuration::Action;
use crate::decision::{Reason, Stage, Verdict};
use crate::feed::Timestamp;
use crate::list::{Listing, Scope, Threat};
use crate::prefix::{Prefix, parse_addresses};
use crate::request::{Kind, Request};
use crate::snapshot::{Client, Snapshot, embedded};
use crate::threat::{Level, Patterns};
use crate::zone::{IpZone, NetworkZone, ZoneAddress, ZoneSet, ZoneTrie, ZoneUsage};

/// Why a request gets the verdict it gets, to the last prefix.
///
/// Serializes to JSON (feature `serde`), displays as a tree.
///
/// ```
/// use threatinsight::{Action, Chain, Feed, ParseOptions, Policy, Request, Timestamp, Verdict};
///
/// let feed = Feed::parse("scanners", b"203.0.113.0/24", &ParseOptions::default()).unwrap().feed;
/// let snapshot = Policy::new(Action::Block).compile(&[feed], Timestamp(0)).unwrap();
///
/// let explanation = snapshot.explain(&Request::new(Chain::parse(b"203.0.113.7")));
/// assert_eq!(explanation.verdict, Verdict::Block);
/// assert_eq!(explanation.entries[0].prefix.to_string(), "203.0.113.0/24");
///
/// let unlisted = snapshot.explain(&Request::new(Chain::parse(b"198.51.100.7")));
/// assert_eq!(unlisted.verdict, Verdict::Allow);
/// assert!(unlisted.entries.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
#[non_exhaustive]
pub struct Explanation {
    /// The verdict of [`Snapshot::evaluate`].
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The stage that won.
    pub stage: Stage,
    /// What the request is for.
    pub kind: Kind,
    /// The configured action.
    pub action: Action,
    /// The snapshot's generation.
    pub generation: u64,
    /// The client; `None` when unknown.
    pub client: Option<IpAddr>,
    /// The IPv4 address that the client embeds, when it is judged too.
    pub embedded_ipv4: Option<Ipv4Addr>,
    /// The hops that were read, from the right: the peer first.
    pub chain: Vec<ExplainedHop>,
    /// The highest level of the entries that count; `None` when none does.
    pub level: Option<Level>,
    /// The patterns of the entries that count.
    pub patterns: Patterns,
    /// Every entry that covers the client or the address it embeds, longest prefix first.
    pub entries: Vec<CoveringEntry>,
    /// Every zone that contains the chain, and every one that a hop is in and that decides.
    pub zones: Vec<ExplainedZone>,
    /// What would change the verdict, each on its own.
    pub changes: Vec<Change>,
}

/// One hop of the chain, and what it was taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ExplainedHop {
    /// The hop as it was written.
    pub text: String,
    /// The canonical address; `None` when the hop does not parse.
    pub address: Option<IpAddr>,
    /// What the walk took it for.
    pub role: HopRole,
    /// The zones whose proxies it is in.
    pub trusted_by: Vec<String>,
    /// The blocklist zones whose gateways it is in.
    pub blocklisted_by: Vec<String>,
}

/// What the walk from the right took a hop for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HopRole {
    /// Trusted to name the hop to its left.
    TrustedProxy,
    /// The client.
    Client,
    /// It does not parse where the client would be.
    Unparsable,
    /// Further left than the client: anybody could have written it.
    NotTrusted,
}

/// An entry that covers the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct CoveringEntry {
    /// The feed's name.
    pub feed: String,
    /// The listed prefix.
    pub prefix: Prefix,
    /// The entry's level.
    pub level: Level,
    /// The entry's patterns.
    pub patterns: Patterns,
    /// Until when the entry lives; `None` is for ever.
    pub expires: Option<Timestamp>,
    /// Whether the entry counts for this kind of request under this edition.
    pub counts: bool,
}

/// A zone that contains the chain, or a hop of which decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ExplainedZone {
    /// The zone's id, if it has one.
    pub id: Option<String>,
    /// The zone's name.
    pub name: String,
    /// What the zone is for.
    pub usage: ZoneUsage,
    /// Whether the chain is inside the zone by the walk of its own proxies.
    pub contains_chain: bool,
    /// Whether `excludeZones` names it.
    pub excluded: bool,
    /// Whether it is the exempt zone.
    pub exempt: bool,
    /// The gateways, as the operator wrote them, that a hop of the chain is in.
    pub gateways: Vec<String>,
}

/// One thing that, changed alone, gives another verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Change {
    /// What to change, in words.
    pub change: String,
    /// The verdict then.
    pub verdict: Verdict,
    /// The reason then.
    pub reason: Reason,
}

impl Snapshot {
    /// The full account of the decision on `request`.
    ///
    /// # Complexity
    ///
    /// Linear in the zones, their gateways and the hops, and judges the request once more for every zone that has a say
    /// in the chain. Not for every request: for the one somebody asks about.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        let decision = self.evaluate(request);
        let rules = self.rules();
        let client = self.client(&request.chain);
        let judged = client.map(|client| client.address);
        let scope = Scope::new(request.kind, &rules.extensions);
        let all = Scope::everything(&rules.extensions);
        let covering = judged.and_then(|client| self.list().threat(client, all));
        let mut listings: Vec<Listing<'_>> = covering.iter().flat_map(Threat::listings).collect();
        listings.sort_by_key(|listing| {
            let Listing { feed, entry } = listing;
            let own = judged.is_some_and(|client| entry.prefix.contains(client));
            (!own, Reverse(entry.prefix.length()), *feed)
        });
        let threat = judged
            .zip(scope)
            .and_then(|(c, s)| self.list().threat(c, s));
        let counting: Vec<Listing<'_>> = threat.iter().flat_map(Threat::listings).collect();
        let via_embedded = client.zip(threat).and_then(|(c, t)| embedded(c, &t));
        let zones = self.explain_zones(request, client, via_embedded);
        Explanation {
            verdict: decision.verdict,
            reason: decision.reason(),
            stage: decision.stage,
            kind: request.kind,
            action: rules.configuration.action,
            generation: self.generation(),
            client: judged,
            embedded_ipv4: match judged {
                Some(IpAddr::V6(v6)) if rules.extensions.embedded_ipv4 => embedded_ipv4(v6),
                _ => None,
            },
            chain: self.explain_hops(request, client),
            level: threat.map(|threat| threat.level()),
            patterns: threat.map_or(Patterns::NONE, |threat| threat.patterns()),
            entries: listings
                .iter()
                .map(|listing| CoveringEntry {
                    feed: listing.feed.to_owned(),
                    prefix: listing.entry.prefix,
                    level: listing.entry.level,
                    patterns: listing.entry.patterns,
                    expires: listing.entry.expires,
                    counts: counting.contains(listing),
                })
                .collect(),
            changes: changes::all(self, request, &zones, &counting),
            zones: zones.into_iter().map(|(_, zone)| zone).collect(),
        }
    }

    fn explain_hops(&self, request: &Request<'_>, client: Option<Client>) -> Vec<ExplainedHop> {
        // Without a client, the walk ended at the first hop that does not parse.
        let ended = client.map(|client| client.place).or_else(|| {
            let mut hops = request.chain.hops();
            hops.position(|hop| hop.address.is_none())
        });
        let explain = |(place, hop): (usize, Hop<'_>)| ExplainedHop {
            text: if hop.text.is_empty() {
                hop.to_string()
            } else {
                String::from_utf8_lossy(hop.text).into_owned()
            },
            address: hop.address,
            role: match ended {
                Some(end) if place > end => HopRole::NotTrusted,
                Some(end) if place == end && client.is_some() => HopRole::Client,
                Some(end) if place == end => HopRole::Unparsable,
                Some(_) | None => HopRole::TrustedProxy,
            },
            trusted_by: self.names(hop, self.zones().proxies(), None),
            blocklisted_by: self.names(
                hop,
                self.zones().gateways(),
                Some(&self.rules().blocklists),
            ),
        };
        request.chain.hops().enumerate().map(explain).collect()
    }

    /// The names of the zones, among `among`, that a hop is in.
    fn names(&self, hop: Hop<'_>, trie: &ZoneTrie, among: Option<&ZoneSet>) -> Vec<String> {
        let Some(address) = hop.address else {
            return Vec::new();
        };
        let places = trie.set(address).places();
        let places = places.filter(|place| among.is_none_or(|among| among.contains(*place)));
        places
            .filter_map(|place| self.zones().all().get(place))
            .map(|zone| zone.head().name.clone())
            .collect()
    }

    /// The zones worth telling of, each with its place.
    fn explain_zones(
        &self,
        request: &Request<'_>,
        client: Option<Client>,
        embedded: Option<Ipv4Addr>,
    ) -> Vec<(usize, ExplainedZone)> {
        let rules = self.rules();
        let addresses: Vec<IpAddr> = request
            .chain
            .hops()
            .filter_map(|hop| hop.address)
            .chain(embedded.map(IpAddr::V4))
            .collect();
        let contains = |place: usize| {
            let client = client.unwrap_or(Client::NOWHERE);
            let bit = 1 << (place % 64);
            self.inside_word(&request.chain, client, embedded, place / 64, bit) != 0
        };
        let decides = |place: usize| {
            (rules.blocklists.contains(place) || rules.exempt.contains(place))
                && addresses
                    .iter()
                    .any(|address| self.zones().gateways().set(*address).contains(place))
        };
        let zones = self.zones().all().iter().enumerate();
        zones
            .filter(|(place, _)| contains(*place) || decides(*place))
            .map(|(place, zone)| {
                let head = zone.head();
                let explained = ExplainedZone {
                    id: head.id.clone(),
                    name: head.name.clone(),
                    usage: head.usage,
                    contains_chain: contains(place),
                    excluded: rules.excluded.contains(place),
                    exempt: rules.exempt.contains(place),
                    gateways: gateways_with(zone, &addresses),
                };
                (place, explained)
            })
            .collect()
    }
}

/// The gateways of a zone, as the operator wrote them, that one of `addresses` is in.
fn gateways_with(zone: &NetworkZone, addresses: &[IpAddr]) -> Vec<String> {
    let NetworkZone::Ip(IpZone {
        gateways: Some(gateways),
        ..
    }) = zone
    else {
        return Vec::new();
    };
    let holds = |gateway: &&ZoneAddress| {
        parse_addresses(gateway.value().trim()).is_ok_and(|gateway| {
            gateway
                .prefixes()
                .any(|prefix| addresses.iter().any(|address| prefix.contains(*address)))
        })
    };
    let values = gateways.iter().filter(holds).map(ZoneAddress::value);
    values.map(str::to_owned).collect()
}
