//! Canonical prefixes, and ranges as the fewest prefixes that cover exactly them.

use std::fmt;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::IpNetwork;

use crate::address;
use crate::bits::Bits;

/// An address prefix: host bits cleared, IPv4-mapped IPv6 rewritten to IPv4.
///
/// Ordered by family, address, length: a prefix sorts before everything it covers.
///
/// ```
/// use threatinsight::Prefix;
///
/// let prefix: Prefix = "192.0.2.77/24".parse().unwrap();
/// assert_eq!(prefix.to_string(), "192.0.2.0/24");
/// assert!(prefix.contains("::ffff:192.0.2.1".parse().unwrap()));
/// assert!(!prefix.contains("198.51.100.1".parse().unwrap()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Family);

/// What a [`Prefix`] is inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4(Bits4),
    V6(Bits6),
}

/// A prefix of one family. INVARIANT: bits beyond `length` are zero, `length` is at most the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PrefixBits<B> {
    pub(crate) bits: B,
    pub(crate) length: u8,
}

/// `::ffff:0:0/96`, the IPv4-mapped range (RFC 4291 §2.5.5.2).
pub(crate) const MAPPED_RANGE: Bits6 = PrefixBits {
    bits: 0xffff_0000_0000,
    length: 96,
};

pub(crate) type Bits4 = PrefixBits<u32>;
pub(crate) type Bits6 = PrefixBits<u128>;

impl<B: Bits> PrefixBits<B> {
    #[inline]
    pub(crate) fn contains(self, address: B) -> bool {
        address.masked(self.length) == self.bits
    }

    pub(crate) fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.bits)
    }

    /// Three words that tell this prefix from any other.
    pub(crate) fn words(self) -> [u64; 3] {
        let bits: u128 = self.bits.into();
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a u128")]
        let halves = [(bits >> 64) as u64, bits as u64];
        let [high, low] = halves;
        [u64::from(B::WIDTH) << 8 | u64::from(self.length), high, low]
    }
}

impl Prefix {
    /// The prefix of `length` bits that `address` is in.
    ///
    /// # Errors
    ///
    /// When `length` is longer than the address: 32 bits for IPv4, 128 for IPv6. An IPv4-mapped
    /// address counts as the IPv6 address it is written as; from length 96 on the result is IPv4.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let width = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        if length > width {
            return Err(PrefixError(Kind::TooLong { length, width }));
        }
        Ok(match address {
            IpAddr::V4(v4) => Self::v4(v4, length),
            IpAddr::V6(v6) => Self::v6(v6, length),
        })
    }

    fn v4(address: Ipv4Addr, length: u8) -> Self {
        let bits = address.to_bits().masked(length);
        Self(Family::V4(PrefixBits { bits, length }))
    }

    fn v6(address: Ipv6Addr, length: u8) -> Self {
        match (address::mapped_ipv4(address), length.checked_sub(96)) {
            (Some(v4), Some(length)) => Self::v4(v4, length),
            (None, _) | (_, None) => {
                let bits = address.to_bits().masked(length);
                Self(Family::V6(PrefixBits { bits, length }))
            }
        }
    }

    pub(crate) const fn family(self) -> Family {
        self.0
    }

    /// The first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        match self.0 {
            Family::V4(prefix) => IpAddr::V4(Ipv4Addr::from_bits(prefix.bits)),
            Family::V6(prefix) => IpAddr::V6(Ipv6Addr::from_bits(prefix.bits)),
        }
    }

    /// The number of bits that every covered address shares: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[must_use]
    pub const fn length(self) -> u8 {
        match self.0 {
            Family::V4(prefix) => prefix.length,
            Family::V6(prefix) => prefix.length,
        }
    }

    /// How many addresses are in the prefix; 2¹²⁸ - 1 for `::/0`, which has one more.
    #[must_use]
    pub fn size(self) -> u128 {
        let width = match self.0 {
            Family::V4(_) => 32,
            Family::V6(_) => 128,
        };
        1_u128
            .checked_shl(width - u32::from(self.length()))
            .unwrap_or(u128::MAX)
    }

    /// Whether `address`, made canonical, is in the prefix.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.0, address::canonical(address)) {
            (Family::V4(prefix), IpAddr::V4(v4)) => prefix.contains(v4.to_bits()),
            (Family::V6(prefix), IpAddr::V6(v6)) => prefix.contains(v6.to_bits()),
            (Family::V4(_), IpAddr::V6(_)) | (Family::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether every address of `other` is in the prefix.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        match (self.0, other.0) {
            (Family::V4(prefix), Family::V4(other)) => prefix.covers(other),
            (Family::V6(prefix), Family::V6(other)) => prefix.covers(other),
            (Family::V4(_), Family::V6(_)) | (Family::V6(_), Family::V4(_)) => false,
        }
    }

    /// Three words that tell this prefix from any other.
    pub(crate) fn words(self) -> [u64; 3] {
        match self.0 {
            Family::V4(prefix) => prefix.words(),
            Family::V6(prefix) => prefix.words(),
        }
    }

    /// Whether the prefix is an IPv6 prefix that covers the IPv4-mapped range, which does not
    /// make it cover IPv4 addresses.
    pub(crate) fn covers_mapped_range(self) -> bool {
        matches!(self.0, Family::V6(prefix) if prefix.covers(MAPPED_RANGE))
    }
}

