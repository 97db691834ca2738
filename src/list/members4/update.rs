//! Nodes of the /16s that a change touches; in them, only the touched /24s are computed anew.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "words of a map are below 4; the number of a /24 has 24 bits"
)]

use std::ops::ControlFlow;

use super::{
    MIXED, Members4,
    node::{self, BITMAP, Builder, Leaf, Map, Parts, set},
};
use crate::list::{
    blocks::{Edit, Placed},
    cover::{self, COVERED},
    entries::Entries,
};
use crate::row::Row;

impl Members4 {
    /// These members after prefixes appeared or vanished; `entries` are those after the change.
    pub(crate) fn update(
        &self,
        appeared: &[(u32, u8)],
        vanished: &[(u32, u8)],
        entries: &Entries<u32>,
    ) -> Self {
        let mut next = self.clone();
        let mut dirty: Vec<(u32, u8, bool)> = Vec::with_capacity(appeared.len() + vanished.len());
        for &(bits, length) in vanished {
            if length > cover::LONGEST {
                dirty.push((bits, length, false));
            } else {
                cover::uncover(&mut next.nodes.directory, (bits, length), entries);
            }
        }
        for &(bits, length) in appeared {
            if length > cover::LONGEST {
                dirty.push((bits, length, true));
            } else {
                cover::cover(&mut next.nodes.directory, (bits, length));
            }
        }
        dirty.sort_unstable();
        let mut edit = Edit::default();
        let mut builder = Builder::new();
        for of_node in dirty.chunk_by(|a, b| a.0 >> 16 == b.0 >> 16) {
            self.edit_node(of_node, entries, &mut builder, &mut edit);
        }
        // Whether a /16 is covered is the directory's to know, not the node's.
        for block in &mut edit.blocks {
            let reference = next.nodes.directory.get(block.index);
            block.flags |= reference.map_or(0, |reference| reference & COVERED);
        }
        for &index in &edit.removed {
            if let Some(reference) = next.nodes.directory.get_mut(index) {
                *reference &= !MIXED;
            }
        }
        next.nodes.replace(&edit, node::words);
        next
    }

    /// `dirty`: the changed prefixes of one /16, in order, and whether they appeared.
    fn edit_node(
        &self,
        dirty: &[(u32, u8, bool)],
        entries: &Entries<u32>,
        builder: &mut Builder,
        edit: &mut Edit<u64>,
    ) {
        let Some(&(first, ..)) = dirty.first() else {
            return;
        };
        let index = (first >> 16) as usize;
        let reference = self.nodes.directory.get(index).copied().unwrap_or(0);
        let mut parts = Parts::of(self.nodes.at(reference), reference & MIXED != 0);

        // Hosts that are new are joined with those that are there; all else is asked of the entries.
        let mut changed: Map = [0; BITMAP];
        let mut joined: Map = [0; BITMAP];
        for &(bits, length, appeared) in dirty {
            let from = (bits >> 8 & 0xff) as usize;
            let map = if appeared && length > 24 {
                &mut joined
            } else {
                &mut changed
            };
            set(map, from..from + (1 << 24u8.saturating_sub(length)));
        }
        builder.clear();
        for word in 0..BITMAP {
            let mut bits = parts.live[word] | changed[word] | joined[word];
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                bits ^= bit;
                let at = word * 64 + bit.trailing_zeros() as usize;
                let old = match (parts.covered[word] & bit != 0, parts.live[word] & bit != 0) {
                    (true, _) => Leaf::Covered,
                    (false, true) => parts.next(),
                    (false, false) => Leaf::None,
                };
                let new = if changed[word] & bit != 0 {
                    leaf((index << 8 | at) as u32, entries)
                } else if joined[word] & bit != 0 {
                    let more = dirty.iter().map(|&(bits, length, _)| (bits, length));
                    old.joined(more.filter(|(bits, _)| (bits >> 8 & 0xff) as usize == at))
                } else {
                    old
                };
                builder.push(at, new);
            }
        }
        if builder.is_empty() {
            edit.removed.push(index);
        } else {
            let offset = edit.elements.len();
            let flags = if builder.finish(&mut edit.elements) {
                MIXED
            } else {
                0
            };
            edit.blocks.push(Placed {
                index,
                flags,
                offset,
            });
        }
    }
}

/// What `entries` list of the /24 with these first 24 bits by prefixes longer than 16 bits.
fn leaf(net: u32, entries: &Entries<u32>) -> Leaf {
    let mut map: Map = [0; BITMAP];
    let whole = entries.overlapping((net << 8, 24), 32, |row: &Row<u32>| {
        if row.length <= 16 {
            return ControlFlow::Continue(());
        }
        if row.length <= 24 {
            return ControlFlow::Break(());
        }
        let host = (row.bits() & 0xff) as usize;
        set(&mut map, host..host + (1usize << (32 - row.length)));
        ControlFlow::Continue(())
    });
    if whole.is_break() {
        Leaf::Covered
    } else {
        Leaf::from_map(map)
    }
}
