//! The list of one family: membership, what is known of every entry, and the digest, built together and updated
//! together.

use std::ops::Add as _;

use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::list::{
    blocks::Reference,
    entries::{Change, Changes, Covering, Entries},
    lanes::Lanes,
    members4::Members4,
    members6::Members6,
    parallel,
    sort::Sort,
};
use crate::row::Row;

/// An address family and the structure that answers membership for it.
pub(crate) trait Family: Sort + Default {
    /// Answers whether an address is listed.
    type Members: Clone + std::fmt::Debug + Send + Sync;

    /// The members that `rows`, in prefix order, cover.
    fn members(rows: &[Row<Self>]) -> Self::Members;
    /// `members` after a change; `entries` are those after it.
    fn update(
        members: &Self::Members,
        done: &Changes<'_, Self>,
        entries: &Entries<Self>,
    ) -> Self::Members;
    /// Where the directory leads from `address`, and whether that does not rule out that it is listed.
    fn look(members: &Self::Members, address: Self) -> (Reference, bool);
    /// Whether `address` is listed, to which the directory led, and which it did not rule out.
    fn search(members: &Self::Members, address: Self, reference: Reference) -> bool;
    /// Says in `listed` which addresses of `lanes` are listed.
    fn search_each(members: &Self::Members, lanes: &Lanes<Self>, listed: &mut [bool]);
    /// Heap bytes.
    fn bytes(members: &Self::Members) -> usize;
}

/// Everything listed of one family, immutable.
#[derive(Clone, Debug)]
pub(super) struct Table<A: Family> {
    members: A::Members,
    entries: Entries<A>,
    digest: Digest,
}

impl<A: Family> Table<A> {
    /// The entries of all `columns`, one per feed; the feed of a row is the index of its column.
    /// `feeds` begin the facts of each feed.
    ///
    /// # Complexity
    ///
    /// A constant number of passes over the rows; IPv6 rows are sorted by comparison.
    pub(super) fn build(columns: &[&[Row<A>]], feeds: &[Fact]) -> Self {
        let rows = A::sorted(columns);
        Self {
            digest: digest(&rows, feeds),
            members: A::members(&rows),
            entries: Entries::build(&rows),
        }
    }

    /// This table after `changes`; `feeds` begin the facts of all feeds, old and new.
    ///
    /// # Complexity
    ///
    /// Proportional to the change, but for copying 256 KiB for IPv6.
    pub(super) fn update(&self, mut changes: Vec<Change<A>>, feeds: &[Fact]) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let (entries, done) = self.entries.update(&mut changes, feeds);
        let members = if done.appeared.is_empty() && done.vanished.is_empty() {
            self.members.clone()
        } else {
            A::update(&self.members, &done, &entries)
        };
        Self {
            members,
            digest: self.digest + done.digest,
            entries,
        }
    }

    /// Whether `address` is listed. Most misses end in the caller.
    #[inline(always)]
    pub(super) fn contains(&self, address: A) -> bool {
        let (reference, is_worth_it) = A::look(&self.members, address);
        is_worth_it && A::search(&self.members, address, reference)
    }

    /// The entries that cover `address`, shortest prefix first.
    #[inline]
    pub(super) fn covering(&self, address: A) -> Covering<'_, A> {
        self.entries.covering(address)
    }

    pub(super) const fn entries(&self) -> &Entries<A> {
        &self.entries
    }

    /// Adds `address`, of this place in a batch, to `lanes`, unless the directory rules it out.
    #[inline(always)]
    pub(super) fn look(&self, address: A, place: u8, lanes: &mut Lanes<A>) {
        let (reference, is_worth_it) = A::look(&self.members, address);
        lanes.push(address, reference, place, is_worth_it);
    }

    /// Says in `listed` which addresses of `lanes` are listed; the lanes are free again.
    #[inline]
    pub(super) fn search_each(&self, lanes: &mut Lanes<A>, listed: &mut [bool]) {
        if !lanes.is_empty() {
            A::search_each(&self.members, lanes, listed);
            lanes.clear();
        }
    }

    /// The sum over all entries, equal for equal tables however they came about.
    pub(super) const fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes on the heap, those shared with other tables included.
    pub(super) fn bytes(&self) -> usize {
        self.membership_bytes() + self.entries.bytes()
    }

    /// Heap bytes of what [`contains`](Self::contains) reads.
    pub(super) fn membership_bytes(&self) -> usize {
        A::bytes(&self.members)
    }
}

fn digest<A: Bits>(rows: &[Row<A>], feeds: &[Fact]) -> Digest {
    let sum = |rows: &[Row<A>]| {
        let digests = rows.iter().filter_map(|row| {
            let feed = feeds.get(usize::from(row.feed))?;
            Some(row.digest(*feed))
        });
        digests.fold(Digest::default(), Digest::add)
    };
    let part = rows.len().div_ceil(parallel::parts(rows.len())).max(1);
    let sums = parallel::map(rows.len(), rows.chunks(part).collect(), sum);
    sums.into_iter().fold(Digest::default(), Digest::add)
}

impl Family for u32 {
    type Members = Members4;

    fn members(rows: &[Row<Self>]) -> Members4 {
        Members4::build(rows)
    }
    fn update(members: &Members4, done: &Changes<'_, Self>, entries: &Entries<Self>) -> Members4 {
        members.update(&done.appeared, &done.vanished, entries)
    }
    #[inline(always)]
    fn look(members: &Members4, address: Self) -> (Reference, bool) {
        members.look(address)
    }
    #[inline(always)]
    fn search(members: &Members4, address: Self, reference: Reference) -> bool {
        members.search(address, reference)
    }
    fn search_each(members: &Members4, lanes: &Lanes<Self>, listed: &mut [bool]) {
        members.search_each(lanes, listed);
    }
    fn bytes(members: &Members4) -> usize {
        members.bytes()
    }
}

impl Family for u128 {
    type Members = Members6;

    fn members(rows: &[Row<Self>]) -> Members6 {
        Members6::build(rows)
    }
    fn update(members: &Members6, done: &Changes<'_, Self>, entries: &Entries<Self>) -> Members6 {
        members.update(&done.appeared, &done.vanished, entries)
    }
    #[inline(always)]
    fn look(members: &Members6, address: Self) -> (Reference, bool) {
        members.look(address)
    }
    #[inline(always)]
    fn search(members: &Members6, address: Self, reference: Reference) -> bool {
        members.search(address, reference)
    }
    fn search_each(members: &Members6, lanes: &Lanes<Self>, listed: &mut [bool]) {
        members.search_each(lanes, listed);
    }
    fn bytes(members: &Members6) -> usize {
        members.bytes()
    }
}
