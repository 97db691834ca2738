//! What is known about one listed client.

use std::fmt;
use std::net::IpAddr;

use super::List;
use super::table::{ListedRow, NodeNumber};
use crate::address::embedded_ipv4;
use crate::configuration::{Edition, Extensions};
use crate::feed::Entry;
use crate::prefix::{Bits, Prefix};
use crate::request::Kind;
use crate::threat::{Level, Patterns};

/// An entry of the list, with the name of its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing<'s> {
    /// The feed's name.
    pub feed: &'s str,
    /// The entry; its expiry is the later of its own and the feed's assertion.
    pub entry: Entry,
}

/// What is known about a listed client: every entry that covers it and counts for the request.
///
/// Borrows from the snapshot; copying it copies a few words.
#[derive(Clone, Copy)]
pub struct Threat<'s> {
    list: &'s List,
    v4: Option<NodeNumber>,
    v6: Option<NodeNumber>,
    scope: Scope,
    level: Level,
    patterns: Patterns,
    embedded_only: bool,
}

impl<'s> Threat<'s> {
    /// Folds the entries in `scope` that cover `client`, a canonical address, or the IPv4 address
    /// it embeds; `None` when there are none.
    #[inline]
    pub(super) fn of(list: &'s List, client: IpAddr, scope: Scope) -> Option<Self> {
        let (v6, v4) = match client {
            IpAddr::V4(client) => (None, list.v4.longest(client.to_bits())),
            IpAddr::V6(client) => {
                let embedded = embedded_ipv4(client).filter(|_| scope.embedded_ipv4);
                (
                    list.v6.longest(client.to_bits()),
                    embedded.and_then(|embedded| list.v4.longest(embedded.to_bits())),
                )
            }
        };
        if v4.is_none() && v6.is_none() {
            return None;
        }
        let mut threat = Self {
            list,
            v4,
            v6,
            scope,
            level: Level::Low,
            patterns: Patterns::NONE,
            embedded_only: false,
        };
        let rows6 = list.v6.upwards(v6).map(|(_, row)| row);
        let rows4 = list.v4.upwards(v4).map(|(_, row)| row);
        let listed6 = threat.add(rows6);
        let listed4 = threat.add(rows4);
        threat.embedded_only = client.is_ipv6() && !listed6;
        (listed6 || listed4).then_some(threat)
    }

    /// Adds the rows that count; whether there is one.
    fn add(&mut self, rows: impl Iterator<Item = ListedRow>) -> bool {
        let mut any = false;
        for row in rows.filter(|row| self.scope.admits(*row)) {
            any = true;
            self.level = self.level.max(row.attributes.level());
            self.patterns = self.patterns.union(row.attributes.patterns());
        }
        any
    }

    /// The highest level of the entries.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The patterns of all the entries.
    #[must_use]
    pub const fn patterns(&self) -> Patterns {
        self.patterns
    }

    /// The entries: those of the client's own address first, then those of the IPv4 address it
    /// embeds; longest prefix first.
    pub fn listings(&self) -> impl Iterator<Item = Listing<'s>> + use<'s> {
        let Self { list, scope, .. } = *self;
        let v6 = list.v6.upwards(self.v6);
        let v4 = list.v4.upwards(self.v4);
        v6.map(|(prefix, row)| (u128::prefix(prefix), row))
            .chain(v4.map(|(prefix, row)| (u32::prefix(prefix), row)))
            .filter(move |(_, row)| scope.admits(*row))
            .map(|(prefix, row): (Prefix, ListedRow)| list.listing(prefix, row))
    }

    /// The names of the feeds the entries are of, each once.
    pub fn feeds(&self) -> impl Iterator<Item = &'s str> + use<'s> {
        let threat = *self;
        self.listings()
            .enumerate()
            .filter(move |(n, listing)| {
                let mut before = threat.listings().take(*n);
                !before.any(|earlier| earlier.feed == listing.feed)
            })
            .map(|(_, listing)| listing.feed)
    }

    /// Whether the client is listed for the IPv4 address it embeds, and not for its own.
    #[must_use]
    pub const fn is_embedded_only(&self) -> bool {
        self.embedded_only
    }
}

impl fmt::Debug for Threat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threat")
            .field("level", &self.level)
            .field("patterns", &self.patterns)
            .field("listings", &Vec::from_iter(self.listings()))
            .finish()
    }
}

/// Which entries count for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// Whether an IPv6 client is also judged by the IPv4 address it embeds.
    embedded_ipv4: bool,
    /// Entries below do not count.
    lowest: Level,
    /// Entries without one of these do not count; `None`: whatever their patterns.
    patterns: Option<Patterns>,
    /// The place of a feed whose entries do not count.
    without: Option<u16>,
}

impl Scope {
    /// What counts for requests of `kind`; `None` when nothing does.
    #[inline]
    pub(crate) fn new(kind: Kind, extensions: &Extensions) -> Option<Self> {
        let patterns = match kind {
            Kind::Authentication => None,
            Kind::Other => Some(extensions.patterns_beyond_authentication),
        };
        let lowest = match (extensions.edition, kind) {
            (Edition::Full, _) => Level::Low,
            (Edition::Trial, Kind::Authentication) => Level::High,
            (Edition::Trial, Kind::Other) => return None,
        };
        Some(Self {
            embedded_ipv4: extensions.embedded_ipv4,
            lowest,
            patterns,
            without: None,
        })
    }

    /// Whatever the request and the edition.
    pub(crate) const fn everything(extensions: &Extensions) -> Self {
        Self {
            embedded_ipv4: extensions.embedded_ipv4,
            lowest: Level::Low,
            patterns: None,
            without: None,
        }
    }

    /// The same, but for the entries of the feed at `place`.
    pub(crate) const fn without(self, place: u16) -> Self {
        Self {
            without: Some(place),
            ..self
        }
    }

    #[inline]
    fn admits(self, row: ListedRow) -> bool {
        let attributes = row.attributes;
        attributes.level() >= self.lowest
            && self
                .patterns
                .is_none_or(|needed| needed.intersects(attributes.patterns()))
            && self.without != Some(row.feed)
    }
}
