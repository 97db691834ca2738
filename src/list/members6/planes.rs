//! Which /36s are worth a look.
//!
//! ```text
//! directory [65,536]   COVERED 1 │ where the node is
//! node      head       shift 64 │ factor 64 │ summary 64 │ where the buckets begin 64
//!           map        one bit per /28: listed whole by 17 to 28 bits; there if any is
//!           2^n ×      tags 8 × 16 │ long 8 × 16 │ middle 8 × 16 │ whole 8 × 16
//! ```
//!
//! A key is the second 16 bits of a /32; its three planes have one bit for each of its /36s. A node has two buckets of
//! eight or as many more as leave none of them overfull: 16 bits times an odd number are a permutation, so 8,192 always
//! do. Which half of the buckets a key is in tells its first bit, so it has only the others in its cell, its tag; they
//! are inverted, so that one addition finds the cell. A list of a million prefixes in clouds and at providers touches
//! 15,700 /32s in 64 /16s, and its nodes are half full: they stay in the second cache. Where a prefix is listed whole,
//! a bit of the summary says which word of the map to read.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width; what is taken modulo a length is below it"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::list::{
    blocks::{Blocks, Edit, Placed, Reference},
    cover::{self, COVERED},
    entries::Entries,
};

/// Bits of a key, and those of them that are its tag. Two keys that differ in the first bit only are in different
/// halves of the buckets, as multipliers are odd.
const KEY: u32 = 16;
const TAG: u16 = u16::MAX >> 1;
/// Near their golden section, which spreads neighbours; odd, as are its powers.
const MULTIPLIER: u32 = 40_503;
/// Powers of it that are tried with the fewest buckets, before a node gets twice as many.
const POWERS: u32 = 8;
/// Cells of a bucket, and of a word.
const CELLS: usize = 8;
const OF_WORD: usize = 4;
/// The last and the first bit of each cell in a word.
const LAST: u64 = 0x0001_0001_0001_0001;
const FIRST: u64 = LAST << 15;

const PLANES: usize = 3;
/// The planes: 48 bits or longer beneath, 37 to 47 bits beneath, listed whole by 29 to 36 bits.
const LONG: usize = 0;
const MIDDLE: usize = 1;
const WHOLE: usize = 2;

/// The longest prefixes that a bit of the map, and one of the planes, stand for.
const MAP: u8 = 28;
const PLANE: u8 = 36;

/// The planes of one key.
type Planes16 = [u16; PLANES];
/// One bit for each /28.
type Map = [u64; 64];

/// Eight words of a node.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Words([u64; 8]);

const _: () = assert!(size_of::<Words>() == 64);

/// How keys are spread over buckets: a factor, and by how much the 32 bits of the product are shifted.
#[derive(Clone, Copy)]
struct Spread {
    factor: u32,
    shift: u32,
}

impl Spread {
    /// What needs the fewest buckets.
    fn of(planes: &BTreeMap<u16, Planes16>) -> Self {
        let fewest = planes.len().div_ceil(CELLS).max(2).next_power_of_two();
        let most = KEY - CELLS.ilog2();
        let mut tried = (fewest.ilog2()..most).flat_map(|bits| {
            // Twice as many with twice the buckets, so that keys that were chosen to fit none are as many more.
            let powers = POWERS << (bits - fewest.ilog2());
            (1..=powers).map(move |n| Self::new(bits, MULTIPLIER.wrapping_pow(n)))
        });
        let fits = |spread: &Self| {
            let mut used = vec![0; spread.buckets()];
            planes.keys().all(|key| {
                let used = &mut used[spread.place(*key)];
                *used += 1;
                *used <= CELLS
            })
        };
        tried
            .find(fits)
            .unwrap_or_else(|| Self::new(most, MULTIPLIER))
    }

    /// Over 2^`bits` buckets by the first of the 16 bits of the product with `multiplier`.
    fn new(bits: u32, multiplier: u32) -> Self {
        Self {
            factor: multiplier << KEY,
            shift: u32::BITS - bits,
        }
    }

    #[inline]
    fn place(self, key: u16) -> usize {
        (u32::from(key).wrapping_mul(self.factor) >> (self.shift % u32::BITS)) as usize
    }

    fn buckets(self) -> usize {
        1 << (u32::BITS - self.shift)
    }
}

