//! What is known about one listed client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::List;
use super::entries::Covering;
use crate::address::embedded_ipv4;
use crate::bits::Bits;
use crate::configuration::{Edition, Extensions};
use crate::feed::Entry;
use crate::request::Kind;
use crate::row::Row;
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
    client: IpAddr,
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
        let listed = match client {
            IpAddr::V4(v4) => list.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => {
                list.v6.contains(v6.to_bits())
                    || scope
                        .embedded_ipv4(v6)
                        .is_some_and(|v4| list.v4.contains(v4.to_bits()))
            }
        };
        listed.then(|| Self::gather(list, client, scope))?
    }

    fn gather(list: &'s List, client: IpAddr, scope: Scope) -> Option<Self> {
        let mut threat = Self {
            list,
            client,
            scope,
            level: Level::Low,
            patterns: Patterns::NONE,
            embedded_only: false,
        };
        match client {
            IpAddr::V4(v4) => threat.add(list.v4.covering(v4.to_bits())),
            IpAddr::V6(v6) => {
                let itself = threat.add(list.v6.covering(v6.to_bits()));
                let embedded = scope
                    .embedded_ipv4(v6)
                    .is_some_and(|v4| threat.add(list.v4.covering(v4.to_bits())));
                threat.embedded_only = !itself;
                itself || embedded
            }
        }
        .then_some(threat)
    }

    /// Adds the rows that count; whether there is one.
    fn add<A: Bits>(&mut self, rows: Covering<'s, A>) -> bool {
        let scope = self.scope;
        let admitted = rows.filter(|row| scope.admits(row));
        admitted.fold(false, |_, row| {
            self.level = self.level.max(row.attributes.level());
            self.patterns = self.patterns.union(row.attributes.patterns());
            true
        })
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
    /// embeds; shortest prefix first.
    pub fn listings(&self) -> impl Iterator<Item = Listing<'s>> + use<'s> {
        let Self {
            list,
            client,
            scope,
            ..
        } = *self;
        let (v6, v4) = match client {
            IpAddr::V4(v4) => (None, Some(v4)),
            IpAddr::V6(v6) => (Some(v6), scope.embedded_ipv4(v6)),
        };
        let v6 = v6.into_iter().flat_map(|v6| list.v6.covering(v6.to_bits()));
        let v4 = v4.into_iter().flat_map(|v4| list.v4.covering(v4.to_bits()));
        v6.filter(move |row| scope.admits(row))
            .map(|row| list.listing(&row))
            .chain(
                v4.filter(move |row| scope.admits(row))
                    .map(|row| list.listing(&row)),
            )
    }

    /// The names of the feeds the entries are of, each once, ascending. Without allocation, so each is looked for among
    /// all entries: quadratic in how many feeds list the client.
    pub fn feeds(&self) -> impl Iterator<Item = &'s str> + use<'s> {
        let threat = *self;
        let least_after = move |last: Option<&str>| {
            let names = threat.listings().map(|listing| listing.feed);
            names
                .filter(|name| last.is_none_or(|last| *name > last))
                .min()
        };
        std::iter::successors(least_after(None), move |last| least_after(Some(*last)))
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

    /// The IPv4 address that `client` embeds, when it is judged too.
    #[inline]
    fn embedded_ipv4(self, client: Ipv6Addr) -> Option<Ipv4Addr> {
        embedded_ipv4(client).filter(|_| self.embedded_ipv4)
    }

    #[inline]
    fn admits<A: Bits>(self, row: &Row<A>) -> bool {
        let attributes = row.attributes;
        attributes.level() >= self.lowest
            && self
                .patterns
                .is_none_or(|needed| needed.intersects(attributes.patterns()))
            && self.without != Some(row.feed)
    }
}
