//! New entries from old ones and a sorted list of changes; whatever no change touches is shared.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the list's limit on rows keeps counts below 32 bits"
)]

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;

use super::arena::{Arena, Reference};
use super::build::{directory, words};
use super::leaf::{self, Rows};
use super::node::{self, Children, Node, View};
use super::walk::Walk;
use super::{AIM, COLLAPSE, Entries, MOST, PAGE, Page, Slot};
use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::list::arena::Place;
use crate::row::{Expiry, Row};

/// About how many words a change writes, its leaf and its share of the nodes.
const EACH: usize = 64;

/// What to do with a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<A: Bits> {
    pub(crate) row: Row<A>,
    pub(crate) kind: Kind,
}

/// Of one feed and prefix, what goes comes before what is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// All entries of the feed for the prefix go.
    Remove,
    /// The entry goes that says the same.
    Expire,
    Add,
}

/// What a list of changes amounted to.
#[derive(Debug)]
pub(crate) struct Changes<'a, A: Bits> {
    seeds: &'a [Fact],
    /// To be added to the digest.
    pub(crate) digest: Digest,
    /// Prefixes that are listed now by some feed and were by none, and the reverse.
    pub(crate) appeared: Vec<(A, u8)>,
    pub(crate) vanished: Vec<(A, u8)>,
    added: usize,
    removed: usize,
    /// Vectors that are used again: what a merge gives, and what it is given.
    scratch: Vec<Row<A>>,
    spare: Vec<Row<A>>,
}

impl<A: Bits> Entries<A> {
    /// These entries after `changes`, which are put in order.
    pub(crate) fn update<'a>(
        &self,
        changes: &mut [Change<A>],
        seeds: &'a [Fact],
    ) -> (Self, Changes<'a, A>) {
        changes.sort_unstable_by(|a, b| {
            let rest =
                |Change { row, kind }: &Change<A>| (row.length, row.feed, *kind, row.attributes);
            let bits = a.row.bits().cmp(&b.row.bits());
            bits.then_with(|| rest(a).cmp(&rest(b)))
        });
        let mut done = Changes {
            seeds,
            digest: Digest::default(),
            appeared: Vec::new(),
            vanished: Vec::new(),
            added: 0,
            removed: 0,
            scratch: Vec::new(),
            spare: Vec::new(),
        };
        let mut next = if self.arena.has_room(words::<A>(changes.len())) {
            self.clone()
        } else {
            Self::build(&self.iter().collect::<Vec<_>>())
        };
        next.arena.begin(changes.len() * EACH);
        next.change(changes, &mut done);
        next.count = next.count + done.added - done.removed;
        let best = directory(next.count);
        if best > next.stride + 1 || best + 2 < next.stride {
            let rows: Vec<Row<A>> = next.iter().collect();
            next = Self::build(&rows);
        } else {
            next.shift();
            next.arena.finish();
        }
        (next, done)
    }

    fn change(&mut self, changes: &[Change<A>], done: &mut Changes<'_, A>) {
        let (short, long): (Vec<_>, Vec<_>) = changes
            .iter()
            .copied()
            .partition(|change| change.row.length < self.stride);
        if !short.is_empty() {
            self.short = self.arena.update(self.short, &short, done);
            self.mark_covered();
        }
        let index = |change: &Change<A>| change.row.bits().index(0, self.stride);
        for of_page in long.chunk_by(|a, b| index(a) >> PAGE == index(b) >> PAGE) {
            let page = of_page
                .first()
                .and_then(|first| self.pages.get_mut(index(first) >> PAGE));
            let Some(page) = page.map(Arc::make_mut) else {
                continue;
            };
            self.arena.fetch_changed(page, self.stride, of_page);
            for of_slot in of_page.chunk_by(|a, b| index(a) == index(b)) {
                let at = of_slot.first().map_or(0, index) % (1 << PAGE);
                page.set(at, self.arena.update(page.slot(at), of_slot, done));
            }
        }
    }
}

