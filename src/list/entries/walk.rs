//! Reading: what covers an address, what lies beneath a prefix, everything in order.

use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::arena::{Arena, Reference};
use super::leaf::Rows;
use super::node::View;
use super::{Entries, PAGE, Page, Slot};
use crate::bits::Bits;
use crate::feed::Timestamp;
use crate::row::Row;

impl<A: Bits> Entries<A> {
    /// The entries that cover `address`, shortest prefix first; feeds in order among equals. Allocates nothing.
    #[inline]
    pub(crate) fn covering(&self, address: A) -> Covering<'_, A> {
        let (page, at) = self.place(address);
        let page = self.pages.get(page);
        let long = page.and_then(|page| page.references.get(at));
        let long = long.copied().unwrap_or(Reference::NONE);
        // Nearly no address is covered by a prefix this short.
        let (next, then) = if page.is_some_and(|page| page.is_covered(at)) {
            (self.short.reference, long)
        } else {
            (long, Reference::NONE)
        };
        Covering {
            address,
            arena: &self.arena,
            rows: Rows::NONE,
            next,
            then,
        }
    }

    /// Every entry, in prefix order.
    pub(crate) fn iter(&self) -> Sorted<'_, A> {
        Sorted {
            short: Walk::new(&self.arena, self.short.reference).peekable(),
            long: Walk::new(&self.arena, Reference::NONE),
            next: None,
            pages: &self.pages,
            slot: 0,
        }
    }

    /// Calls `visit` for every entry of at most `longest` bits that covers the prefix or lies beneath it, in no
    /// particular order.
    pub(crate) fn overlapping<B>(
        &self,
        (bits, length): (A, u8),
        longest: u8,
        mut visit: impl FnMut(&Row<A>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let overlap = Overlap {
            arena: &self.arena,
            bits,
            length,
            longest,
        };
        overlap.with(self.short.reference, &mut visit)?;
        let from = bits.index(0, self.stride);
        let to = bits.last(length).index(0, self.stride);
        for number in from >> PAGE..=to >> PAGE {
            let first = number << PAGE;
            let within = from.max(first) - first..=to.min(first + (1 << PAGE) - 1) - first;
            let page = self.pages.get(number);
            let slots = page.and_then(|page| page.references.get(within));
            for reference in slots.unwrap_or_default() {
                overlap.with(*reference, &mut visit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Calls `visit` for every entry whose own expiry is not after `now`.
    pub(crate) fn expired(&self, now: Timestamp, mut visit: impl FnMut(&Row<A>)) {
        self.arena.expired(self.short, now, &mut visit);
        for slot in self.pages.iter().flat_map(|page| page.slots()) {
            self.arena.expired(slot, now, &mut visit);
        }
    }
}

impl Arena {
    fn expired<A: Bits>(&self, slot: Slot, now: Timestamp, visit: &mut impl FnMut(&Row<A>)) {
        if slot.earliest.is_after(now) {
            return;
        }
        let words = self.at(slot.reference.place());
        if slot.reference.is_node() {
            let slots = View::new(words).slots::<A>();
            slots.for_each(|slot| self.expired(slot, now, visit));
        } else {
            let dead = Rows::new(words).filter(|row| !row.expires.is_after(now));
            dead.for_each(|row| visit(&row));
        }
    }
}

/// A search for what covers a prefix or lies beneath it.
#[derive(Clone, Copy)]
struct Overlap<'a, A> {
    arena: &'a Arena,
    bits: A,
    length: u8,
    longest: u8,
}

impl<A: Bits> Overlap<'_, A> {
    fn with<B>(
        self,
        reference: Reference,
        visit: &mut impl FnMut(&Row<A>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if reference.is_none() {
            return ControlFlow::Continue(());
        }
        let Self {
            bits,
            length,
            longest,
            ..
        } = self;
        let words = self.arena.at(reference.place());
        if !reference.is_node() {
            let overlaps = |row: &Row<A>| {
                let shorter = row.length.min(length);
                row.length <= longest && row.bits().masked(shorter) == bits.masked(shorter)
            };
            let last = bits.last(length);
            let rows = Rows::new(words).take_while(|row| row.bits() <= last);
            return rows.filter(overlaps).try_for_each(|row| visit(&row));
        }
        let node = View::new(words);
        self.with(node.own(), visit)?;
        let shorter = node.depth.min(length);
        let reach = node.depth + node.stride;
        let origin: A = node.origin();
        if reach > longest || origin.masked(shorter) != bits.masked(shorter) {
            return ControlFlow::Continue(());
        }
        let (from, to) = if length > node.depth {
            let index = |bits: A| bits.index(node.depth, node.stride);
            (index(bits), index(bits.last(length)))
        } else {
            (0, node.children() - 1)
        };
        (from..=to).try_for_each(|at| self.with(node.child(at), visit))
    }
}

/// The entries that cover one address.
#[derive(Clone, Debug)]
pub(crate) struct Covering<'a, A: Bits> {
    address: A,
    arena: &'a Arena,
    rows: Rows<'a, A>,
    next: Reference,
    /// Where the walk begins again when it has come to an end.
    then: Reference,
}

impl<A: Bits> Covering<'_, A> {
    /// Goes on to the next leaf; whether there is one.
    #[inline]
    fn step(&mut self) -> bool {
        loop {
            if self.next.is_none() {
                self.next = std::mem::replace(&mut self.then, Reference::NONE);
                if self.next.is_none() {
                    return false;
                }
            }
            let words = self.arena.ended_at(self.next.place());
            if !self.next.is_node() {
                self.rows = Rows::new(words);
                self.next = Reference::NONE;
                return true;
            }
            // The first bits are not compared, because rows that a wrong turn leads to do not cover the address.
            let node = View::new(words);
            self.next = node.child(self.address.index(node.depth, node.stride));
            if !node.own().is_none() {
                self.rows = Rows::new(self.arena.ended_at(node.own().place()));
                return true;
            }
        }
    }
}

impl<A: Bits> Iterator for Covering<'_, A> {
    type Item = Row<A>;

    fn next(&mut self) -> Option<Row<A>> {
        loop {
            if let Some(row) = self.rows.covering(self.address) {
                return Some(row);
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// All at once, for decisions: nothing is put aside between one row and the next.
    #[inline]
    fn fold<B, F: FnMut(B, Row<A>) -> B>(mut self, first: B, mut f: F) -> B {
        let mut folded = first;
        loop {
            while let Some(row) = self.rows.covering(self.address) {
                folded = f(folded, row);
            }
            if !self.step() {
                return folded;
            }
        }
    }
}

/// Every entry in prefix order.
#[derive(Debug)]
pub(crate) struct Sorted<'a, A: Bits> {
    short: Peekable<Walk<'a, A>>,
    long: Walk<'a, A>,
    next: Option<Row<A>>,
    pages: &'a [Arc<Page>],
    slot: usize,
}

impl<A: Bits> Sorted<'_, A> {
    fn long(&mut self) -> Option<Row<A>> {
        loop {
            if let Some(row) = self.long.next() {
                return Some(row);
            }
            let page = self.pages.get(self.slot >> PAGE)?;
            let reference = page.references.get(self.slot % (1 << PAGE))?;
            self.slot += 1;
            self.long.enter(*reference);
        }
    }
}

impl<A: Bits> Iterator for Sorted<'_, A> {
    type Item = Row<A>;

    fn next(&mut self) -> Option<Row<A>> {
        let long = self.next.take().or_else(|| self.long());
        let Some(long) = long else {
            return self.short.next();
        };
        match self.short.next_if(|short| short.prefix() < long.prefix()) {
            Some(short) => {
                self.next = Some(long);
                Some(short)
            }
            None => Some(long),
        }
    }
}

