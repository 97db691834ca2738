//! A directory of small immutable blocks that successive versions share.
//!
//! ```text
//! directory   one u32 per index:   flags 2 │ segment 6 │ offset 24
//! segments    Arc<[T]> each; segment 0 is the empty block, which every index without one refers to
//! ```
//!
//! A new version that changes anything copies the directory, writes its changed blocks into one new segment and shares
//! the others; [`segments`] says when some are joined.
#![expect(
    clippy::cast_possible_truncation,
    reason = "a reference holds what the list's limits keep below its width"
)]

use std::sync::Arc;

use crate::list::segments;

/// Where a block is, with two flags for the owner.
pub(crate) type Reference = u32;

pub(crate) const FLAGS: Reference = 0b11 << FLAG_SHIFT;
const FLAG_SHIFT: u32 = 30;
const OFFSET_BITS: u32 = 24;
const OFFSET: Reference = (1 << OFFSET_BITS) - 1;
/// Segments there can be.
const SEGMENTS: usize = 1 << (FLAG_SHIFT - OFFSET_BITS);

/// A directory and the blocks it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Blocks<T> {
    pub(crate) directory: Arc<[Reference]>,
    segments: Vec<Arc<[T]>>,
    /// Elements in blocks that the directory refers to.
    live: usize,
}

impl<T: Copy + Send + Sync> Blocks<T> {
    /// `indices` indices that all refer to `empty`.
    pub(crate) fn empty(indices: usize, empty: &[T]) -> Self {
        Self {
            directory: vec![0; indices].into(),
            segments: vec![empty.into()],
            live: 0,
        }
    }

    /// The directory, to change it. It is this version's own from then on.
    pub(crate) fn directory_mut(&mut self) -> &mut [Reference] {
        Arc::make_mut(&mut self.directory)
    }

    /// Everything from `reference` to the end of its segment.
    #[inline]
    pub(crate) fn at(&self, reference: Reference) -> &[T] {
        self.segments
            .get((reference >> OFFSET_BITS) as usize % SEGMENTS)
            .and_then(|segment| segment.get((reference & OFFSET) as usize..))
            .unwrap_or_default()
    }

    /// The segment of `reference` and the offset in it.
    #[inline]
    pub(crate) fn place(&self, reference: Reference) -> (&[T], usize) {
        let segment = self
            .segments
            .get((reference >> OFFSET_BITS) as usize % SEGMENTS);
        (
            segment.map_or(&[], |segment| segment),
            (reference & OFFSET) as usize,
        )
    }

    /// Heap bytes, those shared with other versions included.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.directory) + self.allocated() * size_of::<T>()
    }

    fn allocated(&self) -> usize {
        self.segments.iter().map(|segment| segment.len()).sum()
    }

    /// Whether an index has a block of its own.
    pub(crate) fn is_block(reference: Reference) -> bool {
        reference & !FLAGS != 0
    }

    /// Adds freshly built blocks, in ascending order of their offsets in `elements`: one segment
    /// of them, or as many as offsets of 24 bits need.
    pub(crate) fn append(&mut self, elements: &[T], blocks: &[Placed]) {
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let start = first.offset;
            let fitting = rest.partition_point(|block| block.offset - start <= OFFSET as usize);
            let (blocks, after) = rest.split_at(fitting);
            let end = after.first().map_or(elements.len(), |next| next.offset);
            self.append_segment(elements.get(start..end).unwrap_or_default(), start, blocks);
            rest = after;
        }
    }

    /// Adds one segment; `start` is the offset of its first element.
    fn append_segment(&mut self, elements: &[T], start: usize, blocks: &[Placed]) {
        let segment = self.segments.len();
        // The list's limits on rows keep both far below what a reference can hold.
        debug_assert!(segment < SEGMENTS);
        self.live += elements.len();
        self.segments.push(elements.into());
        let directory = self.directory_mut();
        for block in blocks {
            if let Some(reference) = directory.get_mut(block.index) {
                let place = segment << OFFSET_BITS | (block.offset - start);
                *reference = block.flags | place as Reference;
            }
        }
    }

    /// Replaces the blocks in `edit`; `length` tells how many elements a block that starts a slice has.
    pub(crate) fn replace(&mut self, edit: &Edit<T>, length: impl Fn(&[T]) -> usize) {
        for block in &edit.blocks {
            self.forget(block.index, &length);
        }
        for &index in &edit.removed {
            self.forget(index, &length);
            if let Some(reference) = self.directory_mut().get_mut(index) {
                *reference &= FLAGS;
            }
        }
        self.append(&edit.elements, &edit.blocks);
        self.tidy(length);
    }

    fn forget(&mut self, index: usize, length: &impl Fn(&[T]) -> usize) {
        let reference = self.directory.get(index).copied().unwrap_or(0);
        if Self::is_block(reference) {
            self.live -= length(self.at(reference));
        }
    }

    fn tidy(&mut self, length: impl Fn(&[T]) -> usize) {
        let sizes: Vec<usize> = self.segments.iter().map(|segment| segment.len()).collect();
        if let Some(first) = segments::to_join(&sizes, self.live, 1) {
            self.join(first, length);
        }
    }

    /// Moves the living blocks of segment `first` and all newer ones into one.
    fn join(&mut self, first: usize, length: impl Fn(&[T]) -> usize) {
        let mut elements = Vec::new();
        let mut blocks = Vec::new();
        for (index, &reference) in self.directory.iter().enumerate() {
            if (reference >> OFFSET_BITS) as usize % SEGMENTS >= first {
                let rest = self.at(reference);
                let block = rest.get(..length(rest)).unwrap_or_default();
                blocks.push(Placed {
                    index,
                    flags: reference & FLAGS,
                    offset: elements.len(),
                });
                elements.extend_from_slice(block);
            }
        }
        self.segments.truncate(first);
        self.live -= elements.len();
        self.append(&elements, &blocks);
    }
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
