//! Every entry of one family with its attributes: read on a hit, by explain and by updates.
//!
//! The first bits of an address choose a slot of the directory, as many bits as give a slot some [`SLOT`] rows. A slot
//! refers to a leaf of at most [`LEAF`] rows, or to a node that branches on as many further bits as give a child some
//! [`AIM`]. A node skips the bits that everything beneath it shares, and keeps the rows too short for its children in a
//! leaf of its own. Rows too short for the directory are in a tree of their own, and each page of the directory has a
//! bit for each slot that they cover:
//!
//! ```text
//! short   ─▶ leaf or node: rows shorter than what chooses a slot
//! pages   ─▶ 512 slots each ─▶ leaf
//!                           ─▶ node: own leaf, up to 64 of { leaf, node }
//! ```
//!
//! So the entries that cover an address are met on one walk. Blocks are words in an arena and refer to each other by
//! their places there, so that a version that rewrites one block copies its page and the nodes on the way to it, and
//! counts no references to what it shares.
//!
//! Real suspicious lists put a median of 2 and at most some 2,000 rows under a /16; leaves of fixed reach would be
//! nearly empty or far too long to copy for one change. At a million entries a look-up meets 1.8 nodes on its way to a
//! leaf (IPv6: 3.5). Nearly all rows of a leaf say the same about their prefixes, which is stored once: a row is 6 bytes
//! then, and at most 14 (18 and 26 for IPv6).

mod arena;
mod build;
mod leaf;
mod node;
mod shift;
mod update;
mod walk;

use std::sync::Arc;

use self::arena::{Arena, Reference};
use self::shift::Next;
use self::walk::Walk;
use crate::bits::Bits;
use crate::row::Expiry;

pub(crate) use update::{Change, Changes, Kind};
pub(crate) use walk::Covering;

/// The most rows in a leaf.
const LEAF: usize = 24;
/// How many rows a child gets on average when a node is built.
const AIM: usize = 4;
/// The most bits a node branches on: its map has a bit for each child.
const MOST: u8 = 6;
const _: () = assert!(1 << MOST <= u64::BITS);
/// A node with at most as many rows as this becomes a leaf again.
const COLLAPSE: u32 = 16;
/// How many rows a slot gets on average.
const SLOT: usize = 64;
/// The first bits of an address choose a page, and as many as this a slot of it.
const PAGE: u8 = 9;
/// The most bits that choose a page and a slot.
const WIDEST: u8 = 16;

/// All entries of one family.
#[derive(Clone, Debug)]
pub(crate) struct Entries<A: Bits> {
    arena: Arena,
    /// How many bits choose a page and a slot.
    stride: u8,
    /// INVARIANT: `1 << (stride - PAGE)` of them.
    pages: Vec<Arc<Page>>,
    /// The rows of fewer bits than choose a slot.
    short: Slot,
    count: usize,
    next: Next<A>,
}

/// A part of the directory.
#[derive(Clone, Debug)]
struct Page {
    references: [Reference; 1 << PAGE],
    earliest: [Expiry; 1 << PAGE],
    /// The slots that a short row covers.
    covered: Covered,
}

/// A bit for each slot of a page.
type Covered = [u64; (1 << PAGE) / 64];

/// What a directory or a node knows of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    reference: Reference,
    /// The earliest expiry in it.
    earliest: Expiry,
}

impl Slot {
    const NONE: Self = Self {
        reference: Reference::NONE,
        earliest: Expiry::NEVER,
    };
}

impl Page {
    const EMPTY: Self = Self {
        references: [Reference::NONE; 1 << PAGE],
        earliest: [Expiry::NEVER; 1 << PAGE],
        covered: [0; (1 << PAGE) / 64],
    };

    #[inline]
    fn is_covered(&self, at: usize) -> bool {
        let word = self.covered.get(at / 64);
        word.is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let slots = self.references.iter().zip(&self.earliest);
        slots.map(|(&reference, &earliest)| Slot {
            reference,
            earliest,
        })
    }

    fn slot(&self, at: usize) -> Slot {
        match (self.references.get(at), self.earliest.get(at)) {
            (Some(&reference), Some(&earliest)) => Slot {
                reference,
                earliest,
            },
            (None, _) | (_, None) => Slot::NONE,
        }
    }

    fn set(&mut self, at: usize, slot: Slot) {
        if let (Some(reference), Some(earliest)) =
            (self.references.get_mut(at), self.earliest.get_mut(at))
        {
            (*reference, *earliest) = (slot.reference, slot.earliest);
        }
    }
}

impl<A: Bits> Entries<A> {
    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Heap bytes, those shared with other versions included.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * size_of::<Page>() + self.arena.bytes()
    }

    /// Marks the slots that short rows cover.
    fn mark_covered(&mut self) {
        let mut marks = vec![[0_u64; (1 << PAGE) / 64]; self.pages.len()];
        let words = marks.as_flattened_mut();
        let short = Walk::<A>::new(&self.arena, self.short.reference);
        let mut short: Vec<_> = short.map(|row| row.prefix()).collect();
        // However many feeds list them.
        short.dedup();
        for prefix in short {
            let first = prefix.bits.index(0, self.stride);
            let last = prefix.bits.last(prefix.length).index(0, self.stride);
            let covered = words.iter_mut().zip((0..).step_by(64));
            for (word, slot) in covered.take(last / 64 + 1).skip(first / 64) {
                let from = first.saturating_sub(slot);
                let to = (last - slot).min(63);
                *word |= u64::MAX << from & u64::MAX >> (63 - to);
            }
        }
        for (page, covered) in self.pages.iter_mut().zip(marks) {
            if page.covered != covered {
                Arc::make_mut(page).covered = covered;
            }
        }
    }

    /// The slot for `address` in the directory: its page and its place there.
    #[inline]
    fn place(&self, address: A) -> (usize, usize) {
        let index = address.index(0, self.stride);
        (index >> PAGE, index % (1 << PAGE))
    }
}
