//! Canonical addresses, and the IPv4 addresses that IPv6 addresses embed.
//!
//! The only place where an IPv4-mapped IPv6 address is unmapped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that `address` is: IPv4-mapped IPv6 (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2) is that
/// IPv4 address, everything else is itself.
///
/// ```
/// use threatinsight::address::canonical;
///
/// assert_eq!(canonical("::ffff:192.0.2.7".parse().unwrap()).to_string(), "192.0.2.7");
/// assert_eq!(canonical("2001:db8::7".parse().unwrap()).to_string(), "2001:db8::7");
/// ```
#[must_use]
#[inline]
pub const fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match mapped_ipv4(v6) {
            Some(v4) => IpAddr::V4(v4),
            None => address,
        },
    }
}

/// The IPv4 address that an IPv4-mapped IPv6 address is.
#[inline]
pub(crate) const fn mapped_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    // In two words: compared byte by byte, the address is stored in pieces, and reading it whole waits for them.
    let bits = address.to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "the last 32 bits")]
    let last = bits as u32;
    if bits >> 32 == 0xffff {
        Some(Ipv4Addr::from_bits(last))
    } else {
        None
    }
}

/// The IPv4 address that an IPv6 address of a translation or tunnel prefix carries.
///
/// | prefix | where | source |
/// |---|---|---|
/// | NAT64 `64:ff9b::/96` | the last 32 bits | RFC 6052 §2.1 |
/// | 6to4 `2002::/16` | bits 16 to 47 | RFC 3056 §2 |
/// | Teredo `2001::/32` | the last 32 bits, inverted: the client | RFC 4380 §4 |
///
/// ```
/// use threatinsight::address::embedded_ipv4;
///
/// let nat64 = embedded_ipv4("64:ff9b::192.0.2.7".parse().unwrap());
/// assert_eq!(nat64, Some("192.0.2.7".parse().unwrap()));
/// assert_eq!(embedded_ipv4("2001:db8::7".parse().unwrap()), None);
/// ```
#[must_use]
#[inline]
pub const fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "32 bits each")]
    let (first, second, last) = ((bits >> 96) as u32, (bits >> 80) as u32, bits as u32);
    let embedded = match first {
        0x2001_0000 => !last,
        0x0064_ff9b if bits << 32 >> 64 == 0 => last,
        0x2002_0000..=0x2002_ffff => second,
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(embedded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_read_where_their_rfc_puts_them() {
        for (address, expected) in [
            ("64:ff9b::c000:207", Some([192, 0, 2, 7])),
            ("64:ff9b:0:0:1::c000:207", None),
            ("64:ff9b:1::c000:207", None),
            ("2002:c000:207::1", Some([192, 0, 2, 7])),
            (
                "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                Some([192, 0, 2, 45]),
            ),
            ("2001:db8::c000:207", None),
            ("::ffff:192.0.2.7", None),
        ] {
            assert_eq!(
                embedded_ipv4(address.parse().unwrap()),
                expected.map(Ipv4Addr::from),
                "{address}"
            );
        }
    }
}
