//! Where the nodes are.
#![expect(
    clippy::cast_possible_truncation,
    reason = "counts are below what a reference holds"
)]

use super::line::{BITMAPS, EMPTY, Line};
use crate::list::{
    arena::{self, BLOCK, Place},
    blocks::Reference,
};

/// About how many lines a change writes.
const EACH: usize = 8;
const PLACE_BITS: u32 = 26;
const PLACE: Reference = (1 << PLACE_BITS) - 1;
const OFFSET_BITS: u32 = 16;
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

/// The nodes of a version, most of them shared with others. A reference without a node refers to an empty line.
#[derive(Clone, Debug)]
pub(super) struct Arena(arena::Arena<Line, OFFSET_BITS>);

// The place of a bucket is that of its node and some lines.
const _: () = assert!(SIZES[SPLIT - 1] as usize + 2 * BITMAPS <= BLOCK);

impl Arena {
    pub(super) fn empty() -> Self {
        Self(arena::Arena::new(&[EMPTY]))
    }

    /// The segment that a node is in, which is not being written, and where it begins.
    #[inline(always)]
    pub(super) fn place(&self, reference: Reference) -> (&[Line], usize) {
        self.0.place(reference & PLACE)
    }

    /// Everything from the first line of a node on, which may be written just now.
    pub(super) fn at(&self, reference: Reference) -> &[Line] {
        self.0.at(reference & PLACE)
    }

    /// The lines of a node: its buckets and its bitmaps.
    pub(super) fn node(&self, reference: Reference) -> (&[Line], &[Line]) {
        let lines = self.at(reference);
        let (buckets, rest) = lines.split_at(buckets(reference).min(lines.len()));
        let bitmaps = rest.get(..2 * Line::bitmaps(buckets));
        (buckets, bitmaps.unwrap_or_default())
    }

    /// Adds a node.
    pub(super) fn push(&mut self, buckets: &[Line], bitmaps: &[Line]) -> Reference {
        let place = self.0.add(|open| {
            open.extend_from_slice(buckets);
            open.extend_from_slice(bitmaps);
        });
        let size = sizes().take_while(|size| *size < buckets.len()).count();
        debug_assert_eq!(sizes().nth(size), Some(buckets.len()));
        (size << PLACE_BITS) as Reference | place
    }

    /// A node of so many lines, if there is one, is referred to no more.
    pub(super) fn forget(&mut self, reference: Reference, length: usize) {
        if buckets(reference) > 0 {
            self.0.forget(reference & PLACE, length);
        }
    }

    /// Moves a node, if there is one; how many lines that were.
    pub(super) fn shift(&mut self, reference: &mut Reference) -> usize {
        if buckets(*reference) == 0 {
            return 0;
        }
        let length = self.length(*reference);
        *reference = *reference & !PLACE | self.0.shift(*reference & PLACE, length, |_| ());
        length
    }

    fn length(&self, reference: Reference) -> usize {
        let (buckets, bitmaps) = self.node(reference);
        buckets.len() + bitmaps.len()
    }

    /// Whether the nodes of an update with so many changes can be referred to, whichever they are.
    pub(super) fn has_room(&self, changes: usize) -> bool {
        // All nodes may be written anew, and a change adds at most some 30 lines: a /17, which is 20 of whole /24s, or a
        // host that makes one bucket of a node too few.
        self.0.has_room(32 * changes)
    }

    /// Begins a version that follows this one and has so many changes.
    pub(super) fn begin(&mut self, changes: usize) {
        self.0.begin(changes * EACH);
    }

    /// How many lines that it did not change this version is to move.
    pub(super) fn due(&self) -> usize {
        self.0.due()
    }

    /// Ends a version.
    pub(super) fn finish(&mut self) {
        self.0.finish();
    }

    /// Appends the segments of another, the references to which grow by this.
    pub(super) fn append(&mut self, other: Self) -> Place {
        self.0.append(other.0)
    }

    /// Heap bytes, those shared with other versions included.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}
