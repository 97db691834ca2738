//! Random policies, lists and requests over a handful of networks, so that prefixes nest and
//! addresses hit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use threatinsight::{
    Action, Chain, Configuration, Edition, Entry, Extensions, Feed, IpZone, Kind, Level,
    NetworkZone, Pattern, Patterns, Policy, Prefix, Request, Snapshot, Timestamp, Verdict,
    ZoneAddress, ZoneHead, ZoneStatus, ZoneUsage,
};
use threatinsight_oracle::chain::Hop;
use threatinsight_oracle::{Judgement, Listing, Oracle, address, chain};

use crate::corpus::judgement;

/// The moment at which everything is compiled.
pub(crate) const NOW: u64 = 1_000;

const FEEDS: [&str; 3] = ["alpha", "beta", "gamma"];

/// Where addresses come from; the last bits vary. The IPv6 ones map or embed the IPv4 ones, but
/// for the last.
const NETWORKS: [&str; 10] = [
    "203.0.113.0",
    "203.0.113.128",
    "198.51.100.0",
    "10.0.0.0",
    "::ffff:203.0.113.0",
    "64:ff9b::203.0.113.0",
    "2002:cb00:7107::",
    "2002:a00:1::",
    // Teredo: 203.0.113.7 inverted, so that lower bits are set one by one.
    "2001:0:4136:e378:8000:63bf:34ff:8ef8",
    "2001:db8::",
];

/// A list and a policy, not compiled.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) entries: Vec<Listing>,
    pub(crate) policy: Policy,
}

/// A request, not parsed.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) hops: Vec<String>,
    pub(crate) route: Route,
    pub(crate) kind: Kind,
}

/// How the hops reach the library.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// As one text.
    Text,
    /// As a peer, and one header line for each so many hops.
    XForwardedFor { per_line: usize },
    /// As a peer, and `Forwarded` elements with this between them.
    Forwarded { per_line: usize, quoted: bool },
}

impl World {
    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let mut feeds: Vec<Feed> = FEEDS.iter().map(|name| Feed::new(*name)).collect();
        for listing in &self.entries {
            let feed = feeds
                .iter_mut()
                .find(|feed| feed.name() == listing.feed)
                .unwrap();
            feed.asserted_until = listing.asserted_until.map(Timestamp);
            feed.push(Entry {
                prefix: Prefix::new(listing.prefix.address, listing.prefix.length).unwrap(),
                level: listing.level,
                patterns: listing.patterns,
                expires: listing.expires.map(Timestamp),
            });
        }
        feeds
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.policy.compile(&self.feeds(), Timestamp(NOW)).unwrap()
    }

    pub(crate) fn oracle(&self) -> Oracle {
        Oracle {
            entries: self.entries.clone(),
            policy: self.policy.clone(),
            now: NOW,
        }
    }

    /// The ids of the zones.
    pub(crate) fn zone_ids(&self) -> Vec<String> {
        self.policy
            .zones
            .iter()
            .filter_map(|zone| zone.head().id.clone())
            .collect()
    }
}

impl Asked {
    pub(crate) fn by_library(&self, snapshot: &Snapshot) -> Judgement {
        self.with_request(|request| judgement(&snapshot.evaluate(request)))
    }

    pub(crate) fn by_oracle(&self, oracle: &Oracle) -> Judgement {
        oracle.decide(&self.chain(), self.kind)
    }

