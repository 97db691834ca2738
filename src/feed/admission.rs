//! What a list from outside may not list.

use crate::bits::Bits;
use crate::prefix::{Bits4, Bits6, Family, Prefix, PrefixBits};

/// Whether prefixes that lists carry by mistake are refused.
///
/// Lists in the wild contain loopback, private networks and the default route; enforcing them
/// takes a site down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Refuses prefixes shorter than /8 (IPv4) or /19 (IPv6), and whatever overlaps reserved space:
    /// addresses that IANA's special-purpose registries (RFC 6890) keep from being a client on the
    /// Internet, multicast, and class E. Documentation prefixes are admitted.
    #[default]
    Guarded,
    /// Admits every prefix.
    Open,
}

/// Why a prefix is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Short { length: u8, shortest: u8 },
    Reserved(&'static str),
}

const SHORTEST_4: u8 = 8;
const SHORTEST_6: u8 = 19;

impl Admission {
    pub(crate) fn admit(self, prefix: Prefix) -> Result<(), Refusal> {
        let (length, shortest, reserved) = match (self, prefix.family()) {
            (Self::Open, _) => return Ok(()),
            (Self::Guarded, Family::V4(p)) => (p.length, SHORTEST_4, reserved(&RESERVED_4, p)),
            (Self::Guarded, Family::V6(p)) => (p.length, SHORTEST_6, reserved(&RESERVED_6, p)),
        };
        if length < shortest {
            return Err(Refusal::Short { length, shortest });
        }
        reserved.map_or(Ok(()), |name| Err(Refusal::Reserved(name)))
    }
}

fn reserved<B: Bits>(
    table: &[(PrefixBits<B>, &'static str)],
    prefix: PrefixBits<B>,
) -> Option<&'static str> {
    table
        .iter()
        .find(|(reserved, _)| reserved.covers(prefix) || prefix.covers(*reserved))
        .map(|(_, name)| *name)
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Bits4 {
    PrefixBits {
        bits: u32::from_be_bytes([a, b, c, 0]),
        length,
    }
}

const fn v6(high: u64, low: u64, length: u8) -> Bits6 {
    PrefixBits {
        bits: ((high as u128) << 64) | low as u128,
        length,
    }
}

/// IANA IPv4 Special-Purpose Address Registry, and RFC 5771 for multicast.
const RESERVED_4: [(Bits4, &str); 11] = [
    (v4(0, 0, 0, 8), "0.0.0.0/8, this network"),
    (v4(10, 0, 0, 8), "10.0.0.0/8, private"),
    (v4(100, 64, 0, 10), "100.64.0.0/10, shared address space"),
    (v4(127, 0, 0, 8), "127.0.0.0/8, loopback"),
    (v4(169, 254, 0, 16), "169.254.0.0/16, link-local"),
    (v4(172, 16, 0, 12), "172.16.0.0/12, private"),
    (v4(192, 0, 0, 24), "192.0.0.0/24, protocol assignments"),
    (v4(192, 168, 0, 16), "192.168.0.0/16, private"),
    (v4(198, 18, 0, 15), "198.18.0.0/15, benchmarking"),
    (v4(224, 0, 0, 4), "224.0.0.0/4, multicast"),
    (v4(240, 0, 0, 4), "240.0.0.0/4, reserved"),
];

/// IANA IPv6 Special-Purpose Address Registry, RFC 4291 for multicast, RFC 3879 for site-local.
const RESERVED_6: [(Bits6, &str); 11] = [
    (v6(0, 0, 128), "::/128, unspecified"),
    (v6(0, 1, 128), "::1/128, loopback"),
    (
        v6(0x0064_ff9b_0001_0000, 0, 48),
        "64:ff9b:1::/48, local translation",
    ),
    (v6(0x0100 << 48, 0, 64), "100::/64, discard"),
    (v6(0x0100 << 48 | 1, 0, 64), "100:0:0:1::/64, dummy"),
    (v6(0x2001_0002 << 32, 0, 48), "2001:2::/48, benchmarking"),
    (v6(0x5f00 << 48, 0, 16), "5f00::/16, segment routing"),
    (v6(0xfc00 << 48, 0, 7), "fc00::/7, unique local"),
    (v6(0xfe80 << 48, 0, 10), "fe80::/10, link-local"),
    (v6(0xfec0 << 48, 0, 10), "fec0::/10, site-local"),
    (v6(0xff00 << 48, 0, 8), "ff00::/8, multicast"),
];
