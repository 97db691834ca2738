//! Which /32s are worth a look.
//!
//! ```text
//! directory [65,536]   COVERED 1 │ where the node is
//! node      0          ranks 4 × 8 │ words 32
//!           1..5       one bit per /24 with a row
//!           then       rows of three planes of 256 bits, word by word, one bit per /32 in each
//! ```
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width; a row is below 256, and a node begins with HEAD words"
)]

use std::ops::ControlFlow;

use super::line::{Levels, level};
use crate::list::{
    blocks::{Blocks, Edit, Placed},
    cover::{self, COVERED},
    entries::Entries,
};

/// Words of 256 bits.
const PLANE: usize = 4;
const PLANES: usize = 3;
const ROW: usize = PLANES * PLANE;
const HEAD: usize = 1 + PLANE;
/// The planes of a row: 48 bits or longer beneath, 33 to 47 bits beneath, listed whole.
const LONG: usize = 0;
const MIDDLE: usize = 1;
const WHOLE: usize = 2;

type Row = [u64; ROW];

/// For every /32, what is beneath it.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    nodes: Blocks<u64>,
}

/// What the planes say of an address.
pub(super) enum Look {
    Nothing,
    Listed,
    /// Look in the lines for what is filed at these levels.
    Lines(Levels),
}

impl Planes {
    #[inline]
    pub(super) fn look(&self, address: u128) -> Look {
        let top = (address >> 96) as u32;
        let reference = self
            .nodes
            .directory
            .get((top >> 16) as usize)
            .copied()
            .unwrap_or(0);
        let (words, start) = self.nodes.place(reference);
        let word = (top >> 14 & 3) as usize;
        let live = words.get(start + 1 + word).copied().unwrap_or(0);
        let bit = top >> 8 & 63;
        if live >> bit & 1 == 0 {
            return if reference & COVERED == 0 {
                Look::Nothing
            } else {
                Look::Listed
            };
        }
        let head = words.get(start).copied().unwrap_or(0);
        let rank = (head >> (8 * word)) as usize & 0xff;
        let rank = rank + (live & ((1 << bit) - 1)).count_ones() as usize;
        let at = start + HEAD + rank * ROW + (top as usize >> 6 & 3) * PLANES;
        let plane = |plane: usize| {
            words
                .get(at + plane)
                .map_or(0, |bits| (bits >> (top & 63) & 1) as u32)
        };
        let (long, middle, whole) = (plane(LONG), plane(MIDDLE), plane(WHOLE));
        if whole != 0 || reference & COVERED != 0 {
            return Look::Listed;
        }
        if long | middle == 0 {
            return Look::Nothing;
        }
        Look::Lines((long * level(48)) | (middle * (level(32) | level(40))))
    }

    /// The planes of `prefixes`, which are in order.
    pub(super) fn build(prefixes: impl Iterator<Item = (u128, u8)>) -> Self {
        let mut edit = Edit::default();
        let mut short = Vec::new();
        let mut node = Node::new(0);
        for (bits, length) in prefixes {
            if length <= cover::LONGEST {
                short.push((bits, length));
                continue;
            }
            let top = bits_top(bits);
            if (top >> 16) as usize != node.index {
                node.finish(&mut edit);
                node = Node::new((top >> 16) as usize);
            }
            node.appear(top, length);
        }
        node.finish(&mut edit);
        let mut nodes = Blocks::empty(1 << 16, &[0; HEAD]);
        nodes.replace(&edit, words);
        for prefix in short {
            cover::cover(&mut nodes.directory, prefix);
        }
        Self { nodes }
    }

