//! The list: every live entry of every feed, compiled.
//!
//! Two structures for each family. `members` answers whether an address is listed, in as few
//! bytes as possible; `entries` says what is known about it and is read only on a hit. Both are
//! persistent: an update shares what it does not touch.

mod arena;
mod blocks;
mod cover;
mod entries;
mod lanes;
mod members4;
mod members6;
mod parallel;
mod sort;
mod table;
mod threat;

pub(crate) use self::threat::Scope;
pub use self::threat::{Listing, Threat};

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;

use self::entries::{Change, Kind};
use self::lanes::{BATCH, Lanes};
use self::table::{Family, Table};
use crate::address::{canonical, embedded_ipv4};
use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::error::{CompileError, Warning};
use crate::feed::{Entry, Feed, Timestamp};
use crate::prefix::{self, MAPPED_RANGE, Prefix, distinct_addresses};
use crate::row::{Expiry, Row};

/// Every live entry of every feed, compiled; immutable.
///
/// Made whole by [`compile`](Self::compile), or from another list by [`update`](Self::update) and
/// [`expire`](Self::expire), which cost what changed and share the rest.
#[derive(Clone, Debug)]
pub struct List {
    feeds: Arc<[Source]>,
    v4: Table<u32>,
    v6: Table<u128>,
}

/// What the list knows about a feed besides its entries.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    /// Begins the facts of the feed's entries.
    fact: Fact,
    /// Until when the feed's source vouches for every entry.
    asserted_until: Option<Timestamp>,
}

/// What changes in a list: first the removals, then the additions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delta<'a> {
    /// Feeds and the prefixes they no longer list.
    pub removals: &'a [(&'a str, Prefix)],
    /// Feeds, new ones among them, and the entries they list now.
    pub additions: &'a [(&'a str, Entry)],
}

/// As many feeds as a row can tell apart.
const FEED_LIMIT: usize = 1 << 16;

/// As many entries of one family as the references between its parts can tell apart.
const ENTRY_LIMIT: usize = 1 << 25;

impl List {
    /// Compiles the entries that live at `now`.
    ///
    /// The same entries in any order compile to an equal list. An entry that a feed repeats with
    /// the same level and patterns counts once, with the later expiry.
    ///
    /// # Complexity
    ///
    /// O(n): a few passes over the IPv4 entries; IPv6 entries are sorted by comparison.
    ///
    /// # Errors
    ///
    /// When two feeds have one name, or there are more than 65,536 feeds or 2²⁵ (33,554,432)
    /// entries of one address family.
    pub fn compile(feeds: &[Feed], now: Timestamp) -> Result<Self, CompileError> {
        let mut named: Vec<&Feed> = feeds.iter().collect();
        named.sort_by_key(|feed| feed.name());
        if let Some(name) = named.windows(2).find_map(|pair| match pair {
            [a, b] if a.name() == b.name() => Some(a.name()),
            _ => None,
        }) {
            return Err(CompileError::duplicate_feed(name));
        }
        if named.len() > FEED_LIMIT {
            return Err(CompileError::too_many("feeds", named.len(), FEED_LIMIT));
        }
        check_entries(named.iter().map(|feed| feed.rows4.len()).sum())?;
        check_entries(named.iter().map(|feed| feed.rows6.len()).sum())?;
        let sources = named
            .iter()
            .map(|feed| Source::new(feed.name(), feed.asserted_until));
        let sources: Arc<[Source]> = sources.collect();
        let facts: Vec<Fact> = sources.iter().map(|source| source.fact).collect();
        Ok(Self {
            v4: Table::build(&borrowed(&live(&named, |feed| &feed.rows4, now)), &facts),
            v6: Table::build(&borrowed(&live(&named, |feed| &feed.rows6, now)), &facts),
            feeds: sources,
        })
    }

