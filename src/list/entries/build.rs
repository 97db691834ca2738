//! From sorted rows to blocks.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the list's limit on rows keeps counts below 32 bits"
)]

use std::sync::Arc;

use super::arena::{Arena, Reference, SEGMENT};
use super::node::{Children, Node};
use super::shift::Next;
use super::{AIM, Entries, LEAF, MOST, PAGE, Page, SLOT, Slot, WIDEST, leaf};
use crate::bits::Bits;
use crate::list::{arena, parallel};
use crate::row::Row;

/// Pages of the directory that follow each other.
struct Part<'r, A: Bits> {
    /// The first of them, and the first behind.
    pages: (usize, usize),
    rows: &'r [Row<A>],
    /// Where the arena of the part begins.
    segment: usize,
}

impl<A: Bits> Entries<A> {
    /// The entries `rows`, which are in prefix order and distinct.
    pub(crate) fn build(rows: &[Row<A>]) -> Self {
        let stride = directory(rows.len());
        let parts = parts(rows, stride);
        let built = parallel::map(rows.len(), parts, |part| part.build(stride));
        let mut arena = Arena::new(&[]);
        let mut pages = Vec::with_capacity(1 << (stride - PAGE));
        let mut short = Vec::new();
        for (of_part, pages_of_part, short_of_part) in built {
            arena.join(of_part);
            pages.extend(pages_of_part);
            short.extend(short_of_part);
        }
        arena.begin(0);
        let short = arena.build(&short);
        arena.finish();
        let mut entries = Self {
            arena,
            stride,
            pages,
            short,
            count: rows.len(),
            next: Next::FIRST,
        };
        entries.mark_covered();
        entries
    }
}

impl<A: Bits> Part<'_, A> {
    fn build(self, stride: u8) -> (Arena, Vec<Arc<Page>>, Vec<Row<A>>) {
        let mut arena = Arena::starting_at(self.segment, &[]);
        // Nearly all rows share a leaf and what is said in it.
        arena.reserve(words::<A>(self.rows.len()) / 6);
        let mut short = Vec::new();
        let mut rest = self.rows;
        let pages = (self.pages.0..self.pages.1).map(|page| {
            let mut slots = Page::EMPTY;
            while let Some(first) = rest.first()
                && first.bits().index(0, stride) >> PAGE == page
            {
                if first.length < stride {
                    short.push(*first);
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                let index = first.bits().index(0, stride);
                let same = rest
                    .iter()
                    .take_while(|row| row.bits().index(0, stride) == index);
                let (of_slot, after) = rest.split_at(same.count());
                rest = after;
                slots.set(index % (1 << PAGE), arena.build(of_slot));
            }
            Arc::new(slots)
        });
        let pages = pages.collect();
        arena.finish();
        (arena, pages, short)
    }
}

impl Arena {
    /// The tree of `rows`, which are in prefix order and distinct.
    pub(super) fn build<A: Bits>(&mut self, rows: &[Row<A>]) -> Slot {
        let ([first, ..], [.., last]) = (rows, rows) else {
            return Slot::NONE;
        };
        let common = first.bits().shared(last.bits());
        if rows.len() <= LEAF || common == A::WIDTH {
            return self.leaf(rows);
        }
        let depth = common;
        let stride = stride(rows.len(), AIM).min(MOST).min(A::WIDTH - depth);
        let reach = depth + stride;
        let mut own = Vec::new();
        let mut children = Children::default();
        let mut rest = rows;
        while let Some((row, after)) = rest.split_first() {
            // The short rows are at the head of what a child could have.
            if row.length < reach {
                own.push(*row);
                rest = after;
                continue;
            }
            let index = row.bits().index(depth, stride);
            let same = rest.partition_point(|row| row.bits().index(depth, stride) == index);
            let (of_child, after) = rest.split_at(same);
            rest = after;
            children.set(index, self.build(of_child));
        }
        let own = self.leaf(&own);
        self.node(&Node {
            origin: last.bits().masked(depth),
            depth,
            stride,
            count: rows.len() as u32,
            own,
            children,
        })
    }

    /// A leaf of however many rows.
    pub(super) fn leaf<A: Bits>(&mut self, rows: &[Row<A>]) -> Slot {
        if rows.is_empty() {
            return Slot::NONE;
        }
        Slot {
            reference: Reference::to(false, self.add(|words| leaf::write(words, rows))),
            earliest: leaf::earliest(rows),
        }
    }

    pub(super) fn node<A: Bits>(&mut self, node: &Node<A>) -> Slot {
        Slot {
            reference: Reference::to(true, self.add(|words| node.write(words))),
            earliest: node.earliest(),
        }
    }
}

/// How many bits choose a slot when there are `count` rows.
pub(super) fn directory(count: usize) -> u8 {
    stride(count, SLOT).clamp(PAGE, WIDEST)
}

/// The stride that spreads `count` rows over parts of about `aim`.
fn stride(count: usize, aim: usize) -> u8 {
    (count / aim).max(2).ilog2() as u8
}

/// Pages with about as many rows in each part.
fn parts<A: Bits>(rows: &[Row<A>], stride: u8) -> Vec<Part<'_, A>> {
    let pages = 1_usize << (stride - PAGE);
    let size = rows.len() / arena::parts(rows.len());
    let mut parts: Vec<Part<'_, A>> = Vec::new();
    let (mut first, mut rest, mut segment) = (0, rows, 1);
    while first < pages {
        let least = rest
            .get(size)
            .map_or(pages - 1, |row| row.bits().index(0, stride) >> PAGE);
        let end = least.max(first) + 1;
        let count = rest.partition_point(|row| row.bits().index(0, stride) >> PAGE < end);
        let (rows, after) = rest.split_at(count);
        parts.push(Part {
            pages: (first, end),
            rows,
            segment,
        });
        segment += most(rows);
        (first, rest) = (end, after);
    }
    parts
}

/// As many words as the blocks of so many rows have at most.
pub(super) fn words<A: Bits>(rows: usize) -> usize {
    // For each row at most a leaf of its own, a node that tells it from the others, and two slots that expire.
    rows * ((A::WORDS + 4) + (A::WORDS + 4) + 2 * 2)
}

/// As many segments as `rows` need at most.
fn most<A: Bits>(rows: &[Row<A>]) -> usize {
    1 + words::<A>(rows.len()) / SEGMENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;
    use crate::feed::Timestamp;
    use crate::prefix::PrefixBits;

    /// Everything that takes words: rows that say different things, expiries, and a node for nearly every row.
    #[test]
    fn the_worst_rows_fit_into_the_segments_kept_for_them() {
        let row = |bits: u128, feed: u16, expires: u64| {
            let prefix = PrefixBits { bits, length: 128 };
            let mut entry = Entry::new(u128::prefix(prefix));
            entry.expires = Some(Timestamp(expires));
            Row::new(prefix, &entry).of_feed(feed)
        };
        let mut rows = Vec::new();
        for group in 0..40_u128 {
            let bits = 0x2a << 120 | group << 104;
            rows.extend((0..32).map(|feed| row(bits, feed, 1000 + u64::from(feed))));
            let branches = (24..128).step_by(3).zip(2000..);
            rows.extend(branches.map(|(bit, expires)| row(bits | 1 << (127 - bit), 0, expires)));
        }
        rows.sort_unstable_by(Row::order);
        let entries = Entries::build(&rows);
        assert!(entries.iter().eq(rows.iter().copied()));
        let written = entries.arena.referred();
        assert!(written > 12 * rows.len(), "{written} words are not many");
        assert!(written <= words::<u128>(rows.len()), "{written} words");
    }
}