    /// The planes after prefixes appeared and vanished; `entries` are those after the change.
    pub(super) fn update(
        &self,
        appeared: &[(u128, u8)],
        vanished: &[(u128, u8)],
        entries: &Entries<u128>,
    ) -> Self {
        let mut next = self.clone();
        let (short, long): (Vec<_>, Vec<_>) = vanished
            .iter()
            .partition(|(_, length)| *length <= cover::LONGEST);
        for prefix in short {
            cover::uncover(&mut next.nodes.directory, prefix, entries);
        }
        let (short, new): (Vec<_>, Vec<_>) = appeared
            .iter()
            .partition(|(_, length)| *length <= cover::LONGEST);
        for prefix in short {
            cover::cover(&mut next.nodes.directory, prefix);
        }
        let mut dirty: Vec<(u32, u8, bool)> = Vec::with_capacity(long.len() + new.len());
        // What vanished first: it is looked up in `entries`, which know already what appeared.
        dirty.extend(
            long.iter()
                .map(|&(bits, length)| (bits_top(bits), length, false)),
        );
        dirty.extend(
            new.iter()
                .map(|&(bits, length)| (bits_top(bits), length, true)),
        );
        dirty.sort_by_key(|&(top, length, appeared)| (top >> 16, appeared, top, length));
        let mut edit = Edit::default();
        for of_node in dirty.chunk_by(|a, b| a.0 >> 16 == b.0 >> 16) {
            let Some(&(first, ..)) = of_node.first() else {
                continue;
            };
            let index = (first >> 16) as usize;
            let reference = next.nodes.directory.get(index).copied().unwrap_or(0);
            let mut node = Node::of(index, self.nodes.at(reference));
            let mut last = None;
            for &(top, length, appeared) in of_node {
                if appeared {
                    node.appear(top, length);
                } else if last.replace((top, length > 32)) != Some((top, length > 32))
                    || length <= 32
                {
                    node.vanish(top, length, entries);
                }
            }
            let flag = reference & COVERED;
            let blocks = edit.blocks.len();
            node.finish(&mut edit);
            edit.blocks
                .iter_mut()
                .skip(blocks)
                .for_each(|block| block.flags = flag);
            if edit.blocks.len() == blocks {
                edit.removed.push(index);
            }
        }
        next.nodes.replace(&edit, words);
        next
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

fn bits_top(bits: u128) -> u32 {
    (bits >> 96) as u32
}

/// Words of the node that `words` starts with.
fn words(words: &[u64]) -> usize {
    words.first().map_or(0, |head| (head >> 32) as usize)
}

/// The rows of a /16 being written.
struct Node {
    index: usize,
    rows: Vec<Row>,
}

impl Node {
    fn new(index: usize) -> Self {
        Self {
            index,
            rows: vec![[0; ROW]; 256],
        }
    }

    fn of(index: usize, stored: &[u64]) -> Self {
        let mut node = Self::new(index);
        let mut rest = stored.get(HEAD..words(stored)).unwrap_or_default();
        for (at, row) in node.rows.iter_mut().enumerate() {
            let live = stored.get(1 + at / 64).copied().unwrap_or(0);
            if live >> (at % 64) & 1 != 0
                && let Some((own, after)) = rest.split_first_chunk::<ROW>()
            {
                *row = *own;
                rest = after;
            }
        }
        node
    }

    fn set(&mut self, top: u32, plane: usize, to: bool) {
        let word = (top as usize >> 6 & 3) * PLANES + plane;
        let bits = self
            .rows
            .get_mut(top as usize >> 8 & 0xff)
            .and_then(|row| row.get_mut(word));
        if let Some(bits) = bits {
            let bit = 1 << (top & 63);
            *bits = if to { *bits | bit } else { *bits & !bit };
        }
    }

    fn appear(&mut self, top: u32, length: u8) {
        match length {
            48.. => self.set(top, LONG, true),
            33..48 => self.set(top, MIDDLE, true),
            _ => self.set_whole(top, length, true),
        }
    }

    fn set_whole(&mut self, top: u32, length: u8, to: bool) {
        for top in top..=top | (u32::MAX.checked_shr(length.into()).unwrap_or(0)) {
            self.set(top, WHOLE, to);
        }
    }

    fn vanish(&mut self, top: u32, length: u8, entries: &Entries<u128>) {
        let network = u128::from(top) << 96;
        if length > 32 {
            let mut middle = false;
            let long = entries.overlapping((network, 32), 128, |row| match row.length {
                48.. => ControlFlow::Break(()),
                length => {
                    middle |= length > 32;
                    ControlFlow::Continue(())
                }
            });
            self.set(top, LONG, long.is_break());
            // With longer ones left the search ended early, and the bit may stay for nothing: it costs only time.
            if long.is_continue() {
                self.set(top, MIDDLE, middle);
            }
            return;
        }
        self.set_whole(top, length, false);
        let _: ControlFlow<()> = entries.overlapping((network, length), 32, |row| {
            if row.length > cover::LONGEST {
                let narrower = if row.length < length {
                    (top, length)
                } else {
                    (bits_top(row.bits()), row.length)
                };
                self.set_whole(narrower.0, narrower.1, true);
            }
            ControlFlow::Continue(())
        });
    }

    /// Appends the node, if anything is left of it.
    fn finish(self, edit: &mut Edit<u64>) {
        let start = edit.elements.len();
        let mut live = [0u64; PLANE];
        let mut head = 0;
        let mut count = 0u64;
        edit.elements.extend_from_slice(&[0; HEAD]);
        for (at, row) in self.rows.iter().enumerate() {
            if at % 64 == 0 {
                head |= count << (8 * (at / 64));
            }
            if *row != [0; ROW] {
                live[at / 64] |= 1 << (at % 64);
                count += 1;
                edit.elements.extend_from_slice(row);
            }
        }
        let length = edit.elements.len() - start;
        if count == 0 {
            edit.elements.truncate(start);
            return;
        }
        edit.elements[start] = head | (length as u64) << 32;
        edit.elements[start + 1..start + HEAD].copy_from_slice(&live);
        edit.blocks.push(Placed {
            index: self.index,
            flags: 0,
            offset: start,
        });
    }
}
