//! Nodes of the /16s that a change touches; in them, only the touched /24s are computed anew.
use std::hint::black_box;
use std::ops::ControlFlow;

use super::{
    Members4, Table, arena,
    directory::{Slot, Touched},
    node::{self, Leaf, Map, Node, Placed, Reach, set},
};
use crate::list::{blocks::Reference, cover, entries::Entries};
use crate::row::Row;

/// How many /16s are read ahead.
const AHEAD: u16 = 64;

/// A prefix that appeared or vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dirty {
    bits: u32,
    length: u8,
    appeared: bool,
}

impl Members4 {
    /// These members after prefixes appeared or vanished; `entries` are those after the change.
    pub(crate) fn update(
        &self,
        appeared: &[(u32, u8)],
        vanished: &[(u32, u8)],
        entries: &Entries<u32>,
    ) -> Self {
        let (covering, appeared) = cover::parted(appeared);
        let (uncovering, vanished) = cover::parted(vanished);
        let dirty = |appeared| {
            move |(bits, length)| Dirty {
                bits,
                length,
                appeared,
            }
        };
        let vanished = vanished.into_iter().map(dirty(false));
        let appeared = appeared.into_iter().map(dirty(true));
        let mut long: Vec<Dirty> = vanished.chain(appeared).collect();

        if !self.arena.has_room(long.len()) {
            let rows: Vec<_> = entries.iter().collect();
            return Self::build(&rows);
        }
        let mut next = self.clone();
        next.arena.begin(long.len());
        // Two runs: both are in order.
        long.sort();
        next.fetch(long.iter().map(|dirty| (dirty.bits >> 16) as u16));
        for dirty in long.chunk_by(|a, b| a.bits >> 16 == b.bits >> 16) {
            next.edit(dirty, entries);
        }
        for prefix in uncovering {
            next.uncover(prefix, entries);
        }
        next.cover(&covering);
        next.shift();
        next.arena.finish();
        next.tables.shrink_to_fit();
        next.split.shrink_to_fit();
        next
    }

    fn uncover(&mut self, prefix: (u32, u8), entries: &Entries<u32>) {
        cover::uncover(&mut self.directory, prefix, entries);
        for index in cover::indices(prefix) {
            let slot = self.directory.get(index);
            if !slot.is_covered() {
                let touched = self.nets(slot).collect();
                self.directory.get_mut(index).touched = touched;
            }
        }
    }

    /// The third bytes of the addresses in the nodes of a /16.
    fn nets(&self, slot: Slot) -> impl Iterator<Item = u8> {
        let nodes = match self.table(slot.node) {
            Some(table) => table.into_iter().zip((0..).map(Reach::Part)).collect(),
            None => vec![(slot.node, Reach::Whole(slot.touched))],
        };
        nodes.into_iter().flat_map(|(reference, reach)| {
            let node = Node::load(reach, reference, &self.arena);
            node.leaves().into_iter().map(|(net, _)| net)
        })
    }

    /// The nodes of the /20s of a /16, if it has them.
    fn table(&self, reference: Reference) -> Option<Table> {
        let table = arena::is_split(reference).then(|| arena::table(reference));
        self.tables.get(table?).copied()
    }

