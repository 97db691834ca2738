//! Blocks that successive versions of a list share.
//!
//! ```text
//! place       number of a segment 10 │ offset in it
//! segments    one allocation each, never changed once it is there
//! ```
//!
//! A new version writes its blocks into new segments and shares the others. It counts what is still referred to in each;
//! a segment of which nothing is, is dropped, and its number is free again. Until then the blocks that were replaced are
//! dead weight. So that every segment goes in the end, each version also moves blocks that it did not change, as many as
//! [`Arena::due`] says, and goes on where the version before it stopped, round and round in the order of the directory.
//! A segment holds neighbours, so it is passed soon.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "the list's limit on rows keeps places below what a reference holds, `has_room` the numbers of segments; \
              the first segment is always there"
)]

use std::sync::Arc;

/// Where a block begins.
pub(crate) type Place = u32;

/// Segments there can be.
const SEGMENTS: usize = 1 << 10;
/// From so many segments on, blocks are moved to have fewer, however little of them is dead.
const MANY: usize = 256;
/// Twice the elements that are moved for each that is written, where as many are dead as are referred to.
const WEIGHT: u128 = 5;
/// A version cuts as much as everything that is referred to into so many segments; what follows is in long ones.
const CUTS: usize = 128;
/// A segment is not cut below this many elements.
const SHORT: usize = 512;
/// Every element of a block of up to so many has an offset.
pub(crate) const BLOCK: usize = 1 << 10;

/// How many parts a build of so many rows is cut into, each of which has segments of its own.
pub(crate) const fn parts(rows: usize) -> usize {
    if rows < 1 << 14 { 1 } else { 16 }
}

/// Segments with offsets of so many bits, one of which may be open: it is being written.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T, const OFFSET_BITS: u32> {
    /// The first has what place 0 stands for, and so has each whose number is free.
    segments: Vec<Arc<[T]>>,
    /// For each segment, the elements of its blocks that are referred to.
    live: Vec<usize>,
    open: Vec<T>,
    /// The number of the open segment.
    number: usize,
    /// Elements from which on it is ended.
    cut: usize,
    /// Elements and segments of this version, the open segment not counted.
    written: usize,
    ended: usize,
    /// Elements that this version refers to no more.
    forgotten: usize,
}

impl<T: Copy, const OFFSET_BITS: u32> Arena<T, OFFSET_BITS> {
    const OFFSET: usize = (1 << OFFSET_BITS) - 1;
    /// Elements from which on any segment is ended.
    const LONGEST: usize = Self::OFFSET - BLOCK;

    /// No blocks but `nothing`, which place 0 stands for.
    pub(crate) fn new(nothing: &[T]) -> Self {
        Self::starting_at(1, nothing)
    }

    /// The same; its first segment will have this number.
    pub(crate) fn starting_at(number: usize, nothing: &[T]) -> Self {
        Self {
            segments: vec![nothing.into()],
            live: vec![0],
            open: Vec::new(),
            number,
            cut: Self::LONGEST,
            written: 0,
            ended: 0,
            forgotten: 0,
        }
    }

    /// The segment of a block, which has ended, and where the block begins in it.
    #[inline(always)]
    pub(crate) fn place(&self, place: Place) -> (&[T], usize) {
        let segment = self.segments.get((place >> OFFSET_BITS) as usize);
        let start = place as usize & Self::OFFSET;
        (segment.map_or(&[], |segment| segment), start)
    }

    /// Everything from `place` to the end of its segment, which has ended.
    #[inline(always)]
    pub(crate) fn ended_at(&self, place: Place) -> &[T] {
        let (segment, start) = self.place(place);
        segment.get(start..).unwrap_or_default()
    }

