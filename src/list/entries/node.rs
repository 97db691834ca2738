//! A branch as a block.
//!
//! ```text
//! node   expires 1 │ stride 8 │ depth 8  ┆  own leaf  ┆  2^stride children  ┆  count  ┆  origin
//!        ┆  earliest of the own leaf and of each child, where anything in the node expires
//! ```
#![expect(
    clippy::cast_possible_truncation,
    reason = "depth and stride are stored in a byte each"
)]

use super::Slot;
use super::arena::Reference;
use crate::bits::Bits;
use crate::row::Expiry;

const EXPIRES: u32 = 1 << 16;

/// A node taken out of its block.
#[derive(Clone, Debug)]
pub(super) struct Node<A> {
    /// The first `depth` bits of everything beneath, but for what is in `own`, which may be shorter.
    pub(super) origin: A,
    pub(super) depth: u8,
    pub(super) stride: u8,
    /// Rows in all of the subtree.
    pub(super) count: u32,
    /// A leaf of the rows shorter than `depth + stride`, whose bits agree with `origin` up to the shorter of both.
    pub(super) own: Slot,
    /// INVARIANT: `1 << stride` of them.
    pub(super) children: Vec<Slot>,
}

/// A node in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) depth: u8,
    pub(super) stride: u8,
    expires: bool,
    /// Everything behind the first word.
    words: &'a [u32],
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn new(words: &'a [u32]) -> Self {
        let (head, words) = words.split_first().unwrap_or((&0, &[]));
        Self {
            depth: *head as u8,
            stride: (head >> 8) as u8,
            expires: head & EXPIRES != 0,
            words,
        }
    }

    #[inline]
    fn reference(&self, at: usize) -> Reference {
        Reference::from_word(self.words.get(at).copied().unwrap_or(0))
    }

    #[inline]
    pub(super) fn own(&self) -> Reference {
        self.reference(0)
    }

    #[inline]
    pub(super) fn child(&self, at: usize) -> Reference {
        self.reference(1 + at)
    }

    pub(super) fn children(&self) -> usize {
        1 << self.stride
    }

    fn count(&self) -> u32 {
        let count = self.words.get(1 + self.children());
        count.copied().unwrap_or(0)
    }

    pub(super) fn origin<A: Bits>(&self) -> A {
        let words = self.words.get(2 + self.children()..);
        A::from_words(words.unwrap_or_default())
    }

    /// The own leaf, then the children.
    pub(super) fn slots<A: Bits>(&self) -> impl Iterator<Item = Slot> + use<'a, A> {
        let references = self.words.get(..=self.children()).unwrap_or_default();
        let expiries = if self.expires {
            self.words.get(2 + self.children() + A::WORDS..)
        } else {
            None
        };
        let expiries = expiries.unwrap_or_default().iter().copied();
        let expiries = expiries.map(Expiry::from_bits);
        references
            .iter()
            .zip(expiries.chain(std::iter::repeat(Expiry::NEVER)))
            .map(|(reference, earliest)| Slot {
                reference: Reference::from_word(*reference),
                earliest,
            })
    }
}

impl<A: Bits> Node<A> {
    pub(super) fn read(words: &[u32]) -> Self {
        let view = View::new(words);
        let mut slots = view.slots::<A>();
        Self {
            origin: view.origin(),
            depth: view.depth,
            stride: view.stride,
            count: view.count(),
            own: slots.next().unwrap_or(Slot::NONE),
            children: slots.collect(),
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.own).chain(&self.children)
    }

    pub(super) fn earliest(&self) -> Expiry {
        let expiries = self.slots().map(|slot| slot.earliest);
        expiries.min().unwrap_or(Expiry::NEVER)
    }

    pub(super) fn write(&self, words: &mut Vec<u32>) {
        let expires = self.earliest() != Expiry::NEVER;
        let head = u32::from(self.stride) << 8 | u32::from(self.depth);
        words.push(if expires { head | EXPIRES } else { head });
        words.extend(self.slots().map(|slot| slot.reference.word()));
        words.push(self.count);
        self.origin.to_words(words);
        if expires {
            words.extend(self.slots().map(|slot| slot.earliest.bits()));
        }
    }

    /// How many words it is as a block.
    pub(super) fn length(&self) -> usize {
        let slots = 1 + self.children.len();
        let expiries = if self.earliest() == Expiry::NEVER {
            0
        } else {
            slots
        };
        2 + slots + A::WORDS + expiries
    }
}