    pub(crate) fn with_request<T>(&self, f: impl FnOnce(&Request<'_>) -> T) -> T {
        let (peer, lines) = self.peer_and_lines();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        // A socket's address, or none where the hop is not one.
        let address = peer.parse().ok();
        let text = self.hops.join(",");
        let chain = match self.route {
            Route::Text => Chain::parse(text.as_bytes()),
            Route::XForwardedFor { .. } => Chain::x_forwarded_for(address, &lines),
            Route::Forwarded { .. } => Chain::forwarded(address, &lines),
        };
        f(&Request::new(chain).with_kind(self.kind))
    }

    pub(crate) fn chain(&self) -> Vec<Hop> {
        let (peer, lines) = self.peer_and_lines();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let address = peer
            .parse::<IpAddr>()
            .map_or("unknown".to_owned(), |a| a.to_string());
        match self.route {
            Route::Text => chain::text(&self.hops.join(",")),
            Route::XForwardedFor { .. } => chain::x_forwarded_for(&address, &lines),
            Route::Forwarded { .. } => chain::forwarded(&address, &lines),
        }
    }

    fn peer_and_lines(&self) -> (String, Vec<String>) {
        let (peer, hops) = self.hops.split_last().unwrap();
        let element = |hop: &String| match self.route {
            Route::Text | Route::XForwardedFor { .. } => hop.clone(),
            Route::Forwarded { quoted: true, .. } => format!("proto=https;for=\"{hop}\""),
            Route::Forwarded { quoted: false, .. } => format!("For={hop};by=192.0.2.1"),
        };
        let elements: Vec<String> = hops.iter().map(element).collect();
        let per_line = match self.route {
            Route::Text => 1,
            Route::XForwardedFor { per_line } | Route::Forwarded { per_line, .. } => per_line,
        };
        let lines = elements
            .rchunks(per_line)
            .rev()
            .map(|line| line.join(", "))
            .collect();
        (peer.clone(), lines)
    }
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let entries = prop::collection::vec(listing(), 0..12);
    let asserted = [asserted_until(), asserted_until(), asserted_until()];
    (entries, asserted, policy()).prop_map(|(mut entries, asserted, policy)| {
        for entry in &mut entries {
            let place = FEEDS.iter().position(|feed| *feed == entry.feed).unwrap();
            entry.asserted_until = asserted[place];
        }
        World { entries, policy }
    })
}

pub(crate) fn listing() -> impl Strategy<Value = Listing> {
    let expires = option::weighted(0.3, NOW - 1..=NOW + 1);
    (select(&FEEDS[..]), prefix(), level(), patterns(), expires).prop_map(
        |(feed, prefix, level, patterns, expires)| Listing {
            feed: feed.to_owned(),
            prefix,
            level,
            patterns,
            expires,
            asserted_until: None,
        },
    )
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let hops = prop_oneof![
        8 => prop::collection::vec(hop(), 1..8),
        1 => prop::collection::vec(hop_of(address_in("10.0.0.0")), 28..36),
    ];
    let route = prop_oneof![
        Just(Route::Text),
        (1..4_usize).prop_map(|per_line| Route::XForwardedFor { per_line }),
        (1..4_usize, any::<bool>())
            .prop_map(|(per_line, quoted)| Route::Forwarded { per_line, quoted }),
    ];
    let kind = prop_oneof![3 => Just(Kind::Authentication), 1 => Just(Kind::Other)];
    (hops, route, kind).prop_map(|(hops, route, kind)| Asked { hops, route, kind })
}

pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    select(&NETWORKS[..]).prop_flat_map(address_in)
}

pub(crate) fn prefix() -> impl Strategy<Value = address::Prefix> {
    (address(), prop_oneof![6 => 0..9_u8, 1 => 0..129_u8]).prop_map(|(address, shorter)| {
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        address::Prefix {
            address,
            length: width.saturating_sub(shorter),
        }
    })
}

fn address_in(network: &'static str) -> impl Strategy<Value = IpAddr> {
    let network: IpAddr = network.parse().unwrap();
    (0..8_u32).prop_map(move |low| match network {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ low).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ u128::from(low)).into(),
    })
}

fn hop() -> impl Strategy<Value = String> {
    const GARBAGE: [&str; 8] = [
        "",
        " ",
        "unknown",
        "_hidden",
        "203.0.113",
        "10.0.0.1:x",
        "\"",
        "a\\",
    ];
    prop_oneof![
        4 => hop_of(address()),
        4 => hop_of(address_in("10.0.0.0")),
        1 => select(&GARBAGE[..]).prop_map(str::to_owned),
    ]
}

/// An address in one of the ways to write one.
fn hop_of(address: impl Strategy<Value = IpAddr>) -> impl Strategy<Value = String> {
    (address, 0..6_u8).prop_map(|(address, way)| match (address, way) {
        (IpAddr::V4(v4), 0) => format!("::ffff:{v4}"),
        (IpAddr::V4(v4), 1) => format!("{v4}:4711"),
        (IpAddr::V6(v6), 0) => format!("[{v6}]"),
        (IpAddr::V6(v6), 1) => format!("[{v6}]:4711"),
        (IpAddr::V6(v6), 2) => format!("{v6}%eth0"),
        (_, 3) => format!(" {address}\t"),
        _ => address.to_string(),
    })
}