    /// Moves the nodes that are due.
    fn shift(&mut self) {
        let mut due = self.arena.due();
        for _ in 0..=u16::MAX {
            if due == 0 {
                break;
            }
            if self.next.is_multiple_of(AHEAD) {
                self.fetch((self.next..=u16::MAX).take(AHEAD.into()));
            }
            let node = self.directory.get(self.next).node;
            let moved = if arena::is_split(node) {
                let table = self.tables[arena::table(node)].iter_mut();
                table.map(|node| self.arena.shift(node)).sum()
            } else if arena::buckets(node) > 0 {
                self.arena
                    .shift(&mut self.directory.get_mut(self.next).node)
            } else {
                0
            };
            due = due.saturating_sub(moved);
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Reads the nodes of these /16s, so that the caches are filled by many reads at once.
    fn fetch(&self, indices: impl Iterator<Item = u16>) {
        let nodes = indices.map(|index| self.directory.get(index).node);
        let read = nodes.map(|node| self.arena.at(node).first().map_or(0, |line| line.0[0]));
        black_box(read.fold(0, |a, b| a ^ b));
    }

    /// Writes the node of one /16 after `dirty`, the changed prefixes in it, in order.
    fn edit(&mut self, dirty: &[Dirty], entries: &Entries<u32>) {
        let Some(first) = dirty.first() else { return };
        let index = (first.bits >> 16) as u16;
        let slot = self.directory.get(index);
        let longest = node::longest(entries.len());
        let mut change = Change::new(dirty, entries);
        let (placed, touched) = if let Some(mut table) = self.table(slot.node) {
            for (reference, number) in table.iter_mut().zip(0..) {
                let reach = Reach::Part(number);
                if change.nets(reach).next().is_some() {
                    let node = Node::load(reach, *reference, &self.arena);
                    self.arena.forget(*reference, node.length());
                    *reference = match change.apply(node, reach, longest) {
                        Changed::Node(node) => node.push(&mut self.arena),
                        Changed::Leaves(leaves) => {
                            node::push(reach, &leaves, &mut self.arena).unwrap_or(0)
                        }
                    };
                }
            }
            let touched = change.touched(slot.touched, |net| {
                let node = table[usize::from(net >> 4)];
                node::has_net(self.arena.at(node), arena::buckets(node), net)
            });
            let placed = if table == [0; 16] {
                Placed::Node(0)
            } else {
                Placed::Split(table)
            };
            (placed, touched)
        } else {
            let reach = Reach::Whole(slot.touched);
            let node = Node::load(reach, slot.node, &self.arena);
            self.arena.forget(slot.node, node.length());
            match change.apply(node, reach, longest) {
                Changed::Node(node) => {
                    let touched = change.touched(slot.touched, |net| node.has(net));
                    (Placed::Node(node.push(&mut self.arena)), touched)
                }
                Changed::Leaves(leaves) => {
                    let touched = leaves.iter().map(|(net, _)| *net).collect();
                    let is_covered = slot.is_covered();
                    let looked_for = if is_covered { Touched::ALL } else { touched };
                    let placed = node::place(looked_for, &leaves, longest, &mut self.arena);
                    (placed, touched)
                }
            }
        };
        self.place(index, placed, touched);
    }
}

/// A node after a change.
enum Changed {
    Node(Node),
    /// What it was, to be put together anew.
    Leaves(Vec<(u8, Leaf)>),
}

/// What changes in one /16.
struct Change<'a> {
    /// In order.
    dirty: &'a [Dirty],
    entries: &'a Entries<u32>,
    /// The /24s of which something vanished, or that appeared whole: all of it is asked of the entries.
    asked: Map,
    /// The /24s in which hosts appeared, which join those that are there.
    joined: Map,
    /// The changed /24s that have nothing listed any more.
    emptied: Map,
    /// The others.
    filled: Map,
}

impl<'a> Change<'a> {
    fn new(dirty: &'a [Dirty], entries: &'a Entries<u32>) -> Self {
        let (mut asked, mut joined) = ([0; 4], [0; 4]);
        for dirty in dirty {
            let is_new_host = dirty.appeared && dirty.length > 24;
            let map = if is_new_host { &mut joined } else { &mut asked };
            let from = (dirty.bits >> 8 & 0xff) as usize;
            set(map, from..from + (1 << 24u8.saturating_sub(dirty.length)));
        }
        Self {
            dirty,
            entries,
            asked,
            joined,
            emptied: [0; 4],
            filled: [0; 4],
        }
    }

    /// The /24s within reach that change.
    fn nets(&self, reach: Reach) -> impl Iterator<Item = u8> + use<> {
        let mut changed = self.asked;
        for (changed, joined) in changed.iter_mut().zip(self.joined) {
            *changed |= joined;
        }
        node::ones(reach.within(changed))
    }

    /// What is touched after the change, as far as it was `before`; of other /24s than those that change, `is_listed`
    /// knows.
    fn touched(&self, mut before: Touched, is_listed: impl Fn(u8) -> bool + Copy) -> Touched {
        for net in node::ones(self.emptied) {
            before.remove(net, is_listed);
        }
        node::ones(self.filled).for_each(|net| before.insert(net));
        before
    }

    fn apply(&mut self, mut node: Node, reach: Reach, longest: usize) -> Changed {
        let mut misfits = Vec::new();
        for net in self.nets(reach) {
            let leaf = self.leaf(net, &node);
            let nets = if leaf == Leaf::NONE {
                &mut self.emptied
            } else {
                &mut self.filled
            };
            set(nets, net.into()..usize::from(net) + 1);
            if !node.set(net, &leaf) {
                misfits.push((net, leaf));
            }
        }
        if misfits.is_empty() && !node.is_unfit(longest) {
            return Changed::Node(node);
        }
        let mut leaves = node.leaves();
        leaves.retain(|(net, _)| misfits.iter().all(|(misfit, _)| net != misfit));
        leaves.extend(misfits);
        leaves.sort_unstable_by_key(|(net, _)| *net);
        Changed::Leaves(leaves)
    }

    /// What is listed of a /24 after the change; `node` is from before.
    fn leaf(&self, net: u8, node: &Node) -> Leaf {
        let Some(first) = self.dirty.first() else {
            return node.get(net);
        };
        let net24 = first.bits >> 16 << 8 | u32::from(net);
        if node::is_set(&self.asked, net) {
            return listed(net24, self.entries);
        }
        let before = self.dirty.partition_point(|dirty| dirty.bits >> 8 < net24);
        let hosts = self.dirty.iter().skip(before);
        let hosts = hosts.take_while(|dirty| dirty.bits >> 8 == net24);
        node.get(net)
            .joined(hosts.map(|dirty| (dirty.bits, dirty.length)))
    }
}

/// What `entries` list of the /24 with these first 24 bits by prefixes longer than 16 bits.
fn listed(net: u32, entries: &Entries<u32>) -> Leaf {
    let mut map: Map = [0; 4];
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
        Leaf::WHOLE
    } else {
        Leaf::from_map(map)
    }
}
