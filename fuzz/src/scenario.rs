//! From bytes to a [`Question`] that hits: a handful of networks, short zones, short chains.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use threatinsight::{
    Action, Configuration, Edition, Extensions, IpZone, Kind, Level, NetworkZone, Pattern,
    Patterns, Policy, Verdict, ZoneAddress, ZoneHead, ZoneStatus, ZoneUsage,
};

use crate::checks::{Question, QuestionEntry};

const NOW: u64 = 1_000;

const NETWORKS: [&str; 8] = [
    "203.0.113.0",
    "198.51.100.0",
    "10.0.0.0",
    "::ffff:203.0.113.0",
    "64:ff9b::203.0.113.0",
    "2002:cb00:7107::",
    "2001:0:4136:e378:8000:63bf:34ff:8ef8",
    "2001:db8::",
];

/// What the fuzzer mutates. Debugs as its question, a line for `tests/data/crashes/questions.jsonl`.
#[derive(Arbitrary)]
pub struct Scenario {
    action: u8,
    unknown: u8,
    enforce_from: u8,
    /// Of this and of other bytes that choose the unusual, one value in eight does; not 0 or 255,
    /// which fuzzers like best.
    ignore_embedded: u8,
    trial: u8,
    exempt: Option<u8>,
    beyond: u8,
    zones: Vec<Zone>,
    entries: Vec<Listed>,
    requests: Vec<Request>,
}

#[derive(Arbitrary)]
struct Request {
    left: Vec<Hop>,
    client: Hop,
    /// How many hops of 10.0.0.0/8 the client is behind.
    behind: u8,
    other_kind: bool,
}

#[derive(Arbitrary)]
struct Zone {
    status: u8,
    usage: u8,
    excluded: bool,
    /// Whether 10.0.0.0/8 is among the proxies.
    trusting: bool,
    gateways: Vec<Span>,
    proxies: Vec<Span>,
}

#[derive(Clone, Copy, Arbitrary)]
struct Address {
    network: u8,
    low: u16,
}

#[derive(Clone, Copy, Arbitrary)]
enum Span {
    One(Address),
    Prefix { address: Address, shorter: u8 },
    Range { first: Address, more: u16 },
}

#[derive(Arbitrary)]
struct Listed {
    feed: u8,
    address: Address,
    shorter: u8,
    level: u8,
    patterns: u8,
    lives: u8,
}

#[derive(Arbitrary)]
enum Hop {
    Plain(Address),
    WithPort(Address, u16),
    Garbage(u8),
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = serde_json::to_string(&Question::from(self)).map_err(|_| fmt::Error)?;
        f.write_str(&line)
    }
}

impl From<&Scenario> for Question {
    fn from(scenario: &Scenario) -> Self {
        let zones: Vec<IpZone> = scenario.zones.iter().zip(0..8).map(zone).collect();
        let excluded = zones.iter().zip(&scenario.zones);
        let excluded = excluded.filter(|(_, drawn)| drawn.excluded);
        let exempt = |n: u8| zones.get(usize::from(n) % 8)?.head.id.clone();
        // What is listed asks as well, behind none to seven proxies.
        let drawn = scenario.requests.iter().take(64).map(request);
        let listed = scenario.entries.iter().take(16).flat_map(|entry| {
            (0..8).map(|behind| {
                (
                    chain(at(entry.address).to_string(), behind),
                    Kind::Authentication,
                )
            })
        });
        Self {
            policy: Policy {
                configuration: Configuration {
                    exclude_zones: excluded
                        .filter_map(|(zone, _)| zone.head.id.clone())
                        .collect(),
                    ..Configuration::new(match scenario.action % 8 {
                        3 => Action::None,
                        4 => Action::Audit,
                        _ => Action::Block,
                    })
                },
                extensions: Extensions {
                    on_unknown_client: pick(
                        &[Verdict::Log, Verdict::Allow, Verdict::Block],
                        scenario.unknown,
                    ),
                    enforce_from: level(scenario.enforce_from),
                    embedded_ipv4: scenario.ignore_embedded % 8 != 3,
                    edition: match scenario.trial % 8 {
                        3 => Edition::Trial,
                        _ => Edition::Full,
                    },
                    exempt_zone: scenario.exempt.and_then(exempt),
                    patterns_beyond_authentication: patterns(scenario.beyond),
                },
                zones: zones.iter().cloned().map(NetworkZone::Ip).collect(),
            },
            entries: scenario.entries.iter().take(16).map(entry).collect(),
            now: NOW,
            requests: drawn.chain(listed).collect(),
        }
    }
}

