//! Seeded lists and queries shaped like real ones.
//!
//! Real lists of suspicious addresses are mostly single hosts, a few percent prefixes, crowded
//! into the networks that attacks come from. Measured on a public list of 120,000 addresses: a
//! touched /24 has 2.2 listed hosts on average, a touched /16 has 11.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use threatinsight::{Entry, Feed, Prefix};

/// SplitMix64: the same numbers on every machine and in every version.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The address families a bench runs over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [(Self, &str); 2] = [(Self::V4, "ipv4"), (Self::V6, "ipv6")];
}

/// A feed of `count` prefixes, clustered; 4 % are shorter than a host.
pub(crate) fn feed(family: Family, count: usize) -> Feed {
    let mut numbers = Numbers::new(count as u64);
    let networks: Vec<u64> = (0..count.div_ceil(6)).map(|_| numbers.next()).collect();
    let mut feed = Feed::new("bench");
    for _ in 0..count {
        let network = networks[numbers.below(networks.len() as u64) as usize];
        let is_host = numbers.below(100) < 96;
        let host = numbers.next();
        let prefix = match family {
            Family::V4 => {
                // The top quarter is multicast and reserved space.
                let network = (network as u32 & 0xffff_ff00) % 0xe000_0000;
                let bits = network | (host as u32 & 0xff);
                let length = if is_host {
                    32
                } else {
                    20 + (host >> 32) as u8 % 9
                };
                Prefix::new(Ipv4Addr::from_bits(bits).into(), length)
            }
            Family::V6 => {
                let high = 0x2000_0000_0000_0000 | network >> 3 & !0xffff;
                let bits = u128::from(high | host >> 60) << 64 | u128::from(host & 0xffff);
                let length = if is_host {
                    128
                } else {
                    40 + (host >> 32) as u8 % 25
                };
                Prefix::new(Ipv6Addr::from_bits(bits).into(), length)
            }
        };
        feed.push(Entry::new(prefix.unwrap()));
    }
    feed
}

/// Addresses of the feed, in random order.
pub(crate) fn hits(feed: &Feed, count: usize) -> Vec<IpAddr> {
    let mut numbers = Numbers::new(7);
    let listed: Vec<IpAddr> = feed.entries().map(|entry| entry.prefix.address()).collect();
    let pick = |_| listed[numbers.below(listed.len() as u64) as usize];
    (0..count).map(pick).collect()
}

/// Uniform addresses: nearly all of them miss.
pub(crate) fn misses(family: Family, count: usize) -> Vec<IpAddr> {
    let mut numbers = Numbers::new(11);
    let draw = |_| match family {
        Family::V4 => Ipv4Addr::from_bits(numbers.next() as u32).into(),
        Family::V6 => {
            let high = 0x2000_0000_0000_0000 | numbers.next() >> 3;
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(numbers.next())).into()
        }
    };
    (0..count).map(draw).collect()
}

/// One hit in twenty, the rest misses.
pub(crate) fn mixed(family: Family, feed: &Feed, count: usize) -> Vec<IpAddr> {
    let mut addresses = misses(family, count);
    let hits = hits(feed, count.div_ceil(20));
    for (address, hit) in addresses.iter_mut().step_by(20).zip(hits) {
        *address = hit;
    }
    addresses
}

/// The feed as text, one prefix a line.
pub(crate) fn text(feed: &Feed) -> String {
    feed.entries()
        .map(|entry| format!("{}\n", entry.prefix))
        .collect()
}
