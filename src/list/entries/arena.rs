//! References to blocks of words.
//!
//! ```text
//! reference   node 1 │ place 31          0: nothing
//! ```

use crate::list::arena::{self, Place};

const OFFSET_BITS: u32 = 21;
const NODE: u32 = 1 << 31;

/// Leaves and nodes.
pub(super) type Arena = arena::Arena<u32, OFFSET_BITS>;

/// The words of a segment, about, from which on another is begun.
pub(super) const SEGMENT: usize = (1 << OFFSET_BITS) - arena::BLOCK;

/// Where a block is, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(u32);

impl Reference {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn to(is_node: bool, place: Place) -> Self {
        Self(place | if is_node { NODE } else { 0 })
    }

    #[inline]
    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) const fn is_node(self) -> bool {
        self.0 & NODE != 0
    }

    #[inline]
    pub(super) const fn place(self) -> Place {
        self.0 & !NODE
    }

    #[inline]
    pub(super) const fn word(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) const fn from_word(word: u32) -> Self {
        Self(word)
    }
}