impl Arena {
    /// Reads what `changes` of slots of `page` will rewrite, level by level, so that the caches are filled by many reads
    /// at once; one change after the other would wait for each.
    fn fetch_changed<A: Bits>(&self, page: &Page, stride: u8, changes: &[Change<A>]) {
        let blocks = changes.iter().map(|Change { row, .. }| {
            let slot = row.bits().index(0, stride) % (1 << PAGE);
            (page.slot(slot).reference, row.bits())
        });
        let mut blocks: Vec<(Reference, A)> = blocks.collect();
        while blocks.iter().any(|(reference, _)| reference.is_node()) {
            let nodes = blocks
                .iter_mut()
                .filter(|(reference, _)| reference.is_node());
            for (reference, bits) in nodes {
                let node = View::new(self.at(reference.place()));
                *reference = node.child(bits.index(node.depth, node.stride));
            }
        }
        let lines = |words: &[u32]| words.iter().step_by(16).take(3).fold(0, |a, b| a ^ b);
        let read = blocks
            .iter()
            .map(|(reference, _)| lines(self.at(reference.place())));
        black_box(read.fold(0, |a, b| a ^ b));
    }

    fn update<A: Bits>(
        &mut self,
        slot: Slot,
        changes: &[Change<A>],
        done: &mut Changes<'_, A>,
    ) -> Slot {
        if changes.is_empty() {
            slot
        } else if slot.reference.is_none() {
            self.changed_rows(&[], changes, done)
        } else if slot.reference.is_node() {
            self.changed_node(slot, changes, done)
        } else {
            let rows = self.take_leaf(slot, done);
            let slot = self.changed_rows(&rows, changes, done);
            done.spare = rows;
            slot
        }
    }

    /// The rows of a leaf that nothing will refer to any more.
    fn take_leaf<A: Bits>(&mut self, slot: Slot, done: &mut Changes<'_, A>) -> Vec<Row<A>> {
        let mut rows = std::mem::take(&mut done.spare);
        rows.clear();
        if !slot.reference.is_none() {
            let words = self.at(slot.reference.place());
            rows.extend(Rows::new(words));
            let length = leaf::length::<A>(words);
            self.forget(slot.reference.place(), length);
        }
        rows
    }

    /// `rows` after changes, as a tree.
    fn changed_rows<A: Bits>(
        &mut self,
        rows: &[Row<A>],
        changes: &[Change<A>],
        done: &mut Changes<'_, A>,
    ) -> Slot {
        let merged = done.merge(rows, changes);
        let slot = self.build(&merged);
        done.scratch = merged;
        slot
    }

    fn changed_node<A: Bits>(
        &mut self,
        slot: Slot,
        changes: &[Change<A>],
        done: &mut Changes<'_, A>,
    ) -> Slot {
        let place = slot.reference.place();
        let view = View::new(self.at(place));
        let (depth, origin) = (view.depth, view.origin::<A>());
        let is_beneath = |Change { row, .. }: &Change<A>| {
            row.length >= depth + view.stride && row.bits().shared(origin) >= depth
        };
        // Nearly always.
        if slot.earliest == Expiry::NEVER && changes.iter().all(is_beneath) {
            return self.changed_children(place, changes, done);
        }
        let node = Node::<A>::read(view);
        let length = view.length::<A>();
        self.forget(place, length);
        let taken = Taken {
            node,
            own: None,
            child: None,
        };
        self.changed(taken, changes, done)
    }

    /// A node in which nothing expires, after changes beneath its children: but for their references and the count it
    /// stays what it was, unless some child is new, or gone.
    fn changed_children<A: Bits>(
        &mut self,
        place: Place,
        changes: &[Change<A>],
        done: &mut Changes<'_, A>,
    ) -> Slot {
        let view = View::new(self.at(place));
        let (depth, stride, count) = (view.depth, view.stride, view.count());
        let length = view.length::<A>();
        let before = (done.added, done.removed);
        let index = |change: &Change<A>| change.row.bits().index(depth, stride);
        let mut children = Vec::with_capacity(changes.len().min(1 << MOST));
        let mut is_alike = true;
        for part in changes.chunk_by(|a, b| index(a) == index(b)) {
            let at = part.first().map_or(0, index);
            let old = Slot {
                reference: View::new(self.at(place)).child(at),
                earliest: Expiry::NEVER,
            };
            let new = self.update(old, part, done);
            is_alike &= old.reference.is_none() == new.reference.is_none();
            is_alike &= new.earliest == Expiry::NEVER;
            children.push((at, new));
        }
        let count = count + (done.added - before.0) as u32 - (done.removed - before.1) as u32;
        if is_alike && count > COLLAPSE {
            let place = self.shift(place, length, |block| node::change(block, &children, count));
            return Slot {
                reference: Reference::to(true, place),
                earliest: Expiry::NEVER,
            };
        }
        let mut node = Node::<A>::read(View::new(self.at(place)));
        self.forget(place, length);
        for (at, child) in children {
            node.children.set(at, child);
        }
        node.count = count;
        self.place_node(&node)
    }

