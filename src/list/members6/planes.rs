//! Which /32s are worth a look.
//!
//! ```text
//! directory [65,536]   COVERED 1 │ where the node is
//! node      head       shift 64 │ multiplier 64 │ one bit per /24: listed whole by 17 to 24 bits
//!           2^n ×      keys 8 × 16 │ long 8 × 16 │ middle 8 × 16 │ whole 8 × 16
//! ```
//!
//! A key is the twelve bits of a /28 after those of the /16; its three planes have one bit for each of its /32s. A node
//! has as many buckets of eight as leave none of them overfull: twelve bits times an odd number are a permutation, so
//! 512 always do. A list of a million prefixes in clouds and at providers touches 15,500 /28s in 64 /16s, and its nodes
//! are half full: they stay in the second cache, where a bit per /32 of every touched /24 would not.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width; keys are below 4,096 and buckets below 512"
)]

use std::ops::ControlFlow;

use crate::list::{
    blocks::{Blocks, Edit, Placed},
    cover::{self, COVERED},
    entries::Entries,
};

/// Bits of a key.
const KEY: u32 = 12;
const KEYS: usize = 1 << KEY;
/// No key. The first bit of a cell is never set.
const NONE: u16 = 0x7fff;
/// Cells of a bucket, and of a word.
const CELLS: usize = 8;
const OF_WORD: usize = 4;
/// The last and the first bit of each cell in a word.
const LAST: u64 = 0x0001_0001_0001_0001;
const FIRST: u64 = LAST << 15;
/// Near the golden section of 4,096, which spreads neighbours; odd, as are its powers.
const MULTIPLIER: u64 = 2531;
/// Powers of it that are tried before a node gets twice the buckets.
const POWERS: u32 = 5;

const PLANES: usize = 3;
/// The planes: 48 bits or longer beneath, 33 to 47 bits beneath, listed whole by 25 to 32 bits.
const LONG: usize = 0;
const MIDDLE: usize = 1;
const WHOLE: usize = 2;

/// The longest prefix that a bit in the head stands for.
const HEAD: u8 = 24;

/// One cell for each of eight /28s.
type Cells = [u64; CELLS / OF_WORD];

/// Eight /28s, or the head of a node: its "keys" are shift and multiplier, its bits are in the first two planes.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    keys: Cells,
    planes: [Cells; PLANES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Self = Self {
        keys: [NONE as u64 * LAST; CELLS / OF_WORD],
        planes: [[0; CELLS / OF_WORD]; PLANES],
    };

    /// Of a head: the bucket after it that `key` belongs into.
    #[inline]
    fn home(&self, key: u16) -> usize {
        let [shift, multiplier] = self.keys;
        place(key, (shift, multiplier))
    }

    /// Of a head: whether the /24 with this third byte is listed whole.
    #[inline]
    fn is_covered(&self, third: usize) -> bool {
        self.planes[third / 128][third / 64 % 2] >> (third % 64) & 1 != 0
    }

    /// The bit of a /32 in each plane, without a branch on where its /28 is, or whether it is.
    #[inline]
    fn bits(&self, top: u32) -> [bool; PLANES] {
        let wanted = u64::from(key(top)) * LAST;
        // A difference of nothing leaves the first bit of a cell; from there it goes to the place of the /32.
        let chosen = self
            .keys
            .map(|keys| ((FIRST - (keys ^ wanted)) & FIRST) >> (15 - top % 16));
        self.planes
            .map(|[a, b]| (a & chosen[0]) | (b & chosen[1]) != 0)
    }

    /// Key and planes of one cell.
    fn cell(&self, at: usize) -> (u16, [u16; PLANES]) {
        let of = |cells: &Cells| (cells[at / OF_WORD] >> (at % OF_WORD * 16)) as u16;
        (of(&self.keys), self.planes.each_ref().map(of))
    }

    /// Fills a cell that is empty.
    fn fill(&mut self, at: usize, key: u16, planes: [u16; PLANES]) {
        let shift = at % OF_WORD * 16;
        self.keys[at / OF_WORD] ^= u64::from(key ^ NONE) << shift;
        for (cells, bits) in self.planes.iter_mut().zip(planes) {
            cells[at / OF_WORD] |= u64::from(bits) << shift;
        }
    }
}

/// How keys are spread over buckets: by how much a product is shifted, and the multiplier.
type Spread = (u64, u64);

#[inline]
fn place(key: u16, (shift, multiplier): Spread) -> usize {
    ((u64::from(key) * multiplier % KEYS as u64) >> (shift % 16)) as usize
}

/// For every /32, what is beneath it.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    nodes: Blocks<Bucket>,
}

/// What the planes say of an address.
pub(super) enum Look {
    Nothing,
    Listed,
    /// Something longer than 32 bits may cover it.
    Beneath {
        long: bool,
        middle: bool,
    },
}

