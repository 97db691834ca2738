//! From sorted entries to nodes, in one pass.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a /24 or a host of it is below 256, a word of its map below 4, an inline host below 8; host bytes are cut from an address"
)]

use super::{
    MIXED, Members4,
    node::{BITMAP, Builder, EMPTY, Leaf, Map, set},
};
use crate::list::{
    blocks::{Blocks, Placed},
    cover, parallel,
};
use crate::row::Row;

/// Nodes of one stretch of rows.
#[derive(Debug, Default)]
struct Stretch {
    words: Vec<u64>,
    nodes: Vec<Placed>,
    /// Prefixes of at most 16 bits.
    short: Vec<(u32, u8)>,
}

impl Members4 {
    /// The addresses that `rows`, in prefix order, cover.
    pub(crate) fn build(rows: &[Row<u32>]) -> Self {
        let stretches = parallel::map(rows.len(), stretches(rows), Stretch::build);
        let mut nodes = Blocks::empty(1 << 16, &EMPTY);
        for stretch in &stretches {
            nodes.append(&stretch.words, &stretch.nodes);
        }
        for &prefix in stretches.iter().flat_map(|stretch| &stretch.short) {
            cover::cover(&mut nodes.directory, prefix);
        }
        Self { nodes }
    }
}

/// Cuts `rows` between /16s, into as many stretches as are worth it and few enough for the offsets of a segment.
fn stretches(rows: &[Row<u32>]) -> Vec<&[Row<u32>]> {
    let parts = parallel::parts(rows.len())
        .min(16)
        .max(rows.len() / 3_000_000);
    let mut rest = rows;
    let mut stretches = Vec::with_capacity(parts);
    for left in (1..=parts).rev() {
        let aim = rest.len() / left;
        let cut = match rest.get(aim) {
            Some(row) if left > 1 => rest.partition_point(|r| r.bits() >> 16 < row.bits() >> 16),
            _ => rest.len(),
        };
        let (stretch, after) = rest.split_at(cut);
        stretches.push(stretch);
        rest = after;
    }
    stretches
}

impl Stretch {
    fn build(rows: &[Row<u32>]) -> Self {
        let mut stretch = Self::default();
        stretch.words.reserve(rows.len() * 3 / 4);
        let mut builder = Builder::new();
        for of_node in rows.chunk_by(|a, b| a.bits() >> 16 == b.bits() >> 16) {
            stretch.node(of_node, &mut builder);
        }
        stretch
    }

    fn node(&mut self, mut rows: &[Row<u32>], builder: &mut Builder) {
        while let Some((row, rest)) = rows.split_first()
            && row.length <= cover::LONGEST
        {
            self.short.push((row.bits(), row.length));
            rows = rest;
        }
        let Some(first) = rows.first() else { return };
        builder.clear();
        fill(rows, builder);
        let offset = self.words.len();
        let flags = if builder.finish(&mut self.words) {
            MIXED
        } else {
            0
        };
        self.nodes.push(Placed {
            index: (first.bits() >> 16) as usize,
            flags,
            offset,
        });
    }
}

/// Puts the rows of one /16, all longer than 16 bits, into `builder`.
fn fill(rows: &[Row<u32>], builder: &mut Builder) {
    let mut covered: Map = [0; BITMAP];
    for row in rows.iter().filter(|row| row.length <= 24) {
        let from = (row.bits() >> 8 & 0xff) as usize;
        set(&mut covered, from..from + (1 << (24 - row.length)));
    }
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let at = first.bits() >> 8;
        // Most /24s have one row, so looking one ahead beats a search.
        let length = rest.iter().take_while(|row| row.bits() >> 8 == at).count();
        let (of_leaf, after) = rest.split_at(length);
        rest = after;
        let at = (at & 0xff) as usize;
        if covered[at / 64 % BITMAP] >> (at % 64) & 1 == 0 {
            match leaf(of_leaf) {
                // Only after the loop, so that `covered` stays what shorter prefixes cover.
                Leaf::Covered => set(&mut covered, at..at + 1),
                leaf @ (Leaf::None | Leaf::Hosts(_) | Leaf::Inline(_)) => builder.push(at, leaf),
            }
        }
    }
    builder.cover(&covered);
}

/// The leaf of rows longer than 24 bits of one /24.
#[inline]
fn leaf(rows: &[Row<u32>]) -> Leaf {
    let mut bytes = [0; 8];
    let mut length = 0;
    for row in rows {
        let host = row.bits() as u8;
        if row.length != 32 || length == 7 {
            return Leaf::from_map(map(rows));
        }
        if length == 0 || bytes[length] != host {
            length += 1;
            bytes[length] = host;
        }
    }
    Leaf::inline(bytes, length)
}

/// The hosts of one /24 that `rows` cover.
pub(super) fn map(rows: &[Row<u32>]) -> Map {
    let mut map = [0; BITMAP];
    for row in rows {
        let host = (row.bits() & 0xff) as usize;
        if row.length == 32 {
            map[host / 64] |= 1 << (host % 64);
        } else {
            set(&mut map, host..host + (1usize << (32 - row.length)));
        }
    }
    map
}