fn zone((zone, number): (&Zone, usize)) -> IpZone {
    let spans = |spans: &[Span]| -> Vec<ZoneAddress> {
        spans
            .iter()
            .take(4)
            .map(|span| zone_address(*span))
            .collect()
    };
    let mut proxies = spans(&zone.proxies);
    if zone.trusting {
        proxies.push(ZoneAddress::Cidr("10.0.0.0/8".to_owned()));
    }
    IpZone {
        head: ZoneHead {
            status: match zone.status % 8 {
                3 => ZoneStatus::Inactive,
                _ => ZoneStatus::Active,
            },
            usage: match zone.usage % 8 {
                3 => ZoneUsage::Blocklist,
                _ => ZoneUsage::Policy,
            },
            ..ZoneHead::new(format!("nzo{number}"), format!("zone {number}"))
        },
        gateways: Some(spans(&zone.gateways)),
        proxies: Some(proxies),
        links: None,
    }
}

fn zone_address(span: Span) -> ZoneAddress {
    match span {
        Span::One(address) => ZoneAddress::Cidr(at(address).to_string()),
        Span::Prefix { address, shorter } => {
            let address = at(address);
            ZoneAddress::Cidr(format!("{address}/{}", length(address, shorter)))
        }
        Span::Range { first, more } => {
            let first = at(first);
            ZoneAddress::Range(format!("{first}-{}", plus(first, more)))
        }
    }
}

fn entry(listed: &Listed) -> QuestionEntry {
    let address = at(listed.address);
    QuestionEntry {
        feed: pick(&["alpha", "beta", "gamma"], listed.feed).to_owned(),
        address,
        length: length(address, listed.shorter),
        level: level(listed.level),
        patterns: patterns(listed.patterns),
        expires: match listed.lives % 8 {
            3 => Some(NOW - 1),
            4 => Some(NOW),
            5 => Some(NOW + 1),
            _ => None,
        },
    }
}

fn request(request: &Request) -> (String, Kind) {
    let behind = match request.behind {
        // About the limit of 32 hops.
        250.. => request.behind - 220,
        few => few % 8,
    };
    let mut hops: Vec<String> = request.left.iter().take(8).map(hop).collect();
    hops.push(hop(&request.client));
    let kind = if request.other_kind {
        Kind::Other
    } else {
        Kind::Authentication
    };
    (chain(hops.join(","), behind), kind)
}

fn chain(client: String, behind: u8) -> String {
    (0..behind).fold(client, |hops, low| format!("{hops},10.0.0.{low}"))
}

fn hop(hop: &Hop) -> String {
    match hop {
        Hop::Plain(address) => at(*address).to_string(),
        Hop::WithPort(address, port) => match at(*address) {
            IpAddr::V4(v4) => format!("{v4}:{port}"),
            IpAddr::V6(v6) => format!("[{v6}%eth0]:{port}"),
        },
        Hop::Garbage(n) => pick(&["", "unknown", "_hidden", "203.0.113", "::g"], *n).to_owned(),
    }
}

fn at(Address { network, low }: Address) -> IpAddr {
    let network: IpAddr = pick(&NETWORKS, network).parse().expect("an address");
    plus(network, low % 8)
}

fn plus(address: IpAddr, more: u16) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + u32::from(more)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(more)).into(),
    }
}

fn length(address: IpAddr, shorter: u8) -> u8 {
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    width.saturating_sub(match shorter % 8 {
        3 => shorter,
        few => few,
    })
}

fn level(n: u8) -> Level {
    pick(&[Level::Low, Level::Medium, Level::High], n)
}

fn patterns(n: u8) -> Patterns {
    Pattern::ALL
        .into_iter()
        .zip(0..)
        .filter(|(_, bit)| n >> bit & 1 == 1)
        .map(|(p, _)| p)
        .collect()
}

fn pick<T: Copy>(from: &[T], n: u8) -> T {
    from[usize::from(n) % from.len()]
}
