//! Rows as a block: what many rows say alike is stored once.
//!
//! ```text
//! leaf    chunk, and another while the one before says that more follows
//! chunk   shortest 8 │ more 1 │ kinds 8 │ rows 8  ┆  kinds × (expires 4, feed 2, attributes 2)  ┆  rows × bits  ┆  rows × (length 1, kind 1)
//! ```
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a chunk has at most 64 rows, a length is at most 128"
)]

use std::marker::PhantomData;

use crate::bits::Bits;
use crate::prefix::PrefixBits;
use crate::row::{Expiry, Row};

/// The most rows in a chunk.
const CHUNK: usize = 64;
const MORE: u32 = 1 << 16;

/// Appends `rows` as a block.
pub(super) fn write<A: Bits>(words: &mut Vec<u32>, rows: &[Row<A>]) {
    let mut chunks = rows.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        let head = words.len();
        words.push(0);
        let mut kinds = [0_u8; CHUNK];
        let mut last = ([0; 2], 0);
        for (row, kind) in chunk.iter().zip(&mut kinds) {
            let said = row.said();
            if words.len() == head + 1 || said != last.0 {
                last = (said, place_of(words, head + 1, said));
            }
            *kind = last.1;
        }
        let count = (words.len() - head - 1) / 2;
        for row in chunk {
            row.bits().to_words(words);
        }
        let tail = |at: usize| {
            let row = chunk.get(at);
            row.map_or(0, |row| {
                u32::from(row.length) << 8 | u32::from(kinds[at % CHUNK])
            })
        };
        words.extend(
            (0..chunk.len())
                .step_by(2)
                .map(|at| tail(at) | tail(at + 1) << 16),
        );
        let more = if chunks.peek().is_some() { MORE } else { 0 };
        let shortest = chunk.iter().map(|row| row.length).min().unwrap_or(0);
        words[head] = u32::from(shortest) << 24 | more | (count << 8 | chunk.len()) as u32;
    }
}

/// Where `said` is among the kinds from `first` on; it is added if it is not.
fn place_of(words: &mut Vec<u32>, first: usize, said: [u32; 2]) -> u8 {
    let (kinds, _) = words[first..].as_chunks::<2>();
    let place = kinds.iter().position(|kind| *kind == said);
    let place = place.unwrap_or(kinds.len());
    if place == kinds.len() {
        words.extend(said);
    }
    place as u8
}

/// How many words the block at the start of `words` has.
pub(super) fn length<A: Bits>(words: &[u32]) -> usize {
    let mut length = 0;
    while let Some(head) = words.get(length) {
        let rows = (head & 0xff) as usize;
        length += 1 + (head >> 8 & 0xff) as usize * 2 + rows * A::WORDS + rows.div_ceil(2);
        if head & MORE == 0 {
            break;
        }
    }
    length
}

/// The bits of the last row of the block at the start of `words`.
pub(super) fn last<A: Bits>(words: &[u32]) -> Option<A> {
    let (mut chunk, mut rest) = Chunk::<A>::split(words)?;
    while chunk.more {
        (chunk, rest) = Chunk::split(rest)?;
    }
    let row = chunk.bits.len().checked_sub(A::WORDS)?;
    chunk.bits.get(row..).map(A::from_words)
}

#[derive(Clone, Copy, Debug)]
struct Chunk<'a, A> {
    kinds: &'a [[u32; 2]],
    bits: &'a [u32],
    tails: &'a [u32],
    /// The length of its shortest prefix.
    shortest: u8,
    more: bool,
    family: PhantomData<A>,
}

impl<'a, A: Bits> Chunk<'a, A> {
    const EMPTY: Self = Self {
        kinds: &[],
        bits: &[],
        tails: &[],
        shortest: 0,
        more: false,
        family: PhantomData,
    };

    /// The chunk at the start of `words`, and what follows it.
    #[inline]
    fn split(words: &'a [u32]) -> Option<(Self, &'a [u32])> {
        let (head, rest) = words.split_first()?;
        let rows = (head & 0xff) as usize;
        let (kinds, rest) = rest.split_at_checked((head >> 8 & 0xff) as usize * 2)?;
        let (bits, rest) = rest.split_at_checked(rows * A::WORDS)?;
        let (tails, rest) = rest.split_at_checked(rows.div_ceil(2))?;
        let chunk = Self {
            kinds: kinds.as_chunks().0,
            bits,
            tails,
            shortest: (head >> 24) as u8,
            more: head & MORE != 0,
            family: PhantomData,
        };
        Some((chunk, rest))
    }
}

/// The rows of a block, in order.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a, A> {
    chunk: Chunk<'a, A>,
    at: usize,
    rest: &'a [u32],
}

impl<'a, A: Bits> Rows<'a, A> {
    pub(super) const NONE: Self = Self {
        chunk: Chunk::EMPTY,
        at: 0,
        rest: &[],
    };

    #[inline]
    pub(super) fn new(words: &'a [u32]) -> Self {
        let (chunk, rest) = Chunk::split(words).unwrap_or((Chunk::EMPTY, &[]));
        Self { chunk, at: 0, rest }
    }

    /// The next row that covers `address`.
    #[inline]
    pub(super) fn covering(&mut self, address: A) -> Option<Row<A>> {
        loop {
            if self.at == 0 {
                // What comes before is too far away even for the shortest.
                let first = address.masked(self.chunk.shortest);
                self.at = A::below(self.chunk.bits, first);
            }
            while let Some(bits) = self.chunk.bits.get(self.at * A::WORDS..)
                && !bits.is_empty()
            {
                let bits = A::from_words(bits);
                if bits > address {
                    // None that follows can, in this chunk or another.
                    self.at = CHUNK;
                    self.chunk.more = false;
                    return None;
                }
                let tail = self.tail(self.at);
                self.at += 1;
                if address.masked((tail >> 8) as u8) == bits {
                    return Some(self.row(bits, tail));
                }
            }
            if !self.chunk.more {
                return None;
            }
            *self = Self::new(self.rest);
        }
    }

    #[inline]
    fn tail(&self, at: usize) -> u32 {
        let pair = self.chunk.tails.get(at / 2).copied().unwrap_or(0);
        pair >> (at % 2 * 16) & 0xffff
    }

    #[inline]
    fn row(&self, bits: A, tail: u32) -> Row<A> {
        let kind = self.chunk.kinds.get((tail & 0xff) as usize);
        let prefix = PrefixBits {
            bits,
            length: (tail >> 8) as u8,
        };
        Row::from_words(prefix, kind.copied().unwrap_or_default())
    }
}

impl<A: Bits> Iterator for Rows<'_, A> {
    type Item = Row<A>;

    #[inline]
    fn next(&mut self) -> Option<Row<A>> {
        loop {
            let bits = self.chunk.bits.get(self.at * A::WORDS..);
            if let Some(bits) = bits
                && !bits.is_empty()
            {
                let row = self.row(A::from_words(bits), self.tail(self.at));
                self.at += 1;
                return Some(row);
            }
            if !self.chunk.more {
                return None;
            }
            *self = Self::new(self.rest);
        }
    }
}

/// The earliest expiry among `rows`.
pub(super) fn earliest<A: Bits>(rows: &[Row<A>]) -> Expiry {
    let expiries = rows.iter().map(|row| row.expires);
    expiries.min().unwrap_or(Expiry::NEVER)
}