impl Words {
    const EMPTY: Self = Self([0; 8]);

    /// Of a head: how keys are spread over its buckets.
    #[inline]
    fn spread(&self) -> Spread {
        let Self([shift, factor, ..]) = *self;
        Spread {
            factor: factor as u32,
            shift: shift as u32,
        }
    }

    /// Of a head: where the buckets begin, counted from the head.
    #[inline]
    fn buckets(&self) -> usize {
        self.0[3] as usize
    }

    /// Of a bucket: the bit of a /36 in each plane, without a branch on where its key is, or whether it is; not 0 is
    /// set. An empty cell is one of a key that has nothing in its planes.
    #[inline]
    fn bits(&self, top: u64) -> [u64; PLANES] {
        let Self([tags0, tags1, rest @ ..]) = *self;
        let wanted = (top >> 4 & u64::from(TAG)) * LAST;
        // Where tag and complement are all ones, one more is the first bit of the cell; from there it goes to the place
        // of the /36.
        let chosen =
            [tags0, tags1].map(|tags| (((tags ^ wanted) + LAST) & FIRST) >> (15 - top % 16));
        [0, 1, 2].map(|plane| rest[2 * plane] & chosen[0] | rest[2 * plane + 1] & chosen[1])
    }

    /// Tag and planes of one cell of a bucket.
    fn cell(&self, at: usize) -> (u16, Planes16) {
        let part = |of: usize| (self.0[2 * of + at / OF_WORD] >> (at % OF_WORD * 16)) as u16;
        (part(0) ^ TAG, [part(1), part(2), part(3)])
    }

    /// Fills a cell that is empty.
    fn fill(&mut self, at: usize, key: u16, planes: Planes16) {
        for (of, bits) in [!key & TAG, planes[0], planes[1], planes[2]]
            .into_iter()
            .enumerate()
        {
            self.0[2 * of + at / OF_WORD] |= u64::from(bits) << (at % OF_WORD * 16);
        }
    }
}

/// For every /36, what is beneath it.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    nodes: Blocks<Words>,
}

/// What the planes say of an address.
pub(super) enum Look {
    Nothing,
    Listed,
    /// Something longer than 36 bits may cover it.
    Beneath {
        long: bool,
        middle: bool,
    },
}

impl Planes {
    /// Of the first 16 bits of `address`: 0 where nothing is listed.
    #[inline(always)]
    pub(super) fn node(&self, address: u128) -> Reference {
        let node = self.nodes.directory.get((address >> 112) as usize);
        node.copied().unwrap_or(0)
    }

