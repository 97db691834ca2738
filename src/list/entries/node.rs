//! A branch as a block.
//!
//! ```text
//! node   owns 1 │ expires 1 │ stride 8 │ depth 8  ┆  map of the children 64  ┆  own leaf, children  ┆  count  ┆  origin
//!        ┆  earliest of the own leaf and of each child, where anything in the node expires
//! ```
//!
//! Lists are crowded in places, so many a child is not there. Only what is there has a word, and the bits of the map
//! before that of a child say which.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "depth and stride are stored in a byte each, a map in two words; what has a bit has a slot"
)]

use super::Slot;
use super::arena::Reference;
use crate::bits::Bits;
use crate::row::Expiry;

const EXPIRES: u32 = 1 << 16;
const OWNS: u32 = 1 << 17;
/// Words in front of the slots.
const HEAD: usize = 3;

/// A node taken out of its block.
#[derive(Clone, Debug)]
pub(super) struct Node<A> {
    /// The first `depth` bits of everything beneath, but for what is in `own`, which may be shorter.
    pub(super) origin: A,
    pub(super) depth: u8,
    /// At most [`MOST`](super::MOST).
    pub(super) stride: u8,
    /// Rows in all of the subtree.
    pub(super) count: u32,
    /// A leaf of the rows shorter than `depth + stride`, whose bits agree with `origin` up to the shorter of both.
    pub(super) own: Slot,
    pub(super) children: Children,
}

/// Those of the 64 children there can be that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    map: u64,
    /// INVARIANT: one for each bit of the map, in order.
    slots: Vec<Slot>,
}

/// The bit of a child, and how many are there before it.
#[inline]
fn place(map: u64, at: usize) -> (u64, usize) {
    let bit = 1 << (at % 64);
    (bit, (map & (bit - 1)).count_ones() as usize)
}

impl Children {
    pub(super) fn get(&self, at: usize) -> Slot {
        let (bit, rank) = place(self.map, at);
        if self.map & bit == 0 {
            return Slot::NONE;
        }
        self.slots[rank]
    }

    pub(super) fn set(&mut self, at: usize, slot: Slot) {
        let (bit, rank) = place(self.map, at);
        match (self.map & bit != 0, !slot.reference.is_none()) {
            (true, true) => self.slots[rank] = slot,
            (true, false) => {
                self.slots.remove(rank);
                self.map &= !bit;
            }
            (false, true) => {
                self.slots.insert(rank, slot);
                self.map |= bit;
            }
            (false, false) => {}
        }
    }
}

