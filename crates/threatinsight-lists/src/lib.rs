//! Lists shaped like real ones, and the queries put to them.
//!
//! The shape is that of the lists in common use in 2026 (ipsum 120k addresses, Tor nodes, cloud ranges, routing
//! tables): 92 % single hosts, the rest prefixes mostly of 24 bits and longer; touched /16s with a median of 2 and a
//! maximum near 1.7 % of all entries; 86 % of touched /24s with a single host at 120k entries. Short prefixes do not
//! multiply with the size of a list: there are at most 1,500 below 22 bits.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "numbers drawn at random are cut to what is drawn; a bench stops at the first mistake"
)]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use threatinsight::{Entry, Feed, IpZone, NetworkZone, Prefix, ZoneAddress, ZoneHead, ZoneUsage};

/// A small, seeded generator of numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that `seed` begins.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// Uniform in all 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
    /// Uniform in 0..bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }
    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Normal with mean 0 and deviation 1, from the sum of twelve uniforms.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Things with log-normal weights, drawn by weight.
struct Weighted<T> {
    items: Vec<T>,
    sums: Vec<f64>,
}

impl<T: Copy> Weighted<T> {
    fn new(random: &mut Random, items: Vec<T>, spread: f64) -> Self {
        let mut sum = 0.0;
        let sums = items
            .iter()
            .map(|_| {
                sum += (random.normal() * spread).exp();
                sum
            })
            .collect();
        Self { items, sums }
    }
    fn draw(&self, random: &mut Random) -> T {
        let at = random.unit() * self.sums.last().copied().unwrap_or(0.0);
        self.items[self
            .sums
            .partition_point(|s| *s < at)
            .min(self.items.len() - 1)]
    }
}

/// `count` distinct IPv4 prefixes: bits and length, in no order.
pub fn list4(count: usize, seed: u64) -> Vec<(u32, u8)> {
    let mut random = Random::new(seed ^ 4);
    let mut nets: Vec<u32> = (1u32 << 8..224 << 8)
        .filter(|n| ![10, 127].contains(&(n >> 8)))
        .collect();
    nets.retain(|_| random.unit() < 0.62);
    let nets = Weighted::new(&mut random, nets, 1.85);
    let mut short = (count / 100).min(1500);
    let mut seen = HashSet::with_capacity(count);
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let net = nets.draw(&mut random);
        // Two in three fall on the few busy /24s that every busy /16 has.
        let skew = random
            .unit()
            .powf(if random.unit() < 0.65 { 12.0 } else { 1.0 });
        let third = (skew * 256.0) as u32 ^ (mix(u64::from(net)) as u32 & 0xff);
        let host = random.below(256) as u32;
        let address = net << 16 | third << 8 | host;
        let length = if random.unit() < 0.92 {
            32
        } else if short > 0 && random.unit() < 0.1 {
            short -= 1;
            let wide = [16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 21, 21];
            if random.unit() < 0.02 {
                12 + random.below(4) as u8
            } else {
                wide[random.below(13) as usize]
            }
        } else {
            let usual = [
                22, 23, 24, 24, 24, 24, 24, 24, 25, 26, 27, 28, 28, 29, 29, 30, 31, 31,
            ];
            usual[random.below(18) as usize]
        };
        let bits = address & !u32::MAX.checked_shr(length.into()).unwrap_or(0);
        if seen.insert(u64::from(bits) << 8 | u64::from(length)) {
            list.push((bits, length));
        }
    }
    list
}

/// `count` distinct IPv6 prefixes: bits and length, in no order.
pub fn list6(count: usize, seed: u64) -> Vec<(u128, u8)> {
    let mut random = Random::new(seed ^ 6);
    let mut tops = vec![0x2001u32, 0x2003, 0x2620, 0x2c0f, 0x2606, 0x2607];
    tops.extend(0x2400..=0x240f);
    tops.extend(0x2600..=0x260f);
    tops.extend(0x2800..=0x2806);
    tops.extend(0x2a00..=0x2a14);
    let providers = (count / 60).clamp(150, 30_000);
    let nets = (0..providers)
        .map(|_| {
            (tops[random.below(tops.len() as u64) as usize] << 16)
                | (random.below(0x2000) as u32 * 8)
        })
        .collect();
    let nets = Weighted::new(&mut random, nets, 1.6);
    let mut short = (count / 200).min(300);
    let mut seen = HashSet::with_capacity(count);
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let net = nets.draw(&mut random);
        let site =
            ((random.unit().powf(3.0) * 65536.0) as u128) ^ u128::from(mix(net.into()) & 0xff);
        let subnet = if random.unit() < 0.5 {
            random.below(16)
        } else {
            random.below(65536)
        };
        let host = if random.unit() < 0.3 {
            random.below(256)
        } else {
            random.word()
        };
        let address =
            u128::from(net) << 96 | site << 80 | u128::from(subnet) << 64 | u128::from(host);
        let length = match random.below(100) {
            0..40 => 64,
            40..70 => 128,
            70..80 => 48,
            80..88 => 56,
            88..91 => 44,
            91..94 => 40,
            94 => 36,
            95..99 => 49 + random.below(15) as u8,
            _ if short > 0 => {
                short -= 1;
                [29, 32, 32, 32][random.below(4) as usize]
            }
            _ => 65 + random.below(63) as u8,
        };
        let bits = address & !u128::MAX.checked_shr(length.into()).unwrap_or(0);
        if seen.insert((bits, length)) {
            list.push((bits, length));
        }
    }
    list
}