impl From<Bits4> for Prefix {
    fn from(prefix: Bits4) -> Self {
        Self(Family::V4(prefix))
    }
}

impl From<Bits6> for Prefix {
    fn from(prefix: Bits6) -> Self {
        Self(Family::V6(prefix))
    }
}

impl From<IpAddr> for Prefix {
    /// The prefix of one address.
    fn from(address: IpAddr) -> Self {
        Self(match address::canonical(address) {
            IpAddr::V4(v4) => Family::V4(PrefixBits {
                bits: v4.to_bits(),
                length: 32,
            }),
            IpAddr::V6(v6) => Family::V6(PrefixBits {
                bits: v6.to_bits(),
                length: 128,
            }),
        })
    }
}

impl From<IpNetwork> for Prefix {
    fn from(network: IpNetwork) -> Self {
        // A network's length never exceeds its family's width, so the fallback is never taken.
        Self::new(network.ip(), network.prefix()).unwrap_or_else(|_| network.ip().into())
    }
}

impl From<Prefix> for IpNetwork {
    fn from(prefix: Prefix) -> Self {
        // Likewise: a prefix is never longer than its address.
        Self::new(prefix.address(), prefix.length()).unwrap_or_else(|_| prefix.address().into())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads an address, `address/length` or, for IPv4, `address/netmask`.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some((address, length)) = text.split_once('/') else {
            return Ok(parse_address(text)?.into());
        };
        let address = parse_address(address)?;
        if length.contains('.') {
            let mask: Ipv4Addr = length.parse().map_err(|_| PrefixError(Kind::Length))?;
            if address.is_ipv6() {
                return Err(PrefixError(Kind::Length));
            }
            let length =
                ipnetwork::ipv4_mask_to_prefix(mask).map_err(|_| PrefixError(Kind::Netmask))?;
            return Self::new(address, length);
        }
        if length.is_empty() || length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PrefixError(Kind::Length));
        }
        let bits: u16 = length.parse().map_err(|_| PrefixError(Kind::Length))?;
        match u8::try_from(bits) {
            Ok(bits) => Self::new(address, bits),
            Err(_) => Err(PrefixError(Kind::Length)),
        }
    }
}

fn parse_address(text: &str) -> Result<IpAddr, PrefixError> {
    text.parse().map_err(|_| {
        PrefixError(if text.is_empty() {
            Kind::Missing
        } else if has_leading_zero(text) {
            Kind::LeadingZero
        } else {
            Kind::Address
        })
    })
}

/// Whether `text` would be an IPv4 address if leading zeros were decimal; some readers take them
/// for octal (`inet_aton`), so nobody can know which address is meant.
fn has_leading_zero(text: &str) -> bool {
    let mut octets = 0;
    let mut leading = false;
    for octet in text.split('.') {
        if octet.is_empty() || octet.len() > 4 || !octet.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        leading |= octet.len() > 1 && octet.starts_with('0');
        octets += 1;
    }
    octets == 4 && leading
}

impl fmt::Display for Prefix {
    /// `192.0.2.0/24`; one address too is written with its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.length())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| serde::de::Error::custom(format_args!("{error} in `{text}`")))
    }
}

/// Every address from one to another of the same family, both included.
///
/// ```
/// use threatinsight::AddressRange;
///
/// let range: AddressRange = "192.0.2.6 - 192.0.2.16".parse().unwrap();
/// let prefixes: Vec<String> = range.prefixes().map(|p| p.to_string()).collect();
/// assert_eq!(prefixes, ["192.0.2.6/31", "192.0.2.8/29", "192.0.2.16/32"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    first: u128,
    last: u128,
    width: u8,
}