impl Planes {
    #[inline]
    pub(super) fn look(&self, address: u128) -> Look {
        let top = bits_top(address);
        let reference = self.nodes.directory.get((top >> 16) as usize);
        let reference = reference.copied().unwrap_or(0);
        if reference == 0 {
            return Look::Nothing;
        }
        if reference & COVERED != 0 {
            return Look::Listed;
        }
        let (buckets, start) = self.nodes.place(reference);
        let Some(head) = buckets.get(start) else {
            return Look::Nothing;
        };
        let Some(bucket) = buckets.get(start + 1 + head.home(key(top))) else {
            return Look::Nothing;
        };
        let [long, middle, whole] = bucket.bits(top);
        if whole | head.is_covered(top as usize >> 8 & 0xff) {
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
            if (top >> 16) as usize != node.index {
                node.finish(&mut edit);
                node = Node::new((top >> 16) as usize);
            }
            node.appear(top, length);
        }
        node.finish(&mut edit);
        let mut nodes = Blocks::empty(1 << 16, &[]);
        nodes.replace(&edit, buckets);
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
        next.nodes.replace(&edit, buckets);
        next
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

fn bits_top(bits: u128) -> u32 {
    (bits >> 96) as u32
}

/// The key of a /32 in the node of its /16.
fn key(top: u32) -> u16 {
    (top >> 4) as u16 & (KEYS - 1) as u16
}

/// Buckets of the node that `node` starts with, its head included.
fn buckets(node: &[Bucket]) -> usize {
    node.first()
        .map_or(0, |head| 1 + (KEYS >> (head.keys[0] % 16)))
}

/// A /16 being written.
struct Node {
    index: usize,
    /// One bit per /24.
    covered: [u64; 4],
    /// For each /28, one bit per /32 in each plane.
    planes: Vec<[u16; PLANES]>,
}

impl Node {
    fn new(index: usize) -> Self {
        Self {
            index,
            covered: [0; 4],
            planes: vec![[0; PLANES]; KEYS],
        }
    }

    fn of(index: usize, stored: &[Bucket]) -> Self {
        let mut node = Self::new(index);
        let Some((head, buckets)) = stored.get(..buckets(stored)).and_then(<[_]>::split_first)
        else {
            return node;
        };
        for (own, bits) in node.covered.iter_mut().zip(head.planes.as_flattened()) {
            *own = *bits;
        }
        for bucket in buckets {
            for (key, planes) in (0..CELLS).map(|at| bucket.cell(at)) {
                if let Some(own) = node.planes.get_mut(usize::from(key)) {
                    *own = planes;
                }
            }
        }
        node
    }

    fn set(&mut self, top: u32, plane: usize, to: bool) {
        let bits = &mut self.planes[usize::from(key(top))][plane];
        let bit = 1 << (top & 15);
        *bits = if to { *bits | bit } else { *bits & !bit };
    }

    fn appear(&mut self, top: u32, length: u8) {
        match length {
            48.. => self.set(top, LONG, true),
            33..48 => self.set(top, MIDDLE, true),
            _ => self.set_whole(top, length, true),
        }
    }

    fn set_whole(&mut self, top: u32, length: u8, to: bool) {
        let last = top | (u32::MAX.checked_shr(length.into()).unwrap_or(0));
        if length > HEAD {
            for top in top..=last {
                self.set(top, WHOLE, to);
            }
            return;
        }
        for third in top >> 8 & 0xff..=last >> 8 & 0xff {
            let bits = &mut self.covered[third as usize / 64];
            let bit = 1 << (third % 64);
            *bits = if to { *bits | bit } else { *bits & !bit };
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
        // Others whose bits are in the same place may still cover some of what was cleared.
        let (above, longest) = if length > HEAD {
            (HEAD, 32)
        } else {
            (cover::LONGEST, HEAD)
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
    fn finish(self, edit: &mut Edit<Bucket>) {
        let live = (0u16..).zip(&self.planes);
        let live: Vec<_> = live.filter(|(_, planes)| **planes != [0; PLANES]).collect();
        if live.is_empty() && self.covered == [0; 4] {
            return;
        }
        let start = edit.elements.len();
        let mut head = Bucket::EMPTY;
        head.keys = spread(&live).into();
        for (own, bits) in self.covered.iter().zip(head.planes.as_flattened_mut()) {
            *bits = *own;
        }
        edit.elements.push(head);
        let count = buckets(&edit.elements[start..]);
        edit.elements.resize(start + count, Bucket::EMPTY);
        for (key, planes) in live {
            let bucket = &mut edit.elements[start + 1 + head.home(key)];
            // `spread` made sure that there is room.
            if let Some(free) = (0..CELLS).find(|at| bucket.cell(*at).0 == NONE) {
                bucket.fill(free, key, *planes);
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
fn spread(live: &[(u16, &[u16; PLANES])]) -> Spread {
    let fewest = live.len().div_ceil(CELLS).next_power_of_two().ilog2();
    let most = (KEYS / CELLS).ilog2();
    let spreads = (fewest..most).flat_map(|n| {
        let powers = (1..=POWERS).map(|power| MULTIPLIER.pow(power) % KEYS as u64);
        powers.map(move |multiplier| (u64::from(KEY - n), multiplier))
    });
    for spread in spreads {
        let mut used = [0; KEYS / CELLS];
        let fits = live.iter().all(|(key, _)| {
            let used = &mut used[place(*key, spread)];
            *used += 1;
            *used <= CELLS
        });
        if fits {
            return spread;
        }
    }
    (u64::from(KEY - most), MULTIPLIER)
}