/// An address drawn from a listed prefix.
pub fn within4(random: &mut Random, (bits, length): (u32, u8)) -> u32 {
    bits | (random.word() as u32 & u32::MAX.checked_shr(length.into()).unwrap_or(0))
}

/// An address drawn from a listed prefix.
pub fn within6(random: &mut Random, (bits, length): (u128, u8)) -> u128 {
    let wide = u128::from(random.word()) << 64 | u128::from(random.word());
    bits | (wide & u128::MAX.checked_shr(length.into()).unwrap_or(0))
}

/// Uniform addresses: nearly always a miss.
pub fn uniform4(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed ^ 0x11);
    (0..count).map(|_| random.word() as u32).collect()
}

/// Uniform addresses of `2000::/3`, from where clients come.
pub fn uniform6(count: usize, seed: u64) -> Vec<u128> {
    let mut random = Random::new(seed ^ 0x12);
    (0..count)
        .map(|_| within6(&mut random, (0x2 << 124, 3)))
        .collect()
}

/// Listed addresses.
pub fn hits<A: Copy, B>(
    list: &[(A, u8)],
    count: usize,
    seed: u64,
    within: impl Fn(&mut Random, (A, u8)) -> B,
) -> Vec<B> {
    let mut random = Random::new(seed ^ 0x13);
    (0..count)
        .map(|_| {
            let at = random.below(list.len() as u64) as usize;
            within(&mut random, list[at])
        })
        .collect()
}

/// Addresses of the same /48 as a listed one.
pub fn near6(list: &[(u128, u8)], count: usize, seed: u64) -> Vec<u128> {
    let mut random = Random::new(seed ^ 0x14);
    (0..count)
        .map(|_| {
            let (bits, _) = list[random.below(list.len() as u64) as usize];
            within6(&mut random, (bits >> 80 << 80, 48))
        })
        .collect()
}

/// 95 % clients that are not listed, 5 % that are, each population with few frequent and many rare ones.
pub fn zipf<A: Copy>(misses: &[A], hits: &[A], count: usize, seed: u64) -> Vec<A> {
    let mut random = Random::new(seed ^ 0x15);
    (0..count)
        .map(|_| {
            let from = if random.unit() < 0.05 { hits } else { misses };
            // Rank r with probability about 1 / r.
            let rank = (from.len() as f64).powf(random.unit()) as usize;
            from[rank.min(from.len()) - 1]
        })
        .collect()
}

/// A feed of `prefixes`, each with what an entry has that states nothing else.
pub fn feed(prefixes: impl IntoIterator<Item = Prefix>) -> Feed {
    let mut feed = Feed::new("bench");
    feed.extend(prefixes.into_iter().map(Entry::new));
    feed
}

/// 200 zones of 20 prefixes; one is a blocklist, two have proxies.
pub fn zones() -> Vec<NetworkZone> {
    let mut numbers = Random::new(3);
    let mut prefix = || {
        let [a, b, c, _] = (numbers.word() as u32 % 0xe000_0000).to_be_bytes();
        ZoneAddress::Cidr(format!("{a}.{b}.{c}.0/24"))
    };
    (0..200)
        .map(|n| {
            let mut head = ZoneHead::new(format!("nzo{n}"), format!("zone {n}"));
            if n == 0 {
                head.usage = ZoneUsage::Blocklist;
            }
            let gateways = (0..20).map(|_| prefix()).collect();
            let proxies = vec![ZoneAddress::Cidr("192.0.2.0/24".to_owned())];
            NetworkZone::Ip(IpZone {
                head,
                gateways: Some(gateways),
                proxies: (n == 1 || n == 2).then_some(proxies),
                links: None,
            })
        })
        .collect()
}

/// A generated prefix as the core has it.
pub fn prefix4((bits, length): (u32, u8)) -> Prefix {
    Prefix::new(address4(bits), length).unwrap_or_else(|_| address4(bits).into())
}

/// A generated prefix as the core has it.
pub fn prefix6((bits, length): (u128, u8)) -> Prefix {
    Prefix::new(address6(bits), length).unwrap_or_else(|_| address6(bits).into())
}

/// A generated address as the core has it.
pub fn address4(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

/// A generated address as the core has it.
pub fn address6(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).into()
}
