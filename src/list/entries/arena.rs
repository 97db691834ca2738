//! Blocks of words that successive versions share.
//!
//! ```text
//! reference   node 1 │ segment 7 │ offset 24          0: nothing
//! segments    one large allocation each, never changed once it is there
//! ```
//!
//! A new version writes its blocks into one new segment and shares the others. A block only refers to blocks in its own
//! and in older segments, so whatever is in the newest segments can be found from the directory, and moved together,
//! without a look at anything older.
#![expect(
    clippy::cast_possible_truncation,
    reason = "a reference holds what the list's limit on rows keeps below its width"
)]

use std::sync::Arc;

/// Where a block is, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(u32);

const NODE: u32 = 1 << 31;
const OFFSET_BITS: u32 = 24;
const LAST_OFFSET: usize = (1 << OFFSET_BITS) - 1;
/// Segments there can be.
const SEGMENTS: usize = 1 << 7;

impl Reference {
    pub(super) const NONE: Self = Self(0);

    #[inline]
    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) const fn is_node(self) -> bool {
        self.0 & NODE != 0
    }

    #[inline]
    pub(super) const fn segment(self) -> usize {
        (self.0 >> OFFSET_BITS) as usize % SEGMENTS
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

/// Segments, and one that is being written.
#[derive(Clone, Debug)]
pub(super) struct Arena {
    /// The first is empty, so that no block has reference 0.
    segments: Vec<Arc<Box<[u32]>>>,
    open: Vec<u32>,
    /// Words in blocks that something refers to.
    pub(super) live: usize,
}

impl Arena {
    /// An arena whose first block will be in `segment`, from 1.
    pub(super) fn starting_at(segment: usize, capacity: usize) -> Self {
        Self {
            segments: vec![Arc::default(); segment],
            open: Vec::with_capacity(capacity),
            live: 0,
        }
    }

    /// Everything from `reference` to the end of its segment.
    #[inline]
    pub(super) fn at(&self, reference: Reference) -> &[u32] {
        let words = match self.segments.get(reference.segment()) {
            Some(segment) => segment,
            None => &*self.open,
        };
        words
            .get(reference.0 as usize & LAST_OFFSET..)
            .unwrap_or_default()
    }

    /// How many segments there are, the open one not counted.
    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Words in each segment.
    pub(super) fn sizes(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.segments.iter().map(|segment| segment.len())
    }

    /// Adds a block of what `write` appends.
    pub(super) fn add(&mut self, is_node: bool, write: impl FnOnce(&mut Vec<u32>)) -> Reference {
        if self.open.len() > LAST_OFFSET {
            self.seal();
        }
        // The list's limit on rows keeps this far below what a reference can hold.
        debug_assert!(self.segments.len() < SEGMENTS);
        let start = self.open.len();
        let place = self.segments.len() << OFFSET_BITS | start;
        write(&mut self.open);
        self.live += self.open.len() - start;
        Reference(place as u32 | if is_node { NODE } else { 0 })
    }

    /// Makes room for `words` more.
    pub(super) fn reserve(&mut self, words: usize) {
        self.open.reserve(words);
    }

    /// Ends the segment that is being written.
    pub(super) fn seal(&mut self) {
        if !self.open.is_empty() {
            let words = std::mem::take(&mut self.open).into_boxed_slice();
            self.segments.push(Arc::new(words));
        }
    }

    /// Forgets segment `first` and all after it.
    pub(super) fn truncate(&mut self, first: usize) {
        self.segments.truncate(first);
    }

    /// Appends what `other`, which started where this ends, has written.
    pub(super) fn append(&mut self, other: Self) {
        let own = self.segments.len();
        self.segments.extend(other.segments.into_iter().skip(own));
        self.live += other.live;
    }

    /// Appends empty segments until there are `segments`.
    pub(super) fn pad(&mut self, segments: usize) {
        debug_assert!(self.segments.len() <= segments);
        self.segments.resize_with(segments, Arc::default);
    }

    /// Heap bytes, those shared with other versions included.
    pub(super) fn bytes(&self) -> usize {
        self.sizes().sum::<usize>() * size_of::<u32>()
    }
}
