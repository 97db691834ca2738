//! From sorted entries to nodes, in one pass.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a /24 or a host of it is below 256; host bytes are cut from an address"
)]

use super::{
    Members4,
    arena::{self, Arena},
    directory::{Directory, Touched},
    node::{self, Few, Leaf, Map, Node, Placed, Reach, set},
};
use crate::list::{
    arena::parts,
    cover::{self, COVERED},
    parallel,
};
use crate::row::Row;

/// Nodes of one stretch of rows.
#[derive(Debug)]
struct Stretch {
    arena: Arena,
    /// The /16s with nodes, and what in them is touched.
    nodes: Vec<(u16, Placed, Touched)>,
    /// Prefixes of at most 16 bits.
    short: Vec<(u32, u8)>,
}

impl Members4 {
    /// The addresses that `rows`, in prefix order, cover.
    pub(crate) fn build(rows: &[Row<u32>]) -> Self {
        let longest = node::longest(rows.len());
        let stretch = |rows| Stretch::build(rows, longest);
        let stretches = parallel::map(rows.len(), stretches(rows), stretch);
        let mut members = Self {
            directory: Directory::new(),
            // The table of every /16 that has none.
            tables: vec![[0; 16]],
            split: vec![0],
            arena: Arena::empty(),
            next: 0,
        };
        let mut short = Vec::new();
        for stretch in stretches {
            let shift = members.arena.append(stretch.arena);
            for (index, placed, touched) in stretch.nodes {
                let placed = match placed {
                    Placed::Node(node) => Placed::Node(node + shift),
                    Placed::Split(table) => {
                        let shifted = |node| if node == 0 { 0 } else { node + shift };
                        Placed::Split(table.map(shifted))
                    }
                };
                members.place(index, placed, touched);
            }
            short.extend(stretch.short);
        }
        // However many feeds list them.
        short.dedup();
        members.arena.begin(short.len());
        members.cover(&short);
        members.arena.finish();
        members
    }

    /// Notes where the nodes of a /16 are, and what in it is touched.
    pub(super) fn place(&mut self, index: u16, placed: Placed, touched: Touched) {
        let slot = self.directory.get_mut(index);
        let flag = slot.node & COVERED;
        if flag == 0 {
            slot.touched = touched;
        }
        let old = arena::is_split(slot.node).then(|| arena::table(slot.node));
        match placed {
            Placed::Node(node) => {
                slot.node = flag | node;
                if let Some(table) = old {
                    self.drop_table(table);
                }
            }
            Placed::Split(table) => match old.and_then(|old| self.tables.get_mut(old)) {
                Some(place) => *place = table,
                None => {
                    slot.node = flag | arena::split(self.tables.len());
                    self.tables.push(table);
                    self.split.push(index);
                }
            },
        }
    }

    /// Drops a table; the last one takes its place.
    fn drop_table(&mut self, number: usize) {
        self.tables.swap_remove(number);
        self.split.swap_remove(number);
        if let Some(index) = self.split.get(number) {
            let slot = self.directory.get_mut(*index);
            slot.node = slot.node & COVERED | arena::split(number);
        }
    }

    /// Lists all that `prefixes`, of at most 16 bits, cover.
    pub(super) fn cover(&mut self, prefixes: &[(u32, u8)]) {
        for index in prefixes.iter().copied().flat_map(cover::indices) {
            let slot = self.directory.get_mut(index);
            if arena::buckets(slot.node) == 1 {
                // What is touched tells its /24s apart, and will not be known.
                let node = Node::load(Reach::Whole(slot.touched), slot.node, &self.arena);
                let reach = Reach::Whole(Touched::ALL);
                self.arena.forget(slot.node, node.length());
                let node = node::push(reach, &node.leaves(), &mut self.arena);
                slot.node = node.unwrap_or(0);
            }
            slot.touched = Touched::ALL;
        }
        for prefix in prefixes {
            cover::cover(&mut self.directory, *prefix);
        }
    }
}

/// Cuts `rows` between /16s, into stretches of a segment each.
fn stretches(rows: &[Row<u32>]) -> Vec<&[Row<u32>]> {
    let count = parts(rows.len());
    let mut rest = rows;
    let mut stretches = Vec::with_capacity(count);
    for left in (1..=count).rev() {
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
    fn build(rows: &[Row<u32>], longest: usize) -> Self {
        let mut stretch = Self {
            arena: Arena::empty(),
            nodes: Vec::new(),
            short: Vec::new(),
        };
        let mut leaves = Vec::with_capacity(256);
        for of_node in rows.chunk_by(|a, b| a.bits() >> 16 == b.bits() >> 16) {
            stretch.node(of_node, longest, &mut leaves);
        }
        stretch.arena.finish();
        stretch
    }

    fn node(&mut self, mut rows: &[Row<u32>], longest: usize, leaves: &mut Vec<(u8, Leaf)>) {
        while let Some((row, rest)) = rows.split_first()
            && row.length <= cover::LONGEST
        {
            self.short.push((row.bits(), row.length));
            rows = rest;
        }
        let Some(first) = rows.first() else { return };
        let index = (first.bits() >> 16) as u16;
        leaves.clear();
        fill(rows, leaves);
        let touched = leaves.iter().map(|(net, _)| *net).collect();
        let placed = node::place(touched, leaves, longest, &mut self.arena);
        self.nodes.push((index, placed, touched));
    }
}

/// Puts the rows of one /16, all longer than 16 bits, into `leaves`.
fn fill(rows: &[Row<u32>], leaves: &mut Vec<(u8, Leaf)>) {
    // Up to where, in /24s, a prefix of at most 24 bits has covered all.
    let mut covered = 0;
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let at = first.bits() >> 8;
        // Most /24s have one row, so looking one ahead beats a search.
        let length = rest.iter().take_while(|row| row.bits() >> 8 == at).count();
        let (of_leaf, after) = rest.split_at(length);
        rest = after;
        let at = (at & 0xff) as usize;
        // The shortest comes first.
        let wide = if first.length <= 24 {
            1 << (24 - first.length)
        } else {
            0
        };
        for net in at.max(covered)..(at + wide) {
            leaves.push((net as u8, Leaf::WHOLE));
        }
        covered = covered.max(at + wide);
        if at >= covered {
            leaves.push((at as u8, leaf(of_leaf)));
        }
    }
}

/// The leaf of rows longer than 24 bits of one /24.
#[inline]
fn leaf(rows: &[Row<u32>]) -> Leaf {
    let mut few = Few::default();
    // Up to which host all is there that begins before it: of rows that begin with the same, the shortest comes first.
    let mut end = 0;
    for row in rows {
        let first = row.bits() as u16 & 0xff;
        let size = 1 << (32 - row.length);
        if first >= end {
            if !few.push(first, size) {
                return Leaf::from_map(map(rows));
            }
            end = first + size;
        }
    }
    Leaf::Few(few)
}

/// The hosts of one /24 that `rows` cover.
fn map(rows: &[Row<u32>]) -> Map {
    let mut map = [0; 4];
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