    /// What is known of `address`, which is in `node`.
    #[inline]
    pub(super) fn look(&self, address: u128, node: Reference) -> Look {
        if node & COVERED != 0 {
            return Look::Listed;
        }
        let words = self.nodes.at(node);
        let Some(head) = words.first() else {
            return Look::Nothing;
        };
        let top = bits_top(address);
        let Some(bucket) = words.get(head.buckets() + head.spread().place(key(top))) else {
            return Look::Nothing;
        };
        let [long, middle, whole] = bucket.bits(top).map(|bits| bits != 0);
        let network = network(top);
        if whole || head.0[2] >> (network / 64) & 1 != 0 && is_mapped(words, network) {
            Look::Listed
        } else {
            Look::Beneath { long, middle }
        }
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
            if (top >> 20) as usize != node.index {
                node.finish(&mut edit);
                node = Node::new((top >> 20) as usize);
            }
            node.appear(top, length);
        }
        node.finish(&mut edit);
        let mut nodes = Blocks::empty(1 << 16, &[]);
        nodes.replace(&edit, length);
        for prefix in short {
            cover::cover(nodes.directory_mut(), prefix);
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
        let (short, long) = cover::parted(vanished);
        for prefix in short {
            cover::uncover(next.nodes.directory_mut(), prefix, entries);
        }
        let (short, new) = cover::parted(appeared);
        for prefix in short {
            cover::cover(next.nodes.directory_mut(), prefix);
        }
        let mut dirty: Vec<(u64, u8, bool)> = Vec::with_capacity(long.len() + new.len());
        // What vanished first: it is looked up in `entries`, which know already what appeared.
        dirty.extend(
            long.iter()
                .map(|&(bits, length)| (bits_top(bits), length, false)),
        );
        dirty.extend(
            new.iter()
                .map(|&(bits, length)| (bits_top(bits), length, true)),
        );
        dirty.sort_by_key(|&(top, length, appeared)| (top >> 20, appeared, top, length));
        let mut edit = Edit::default();
        for of_node in dirty.chunk_by(|a, b| a.0 >> 20 == b.0 >> 20) {
            let Some(&(first, ..)) = of_node.first() else {
                continue;
            };
            let index = (first >> 20) as usize;
            let reference = next.nodes.directory.get(index).copied().unwrap_or(0);
            let mut node = Node::of(index, self.nodes.at(reference));
            let mut last = None;
            for &(top, length, appeared) in of_node {
                if appeared {
                    node.appear(top, length);
                } else if last.replace((top, length > PLANE)) != Some((top, true))
                    || length <= PLANE
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
        next.nodes.replace(&edit, length);
        next
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

fn bits_top(bits: u128) -> u64 {
    (bits >> 92) as u64
}

/// The key of a /36 in the node of its /16.
fn key(top: u64) -> u16 {
    (top >> 4) as u16
}

/// The /28 of a /36 in the node of its /16.
fn network(top: u64) -> usize {
    (top >> 8) as usize % 4096
}

/// Whether the map of a node has the bit of a /28.
#[cold]
fn is_mapped(node: &[Words], network: usize) -> bool {
    let words = node.get(1 + network / 512);
    words.is_some_and(|words| words.0[network / 64 % 8] >> (network % 64) & 1 != 0)
}

/// Elements of the node that `node` starts with.
fn length(node: &[Words]) -> usize {
    node.first()
        .map_or(0, |head| head.buckets() + head.spread().buckets())
}

/// A /16 being written.
struct Node {
    index: usize,
    map: Map,
    planes: BTreeMap<u16, Planes16>,
    /// What appeared last, by its /36 and plane: often the next one is there too.
    last: Option<(u64, usize)>,
}

impl Node {
    fn new(index: usize) -> Self {
        Self {
            index,
            map: [0; 64],
            planes: BTreeMap::new(),
            last: None,
        }
    }

    fn of(index: usize, stored: &[Words]) -> Self {
        let mut node = Self::new(index);
        let Some((head, rest)) = stored.get(..length(stored)).and_then(<[_]>::split_first) else {
            return node;
        };
        let (map, buckets) = rest.split_at(head.buckets() - 1);
        for (own, bits) in node
            .map
            .iter_mut()
            .zip(map.iter().flat_map(|words| words.0))
        {
            *own = bits;
        }
        let spread = head.spread();
        let cells = buckets.iter().enumerate().flat_map(|(place, bucket)| {
            let cells = (0..CELLS).map(|at| bucket.cell(at));
            cells.map(move |(tag, planes)| {
                let is_tag = spread.place(tag) == place;
                (if is_tag { tag } else { tag | !TAG }, planes)
            })
        });
        node.planes = cells.filter(|(_, planes)| *planes != [0; PLANES]).collect();
        node
    }

    fn set(&mut self, top: u64, plane: usize, to: bool) {
        self.set_bits(key(top), 1 << (top % 16), plane, to);
    }

    fn set_bits(&mut self, key: u16, mask: u16, plane: usize, to: bool) {
        let bits = &mut self.planes.entry(key).or_default()[plane];
        *bits = if to { *bits | mask } else { *bits & !mask };
    }

    fn appear(&mut self, top: u64, length: u8) {
        if length <= PLANE {
            return self.set_whole(top, length, true);
        }
        let plane = if length < 48 { MIDDLE } else { LONG };
        if self.last.replace((top, plane)) != Some((top, plane)) {
            self.set(top, plane, true);
        }
    }

    fn set_whole(&mut self, top: u64, length: u8, to: bool) {
        let last = top | ((1 << (PLANE - length)) - 1);
        if length > MAP {
            // Of the first key, as many bits as there are /36s; of the others, if there are any, the same: all.
            let mask = u16::MAX >> (15 - (last - top).min(15)) << (top % 16);
            for key in key(top)..=key(last) {
                self.set_bits(key, mask, WHOLE, to);
            }
            return;
        }
        for network in network(top)..=network(last) {
            let bits = &mut self.map[network / 64];
            let bit = 1 << (network % 64);
            *bits = if to { *bits | bit } else { *bits & !bit };
        }
    }

    fn vanish(&mut self, top: u64, length: u8, entries: &Entries<u128>) {
        let network = u128::from(top) << 92;
        if length > PLANE {
            let mut middle = false;
            let long = entries.overlapping((network, PLANE), 128, |row| match row.length {
                48.. => ControlFlow::Break(()),
                length => {
                    middle |= length > PLANE;
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
        // Others whose bits are in the same place may still cover some of what was cleared.
        let (above, longest) = if length > MAP {
            (MAP, PLANE)
        } else {
            (cover::LONGEST, MAP)
        };
        let _: ControlFlow<()> = entries.overlapping((network, length), longest, |row| {
            if row.length > above {
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
    fn finish(mut self, edit: &mut Edit<Words>) {
        self.planes.retain(|_, planes| *planes != [0; PLANES]);
        let summary = (0..).zip(self.map);
        let summary = summary.fold(0, |summary, (at, bits)| {
            summary | u64::from(bits != 0) << at
        });
        if self.planes.is_empty() && summary == 0 {
            return;
        }
        let map = if summary == 0 { 0 } else { self.map.len() / 8 };
        let spread = Spread::of(&self.planes);
        let (shift, factor) = (u64::from(spread.shift), u64::from(spread.factor));
        let head = Words([shift, factor, summary, 1 + map as u64, 0, 0, 0, 0]);
        let start = edit.elements.len();
        edit.elements.push(head);
        edit.elements.extend(
            self.map
                .as_chunks()
                .0
                .iter()
                .take(map)
                .map(|words| Words(*words)),
        );
        let length = length(&edit.elements[start..]);
        edit.elements.resize(start + length, Words::EMPTY);
        for (key, planes) in self.planes {
            let bucket = &mut edit.elements[start + head.buckets() + spread.place(key)];
            // The spread has room for it.
            if let Some(free) = (0..CELLS).find(|at| bucket.cell(*at).1 == [0; PLANES]) {
                bucket.fill(free, key, planes);
            }
        }
        edit.blocks.push(Placed {
            index: self.index,
            flags: 0,
            offset: start,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// /40s in as many /32s of one /16, of which some differ in nothing but the first bit.
    fn prefixes(count: u16) -> Vec<(u128, u8)> {
        let keys = (0..count).map(|n| (n / 2).wrapping_mul(7919) & TAG | n << 15);
        let mut prefixes: Vec<_> = keys
            .map(|key| {
                let part = u128::from(key % 16) << 92;
                (0x2a01 << 112 | u128::from(key) << 96 | part, 40)
            })
            .collect();
        prefixes.sort_unstable();
        prefixes
    }

    #[test]
    fn keys_that_share_a_tag_are_known_apart() {
        for count in [1, 2, 8, 9, 17, 100, 1000, u16::MAX] {
            let prefixes = prefixes(count);
            let planes = Planes::build(prefixes.iter().copied());
            for &(bits, _) in &prefixes {
                for address in [bits, bits ^ 1 << 111, bits ^ 1 << 96, bits ^ 1 << 92] {
                    let is_there = prefixes.binary_search(&(address, 40)).is_ok();
                    let look = planes.look(address, planes.node(address));
                    let Look::Beneath { long, middle } = look else {
                        panic!("{address:x} of {count}");
                    };
                    assert_eq!((long, middle), (false, is_there), "{address:x} of {count}");
                }
            }
        }
    }

    #[test]
    fn a_stored_node_is_what_was_written() {
        for count in [1, 2, 8, 9, 17, 100, 1000, u16::MAX] {
            let mut node = Node::new(0x2a01);
            for (bits, length) in prefixes(count) {
                node.appear(bits_top(bits), length);
            }
            node.appear(bits_top(0x2a01_0770 << 96), 28);
            let (planes, map) = (node.planes.clone(), node.map);
            let mut edit = Edit::default();
            node.finish(&mut edit);
            let stored = Node::of(0x2a01, &edit.elements);
            assert_eq!(stored.planes, planes, "{count}");
            assert_eq!(stored.map, map, "{count}");
        }
    }
}