    /// A node that was taken out, after changes.
    fn changed<A: Bits>(
        &mut self,
        taken: Taken<A>,
        changes: &[Change<A>],
        done: &mut Changes<'_, A>,
    ) -> Slot {
        let node = &taken.node;
        let foreign = changes
            .iter()
            .filter(|c| c.kind == Kind::Add)
            .map(|c| node.shared(&c.row))
            .min();
        if let Some(shared) = foreign
            && shared < node.depth
        {
            let above = self.above(taken, shared, done);
            return self.changed(above, changes, done);
        }
        let Taken {
            mut node,
            own: taken,
            mut child,
        } = taken;
        let reach = node.depth + node.stride;
        let agrees = |row: &Row<A>| node.shared(row) >= node.depth.min(row.length);
        let is_deep = |c: &Change<A>| c.row.length >= reach;
        // Nearly always all are.
        let (own, deep) = if changes.iter().all(|c| is_deep(c) && agrees(&c.row)) {
            (Vec::new(), Cow::Borrowed(changes))
        } else {
            let agreeing = changes.iter().copied().filter(|c| agrees(&c.row));
            let (deep, own): (Vec<_>, Vec<_>) = agreeing.partition(is_deep);
            (own, Cow::Owned(deep))
        };
        let before = (done.added, done.removed);
        if taken.is_some() || !own.is_empty() {
            let rows = taken.unwrap_or_else(|| self.take_leaf(node.own, done));
            let merged = done.merge(&rows, &own);
            node.own = self.leaf(&merged);
            (done.scratch, done.spare) = (merged, rows);
        }
        let index = |change: &Change<A>| change.row.bits().index(node.depth, node.stride);
        for part in deep.chunk_by(|a, b| index(a) == index(b)) {
            let at = part.first().map_or(0, index);
            let slot = match child.take_if(|(place, _)| *place == at) {
                Some((_, taken)) => self.changed(*taken, part, done),
                None => self.update(node.children.get(at), part, done),
            };
            node.children.set(at, slot);
        }
        if let Some((at, taken)) = child {
            node.children.set(at, self.changed(*taken, &[], done));
        }
        node.count = node.count + (done.added - before.0) as u32 - (done.removed - before.1) as u32;
        self.place_node(&node)
    }

    /// A node as a block, or what it says in fewer.
    fn place_node<A: Bits>(&mut self, node: &Node<A>) -> Slot {
        if node.count > COLLAPSE {
            // Else nodes that once told rows apart would pile up above those that are left.
            return node.only_child().unwrap_or_else(|| self.node(node));
        }
        let mut rows: Vec<Row<A>> = Vec::with_capacity(node.count as usize);
        for slot in node.slots() {
            self.take(*slot, &mut rows);
        }
        rows.sort_unstable_by(Row::order);
        self.build(&rows)
    }

    /// Takes all rows of a part that nothing will refer to any more.
    fn take<A: Bits>(&mut self, slot: Slot, rows: &mut Vec<Row<A>>) {
        rows.extend(Walk::new(self, slot.reference));
        self.forget_all::<A>(slot.reference);
    }

    fn forget_all<A: Bits>(&mut self, reference: Reference) {
        if reference.is_none() {
            return;
        }
        let words = self.at(reference.place());
        let length = if reference.is_node() {
            let node = View::new(words);
            let beneath: Vec<Slot> = node.slots::<A>().collect();
            let length = node.length::<A>();
            for slot in beneath {
                self.forget_all::<A>(slot.reference);
            }
            length
        } else {
            leaf::length::<A>(words)
        };
        self.forget(reference.place(), length);
    }

    /// A node above another that branches at bit `shared`, which is above the other's depth. Neither they nor their own
    /// rows are written yet: there may be as many nodes above each other as there are changes.
    fn above<A: Bits>(
        &mut self,
        mut taken: Taken<A>,
        shared: u8,
        done: &mut Changes<'_, A>,
    ) -> Taken<A> {
        let node = &mut taken.node;
        let stride = (node.depth - shared).min(4);
        let reach = shared + stride;
        let own = taken.own.take();
        let own = own.unwrap_or_else(|| self.take_leaf(node.own, done));
        let (own, kept): (Vec<_>, Vec<_>) = own.iter().partition(|row| row.length < reach);
        let above = Node {
            origin: node.origin.masked(shared),
            depth: shared,
            stride,
            count: node.count,
            own: Slot::NONE,
            children: Children::default(),
        };
        node.own = Slot::NONE;
        node.count -= own.len() as u32;
        let at = node.origin.index(shared, stride);
        taken.own = Some(kept);
        Taken {
            node: above,
            own: Some(own),
            child: Some((at, Box::new(taken))),
        }
    }
}

