//! Every structure behind one trait.

use std::ops::Range;

use threatinsight::Feed;

use crate::family::Family;

/// A structure under test.
pub trait Structure<A: Family> {
    /// Whether an entry covers `address`. Implementations are always inlined into `hits`: the
    /// compiler would do so for some and not for others.
    fn contains(&self, address: A) -> bool;

    /// How many of the queries are listed. This is what is timed, compiled for each structure, so
    /// that no look-up pays for the trait.
    fn hits(&self, queries: Queries<'_, A>) -> usize {
        let listed = |address: &&A| self.contains(**address);
        queries.bits.iter().filter(listed).count()
    }
}

/// The same addresses in both forms; a structure reads the one that it takes.
#[derive(Clone, Copy, Debug)]
pub struct Queries<'a, A: Family> {
    /// As numbers.
    pub bits: &'a [A],
    /// As addresses.
    pub addresses: &'a [A::Address],
}

impl<A: Family> Queries<'_, A> {
    /// Some of them.
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Self {
        Self {
            bits: &self.bits[range.clone()],
            addresses: &self.addresses[range],
        }
    }
}

/// A parsed list, in the form each structure is compiled from.
#[derive(Clone, Debug)]
pub struct Parsed<A> {
    /// What the peers take; distinct, in no order.
    pub prefixes: Vec<(A, u8)>,
    /// What our list takes.
    pub feed: [Feed; 1],
}

/// What a structure is, for the ratios that are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our list, asked for one address at a time.
    Ours,
    /// Our list, asked for many at once.
    Batch,
    /// A peer made of prefixes.
    Prefix,
    /// A peer made of hash sets.
    Hash,
    /// A peer made of ranges.
    Range,
}

impl Kind {
    /// Whether it is one of the structures that ours are compared with.
    #[must_use]
    pub const fn is_peer(self) -> bool {
        matches!(self, Self::Prefix | Self::Hash | Self::Range)
    }
}