    /// This list without the removed entries and then with those of the added entries that live
    /// at `now`: equal to a list compiled from the entries there are then.
    ///
    /// ```
    /// use threatinsight::{Delta, Entry, Feed, List, Timestamp};
    ///
    /// let mut feed = Feed::new("scanners");
    /// feed.push(Entry::new("203.0.113.0/24".parse().unwrap()));
    /// let list = List::compile(&[feed], Timestamp(0)).unwrap();
    ///
    /// let next = list
    ///     .update(
    ///         &Delta {
    ///             removals: &[("scanners", "203.0.113.0/24".parse().unwrap())],
    ///             additions: &[("scanners", Entry::new("198.51.100.7".parse().unwrap()))],
    ///         },
    ///         Timestamp(0),
    ///     )
    ///     .unwrap();
    /// assert!(next.contains("198.51.100.7".parse().unwrap()));
    /// assert!(!next.contains("203.0.113.7".parse().unwrap()));
    /// ```
    ///
    /// # Complexity
    ///
    /// Proportional to the change, but for copying some 500 KiB; what is not touched is shared.
    ///
    /// # Errors
    ///
    /// When there would be more than 65,536 feeds, or when the entries of one address family and
    /// all that are added of it, whatever they replace, are more than 2²⁵. A feed counts from its
    /// first entry on, even when it has none left; compiling forgets it.
    pub fn update(&self, delta: &Delta<'_>, now: Timestamp) -> Result<Self, CompileError> {
        let mut sources = Cow::Borrowed(&*self.feeds);
        let mut places: AHashMap<&str, u16> =
            AHashMap::with_capacity_and_hasher(self.feeds.len(), crate::zone::fixed_hasher());
        places.extend(
            self.feeds
                .iter()
                .map(|source| source.name.as_str())
                .zip(0..=u16::MAX),
        );
        let mut changes4 = Vec::new();
        let mut changes6 = Vec::new();
        let mut change = |feed, entry: &Entry, kind| match entry.prefix.family() {
            prefix::Family::V4(prefix) => {
                let row = Row::new(prefix, entry).of_feed(feed);
                changes4.push(Change { row, kind });
            }
            prefix::Family::V6(prefix) => {
                let row = Row::new(prefix, entry).of_feed(feed);
                changes6.push(Change { row, kind });
            }
        };
        for (feed, prefix) in delta.removals {
            // A feed that is not there has nothing to be removed.
            if let Some(place) = places.get(feed) {
                change(*place, &Entry::new(*prefix), Kind::Remove);
            }
        }
        for (feed, entry) in delta.additions {
            let place = match places.get(feed) {
                Some(place) => *place,
                None => {
                    let count = sources.len();
                    let place = u16::try_from(count)
                        .map_err(|_| CompileError::too_many("feeds", count + 1, FEED_LIMIT))?;
                    sources.to_mut().push(Source::new(feed, None));
                    places.insert(feed, place);
                    place
                }
            };
            let asserted = sources
                .get(usize::from(place))
                .and_then(|s| s.asserted_until);
            if Expiry::from(entry.expires).is_live(asserted, now) {
                change(place, entry, Kind::Add);
            }
        }
        check_entries(self.v4.entries().len() + added(&changes4))?;
        check_entries(self.v6.entries().len() + added(&changes6))?;
        let feeds = match sources {
            Cow::Borrowed(_) => Arc::clone(&self.feeds),
            Cow::Owned(sources) => sources.into(),
        };
        Ok(self.changed(feeds, changes4, changes6))
    }

    /// This list without the entries that no longer live at `now`.
    ///
    /// # Complexity
    ///
    /// As [`update`](Self::update), and a look at whatever holds an entry that has expired; where
    /// a feed is asserted beyond its entries' expiries, at those too.
    #[must_use]
    pub fn expire(&self, now: Timestamp) -> Self {
        let asserted = |feed: u16| {
            let source = self.feeds.get(usize::from(feed));
            source.and_then(|source| source.asserted_until)
        };
        let mut dead4 = Vec::new();
        self.v4.entries().expired(now, |row| {
            if !row.expires.is_live(asserted(row.feed), now) {
                dead4.push(Change {
                    row: *row,
                    kind: Kind::Expire,
                });
            }
        });
        let mut dead6 = Vec::new();
        self.v6.entries().expired(now, |row| {
            if !row.expires.is_live(asserted(row.feed), now) {
                dead6.push(Change {
                    row: *row,
                    kind: Kind::Expire,
                });
            }
        });
        self.changed(Arc::clone(&self.feeds), dead4, dead6)
    }

    /// This list with another moment until which a feed's source vouches for its entries: what a
    /// source that answered "not modified" is worth. No effect when there is no such feed.
    #[must_use]
    pub fn assert(&self, feed: &str, until: Option<Timestamp>) -> Self {
        let mut feeds = self.feeds.to_vec();
        for source in feeds.iter_mut().filter(|source| source.name == feed) {
            source.asserted_until = until;
        }
        Self {
            feeds: feeds.into(),
            ..self.clone()
        }
    }

    fn changed(
        &self,
        feeds: Arc<[Source]>,
        changes4: Vec<Change<u32>>,
        changes6: Vec<Change<u128>>,
    ) -> Self {
        let facts: Vec<Fact> = feeds.iter().map(|source| source.fact).collect();
        Self {
            v4: self.v4.update(changes4, &facts),
            v6: self.v6.update(changes6, &facts),
            feeds,
        }
    }

