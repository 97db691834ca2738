//! Every entry of one family with its attributes: read on a hit, by explain and by updates.
//!
//! A persistent trie. A leaf is one sorted array of at most [`LEAF`] rows, whatever their lengths; a node branches on
//! as many bits as spread its rows over leaves of about [`AIM`] rows (a stride of 1 to 8), skips the bits that
//! everything beneath shares, and keeps the rows too short for its children itself:
//!
//! ```text
//! node   origin/depth  │ rows: length < depth + stride │ children: 2^stride of { none, leaf, node }
//! leaf   [ bits 4 │ expires 4 │ feed 2 │ length 1 │ attributes 1 ] × n   (IPv4; bits are 16 bytes for IPv6)
//! ```
//!
//! So the entries that cover an address are met on one walk from the root, and an update copies one path. Real
//! suspicious lists put a median of 2 and at most some 2,000 rows under a /16; leaves of fixed reach would be nearly
//! empty or far too long to copy for one change.
#![expect(
    clippy::cast_possible_truncation,
    reason = "the list's limit on rows keeps counts below 32 bits"
)]

mod build;
mod update;
mod walk;

use std::sync::Arc;

use crate::bits::Bits;
use crate::row::{Expiry, Row};

pub(crate) use update::{Change, Changes, Kind};
pub(crate) use walk::Covering;

/// The most rows in a leaf.
const LEAF: usize = 48;
/// How many rows a leaf gets on average when a node is built.
const AIM: usize = 16;
/// A node with fewer rows than this becomes a leaf again.
const COLLAPSE: u32 = 24;

/// All entries of one family.
#[derive(Clone, Debug)]
pub(crate) struct Entries<A: Bits> {
    root: Child<A>,
}

#[derive(Clone, Debug)]
enum Child<A: Bits> {
    None,
    Leaf {
        rows: Arc<[Row<A>]>,
        earliest: Expiry,
    },
    /// A walk down needs no more of a node than this and one child: its first bits are not compared, because rows that
    /// a wrong turn leads to do not cover the address.
    Node {
        node: Arc<Node<A>>,
        depth: u8,
        stride: u8,
        /// Whether the node keeps rows itself.
        own: bool,
    },
}

const _: () = assert!(size_of::<Child<u32>>() == 24 && size_of::<Child<u128>>() == 24);

/// One allocation, the children at its end.
#[derive(Debug)]
struct Node<A: Bits, C: ?Sized = [Child<A>]> {
    /// The first `depth` bits of everything beneath, but for `rows`, which may be shorter.
    origin: A,
    depth: u8,
    stride: u8,
    /// Rows in all of the subtree.
    count: u32,
    /// The earliest expiry in all of the subtree.
    earliest: Expiry,
    /// INVARIANT: sorted; each is shorter than `depth + stride` and its bits agree with `origin` up to
    /// the shorter of both.
    rows: Box<[Row<A>]>,
    /// INVARIANT: `1 << stride` of them.
    children: C,
}

impl<A: Bits> Child<A> {
    fn node(node: Arc<Node<A>>) -> Self {
        Self::Node {
            depth: node.depth,
            stride: node.stride,
            own: !node.rows.is_empty(),
            node,
        }
    }

    fn count(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Leaf { rows, .. } => rows.len() as u32,
            Self::Node { node, .. } => node.count,
        }
    }

    fn bytes(&self) -> usize {
        /// The two counters of an `Arc`.
        const COUNTERS: usize = 2 * size_of::<usize>();
        match self {
            Self::None => 0,
            Self::Leaf { rows, .. } => COUNTERS + size_of_val(&**rows),
            Self::Node { node, .. } => {
                let own = size_of_val(&**node) + size_of_val(&*node.rows);
                COUNTERS + own + node.children.iter().map(Self::bytes).sum::<usize>()
            }
        }
    }

    fn earliest(&self) -> Expiry {
        match self {
            Self::None => Expiry::NEVER,
            Self::Leaf { earliest, .. } => *earliest,
            Self::Node { node, .. } => node.earliest,
        }
    }
}

impl<A: Bits> Node<A> {
    fn new(
        origin: A,
        depth: u8,
        stride: u8,
        rows: Box<[Row<A>]>,
        children: Vec<Child<A>>,
    ) -> Arc<Self> {
        let count = rows.len() as u32 + children.iter().map(Child::count).sum::<u32>();
        let earliest = children
            .iter()
            .map(Child::earliest)
            .chain(rows.iter().map(|r| r.expires))
            .min();
        let node = Node {
            origin,
            depth,
            stride,
            count,
            earliest: earliest.unwrap_or(Expiry::NEVER),
            rows,
            children: (),
        };
        match stride {
            0 | 1 => node.with::<2>(children),
            2 => node.with::<4>(children),
            3 => node.with::<8>(children),
            4 => node.with::<16>(children),
            5 => node.with::<32>(children),
            6 => node.with::<64>(children),
            7 => node.with::<128>(children),
            _ => node.with::<256>(children),
        }
    }
}

impl<A: Bits> Node<A, ()> {
    /// The node with its `N` children, in one allocation.
    fn with<const N: usize>(self, children: Vec<Child<A>>) -> Arc<Node<A>> {
        debug_assert_eq!(children.len(), N);
        let mut children = children.into_iter();
        Arc::new(Node {
            origin: self.origin,
            depth: self.depth,
            stride: self.stride,
            count: self.count,
            earliest: self.earliest,
            rows: self.rows,
            children: std::array::from_fn::<_, N, _>(|_| children.next().unwrap_or(Child::None)),
        })
    }
}

impl<A: Bits> Entries<A> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.root.count() as usize
    }

    /// Heap bytes, those shared with other versions included.
    pub(crate) fn bytes(&self) -> usize {
        self.root.bytes()
    }
}
