//! Where the nodes are: segments that successive versions of a list share.
//!
//! A new version writes its changed nodes into one new segment; [`segments`] says when some are joined.
#![expect(
    clippy::cast_possible_truncation,
    reason = "places and counts are below what a reference holds"
)]

use std::sync::Arc;

use super::{
    Table,
    directory::{Directory, Slot},
    line::{EMPTY, Line},
};
use crate::list::{blocks::Reference, cover::COVERED, segments};

const OFFSET_BITS: u32 = 20;
/// Lines of a segment, at most.
const SEGMENT: usize = 1 << OFFSET_BITS;
const PLACE_BITS: u32 = 26;
const PLACE: Reference = (1 << PLACE_BITS) - 1;
/// Segments there can be.
const SEGMENTS: usize = 1 << (PLACE_BITS - OFFSET_BITS);
/// How many buckets a node may have; a reference says which of these it is.
const SIZES: [u16; SPLIT + 1] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 28, 32, 40, 48, 56, 64, 80,
    96, 128, 160, 192, 256, 0,
];
/// The last of them, which stands for a node for each /20.
const SPLIT: usize = 31;

/// All numbers of buckets that a node may have, ascending.
pub(super) fn sizes() -> impl Iterator<Item = usize> {
    SIZES.into_iter().take(SPLIT).map(usize::from)
}

/// The reference of a /16 with a node for each /20, the references of which are in a table of this number.
pub(super) const fn split(table: usize) -> Reference {
    (SPLIT << PLACE_BITS | table) as Reference
}

/// Whether there is a node for each /20.
#[inline(always)]
pub(super) const fn is_split(reference: Reference) -> bool {
    size(reference) == SPLIT
}

/// The number of the table of the references to those nodes.
#[inline(always)]
pub(super) const fn table(reference: Reference) -> usize {
    (reference & PLACE) as usize
}

/// Which of [`SIZES`] it is.
#[inline(always)]
const fn size(reference: Reference) -> usize {
    (reference >> PLACE_BITS) as usize & SPLIT
}

/// The buckets of a node.
#[inline(always)]
pub(super) const fn buckets(reference: Reference) -> usize {
    SIZES[size(reference)] as usize
}

/// The nodes of a version, most of them shared with others.
#[derive(Clone, Debug)]
pub(super) struct Arena {
    /// The first has one empty line, to which every reference without a node refers.
    segments: Vec<Arc<[Line]>>,
    /// Lines of nodes that the directory refers to.
    live: usize,
}

impl Arena {
    pub(super) fn empty() -> Self {
        Self {
            segments: vec![[EMPTY].into()],
            live: 0,
        }
    }

    /// The segment that a node is in, and where it begins.
    #[inline(always)]
    pub(super) fn place(&self, reference: Reference) -> (&[Line], usize) {
        let place = (reference & PLACE) as usize;
        let segment = self.segments.get(place / SEGMENT);
        (segment.map_or(&[], |segment| segment), place % SEGMENT)
    }

    /// The lines of a node: its buckets and its bitmaps.
    pub(super) fn node(&self, reference: Reference) -> (&[Line], &[Line]) {
        let (segment, start) = self.place(reference);
        let lines = segment.get(start..).unwrap_or_default();
        let (buckets, rest) = lines.split_at(buckets(reference).min(lines.len()));
        let bitmaps = rest.get(..2 * Line::bitmaps(buckets));
        (buckets, bitmaps.unwrap_or_default())
    }

    /// Heap bytes, those shared with other versions included.
    pub(super) fn bytes(&self) -> usize {
        self.allocated() * size_of::<Line>()
    }

    fn allocated(&self) -> usize {
        self.segments.iter().map(|segment| segment.len()).sum()
    }

    /// Whether the nodes of an update with so many changes can be referred to, whichever they are.
    pub(super) fn has_room(&self, changes: usize) -> bool {
        // All nodes may be written anew, and a change adds at most some 30 lines: a /17, which is 20 of whole /24s, or a
        // host that makes one bucket of a node too few.
        let lines = 2 * self.live + 32 * changes;
        self.segments.len() + lines.div_ceil(SEGMENT) < SEGMENTS
    }