    /// Whether an entry covers `address` itself, whatever an embedded address says.
    ///
    /// # Complexity
    ///
    /// At most three reads that depend on each other for IPv4, and about as many for IPv6,
    /// however long the list; no allocation.
    #[must_use]
    // Always in the caller, where the address of most clients stays in a register and the look-up ends.
    #[inline(always)]
    pub fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()),
        }
    }

    /// Whether an entry covers each of `addresses` itself, into `listed`, as far as both reach:
    /// [`contains`](Self::contains) for many, with the reads of several addresses in flight at
    /// once. This pays most for listed addresses, and more for slices of `Ipv4Addr` and `Ipv6Addr`
    /// than for those of `IpAddr`, each of which has to be told apart.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use threatinsight::{Entry, Feed, List, Timestamp};
    ///
    /// let mut feed = Feed::new("scanners");
    /// feed.push(Entry::new("203.0.113.0/24".parse().unwrap()));
    /// let list = List::compile(&[feed], Timestamp(0)).unwrap();
    ///
    /// let addresses: [IpAddr; 2] = ["203.0.113.7".parse()?, "2001:db8::7".parse()?];
    /// let mut listed = [false; 2];
    /// list.contains_each(&addresses, &mut listed);
    /// assert_eq!(listed, [true, false]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn contains_each<A: Copy + Into<IpAddr>>(&self, addresses: &[A], listed: &mut [bool]) {
        let (listed, _) = listed.split_at_mut(listed.len().min(addresses.len()));
        let (mut lanes4, mut lanes6) = (Lanes::new(), Lanes::new());
        for (addresses, listed) in addresses.chunks(BATCH).zip(listed.chunks_mut(BATCH)) {
            listed.fill(false);
            for ((address, place), _) in addresses.iter().zip(0..).zip(&*listed) {
                match canonical((*address).into()) {
                    IpAddr::V4(v4) => self.v4.look(v4.to_bits(), place, &mut lanes4),
                    IpAddr::V6(v6) => self.v6.look(v6.to_bits(), place, &mut lanes6),
                }
            }
            self.v4.search_each(&mut lanes4, listed);
            self.v6.search_each(&mut lanes6, listed);
        }
    }

    /// How many entries live, repeated ones counted once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.entries().len() + self.v6.entries().len()
    }

    /// Whether no entry lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the feeds: ascending when compiled, new ones of an update after them.
    pub fn feeds(&self) -> impl Iterator<Item = &str> {
        self.feeds.iter().map(|source| source.name.as_str())
    }

    /// Every live entry with its feed: IPv4 first, ascending by prefix.
    pub fn listings(&self) -> impl Iterator<Item = Listing<'_>> {
        let v4 = self.v4.entries().iter().map(|row| self.listing(&row));
        v4.chain(self.v6.entries().iter().map(|row| self.listing(&row)))
    }

    /// How many IPv4 addresses are listed, each counted once.
    #[must_use]
    pub fn distinct_ipv4(&self) -> u128 {
        distinct_addresses(self.v4.entries().iter().map(|row| row.prefix().into()))
    }

    /// How many IPv6 addresses are listed, each counted once; saturates at 2¹²⁸ - 1.
    #[must_use]
    pub fn distinct_ipv6(&self) -> u128 {
        distinct_addresses(self.v6.entries().iter().map(|row| row.prefix().into()))
    }

    /// A digest of the live entries, independent of the order they came in and of how the list
    /// was made.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.v4.digest() + self.v6.digest()
    }

    /// Bytes on the heap, those shared with other lists included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = self.feeds.iter().map(|source| source.name.len());
        size_of_val(&*self.feeds) + names.sum::<usize>() + self.v4.bytes() + self.v6.bytes()
    }

    /// The part of [`bytes`](Self::bytes) that [`contains`](Self::contains) reads; the rest says
    /// what is known about a listed address.
    #[must_use]
    pub fn membership_bytes(&self) -> usize {
        self.v4.membership_bytes() + self.v6.membership_bytes()
    }

    /// Feeds whose prefixes look as if they listed IPv4 addresses, and do not.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let covering = self.v6.covering(MAPPED_RANGE.bits);
        covering
            .filter(|row| row.prefix().covers(MAPPED_RANGE))
            .map(|row| {
                let listing = self.listing(&row);
                Warning::feed_covers_mapped_range(listing.feed, listing.entry.prefix)
            })
    }

    /// Whether an entry may cover `client`, a canonical address, or the IPv4 address it embeds; if
    /// not, none does.
    #[inline(always)]
    pub(crate) fn may_know(&self, client: IpAddr) -> bool {
        match client {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()) || embedded_ipv4(v6).is_some(),
        }
    }

    /// What is known about `client`, a canonical address, from the entries in `scope`.
    #[inline]
    pub(crate) fn threat(&self, client: IpAddr, scope: Scope) -> Option<Threat<'_>> {
        Threat::of(self, client, scope)
    }

    /// A row as a listing; its expiry is the later of its own and the feed's assertion.
    fn listing<A: Bits>(&self, row: &Row<A>) -> Listing<'_> {
        let source = self.feeds.get(usize::from(row.feed));
        let mut entry = row.entry();
        if let (Some(expires), Some(asserted)) = (
            entry.expires,
            source.and_then(|source| source.asserted_until),
        ) {
            entry.expires = Some(expires.max(asserted));
        }
        Listing {
            feed: source.map_or("", |source| &source.name),
            entry,
        }
    }
}