/// A node in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) depth: u8,
    pub(super) stride: u8,
    owns: bool,
    expires: bool,
    map: u64,
    /// Everything behind the map.
    words: &'a [u32],
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn new(words: &'a [u32]) -> Self {
        let (&[head, low, high], words) = words.split_first_chunk().unwrap_or((&[0; HEAD], &[]));
        Self {
            depth: head as u8,
            stride: (head >> 8) as u8,
            owns: head & OWNS != 0,
            expires: head & EXPIRES != 0,
            map: u64::from(low) | u64::from(high) << 32,
            words,
        }
    }

    #[inline]
    fn reference(&self, at: usize) -> Reference {
        Reference::from_word(self.words.get(at).copied().unwrap_or(0))
    }

    #[inline]
    pub(super) fn own(&self) -> Reference {
        if self.owns {
            self.reference(0)
        } else {
            Reference::NONE
        }
    }

    #[inline]
    pub(super) fn child(&self, at: usize) -> Reference {
        let (bit, rank) = place(self.map, at);
        if self.map & bit == 0 {
            return Reference::NONE;
        }
        self.reference(usize::from(self.owns) + rank)
    }

    /// How many children there can be.
    pub(super) fn children(&self) -> usize {
        1 << self.stride
    }

    /// How many children there are before one.
    pub(super) fn before(&self, at: usize) -> usize {
        place(self.map, at).1
    }

    /// How many slots there are.
    pub(super) fn present(&self) -> usize {
        usize::from(self.owns) + self.map.count_ones() as usize
    }

    /// How many words it is as a block.
    pub(super) fn length<A: Bits>(&self) -> usize {
        let slots = self.present();
        HEAD + slots + 1 + A::WORDS + if self.expires { slots } else { 0 }
    }

    /// Rows in all of the subtree.
    pub(super) fn count(&self) -> u32 {
        let count = self.words.get(self.present());
        count.copied().unwrap_or(0)
    }

    pub(super) fn origin<A: Bits>(&self) -> A {
        let words = self.words.get(1 + self.present()..);
        A::from_words(words.unwrap_or_default())
    }

    /// The own leaf, then the children.
    pub(super) fn slots<A: Bits>(&self) -> impl Iterator<Item = Slot> + use<'a, A> {
        let expiries = if self.expires {
            self.words.get(1 + self.present() + A::WORDS..)
        } else {
            None
        };
        let expiries = expiries.unwrap_or_default();
        let references = self.references().iter().enumerate();
        references.map(|(at, reference)| Slot {
            reference: Reference::from_word(*reference),
            earliest: match expiries.get(at) {
                Some(bits) => Expiry::from_bits(*bits),
                None => Expiry::NEVER,
            },
        })
    }

    /// The words of the own leaf, then of the children.
    pub(super) fn references(&self) -> &'a [u32] {
        self.words.get(..self.present()).unwrap_or_default()
    }
}

/// Replaces references of children that are there, and the count, in a node's block.
pub(super) fn change(block: &mut [u32], children: &[(usize, Slot)], count: u32) {
    let view = View::new(block);
    let (map, first, end) = (
        view.map,
        HEAD + usize::from(view.owns),
        HEAD + view.present(),
    );
    for (at, child) in children {
        block[first + place(map, *at).1] = child.reference.word();
    }
    block[end] = count;
}

/// Replaces the references in a node's block, those of the own leaf and the children.
pub(super) fn refer(block: &mut [u32], slots: &[Reference]) {
    for (word, slot) in block.iter_mut().skip(HEAD).zip(slots) {
        *word = slot.word();
    }
}

impl<A: Bits> Node<A> {
    pub(super) fn read(view: View<'_>) -> Self {
        let mut slots = view.slots::<A>();
        let own = if view.owns { slots.next() } else { None };
        Self {
            origin: view.origin(),
            depth: view.depth,
            stride: view.stride,
            count: view.count(),
            own: own.unwrap_or(Slot::NONE),
            children: Children {
                map: view.map,
                slots: slots.collect(),
            },
        }
    }

    fn owns(&self) -> bool {
        !self.own.reference.is_none()
    }

    /// The own leaf, then the children.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let own = self.owns().then_some(&self.own);
        own.into_iter().chain(&self.children.slots)
    }

    pub(super) fn earliest(&self) -> Expiry {
        let expiries = self.slots().map(|slot| slot.earliest);
        expiries.min().unwrap_or(Expiry::NEVER)
    }

    /// What is in it, if that is a single child.
    pub(super) fn only_child(&self) -> Option<Slot> {
        match *self.children.slots {
            [child] if !self.owns() => Some(child),
            _ => None,
        }
    }

    fn expires(&self) -> bool {
        self.earliest() != Expiry::NEVER
    }

    pub(super) fn write(&self, words: &mut Vec<u32>) {
        let expires = self.expires();
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let head = u32::from(self.stride) << 8 | u32::from(self.depth);
        let head = head | flag(expires, EXPIRES) | flag(self.owns(), OWNS);
        let map = self.children.map;
        words.extend([head, map as u32, (map >> 32) as u32]);
        words.extend(self.slots().map(|slot| slot.reference.word()));
        words.push(self.count);
        self.origin.to_words(words);
        if expires {
            words.extend(self.slots().map(|slot| slot.earliest.bits()));
        }
    }
}
