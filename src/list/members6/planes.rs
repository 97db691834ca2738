//! Which /36s are worth a look.
//!
//! ```text
//! directory [65,536]   COVERED 1 │ where the node is
//! node      head       shift 64 │ multiplier 64 │ summary 64 │ map 64: how many lines
//!           map        one bit per /28: listed whole by 17 to 28 bits; there if any is
//!           2^n ×      keys 8 × 16 │ long 8 × 16 │ middle 8 × 16 │ whole 8 × 16
//! ```
//!
//! A key is the second 16 bits of a /32; its three planes have one bit for each of its /36s. A node has as many buckets
//! of eight as leave none of them overfull: 16 bits times an odd number are a permutation, so 8,192 always do. A list
//! of a million prefixes in clouds and at providers touches 15,700 /32s in 64 /16s, and its nodes are half full: they
//! stay in the second cache. Where a prefix is listed whole, a bit of the summary says which word of the map to read.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width; what is taken modulo a length is below it"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::list::{
    blocks::{Blocks, Edit, Placed},
    cover::{self, COVERED},
    entries::Entries,
};

/// How many keys there can be.
const KEYS: usize = 1 << 16;
/// Near their golden section, which spreads neighbours; odd, as are its powers.
const MULTIPLIER: u64 = 40_503;
/// Powers of it that are tried before a node gets twice the buckets.
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

/// How keys are spread over buckets: by how much a product is shifted, and the multiplier.
type Spread = (u64, u64);

impl Words {
    const EMPTY: Self = Self([0; 8]);

    /// Of a head: where `key` belongs, counted from the head.
    #[inline]
    fn home(&self, key: u16) -> usize {
        let Self([shift, multiplier, _, map, ..]) = *self;
        1 + map as usize + place(key, (shift, multiplier))
    }

    /// Of a bucket: the bit of a /36 in each plane, without a branch on where its key is, or whether it is. An empty
    /// cell has key 0 and nothing in its planes.
    #[inline]
    fn bits(&self, top: u64) -> [bool; PLANES] {
        let Self([keys0, keys1, rest @ ..]) = *self;
        let wanted = u64::from(key(top)) * LAST;
        // Where a cell does not differ, its first bit; from there it goes to the place of the /36.
        let chosen = [keys0, keys1].map(|keys| {
            let differs = keys ^ wanted;
            let some = ((differs & !FIRST) + !FIRST) | differs;
            (!some & FIRST) >> (15 - top % 16)
        });
        [0, 1, 2]
            .map(|plane| (rest[2 * plane] & chosen[0]) | (rest[2 * plane + 1] & chosen[1]) != 0)
    }

    /// Key and planes of one cell of a bucket.
    fn cell(&self, at: usize) -> (u16, Planes16) {
        let half = |of: usize| (self.0[2 * of + at / OF_WORD] >> (at % OF_WORD * 16)) as u16;
        (half(0), [half(1), half(2), half(3)])
    }

    /// Fills a cell that is empty.
    fn fill(&mut self, at: usize, key: u16, planes: Planes16) {
        for (of, bits) in [key, planes[0], planes[1], planes[2]]
            .into_iter()
            .enumerate()
        {
            self.0[2 * of + at / OF_WORD] |= u64::from(bits) << (at % OF_WORD * 16);
        }
    }
}

#[inline]
fn place(key: u16, (shift, multiplier): Spread) -> usize {
    ((u64::from(key) * multiplier % KEYS as u64) >> (shift % 32)) as usize
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
    #[inline(always)]
    pub(super) fn look(&self, address: u128) -> Look {
        let top = bits_top(address);
        let reference = self.nodes.directory.get((top >> 20) as usize);
        let reference = reference.copied().unwrap_or(0);
        if reference == 0 {
            return Look::Nothing;
        }
        if reference & COVERED != 0 {
            return Look::Listed;
        }
        let (words, start) = self.nodes.place(reference);
        let Some(head) = words.get(start) else {
            return Look::Nothing;
        };
        let Some(bucket) = words.get(start + head.home(key(top))) else {
            return Look::Nothing;
        };
        let [long, middle, whole] = bucket.bits(top);
        let network = network(top);
        if whole || head.0[2] >> (network / 64) & 1 != 0 && is_mapped(&words[start..], network) {
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
            cover::cover(&mut *nodes.directory, prefix);
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
            cover::uncover(&mut *next.nodes.directory, prefix, entries);
        }
        let (short, new): (Vec<_>, Vec<_>) = appeared
            .iter()
            .partition(|(_, length)| *length <= cover::LONGEST);
        for prefix in short {
            cover::cover(&mut *next.nodes.directory, prefix);
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
    node.first().map_or(0, |head| {
        1 + head.0[3] as usize + (KEYS >> (head.0[0] % 32))
    })
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
        let (map, buckets) = rest.split_at(head.0[3] as usize);
        for (own, bits) in node
            .map
            .iter_mut()
            .zip(map.iter().flat_map(|words| words.0))
        {
            *own = bits;
        }
        let cells = buckets
            .iter()
            .flat_map(|bucket| (0..CELLS).map(|at| bucket.cell(at)));
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
        let (shift, multiplier) = spread(&self.planes);
        let head = Words([shift, multiplier, summary, map as u64, 0, 0, 0, 0]);
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
            let bucket = &mut edit.elements[start + head.home(key)];
            // `spread` made sure that there is room.
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

/// What needs the fewest buckets.
fn spread(planes: &BTreeMap<u16, Planes16>) -> Spread {
    let fewest = planes.len().div_ceil(CELLS).next_power_of_two().ilog2();
    let most = (KEYS / CELLS).ilog2();
    let shift = |n: u32| u64::from(KEYS.ilog2() - n);
    for n in fewest..most {
        for power in 1..=POWERS {
            let spread = (shift(n), MULTIPLIER.wrapping_pow(power) % KEYS as u64);
            let mut used = vec![0; 1 << n];
            let fits = planes.keys().all(|key| {
                let used = &mut used[place(*key, spread)];
                *used += 1;
                *used <= CELLS
            });
            if fits {
                return spread;
            }
        }
    }
    (shift(most), MULTIPLIER)
}