impl AddressRange {
    /// The addresses from `first` to `last`, made canonical.
    ///
    /// # Errors
    ///
    /// When they are not of one family, or `last` comes before `first`.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, PrefixError> {
        let (first, last, width) = match (address::canonical(first), address::canonical(last)) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                (first.to_bits().into(), last.to_bits().into(), 32)
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits(), last.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Err(PrefixError(Kind::TwoFamilies));
            }
        };
        if first > last {
            return Err(PrefixError(Kind::Reversed));
        }
        Ok(Self { first, last, width })
    }

    /// The fewest prefixes that cover exactly the range, in order: at most 62 for IPv4, 254 for
    /// IPv6.
    pub fn prefixes(self) -> impl Iterator<Item = Prefix> {
        let Self { first, last, width } = self;
        let mut next = Some(first);
        iter::from_fn(move || {
            let first = next?;
            let size = largest_block(first, last).min(width);
            let end = first | !u128::MAX.checked_shl(size.into()).unwrap_or(0);
            next = end.checked_add(1).filter(|next| *next <= last);
            Some(match u32::try_from(first) {
                Ok(bits) if width == 32 => Prefix::v4(Ipv4Addr::from_bits(bits), width - size),
                _ => Prefix::v6(Ipv6Addr::from_bits(first), width - size),
            })
        })
    }
}

/// The size, as a power of two, of the largest aligned block that starts at `first` and ends at or
/// before `last`.
fn largest_block(first: u128, last: u128) -> u8 {
    let fits = (last - first).checked_add(1).map_or(128, u128::ilog2);
    #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
    let size = first.trailing_zeros().min(fits) as u8;
    size
}

impl FromStr for AddressRange {
    type Err = PrefixError;

    /// Reads `first-last`, with or without white space around the hyphen.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (first, last) = text.split_once('-').ok_or(PrefixError(Kind::NoHyphen))?;
        Self::new(parse_address(first.trim())?, parse_address(last.trim())?)
    }
}

/// What `text` covers: an address, a prefix or a range, in the forms [`Prefix`] and
/// [`AddressRange`] read.
pub(crate) fn parse_addresses(text: &str) -> Result<Addresses, PrefixError> {
    if text.contains('-') {
        text.parse().map(Addresses::Range)
    } else {
        text.parse().map(Addresses::Prefix)
    }
}

/// A prefix or a range.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addresses {
    Prefix(Prefix),
    Range(AddressRange),
}

impl Addresses {
    pub(crate) fn prefixes(self) -> impl Iterator<Item = Prefix> {
        let (prefix, range) = match self {
            Self::Prefix(prefix) => (Some(prefix), None),
            Self::Range(range) => (None, Some(range)),
        };
        prefix
            .into_iter()
            .chain(range.into_iter().flat_map(AddressRange::prefixes))
    }
}

/// Why a text or a pair of values is not a prefix or a range.
///
/// The message says what was found and expected; whoever reads a text adds where, and the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Address,
    LeadingZero,
    Length,
    TooLong { length: u8, width: u8 },
    Netmask,
    NoHyphen,
    TwoFamilies,
    Reversed,
}

impl PrefixError {
    /// Whether the length exceeds the address.
    #[must_use]
    pub const fn is_too_long(self) -> bool {
        matches!(self.0, Kind::TooLong { .. })
    }

    /// Whether what should be an address is not one.
    #[must_use]
    pub const fn is_not_an_address(self) -> bool {
        matches!(self.0, Kind::Missing | Kind::Address | Kind::LeadingZero)
    }
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Missing => f.write_str("address missing"),
            Kind::Address => f.write_str("not an IPv4 or IPv6 address"),
            Kind::LeadingZero => {
                f.write_str("leading zero in an IPv4 address, which some readers take for octal")
            }
            Kind::Length => {
                f.write_str("not a prefix length, expected a number or an IPv4 netmask")
            }
            Kind::TooLong { length, width } => {
                write!(f, "prefix length {length} is longer than {width}")
            }
            Kind::Netmask => f.write_str("netmask is not contiguous"),
            Kind::NoHyphen => f.write_str("not a range, expected `first-last`"),
            Kind::TwoFamilies => f.write_str("range from one address family to the other"),
            Kind::Reversed => f.write_str("range ends before it starts"),
        }
    }
}

impl std::error::Error for PrefixError {}

/// How many addresses the prefixes, in ascending order, cover, each address counted once;
/// saturates at 2¹²⁸ - 1.
pub(crate) fn distinct_addresses(ascending: impl IntoIterator<Item = Prefix>) -> u128 {
    let mut last: Option<Prefix> = None;
    let mut count = 0_u128;
    for prefix in ascending {
        if !last.is_some_and(|last| last.covers(prefix)) {
            count = count.saturating_add(prefix.size());
            last = Some(prefix);
        }
    }
    count
}