/// The rows of one tree, in prefix order.
#[derive(Debug)]
pub(super) struct Walk<'a, A: Bits> {
    arena: &'a Arena,
    rows: Rows<'a, A>,
    path: Vec<Step<'a, A>>,
}

#[derive(Debug)]
struct Step<'a, A: Bits> {
    node: View<'a>,
    own: Peekable<Rows<'a, A>>,
    child: usize,
}

impl<'a, A: Bits> Walk<'a, A> {
    pub(super) fn new(arena: &'a Arena, root: Reference) -> Self {
        let mut walk = Self {
            arena,
            rows: Rows::NONE,
            path: Vec::new(),
        };
        walk.enter(root);
        walk
    }

    fn enter(&mut self, reference: Reference) {
        if reference.is_none() {
            return;
        }
        let words = self.arena.at(reference.place());
        if !reference.is_node() {
            self.rows = Rows::new(words);
            return;
        }
        let node = View::new(words);
        let own = node.own();
        let own = if own.is_none() {
            Rows::NONE
        } else {
            Rows::new(self.arena.at(own.place()))
        };
        self.path.push(Step {
            node,
            own: own.peekable(),
            child: 0,
        });
    }
}

impl<A: Bits> Iterator for Walk<'_, A> {
    type Item = Row<A>;

    fn next(&mut self) -> Option<Row<A>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            let step = self.path.last_mut()?;
            let (node, child) = (step.node, step.child);
            // A short row precedes every child whose range begins at or after its own.
            let precedes = |row: &Row<A>| {
                row.length <= node.depth || row.bits().index(node.depth, node.stride) <= child
            };
            if let Some(row) = step.own.next_if(precedes) {
                return Some(row);
            }
            if child < node.children() {
                step.child += 1;
                self.enter(node.child(child));
            } else {
                self.path.pop();
            }
        }
    }
}
