//! Reading: what covers an address, what lies beneath a prefix, everything in order.

use std::{ops::ControlFlow, slice};

use super::{Child, Entries, Node};
use crate::bits::Bits;
use crate::feed::Timestamp;
use crate::row::Row;

impl<A: Bits> Entries<A> {
    /// The entries that cover `address`, shortest prefix first; feeds in order among equals. Allocates nothing.
    #[inline]
    pub(crate) fn covering(&self, address: A) -> Covering<'_, A> {
        Covering {
            address,
            rows: [].iter(),
            next: Some(&self.root),
        }
    }

    /// Every entry, in prefix order.
    pub(crate) fn iter(&self) -> Sorted<'_, A> {
        let mut sorted = Sorted {
            rows: [].iter(),
            path: Vec::new(),
        };
        sorted.enter(&self.root);
        sorted
    }

    /// Calls `visit` for every entry of at most `longest` bits that covers the prefix or lies beneath it, in no
    /// particular order.
    pub(crate) fn overlapping<B>(
        &self,
        (bits, length): (A, u8),
        longest: u8,
        mut visit: impl FnMut(&Row<A>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.root.overlapping(bits, length, longest, &mut visit)
    }

    /// Calls `visit` for every entry whose own expiry is not after `now`.
    pub(crate) fn expired(&self, now: Timestamp, mut visit: impl FnMut(&Row<A>)) {
        self.root.expired(now, &mut visit);
    }
}

impl<A: Bits> Child<A> {
    fn overlapping<B>(
        &self,
        bits: A,
        length: u8,
        longest: u8,
        visit: &mut impl FnMut(&Row<A>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let overlaps = |row: &&Row<A>| {
            let shorter = row.length.min(length);
            row.length <= longest && row.bits().masked(shorter) == bits.masked(shorter)
        };
        match self {
            Self::None => ControlFlow::Continue(()),
            Self::Leaf { rows, .. } => rows.iter().filter(overlaps).try_for_each(visit),
            Self::Node { node, .. } => {
                node.rows
                    .iter()
                    .filter(overlaps)
                    .try_for_each(&mut *visit)?;
                let shorter = node.depth.min(length);
                let reach = node.depth + node.stride;
                if reach > longest || node.origin.masked(shorter) != bits.masked(shorter) {
                    return ControlFlow::Continue(());
                }
                let (from, to) = if length >= reach {
                    let only = bits.index(node.depth, node.stride);
                    (only, only)
                } else if length > node.depth {
                    (
                        bits.index(node.depth, node.stride),
                        bits.last(length).index(node.depth, node.stride),
                    )
                } else {
                    (0, node.children.len() - 1)
                };
                let children = node.children.get(from..=to).unwrap_or_default();
                children
                    .iter()
                    .try_for_each(|child| child.overlapping(bits, length, longest, visit))
            }
        }
    }

    fn expired(&self, now: Timestamp, visit: &mut impl FnMut(&Row<A>)) {
        if self.earliest().is_after(now) {
            return;
        }
        let dead = |row: &&Row<A>| !row.expires.is_after(now);
        match self {
            Self::None => {}
            Self::Leaf { rows, .. } => rows.iter().filter(dead).for_each(visit),
            Self::Node { node, .. } => {
                node.rows.iter().filter(dead).for_each(&mut *visit);
                node.children
                    .iter()
                    .for_each(|child| child.expired(now, visit));
            }
        }
    }
}

/// The entries that cover one address.
#[derive(Clone, Debug)]
pub(crate) struct Covering<'a, A: Bits> {
    address: A,
    rows: slice::Iter<'a, Row<A>>,
    next: Option<&'a Child<A>>,
}

impl<'a, A: Bits> Iterator for Covering<'a, A> {
    type Item = &'a Row<A>;

    #[inline]
    fn next(&mut self) -> Option<&'a Row<A>> {
        loop {
            let address = self.address;
            if let Some(row) = self.rows.find(|row| row.covers(address)) {
                return Some(row);
            }
            match self.next? {
                Child::None => return None,
                Child::Leaf { rows, .. } => {
                    self.rows = rows.iter();
                    self.next = None;
                }
                Child::Node {
                    node,
                    depth,
                    stride,
                    own,
                } => {
                    if *own {
                        self.rows = node.rows.iter();
                    }
                    self.next = node.children.get(address.index(*depth, *stride));
                }
            }
        }
    }
}

/// Every entry in prefix order.
#[derive(Debug)]
pub(crate) struct Sorted<'a, A: Bits> {
    rows: slice::Iter<'a, Row<A>>,
    path: Vec<Step<'a, A>>,
}

#[derive(Debug)]
struct Step<'a, A: Bits> {
    node: &'a Node<A>,
    own: slice::Iter<'a, Row<A>>,
    child: usize,
}

impl<'a, A: Bits> Sorted<'a, A> {
    fn enter(&mut self, child: &'a Child<A>) {
        match child {
            Child::None => {}
            Child::Leaf { rows, .. } => self.rows = rows.iter(),
            Child::Node { node, .. } => self.path.push(Step {
                node,
                own: node.rows.iter(),
                child: 0,
            }),
        }
    }
}

impl<'a, A: Bits> Iterator for Sorted<'a, A> {
    type Item = &'a Row<A>;

    fn next(&mut self) -> Option<&'a Row<A>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            let step = self.path.last_mut()?;
            let node = step.node;
            // A short row precedes every child whose range begins at or after its own.
            let at = |row: &Row<A>| {
                if row.length <= node.depth {
                    0
                } else {
                    row.bits().index(node.depth, node.stride)
                }
            };
            if let Some(row) = step.own.as_slice().first()
                && at(row) <= step.child
            {
                return step.own.next();
            }
            match node.children.get(step.child) {
                Some(child) => {
                    step.child += 1;
                    self.enter(child);
                }
                None => {
                    self.path.pop();
                }
            }
        }
    }
}