impl Source {
    fn new(name: &str, asserted_until: Option<Timestamp>) -> Self {
        Self {
            name: name.to_owned(),
            fact: Fact::new(1).text(name),
            asserted_until,
        }
    }
}

fn added<A: Family>(changes: &[Change<A>]) -> usize {
    let added = changes.iter().filter(|change| change.kind == Kind::Add);
    added.count()
}

fn check_entries(count: usize) -> Result<(), CompileError> {
    if count > ENTRY_LIMIT {
        let what = "entries of one address family";
        return Err(CompileError::too_many(what, count, ENTRY_LIMIT));
    }
    Ok(())
}

/// The rows of each feed that live at `now`: borrowed where all of them do.
fn live<'f, A: Family>(
    feeds: &[&'f Feed],
    rows: impl Fn(&'f Feed) -> &'f [Row<A>],
    now: Timestamp,
) -> Vec<Cow<'f, [Row<A>]>> {
    let live = |feed: &&'f Feed| {
        let is_live = |row: &&Row<A>| row.expires.is_live(feed.asserted_until, now);
        let rows = rows(feed);
        if rows.iter().all(|row| is_live(&row)) {
            Cow::Borrowed(rows)
        } else {
            Cow::Owned(rows.iter().filter(is_live).copied().collect())
        }
    };
    feeds.iter().map(live).collect()
}

fn borrowed<'r, A: Family>(rows: &'r [Cow<'_, [Row<A>]>]) -> Vec<&'r [Row<A>]> {
    rows.iter().map(|rows| &**rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// Few bits are random, so that addresses meet prefixes: hosts, whole and crowded /24s and /48s, /16s with more
    /// than one node, and prefixes of at most 16 bits.
    fn address(random: u64) -> IpAddr {
        let [a, b, c, d, e, ..] = random.to_be_bytes();
        let v4 = Ipv4Addr::new(198, 18 + a % 4, if a & 6 == 0 { b } else { b & 31 }, c);
        let last = [0xff00, u16::from(d & 63)][usize::from(e & 1)];
        match a >> 4 {
            0 => v4.to_ipv6_mapped().into(),
            1..8 => v4.into(),
            _ => {
                let site = u16::from(b);
                Ipv6Addr::new(0x2001, 0xdb8, site, u16::from(c & 1), 0, 0, 0, last).into()
            }
        }
    }

    #[test]
    fn many_at_once_are_listed_as_one_by_one() {
        let mut random = 1_u64;
        let mut next = || {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            random ^ random >> 29
        };
        let lengths = [
            (28, 120),
            (31, 127),
            (32, 128),
            (32, 128),
            (32, 64),
            (32, 48),
            (24, 46),
        ];
        let mut feed = Feed::new("feed");
        for _ in 0..1000 {
            let address = canonical(address(next()));
            let (v4, v6) = lengths[usize::from(next().to_be_bytes()[0]) % lengths.len()];
            let length = if address.is_ipv4() { v4 } else { v6 };
            if next() % 3 > 0 || length == 32 || length == 128 {
                feed.push(Entry::new(Prefix::new(address, length).unwrap()));
            }
        }
        feed.push(Entry::new("198.21.0.0/16".parse().unwrap()));
        let list = List::compile(&[feed], Timestamp(0)).unwrap();
        let addresses: Vec<IpAddr> = (0..3000).map(|_| address(next())).collect();
        for size in [1, 2, BATCH - 1, BATCH, BATCH + 1, addresses.len()] {
            for some in addresses.chunks(size) {
                let mut listed = vec![true; some.len() + 1];
                list.contains_each(some, &mut listed);
                assert_eq!(listed.pop(), Some(true), "there was no address for it");
                for (address, listed) in some.iter().zip(listed) {
                    assert_eq!(listed, list.contains(*address), "{address}");
                }
            }
        }
        let count = addresses
            .iter()
            .filter(|address| list.contains(**address))
            .count();
        assert!((500..2500).contains(&count), "{count} are listed");
    }
}
