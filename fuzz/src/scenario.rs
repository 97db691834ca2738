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
    ignore_embedded: bool,
    trial: bool,
    exempt: Option<u8>,
    beyond: u8,
    excluded: Vec<u8>,
    zones: Vec<Zone>,
    entries: Vec<Listed>,
    requests: Vec<Request>,
}

#[derive(Arbitrary)]
struct Request {
    hops: Vec<Hop>,
    other_kind: bool,
}

#[derive(Arbitrary)]
struct Zone {
    inactive: bool,
    blocklist: bool,
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
    lives: Option<i8>,
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
        let id = |n: u8| {
            zones
                .get(usize::from(n) % zones.len().max(1))?
                .head
                .id
                .clone()
        };
        Self {
            policy: Policy {
                configuration: Configuration {
                    exclude_zones: scenario
                        .excluded
                        .iter()
                        .take(3)
                        .filter_map(|n| id(*n))
                        .collect(),
                    ..Configuration::new(pick(
                        &[Action::Block, Action::Audit, Action::None],
                        scenario.action,
                    ))
                },
                extensions: Extensions {
                    on_unknown_client: pick(
                        &[Verdict::Log, Verdict::Allow, Verdict::Block],
                        scenario.unknown,
                    ),
                    enforce_from: level(scenario.enforce_from),
                    embedded_ipv4: !scenario.ignore_embedded,
                    edition: if scenario.trial {
                        Edition::Trial
                    } else {
                        Edition::Full
                    },
                    exempt_zone: scenario.exempt.and_then(id),
                    patterns_beyond_authentication: patterns(scenario.beyond),
                },
                zones: zones.iter().cloned().map(NetworkZone::Ip).collect(),
            },
            entries: scenario.entries.iter().take(16).map(entry).collect(),
            now: NOW,
            requests: scenario.requests.iter().take(64).map(request).collect(),
        }
    }
}

fn zone((zone, number): (&Zone, usize)) -> IpZone {
    let spans = |spans: &[Span]| Some(spans.iter().take(4).map(|s| zone_address(*s)).collect());
    IpZone {
        head: ZoneHead {
            status: if zone.inactive {
                ZoneStatus::Inactive
            } else {
                ZoneStatus::Active
            },
            usage: if zone.blocklist {
                ZoneUsage::Blocklist
            } else {
                ZoneUsage::Policy
            },
            ..ZoneHead::new(format!("nzo{number}"), format!("zone {number}"))
        },
        gateways: spans(&zone.gateways),
        proxies: spans(&zone.proxies),
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
        expires: listed
            .lives
            .map(|more| NOW.saturating_add_signed(more.into())),
    }
}

fn request(request: &Request) -> (String, Kind) {
    let hops: Vec<String> = request.hops.iter().take(40).map(hop).collect();
    let kind = if request.other_kind {
        Kind::Other
    } else {
        Kind::Authentication
    };
    (hops.join(","), kind)
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
    plus(network, low % 32)
}

fn plus(address: IpAddr, more: u16) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + u32::from(more)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(more)).into(),
    }
}

fn length(address: IpAddr, shorter: u8) -> u8 {
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    width.saturating_sub(shorter)
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
