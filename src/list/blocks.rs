//! A directory of small immutable blocks that successive versions share.
//!
//! ```text
//! directory   one u32 per index:   flags 2 │ place 30
//! ```
//!
//! A new version that changes anything copies the directory; its blocks are in an [`Arena`].

#![expect(
    clippy::indexing_slicing,
    reason = "an edit names indices that the directory has"
)]

use std::sync::Arc;

use crate::list::arena::{Arena, Place};

/// Where a block is, with two flags for the owner.
pub(crate) type Reference = u32;

pub(crate) const FLAGS: Reference = 0b11 << PLACE_BITS;
const PLACE_BITS: u32 = 30;
const OFFSET_BITS: u32 = 20;

/// A directory and the blocks it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Blocks<T> {
    pub(crate) directory: Arc<[Reference]>,
    arena: Arena<T, OFFSET_BITS>,
    /// The index whose block is moved next.
    next: usize,
}

impl<T: Copy> Blocks<T> {
    /// `indices` indices that all refer to `empty`.
    pub(crate) fn empty(indices: usize, empty: &[T]) -> Self {
        Self {
            directory: vec![0; indices].into(),
            arena: Arena::new(empty),
            next: 0,
        }
    }

    /// The directory, to change it. It is this version's own from then on.
    pub(crate) fn directory_mut(&mut self) -> &mut [Reference] {
        Arc::make_mut(&mut self.directory)
    }

    /// Everything from `reference` to the end of its segment.
    #[inline]
    pub(crate) fn at(&self, reference: Reference) -> &[T] {
        self.arena.ended_at(reference & !FLAGS)
    }

    /// The segment of `reference` and the offset in it.
    #[inline]
    pub(crate) fn place(&self, reference: Reference) -> (&[T], usize) {
        self.arena.place(reference & !FLAGS)
    }

    /// Heap bytes, those shared with other versions included.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.directory) + self.arena.bytes()
    }

    /// A version that follows this one: the blocks in `edit` are new; `length` tells how many elements a block that
    /// starts a slice has.
    pub(crate) fn replace(&mut self, edit: &Edit<T>, length: impl Fn(&[T]) -> usize) {
        self.arena.begin(edit.elements.len());
        for &index in &edit.removed {
            self.forget(index, &length);
            self.directory_mut()[index] &= FLAGS;
        }
        let ends = edit.blocks.iter().skip(1).map(|block| block.offset);
        let ends = ends.chain(std::iter::once(edit.elements.len()));
        for (block, end) in edit.blocks.iter().zip(ends) {
            self.forget(block.index, &length);
            let elements = edit.elements.get(block.offset..end).unwrap_or_default();
            let place = self.arena.add(|open| open.extend_from_slice(elements));
            self.directory_mut()[block.index] = block.flags | place;
        }
        self.shift(length);
        self.arena.finish();
    }

    fn forget(&mut self, index: usize, length: &impl Fn(&[T]) -> usize) {
        if let Some(place) = block(self.directory[index]) {
            self.arena.forget(place, length(self.arena.at(place)));
        }
    }

    /// Moves the blocks that are due.
    fn shift(&mut self, length: impl Fn(&[T]) -> usize) {
        let mut due = self.arena.due();
        if due == 0 {
            // The directory stays shared.
            return;
        }
        let directory = Arc::make_mut(&mut self.directory);
        // Once round; most indices may have no block.
        let (before, after) = directory.split_at_mut(self.next);
        let numbered = (self.next..).zip(after).chain((0..).zip(before));
        for (index, reference) in numbered {
            if due == 0 {
                self.next = index;
                break;
            }
            if let Some(place) = block(*reference) {
                let length = length(self.arena.at(place));
                *reference = *reference & FLAGS | self.arena.shift(place, length, |_| ());
                due = due.saturating_sub(length);
            }
        }
    }
}

/// The place of the block of its own that an index has.
fn block(reference: Reference) -> Option<Place> {
    let place = reference & !FLAGS;
    (place != 0).then_some(place)
}

/// A block in the making: the index that refers to it, with which flags, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) index: usize,
    pub(crate) flags: Reference,
    pub(crate) offset: usize,
}

/// The blocks of one update, in the making.
#[derive(Debug)]
pub(crate) struct Edit<T> {
    pub(crate) elements: Vec<T>,
    /// In ascending order of their offsets in `elements`.
    pub(crate) blocks: Vec<Placed>,
    pub(crate) removed: Vec<usize>,
}

impl<T> Default for Edit<T> {
    fn default() -> Self {
        Self {
            elements: Vec::new(),
            blocks: Vec::new(),
            removed: Vec::new(),
        }
    }
}