    /// The same of any segment, the open one too.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> &[T] {
        let (segment, start) = self.place(place);
        let is_open = (place >> OFFSET_BITS) as usize == self.number;
        let segment = if is_open { &self.open } else { segment };
        segment.get(start..).unwrap_or_default()
    }

    /// Adds a block of what `write` appends.
    #[inline]
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<T>)) -> Place {
        self.cut();
        let start = self.open.len();
        write(&mut self.open);
        self.added(start)
    }

    /// Ends the open segment where that is long enough.
    fn cut(&mut self) {
        if self.open.len() >= self.cut {
            self.end_segment();
        }
    }

    /// The place of a new block, which begins at `start` of the open segment.
    fn added(&mut self, start: usize) -> Place {
        // A build has few segments, and `has_room` is asked before an update.
        debug_assert!(self.number < SEGMENTS);
        if self.live.len() <= self.number {
            self.live.resize(self.number + 1, 0);
        }
        self.live[self.number] += self.open.len() - start;
        (self.number << OFFSET_BITS | start) as Place
    }

    /// Makes room for `elements` more.
    pub(crate) fn reserve(&mut self, elements: usize) {
        self.open.reserve(elements);
    }

    /// The block of `length` elements at `place` is referred to no more.
    pub(crate) fn forget(&mut self, place: Place, length: usize) {
        self.live[(place >> OFFSET_BITS) as usize] -= length;
        self.forgotten += length;
    }

    /// Copies the block of `length` elements at `place`, which is referred to no more, and edits the copy.
    pub(crate) fn shift(
        &mut self,
        place: Place,
        length: usize,
        edit: impl FnOnce(&mut [T]),
    ) -> Place {
        self.forget(place, length);
        self.cut();
        let start = self.open.len();
        let from = place as usize & Self::OFFSET;
        let block = from..from + length;
        let number = (place >> OFFSET_BITS) as usize;
        if number == self.number {
            self.open.extend_from_within(block);
        } else if let Some(segment) = self.segments.get(number) {
            let block = segment.get(block).unwrap_or_default();
            self.open.extend_from_slice(block);
        }
        edit(&mut self.open[start..]);
        self.added(start)
    }

    /// Begins a version that follows this one, which will write about so many elements.
    pub(crate) fn begin(&mut self, elements: usize) {
        self.number = self.free_from(1);
        self.cut = (self.referred().max(elements) / CUTS).clamp(SHORT, Self::LONGEST);
        self.open.reserve(elements.min(self.cut + BLOCK));
        (self.written, self.ended, self.forgotten) = (0, 0, 0);
    }

    /// Ends the open segment.
    fn end_segment(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let nothing = Arc::clone(&self.segments[0]);
        if self.segments.len() <= self.number {
            self.segments.resize(self.number + 1, nothing);
        }
        self.segments[self.number] = self.open.as_slice().into();
        self.written += self.open.len();
        self.ended += 1;
        self.open.clear();
        self.number = self.free_from(self.number + 1);
        if self.ended == CUTS {
            self.cut = Self::LONGEST;
        }
    }

    /// Ends the version: the open segment, and all of which nothing is referred to.
    pub(crate) fn finish(&mut self) {
        self.end_segment();
        self.open = Vec::new();
        let nothing = Arc::clone(&self.segments[0]);
        for (segment, live) in self.segments.iter_mut().zip(&self.live).skip(1) {
            if *live == 0 {
                *segment = Arc::clone(&nothing);
            }
        }
        while self.segments.len() > 1 && self.live.last().is_none_or(|live| *live == 0) {
            self.segments.pop();
            self.live.truncate(self.segments.len());
        }
    }

    /// The first free number from `number` on.
    fn free_from(&self, number: usize) -> usize {
        let is_free = |number: &usize| match self.segments.get(*number) {
            Some(segment) => Arc::ptr_eq(segment, &self.segments[0]),
            None => true,
        };
        (number..).find(is_free).unwrap_or(number)
    }

    /// Appends the segments of `other`, all blocks of which are referred to; by how much their places grow.
    pub(crate) fn append(&mut self, other: Self) -> Place {
        let own = self.segments.len();
        self.segments.extend(other.segments.into_iter().skip(1));
        self.live.extend(other.live.into_iter().skip(1));
        ((own - 1) << OFFSET_BITS) as Place
    }

    /// Takes over the segments of `other`, the numbers of which are free here.
    pub(crate) fn join(&mut self, other: Self) {
        let nothing = Arc::clone(&self.segments[0]);
        let free = other.segments.len().max(self.segments.len());
        self.segments.resize(free, nothing);
        self.live.resize(free, 0);
        let theirs = other.segments.into_iter().zip(other.live);
        let ours = self.segments.iter_mut().zip(&mut self.live);
        for ((segment, live), (their, their_live)) in ours.zip(theirs) {
            if their_live > 0 {
                (*segment, *live) = (their, their_live);
            }
        }
    }

    /// How many elements that it did not change this version is to move.
    ///
    /// As many as it wrote or, if those are more, forgot, where dead weight is some six parts in ten of what is referred
    /// to: there what becomes dead and what is dropped balance if changes are spread evenly. Less where there is less,
    /// as a move brings little then.
    pub(crate) fn due(&self) -> usize {
        let live = self.referred();
        let written = self.written + self.open.len();
        let dead = (self.allocated() + self.open.len()).saturating_sub(live);
        let [dead, all] = [dead, live].map(|elements| (elements as u128).pow(2));
        let changed = written.max(self.forgotten);
        let by_weight = changed as u128 * WEIGHT * dead / (2 * all).max(1);
        let in_use = self.live.iter().filter(|live| **live > 0).count();
        let by_number = if in_use > MANY {
            live / MANY * (self.ended + 1)
        } else {
            0
        };
        // What does not fit is everything.
        let by_weight = usize::try_from(by_weight).unwrap_or(usize::MAX);
        by_weight.max(by_number)
    }

    /// Whether a version can be written that adds at most so many elements, and writes all others anew and moves them.
    pub(crate) fn has_room(&self, elements: usize) -> bool {
        let in_use = self.live.iter().filter(|live| **live > 0).count();
        let full = (elements + 2 * self.referred()) / Self::LONGEST;
        in_use + full + CUTS + 2 < SEGMENTS
    }

    /// Elements in blocks that are referred to.
    pub(crate) fn referred(&self) -> usize {
        self.live.iter().sum()
    }

    fn allocated(&self) -> usize {
        let in_use = self.segments.iter().zip(&self.live);
        in_use
            .filter(|(_, live)| **live > 0)
            .map(|(segment, _)| segment.len())
            .sum()
    }

    /// Heap bytes, those shared with other versions included.
    pub(crate) fn bytes(&self) -> usize {
        self.allocated() * size_of::<T>() + self.segments.len() * size_of::<(Arc<[T]>, usize)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of a directory that is changed here and there, as lists are.
    struct List {
        arena: Arena<u32, 12>,
        blocks: Vec<(Place, Vec<u32>)>,
        next: usize,
        state: u64,
    }

    impl List {
        fn of(blocks: usize) -> Self {
            let mut list = Self {
                arena: Arena::new(&[]),
                blocks: Vec::new(),
                next: 0,
                state: 1,
            };
            for _ in 0..blocks {
                let block = list.block();
                let place = list.arena.add(|open| open.extend(&block));
                list.blocks.push((place, block));
            }
            list.arena.finish();
            list
        }

        fn random(&mut self, below: usize) -> usize {
            self.state = self
                .state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1);
            (self.state >> 33) as usize % below
        }

        fn block(&mut self) -> Vec<u32> {
            let length = 1 + self.random(20);
            vec![self.random(1 << 20) as u32; length]
        }

        /// Replaces so many blocks, spread or side by side, and moves what is due.
        fn update(&mut self, changes: usize) {
            self.arena.begin(0);
            let (first, step) = (self.random(self.blocks.len()), 1 + self.random(9));
            for change in 0..changes {
                let at = (first + change * step) % self.blocks.len();
                let block = self.block();
                let (place, old) = &self.blocks[at];
                self.arena.forget(*place, old.len());
                let place = self.arena.add(|open| open.extend(&block));
                self.blocks[at] = (place, block);
            }
            let mut due = self.arena.due();
            while due > 0 {
                let (place, block) = &mut self.blocks[self.next];
                *place = self.arena.shift(*place, block.len(), |_| ());
                due = due.saturating_sub(block.len());
                self.next = (self.next + 1) % self.blocks.len();
            }
            self.arena.finish();
        }

        fn check(&self) {
            for (place, block) in &self.blocks {
                assert_eq!(self.arena.at(*place).get(..block.len()), Some(&**block));
                let (segment, start) = self.arena.place(*place);
                assert_eq!(segment.get(start..start + block.len()), Some(&**block));
            }
            let live: usize = self.blocks.iter().map(|(_, block)| block.len()).sum();
            assert_eq!(self.arena.referred(), live);
            let there = self.arena.segments.iter().skip(1);
            let there = there.filter(|segment| !segment.is_empty()).count();
            let in_use = self.arena.live.iter().filter(|live| **live > 0).count();
            assert_eq!(there, in_use, "what nothing is referred to is dropped");
        }
    }

    #[test]
    fn what_is_dead_and_how_many_segments_there_are_stays_within_bounds() {
        for (blocks, changes, updates) in [
            (4000, 1, 3000),
            (4000, 40, 1000),
            (4000, 800, 200),
            (4000, 4000, 50),
            (30, 2, 500),
            (1, 1, 50),
        ] {
            let mut list = List::of(blocks);
            for _ in 0..updates {
                list.update(changes);
                list.check();
                let (live, all) = (list.arena.referred(), list.arena.allocated());
                assert!(all <= 2 * live + 2 * SHORT, "{all} of {live}");
                let segments = list.arena.segments.len();
                assert!(segments < 2 * MANY, "{segments} segments");
            }
        }
    }

    /// A bucket of a node is found by the place of the node and how far in it the bucket is.
    #[test]
    fn no_block_is_longer_than_the_offsets_that_are_left() {
        let mut arena = Arena::<u32, 12>::new(&[]);
        for number in 0..20 {
            let place = arena.add(|open| open.extend([number; BLOCK]));
            let last = place + BLOCK as Place - 1;
            assert_eq!(arena.at(last).first(), Some(&number));
        }
    }

    #[test]
    fn what_there_is_room_for_has_numbers() {
        const NEW: usize = 100;
        let mut arena = Arena::<u32, 12>::new(&[]);
        let mut blocks: Vec<Place> = Vec::new();
        while arena.has_room(NEW * BLOCK) {
            arena.begin(0);
            for place in &mut blocks {
                arena.forget(*place, BLOCK);
                *place = arena.add(|open| open.extend([0; BLOCK]));
            }
            blocks.extend((0..NEW).map(|_| arena.add(|open| open.extend([0; BLOCK]))));
            for place in &mut blocks {
                *place = arena.shift(*place, BLOCK, |_| ());
            }
            arena.finish();
            assert!(arena.segments.len() <= SEGMENTS);
            assert_eq!(arena.referred(), blocks.len() * BLOCK);
        }
        assert!(blocks.len() > SEGMENTS / 2, "{} blocks", blocks.len());
    }
}
