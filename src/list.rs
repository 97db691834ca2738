//! The list: every live entry of every feed, compiled.
//!
//! Each family is a trie from an address to the longest listed prefix that covers it, and beside
//! it the prefixes in ascending order, each with the next shorter prefix that covers it and with
//! its entries. All covering entries count, so a hit walks that chain; a miss never reads it.

mod table;
mod threat;

pub(crate) use self::threat::Scope;
pub use self::threat::{Listing, Threat};

use std::net::IpAddr;

use self::table::{ListedRow, Table};
use crate::address::canonical;
use crate::digest::{Digest, Fact};
use crate::error::{CompileError, Warning};
use crate::feed::{Entry, Feed, Timestamp};
use crate::prefix::{Bits, MAPPED_RANGE, Prefix, distinct_addresses};

/// Every live entry of every feed, compiled; immutable.
#[derive(Debug)]
pub struct List {
    feeds: Vec<String>,
    v4: Table<u32>,
    v6: Table<u128>,
    digest: Digest,
}

impl List {
    /// Compiles the entries that live at `now`.
    ///
    /// The same entries in any order compile to an equal list. An entry that a feed repeats with
    /// the same level and patterns counts once, with the later expiry.
    ///
    /// # Complexity
    ///
    /// O(n log n) for the sort, then one pass.
    ///
    /// # Errors
    ///
    /// When two feeds have one name, or there are more than 65,535 feeds or 2³¹ - 2 prefixes.
    pub fn compile(feeds: &[Feed], now: Timestamp) -> Result<Self, CompileError> {
        let mut named: Vec<&Feed> = feeds.iter().collect();
        named.sort_by_key(|feed| feed.name());
        if let Some(name) = named.windows(2).find_map(|pair| match pair {
            [a, b] if a.name() == b.name() => Some(a.name()),
            _ => None,
        }) {
            return Err(CompileError::duplicate_feed(name));
        }
        if named.len() >= usize::from(u16::MAX) {
            return Err(CompileError::too_many(
                "feeds",
                named.len(),
                u16::MAX.into(),
            ));
        }
        let tags: Vec<Fact> = named
            .iter()
            .map(|feed| Fact::new(1).text(feed.name()))
            .collect();
        let (v4, digest4) = Table::compile(&named, |feed| &feed.rows4, now, &tags)?;
        let (v6, digest6) = Table::compile(&named, |feed| &feed.rows6, now, &tags)?;
        Ok(Self {
            feeds: named.iter().map(|feed| feed.name().to_owned()).collect(),
            v4,
            v6,
            digest: digest4 + digest6,
        })
    }

    /// Whether an entry covers `address` itself, whatever an embedded address says.
    ///
    /// # Complexity
    ///
    /// At most 3 node reads for IPv4 and 15 for IPv6, however long the list; no allocation.
    #[must_use]
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(v4) => self.v4.longest(v4.to_bits()).is_some(),
            IpAddr::V6(v6) => self.v6.longest(v6.to_bits()).is_some(),
        }
    }

    /// How many entries live, repeated ones counted once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether no entry lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the feeds, in ascending order.
    pub fn feeds(&self) -> impl Iterator<Item = &str> {
        self.feeds.iter().map(String::as_str)
    }

    /// Every live entry with its feed: IPv4 first, by prefix, then by feed.
    pub fn listings(&self) -> impl Iterator<Item = Listing<'_>> {
        let v4 = self
            .v4
            .all()
            .map(|(prefix, row)| (u32::prefix(prefix), row));
        let v6 = self
            .v6
            .all()
            .map(|(prefix, row)| (u128::prefix(prefix), row));
        v4.chain(v6).map(|(prefix, row)| self.listing(prefix, row))
    }

    /// How many IPv4 addresses are listed, each counted once.
    #[must_use]
    pub fn distinct_ipv4(&self) -> u128 {
        distinct_addresses(self.v4.prefixes().map(u32::prefix))
    }

    /// How many IPv6 addresses are listed, each counted once; saturates at 2¹²⁸ - 1.
    #[must_use]
    pub fn distinct_ipv6(&self) -> u128 {
        distinct_addresses(self.v6.prefixes().map(u128::prefix))
    }

    /// A digest of the live entries, independent of the order they came in.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.bytes() + self.feeds.iter().map(String::len).sum::<usize>()
    }

    /// Feeds whose prefixes look as if they listed IPv4 addresses, and do not.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let covering = self.v6.covering_prefix(MAPPED_RANGE);
        covering.map(|(prefix, row)| {
            let listing = self.listing(u128::prefix(prefix), row);
            Warning::feed_covers_mapped_range(listing.feed, listing.entry.prefix)
        })
    }

    /// What is known about `client`, a canonical address, from the entries in `scope`.
    #[inline]
    pub(crate) fn threat(&self, client: IpAddr, scope: Scope) -> Option<Threat<'_>> {
        Threat::of(self, client, scope)
    }

    fn listing(&self, prefix: Prefix, row: ListedRow) -> Listing<'_> {
        Listing {
            feed: self.feeds.get(usize::from(row.feed)).map_or("", |f| f),
            entry: Entry {
                prefix,
                level: row.attributes.level(),
                patterns: row.attributes.patterns(),
                expires: row.expires.into(),
            },
        }
    }
}
