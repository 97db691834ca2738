//! A new trie from an old one and a sorted list of changes; whatever no change touches is shared.

use std::sync::Arc;

use super::{AIM, COLLAPSE, Child, Entries, LEAF, Node};
use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::row::Row;

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
    scratch: Vec<Row<A>>,
}

impl<A: Bits> Entries<A> {
    /// These entries after `changes`, which are put in order.
    pub(crate) fn update<'a>(
        &self,
        changes: &mut [Change<A>],
        seeds: &'a [Fact],
    ) -> (Self, Changes<'a, A>) {
        changes.sort_unstable_by_key(|Change { row, kind }| {
            (row.prefix(), row.feed, *kind, row.attributes)
        });
        let mut done = Changes {
            seeds,
            digest: Digest::default(),
            appeared: Vec::new(),
            vanished: Vec::new(),
            scratch: Vec::new(),
        };
        let root = self.root.update(changes, &mut done);
        (Self { root }, done)
    }
}

impl<A: Bits> Child<A> {
    fn update(&self, changes: &[Change<A>], done: &mut Changes<'_, A>) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        match self {
            Self::None => done.merged_leaf(&[], changes),
            Self::Leaf { rows, .. } => done.merged_leaf(rows, changes),
            Self::Node { node, .. } => Node::update(node, changes, done),
        }
    }

    fn append_to(&self, all: &mut Vec<Row<A>>) {
        all.extend(Entries { root: self.clone() }.iter());
    }
}

impl<A: Bits> Node<A> {
    fn update(self: &Arc<Self>, changes: &[Change<A>], done: &mut Changes<'_, A>) -> Child<A> {
        let foreign = changes
            .iter()
            .filter(|c| c.kind == Kind::Add)
            .map(|c| self.shared(&c.row))
            .min();
        if let Some(shared) = foreign
            && shared < self.depth
        {
            return self.below(shared).update(changes, done);
        }
        let reach = self.depth + self.stride;
        let agrees = |row: &Row<A>| self.shared(row) >= self.depth.min(row.length);
        let (own, deep): (Vec<_>, Vec<_>) = changes
            .iter()
            .copied()
            .filter(|c| agrees(&c.row))
            .partition(|c| c.row.length < reach);

        let rows = if own.is_empty() {
            self.rows.clone()
        } else {
            done.merge(&self.rows, &own).into()
        };
        let mut children = self.children.to_vec();
        let index = |change: &Change<A>| change.row.bits().index(self.depth, self.stride);
        for part in deep.chunk_by(|a, b| index(a) == index(b)) {
            if let Some(child) = part
                .first()
                .and_then(|first| children.get_mut(index(first)))
            {
                *child = child.update(part, done);
            }
        }
        let node = Self::new(self.origin, self.depth, self.stride, rows, children);
        let count = node.count;
        let node = Child::node(node);
        if count > COLLAPSE {
            return node;
        }
        let mut all = Vec::with_capacity(count as usize);
        node.append_to(&mut all);
        Child::leaf(all.into())
    }

    /// Up to which bit `row` goes along with this node; `depth` or more when it belongs here.
    fn shared(&self, row: &Row<A>) -> u8 {
        let shared = row.bits().shared(self.origin);
        if shared >= row.length {
            self.depth.max(shared)
        } else {
            shared
        }
    }

    /// A node above this one that branches at bit `shared`, which is above `depth`.
    fn below(self: &Arc<Self>, shared: u8) -> Arc<Self> {
        let stride = (self.depth - shared).min(4);
        let mut children = vec![Child::None; 1 << stride];
        let reach = shared + stride;
        let (own, kept): (Vec<_>, Vec<_>) = self.rows.iter().partition(|row| row.length < reach);
        if let Some(child) = children.get_mut(self.origin.index(shared, stride)) {
            let node = if own.is_empty() {
                Arc::clone(self)
            } else {
                Self::new(
                    self.origin,
                    self.depth,
                    self.stride,
                    kept.into(),
                    self.children.to_vec(),
                )
            };
            *child = Child::node(node);
        }
        Self::new(
            self.origin.masked(shared),
            shared,
            stride,
            own.into(),
            children,
        )
    }
}

impl<A: Bits> Changes<'_, A> {
    fn merged_leaf(&mut self, rows: &[Row<A>], changes: &[Change<A>]) -> Child<A> {
        let merged = self.merge(rows, changes);
        let child = if merged.len() <= LEAF {
            Child::leaf(merged.as_slice().into())
        } else {
            Child::build(&merged, false)
        };
        self.scratch = merged;
        child
    }

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
