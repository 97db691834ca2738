//! Addresses, prefixes and ranges as 128-bit numbers. IPv4 is where it is mapped: `::ffff:0:0/96`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first address of the IPv4-mapped range.
const MAPPED: u128 = 0xffff_0000_0000;

/// A prefix as it was configured, host bits and all.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    /// Any address of the prefix.
    pub address: IpAddr,
    /// How many leading bits count.
    pub length: u8,
}

impl Prefix {
    /// Whether `address` has the leading bits of the prefix. An IPv6 prefix that only happens to
    /// cover the mapped range does not contain IPv4 addresses.
    pub fn contains(self, address: IpAddr) -> bool {
        let length = u32::from(self.length) + if self.address.is_ipv4() { 96 } else { 0 };
        let equal_bits = (number(self.address) ^ number(address)).leading_zeros();
        equal_bits >= length && (length >= 96 || canonical(address).is_ipv6())
    }
}

/// An IPv4-mapped IPv6 address is that IPv4 address.
pub fn canonical(address: IpAddr) -> IpAddr {
    let number = number(address);
    let ipv4 = u32::try_from(number ^ MAPPED).ok();
    ipv4.map_or(address, |bits| Ipv4Addr::from(bits).into())
}

/// The IPv4 address inside a NAT64, 6to4 or Teredo address.
pub fn embedded(address: IpAddr) -> Option<IpAddr> {
    let bits = match Ipv6Addr::from(number(address)).segments() {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => [high, low],
        [0x2001, 0x0000, .., high, low] => [!high, !low],
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(bits[0]) << 16 | u32::from(bits[1])).into())
}

/// What a zone writes: an address, `address/length`, or an inclusive range `a-b`.
/// Text that is none of them is no prefix at all.
pub fn prefixes(text: &str) -> Vec<Prefix> {
    let address = |text: &str| text.trim().parse().ok();
    if let Some((first, last)) = text.split_once('-') {
        let ends = address(first).zip(address(last));
        return ends.map_or_else(Vec::new, |(first, last)| range(number(first), number(last)));
    }
    let whole = if text.contains(':') { "128" } else { "32" };
    let (text, length) = text.split_once('/').unwrap_or((text, whole));
    let parts = address(text).zip(length.parse().ok());
    parts.map_or_else(Vec::new, |(address, length)| {
        vec![Prefix { address, length }]
    })
}

/// The fewest prefixes that cover `first` to `last` and nothing else: at each step the largest
/// that begins where the last one ended.
fn range(mut first: u128, last: u128) -> Vec<Prefix> {
    let mut prefixes = Vec::new();
    while first <= last {
        let host_bits = |length: u8| u128::MAX.checked_shr(length.into()).unwrap_or(0);
        let fits = |bits: u128| first & bits == 0 && bits <= last - first;
        let length = (0..128).find(|l| fits(host_bits(*l))).unwrap_or(128);
        let address = Ipv6Addr::from(first).into();
        prefixes.push(Prefix { address, length });
        let end = first | host_bits(length);
        let Some(next) = end.checked_add(1) else {
            break;
        };
        first = next;
    }
    prefixes
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}
