//! Addresses, prefixes and ranges as 128-bit numbers. IPv4 is where it is mapped: `::ffff:0:0/96`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let length = match self.address {
            IpAddr::V4(_) => 96 + u32::from(self.length),
            IpAddr::V6(_) => u32::from(self.length),
        };
        let equal_bits = (number(self.address) ^ number(address)).leading_zeros();
        equal_bits >= length && (length >= 96 || canonical(address).is_ipv6())
    }
}

/// An IPv4-mapped IPv6 address is that IPv4 address.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    match Ipv6Addr::from(number(address)).octets() {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => ipv4(a, b, c, d),
        _ => address,
    }
}

/// The IPv4 address inside a NAT64, 6to4 or Teredo address.
#[must_use]
pub fn embedded(address: IpAddr) -> Option<IpAddr> {
    match Ipv6Addr::from(number(address)).octets() {
        [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(ipv4(a, b, c, d)),
        [0x20, 0x02, a, b, c, d, ..] => Some(ipv4(a, b, c, d)),
        [0x20, 0x01, 0, 0, .., a, b, c, d] => Some(ipv4(!a, !b, !c, !d)),
        _ => None,
    }
}

/// What a zone writes: an address, `address/length`, or an inclusive range `a-b`.
/// Text that is none of them is no prefix at all.
#[must_use]
pub fn prefixes(text: &str) -> Vec<Prefix> {
    let address = |text: &str| text.trim().parse::<IpAddr>().ok();
    if let Some((first, last)) = text.split_once('-') {
        return match (address(first), address(last)) {
            (Some(first), Some(last)) => range(number(first), number(last)),
            _ => Vec::new(),
        };
    }
    let whole = if text.contains(':') { "128" } else { "32" };
    let (text, length) = text.split_once('/').unwrap_or((text, whole));
    match (address(text), length.parse()) {
        (Some(address), Ok(length)) => vec![Prefix { address, length }],
        _ => Vec::new(),
    }
}

/// The fewest prefixes that cover `first` to `last` and nothing else: at each step the largest
/// that begins where the last one ended.
fn range(mut first: u128, last: u128) -> Vec<Prefix> {
    let mut prefixes = Vec::new();
    while first <= last {
        let fits =
            |length: &u8| first & host_bits(*length) == 0 && host_bits(*length) <= last - first;
        let length = (0..=128).find(fits).unwrap_or(128);
        let address = IpAddr::V6(Ipv6Addr::from(first));
        prefixes.push(Prefix { address, length });
        let end = first | host_bits(length);
        match end.checked_add(1) {
            Some(next) => first = next,
            None => break,
        }
    }
    prefixes
}

fn host_bits(length: u8) -> u128 {
    u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

fn ipv4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}
