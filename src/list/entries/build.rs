//! From sorted rows to the trie.
#![expect(clippy::cast_possible_truncation, reason = "a logarithm is below 64")]

use std::sync::Arc;

use super::{AIM, Child, Entries, LEAF, Node};
use crate::bits::Bits;
use crate::list::parallel;
use crate::row::Row;

impl<A: Bits> Entries<A> {
    /// The entries `rows`, which are in prefix order and distinct.
    pub(crate) fn build(rows: &[Row<A>]) -> Self {
        Self {
            root: Child::build(rows, true),
        }
    }
}

impl<A: Bits> Child<A> {
    /// `shared`: whether the first node may hand its children to other threads.
    pub(super) fn build(rows: &[Row<A>], shared: bool) -> Self {
        let ([first, ..], [.., last]) = (rows, rows) else {
            return Self::None;
        };
        let common = first.bits().shared(last.bits());
        if rows.len() <= LEAF || common == A::WIDTH {
            return Self::leaf(rows.into());
        }
        let depth = common.min(A::WIDTH - 1);
        let stride = stride(rows.len()).min(A::WIDTH - depth);
        let reach = depth + stride;
        let origin = last.bits().masked(depth);

        let mut own = Vec::new();
        let mut parts = Vec::with_capacity(1 << stride);
        let mut rest = rows;
        for child in 0..1usize << stride {
            // Rows of a child are contiguous but for the short ones at the head of its range.
            while let Some((row, after)) = rest.split_first()
                && row.length < reach
            {
                own.push(*row);
                rest = after;
            }
            let length = match rest.first() {
                Some(row) if row.bits().index(depth, stride) == child => {
                    rest.partition_point(|row| row.bits().index(depth, stride) == child)
                }
                _ => 0,
            };
            let (part, after) = rest.split_at(length);
            parts.push(part);
            rest = after;
        }
        own.extend_from_slice(rest);
        let children = if shared {
            parallel::map(rows.len(), parts, |part| Self::build(part, false))
        } else {
            parts
                .into_iter()
                .map(|part| Self::build(part, false))
                .collect()
        };
        Self::node(Node::new(origin, depth, stride, own.into(), children))
    }

    pub(super) fn leaf(rows: Arc<[Row<A>]>) -> Self {
        match rows.iter().map(|row| row.expires).min() {
            Some(earliest) => Self::Leaf { rows, earliest },
            None => Self::None,
        }
    }
}

/// The stride that spreads `count` rows over leaves of about [`AIM`].
fn stride(count: usize) -> u8 {
    ((count / AIM).max(2).ilog2() as u8).min(8)
}
