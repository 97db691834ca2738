//! How many addresses sets of prefixes cover, and how many they share.

use std::fmt;
use std::iter;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use threatinsight::Prefix;

/// Distinct addresses, as ascending ranges that neither touch nor overlap, by family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    ipv4: Vec<Range>,
    ipv6: Vec<Range>,
}

/// The first and the last address.
type Range = (u128, u128);

/// How many addresses there are of either family; for IPv6 at most 2¹²⁸ - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    #[serde(serialize_with = "decimal")]
    pub(crate) ipv4: u128,
    #[serde(serialize_with = "decimal")]
    pub(crate) ipv6: u128,
}

impl Count {
    pub(crate) const ZERO: Self = Self { ipv4: 0, ipv6: 0 };
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} IPv4, {} IPv6", self.ipv4, self.ipv6)
    }
}

impl FromIterator<Prefix> for Addresses {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let mut addresses = Self::default();
        for prefix in prefixes {
            let (family, first, width) = match prefix.address() {
                IpAddr::V4(v4) => (&mut addresses.ipv4, v4.to_bits().into(), 32),
                IpAddr::V6(v6) => (&mut addresses.ipv6, v6.to_bits(), 128),
            };
            let beyond = u128::MAX
                .checked_shl(width - u32::from(prefix.length()))
                .unwrap_or(0);
            family.push((first, first | !beyond));
        }
        merge(&mut addresses.ipv4);
        merge(&mut addresses.ipv6);
        addresses
    }
}

impl Addresses {
    pub(crate) fn count(&self) -> Count {
        Count {
            ipv4: sum(self.ipv4.iter().copied()),
            ipv6: sum(self.ipv6.iter().copied()),
        }
    }

    /// How many addresses are in both.
    pub(crate) fn shared(&self, other: &Self) -> Count {
        Count {
            ipv4: sum(intersection(&self.ipv4, &other.ipv4)),
            ipv6: sum(intersection(&self.ipv6, &other.ipv6)),
        }
    }
}

fn decimal<S: Serializer>(count: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(count)
}

fn sum(ranges: impl Iterator<Item = Range>) -> u128 {
    ranges.fold(0, |sum: u128, (first, last)| {
        sum.saturating_add((last - first).saturating_add(1))
    })
}

fn merge(ranges: &mut Vec<Range>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, merged| {
        let joins = next.0 <= merged.1.saturating_add(1);
        if joins {
            merged.1 = merged.1.max(next.1);
        }
        joins
    });
}

fn intersection<'a>(one: &'a [Range], other: &'a [Range]) -> impl Iterator<Item = Range> + use<'a> {
    let mut one = one.iter().copied().peekable();
    let mut other = other.iter().copied().peekable();
    iter::from_fn(move || {
        loop {
            let (a, b) = (*one.peek()?, *other.peek()?);
            let behind = if a.1 <= b.1 { &mut one } else { &mut other };
            behind.next();
            let shared = (a.0.max(b.0), a.1.min(b.1));
            if shared.0 <= shared.1 {
                return Some(shared);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(prefixes: &[&str]) -> Addresses {
        prefixes
            .iter()
            .map(|p| p.parse::<Prefix>().unwrap())
            .collect()
    }

    #[test]
    fn nested_and_touching_prefixes_count_once() {
        let count = addresses(&[
            "192.0.2.0/25",
            "192.0.2.128/25",
            "192.0.2.7",
            "198.51.100.1",
            "2001:db8::/64",
        ])
        .count();
        assert_eq!((count.ipv4, count.ipv6), (257, 1 << 64));
    }

    #[test]
    fn whole_families_do_not_overflow() {
        let all = addresses(&["0.0.0.0/0", "::/0"]);
        let expected = Count {
            ipv4: 1 << 32,
            ipv6: u128::MAX,
        };
        assert_eq!(all.count(), expected);
        assert_eq!(all.shared(&all), expected);
    }

    #[test]
    fn shared_addresses_are_exact_whichever_side_is_asked() {
        let one = addresses(&["192.0.2.0/24", "203.0.113.0/31", "2001:db8::/127"]);
        let other = addresses(&[
            "192.0.2.0/30",
            "192.0.2.64/26",
            "203.0.113.1",
            "2001:db8::1",
        ]);
        let expected = Count {
            ipv4: 4 + 64 + 1,
            ipv6: 1,
        };
        assert_eq!(one.shared(&other), expected);
        assert_eq!(other.shared(&one), expected);
    }
}