/// A node taken out of the arena, and what of it is not there either.
struct Taken<A: Bits> {
    node: Node<A>,
    /// The rows of its own leaf.
    own: Option<Vec<Row<A>>>,
    /// A child and its number.
    child: Option<(usize, Box<Self>)>,
}

impl<A: Bits> Node<A> {
    /// Up to which bit `row` goes along with this node; `depth` or more when it belongs here.
    fn shared(&self, row: &Row<A>) -> u8 {
        let shared = row.bits().shared(self.origin);
        if shared >= row.length {
            self.depth.max(shared)
        } else {
            shared
        }
    }
}

impl<A: Bits> Changes<'_, A> {
    /// Sorted `rows` after sorted `changes`.
    fn merge(&mut self, rows: &[Row<A>], changes: &[Change<A>]) -> Vec<Row<A>> {
        let mut merged = std::mem::take(&mut self.scratch);
        merged.clear();
        merged.reserve(rows.len() + changes.len().min(AIM));
        let mut rest = rows;
        for of_prefix in
            changes.chunk_by(|a, b| a.row.bits() == b.row.bits() && a.row.length == b.row.length)
        {
            let Some(Change { row: first, .. }) = of_prefix.first() else {
                continue;
            };
            let prefix = (first.bits(), first.length);
            let before = rest.partition_point(|row| (row.bits(), row.length) < prefix);
            let same = rest.partition_point(|row| (row.bits(), row.length) <= prefix) - before;
            let (untouched, after) = rest.split_at(before);
            let (old, after) = after.split_at(same);
            rest = after;
            merged.extend_from_slice(untouched);
            let start = merged.len();
            self.merge_prefix(&mut merged, old, of_prefix);
            match (old.is_empty(), merged.len() == start) {
                (true, false) => self.appeared.push(prefix),
                (false, true) => self.vanished.push(prefix),
                (true, true) | (false, false) => {}
            }
        }
        merged.extend_from_slice(rest);
        merged
    }

    /// The rows of one prefix: `old` and `changes` are sorted by feed.
    fn merge_prefix(&mut self, merged: &mut Vec<Row<A>>, old: &[Row<A>], changes: &[Change<A>]) {
        let mut old = old.iter().copied().peekable();
        for of_feed in changes.chunk_by(|a, b| a.row.feed == b.row.feed) {
            let Some(Change { row: first, .. }) = of_feed.first() else {
                continue;
            };
            let goes = |row: &Row<A>| {
                of_feed.iter().any(|change| match change.kind {
                    Kind::Remove => true,
                    Kind::Expire => change.row.attributes == row.attributes,
                    Kind::Add => false,
                })
            };
            while let Some(row) = old.next_if(|row| row.feed < first.feed) {
                merged.push(row);
            }
            let start = merged.len();
            while let Some(row) = old.next_if(|row| row.feed == first.feed) {
                if goes(&row) {
                    self.digest -= self.of(&row);
                    self.removed += 1;
                } else {
                    merged.push(row);
                }
            }
            let added = of_feed.iter().filter(|change| change.kind == Kind::Add);
            for Change { row, .. } in added {
                let kept = merged.get_mut(start..).unwrap_or_default();
                match kept
                    .iter_mut()
                    .find(|kept| kept.attributes == row.attributes)
                {
                    Some(kept) if kept.expires >= row.expires => {}
                    Some(kept) => {
                        self.digest -= self.of(kept);
                        self.digest += self.of(row);
                        *kept = *row;
                    }
                    None => {
                        self.digest += self.of(row);
                        self.added += 1;
                        merged.push(*row);
                    }
                }
            }
            let kept = merged.get_mut(start..).unwrap_or_default();
            kept.sort_unstable_by_key(|row| row.attributes);
        }
        merged.extend(old);
    }

    fn of(&self, row: &Row<A>) -> Digest {
        let feed = self.seeds.get(usize::from(row.feed));
        feed.map_or_else(Digest::default, |feed| row.digest(*feed))
    }
}