    /// A draft of the segments that come next.
    pub(super) fn draft(&self) -> Draft {
        Draft::after(self.segments.len())
    }

    /// By how much references of a draft that was made to follow nothing but the empty line grow here.
    pub(super) fn shift(&self) -> Reference {
        ((self.segments.len() - 1) * SEGMENT) as Reference
    }

    /// Adds what was drafted after this version's segments; `gone` lines are needed no more.
    pub(super) fn append(&mut self, draft: &Draft, gone: usize) {
        // A build has few segments, and `has_room` was asked before an update.
        debug_assert!(self.segments.len() + draft.lines.len().div_ceil(SEGMENT) <= SEGMENTS);
        self.live += draft.live;
        self.live -= gone;
        self.segments
            .extend(draft.lines.chunks(SEGMENT).map(Arc::from));
    }

    /// Joins segments where there are too many, or too much in them is dead; `directory` and `tables` refer to all nodes.
    pub(super) fn tidy(&mut self, directory: &mut Directory, tables: &mut [Table]) {
        let sizes: Vec<usize> = self.segments.iter().map(|segment| segment.len()).collect();
        if let Some(first) = segments::to_join(&sizes, self.live, 1) {
            self.join(first, directory, tables);
        }
    }

    /// Moves the living nodes of segment `first` and all newer ones together.
    fn join(&mut self, first: usize, directory: &mut Directory, tables: &mut [Table]) {
        let mut draft = Draft::after(first);
        let is_moved = |node: Reference| (node & PLACE) as usize / SEGMENT >= first;
        let is_node = |slot: &Slot| !is_split(slot.node) && is_moved(slot.node);
        let nodes = directory.wanted(is_node).map(|slot| &mut slot.node);
        let of_tables = tables.as_flattened_mut().iter_mut();
        for reference in nodes.chain(of_tables.filter(|node| is_moved(**node))) {
            let (buckets, bitmaps) = self.node(*reference);
            *reference = *reference & COVERED | draft.push(buckets, bitmaps);
        }
        self.segments.truncate(first);
        self.append(&draft, draft.live);
    }
}

/// Segments in the making.
#[derive(Debug)]
pub(super) struct Draft {
    /// The number of the first of the segments.
    first: usize,
    lines: Vec<Line>,
    /// Lines of nodes.
    live: usize,
}

impl Draft {
    /// Segments that follow `first` others.
    pub(super) const fn after(first: usize) -> Self {
        Self {
            first,
            lines: Vec::new(),
            live: 0,
        }
    }

    pub(super) fn reserve(&mut self, lines: usize) {
        self.lines.reserve(lines);
    }

    /// The lines that a node is in, and where it begins, if it is in this draft.
    pub(super) fn place(&self, reference: Reference) -> Option<(&[Line], usize)> {
        let place = (reference & PLACE) as usize;
        let start = place.checked_sub(self.first * SEGMENT)?;
        Some((&self.lines, start))
    }

    /// Adds a node.
    pub(super) fn push(&mut self, buckets: &[Line], bitmaps: &[Line]) -> Reference {
        let length = buckets.len() + bitmaps.len();
        if self.lines.len() % SEGMENT + length > SEGMENT {
            let whole = self.lines.len().next_multiple_of(SEGMENT);
            self.lines.resize(whole, EMPTY);
        }
        let place = self.first * SEGMENT + self.lines.len();
        self.lines.extend_from_slice(buckets);
        self.lines.extend_from_slice(bitmaps);
        self.live += length;
        let size = sizes().take_while(|size| *size < buckets.len()).count();
        debug_assert_eq!(sizes().nth(size), Some(buckets.len()));
        (size << PLACE_BITS | place) as Reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_in_one_segment() {
        let mut draft = Draft::after(1);
        let buckets = [EMPTY; 20];
        let references = (0..SEGMENT / 20 + 2).map(|_| draft.push(&buckets, &[]));
        let starts = references.map(|reference| (reference & PLACE) as usize % SEGMENT);
        assert!(starts.into_iter().all(|start| start + 20 <= SEGMENT));
        assert!(draft.lines.len() > SEGMENT);
    }
}