fn asserted_until() -> impl Strategy<Value = Option<u64>> {
    option::weighted(0.3, NOW - 1..=NOW + 1)
}

fn level() -> impl Strategy<Value = Level> {
    select(vec![Level::Low, Level::Medium, Level::High])
}

fn patterns() -> impl Strategy<Value = Patterns> {
    let some = subsequence(&Pattern::ALL[..], 0..=4);
    some.prop_map(|patterns| patterns.into_iter().collect())
}

fn policy() -> impl Strategy<Value = Policy> {
    let action =
        prop_oneof![1 => Just(Action::None), 2 => Just(Action::Audit), 4 => Just(Action::Block)];
    let zones = prop::collection::vec(zone(), 0..5);
    let excluded = prop::collection::vec(any::<Index>(), 0..3);
    let exempt = option::weighted(0.3, any::<Index>());
    (action, zones, excluded, exempt, extensions()).prop_map(
        |(action, mut zones, excluded, exempt, extensions)| {
            for (number, zone) in zones.iter_mut().enumerate() {
                zone.head.id = Some(format!("nzo{number}"));
                zone.head.name = format!("zone {number}");
            }
            let named =
                |index: Index| (!zones.is_empty()).then(|| index.get(&zones).head.id.clone());
            Policy {
                configuration: Configuration {
                    exclude_zones: excluded.into_iter().filter_map(named).flatten().collect(),
                    ..Configuration::new(action)
                },
                extensions: Extensions {
                    exempt_zone: exempt.and_then(named).flatten(),
                    ..extensions
                },
                zones: zones.into_iter().map(NetworkZone::Ip).collect(),
            }
        },
    )
}

fn extensions() -> impl Strategy<Value = Extensions> {
    let unknown = select(vec![Verdict::Allow, Verdict::Log, Verdict::Block]);
    let edition = prop_oneof![4 => Just(Edition::Full), 1 => Just(Edition::Trial)];
    let beyond = prop_oneof![1 => Just(Pattern::NegativeIpReputation.into()), 1 => patterns()];
    (unknown, level(), prop::bool::weighted(0.8), edition, beyond).prop_map(
        |(on_unknown_client, enforce_from, embedded_ipv4, edition, beyond)| Extensions {
            on_unknown_client,
            enforce_from,
            embedded_ipv4,
            edition,
            exempt_zone: None,
            patterns_beyond_authentication: beyond,
        },
    )
}

fn zone() -> impl Strategy<Value = IpZone> {
    let status = prop_oneof![5 => Just(ZoneStatus::Active), 1 => Just(ZoneStatus::Inactive)];
    let usage = prop_oneof![5 => Just(ZoneUsage::Policy), 1 => Just(ZoneUsage::Blocklist)];
    let gateways = option::weighted(0.9, prop::collection::vec(zone_address(), 0..3));
    let proxies = option::weighted(0.9, prop::collection::vec(zone_address(), 0..3));
    (status, usage, gateways, proxies).prop_map(|(status, usage, gateways, proxies)| IpZone {
        head: ZoneHead {
            status,
            usage,
            ..ZoneHead::new("", "")
        },
        gateways,
        proxies,
        links: None,
    })
}

fn zone_address() -> impl Strategy<Value = ZoneAddress> {
    let cidr = prefix().prop_map(|p| ZoneAddress::Cidr(format!("{}/{}", p.address, p.length)));
    let proxies = Just(ZoneAddress::Cidr("10.0.0.0/29".to_owned()));
    let single = address().prop_map(|address| ZoneAddress::Cidr(address.to_string()));
    let range = (address(), 0..20_u32).prop_map(|(first, more)| {
        let last: IpAddr = match first {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + more).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(more)).into(),
        };
        ZoneAddress::Range(format!("{first}-{last}"))
    });
    prop_oneof![3 => cidr, 2 => proxies, 1 => single, 2 => range]
}
