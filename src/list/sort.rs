//! Brings the columns of all feeds into prefix order and merges what one feed states twice.
//!
//! IPv4 rows are dealt into 256 piles by their first octet, then each pile, which fits the L2 cache at a million rows,
//! is sorted by two passes of 12 bits. Feeds that come sorted, as most do, skip the passes.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "digits are below the number of piles, ends add up to the number of rows, feeds are limited to 16 bits"
)]

use crate::bits::Bits;
use crate::row::Row;

/// A pile below this is faster by comparison than by counting.
const SMALL_PILE: usize = 3000;
const DIGIT: u32 = 12;

/// How the rows of a family are put in order.
pub(crate) trait Sort: Bits {
    /// All rows of all columns in prefix order, the feed of each being the index of its column.
    fn sorted(columns: &[&[Row<Self>]]) -> Vec<Row<Self>>;
}

impl Sort for u32 {
    fn sorted(columns: &[&[Row<Self>]]) -> Vec<Row<Self>> {
        let mut ends = [0usize; 256];
        for row in columns.iter().copied().flatten() {
            ends[(row.bits() >> 24) as usize] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let Some(first) = columns.iter().copied().flatten().next() else {
            return Vec::new();
        };
        let mut rows = vec![*first; total];
        for (feed, column) in columns.iter().enumerate() {
            for row in *column {
                let at = &mut ends[(row.bits() >> 24) as usize];
                rows[*at] = row.of_feed(feed as u16);
                *at += 1;
            }
        }
        let mut piles = Vec::with_capacity(256);
        let mut rest = rows.as_mut_slice();
        let mut start = 0;
        for end in ends {
            let (pile, after) = rest.split_at_mut(end - start);
            piles.push(pile);
            rest = after;
            start = end;
        }
        crate::list::parallel::each(total, piles, sort_pile);
        merge_repeated(&mut rows);
        rows
    }
}

impl Sort for u128 {
    fn sorted(columns: &[&[Row<Self>]]) -> Vec<Row<Self>> {
        let mut rows = Vec::with_capacity(columns.iter().map(|column| column.len()).sum());
        for (feed, column) in columns.iter().enumerate() {
            rows.extend(column.iter().map(|row| row.of_feed(feed as u16)));
        }
        crate::list::parallel::sort_unstable_by(&mut rows, Row::order);
        merge_repeated(&mut rows);
        rows
    }
}

fn sort_pile(pile: &mut [Row<u32>]) {
    if pile.is_sorted_by(|a, b| a.order(b).is_le()) {
        return;
    }
    if pile.len() < SMALL_PILE {
        pile.sort_unstable_by_key(|row| {
            u64::from(row.bits()) << 32
                | u64::from(row.length) << 24
                | u64::from(row.feed) << 8
                | row.attributes.word()
        });
        return;
    }
    let mut spare = pile.to_vec();
    count_pass(pile, &mut spare, 0);
    count_pass(&spare, pile, DIGIT);
    // Only the bits are in order; the rest is put right among equals.
    for equals in pile.chunk_by_mut(|a, b| a.bits() == b.bits()) {
        if equals.len() > 1 {
            equals.sort_unstable_by_key(|row| (row.length, row.feed, row.attributes));
        }
    }
}

/// One stable pass by the digit at `shift`.
fn count_pass(from: &[Row<u32>], to: &mut [Row<u32>], shift: u32) {
    let digit = |row: &Row<u32>| (row.bits() >> shift) as usize & ((1 << DIGIT) - 1);
    let mut ends = [0u32; 1 << DIGIT];
    for row in from {
        ends[digit(row)] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        total += std::mem::replace(end, total);
    }
    for row in from {
        let at = &mut ends[digit(row)];
        to[*at as usize] = *row;
        *at += 1;
    }
}

fn merge_repeated<A: Bits>(rows: &mut Vec<Row<A>>) {
    rows.dedup_by(|later, kept| {
        let same = later.order(kept).is_eq();
        if same {
            kept.expires = kept.expires.max(later.expires);
        }
        same
    });
}
