//! The entries of one address family.

use crate::digest::{Digest, Fact};
use crate::error::CompileError;
use crate::feed::{Attributes, Expiry, Feed, Row, Timestamp};
use crate::prefix::{Bits, PrefixBits};
use crate::trie::Trie;

/// The entries of one family: a trie from an address to the longest listed prefix that covers it,
/// and the listed prefixes in ascending order, each with the one above it and its entries.
#[derive(Debug)]
pub(super) struct Table<B> {
    /// The values are node numbers, from 1.
    trie: Trie<B>,
    nodes: Vec<Node<B>>,
    /// Ordered by node, then by feed, then by attributes.
    rows: Vec<ListedRow>,
}

/// A listed prefix.
#[derive(Debug)]
struct Node<B> {
    bits: B,
    /// The longest shorter listed prefix that covers this one.
    above: Option<NodeNumber>,
    /// Where its rows begin; they end where the next node's begin.
    first: u32,
    length: u8,
}

/// The place of a node, counted from 1.
pub(super) type NodeNumber = std::num::NonZeroU32;

/// What one feed says about a listed prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListedRow {
    pub(super) expires: Expiry,
    /// The place of the feed among the list's.
    pub(super) feed: u16,
    pub(super) attributes: Attributes,
}

const _: () = assert!(size_of::<Node<u32>>() == 16);
const _: () = assert!(size_of::<ListedRow>() == 8);

/// A row on its way into a table.
#[derive(Clone, Copy)]
struct Candidate<B> {
    prefix: PrefixBits<B>,
    row: ListedRow,
}

impl<B: Bits> Candidate<B> {
    /// What makes an entry: everything but how long it lives.
    fn key(&self) -> (PrefixBits<B>, u16, Attributes) {
        (self.prefix, self.row.feed, self.row.attributes)
    }
}

/// As many entries as the trie can number.
const LIMIT: usize = (1 << 31) - 1;

/// From how many candidates on sorting uses more than one thread.
#[cfg(feature = "rayon")]
const PARALLEL_FROM: usize = 1 << 15;

impl<B: Bits> Table<B> {
    /// Compiles the rows of `feeds`, one a name, that live at `now`, and digests them.
    /// `tags` begin each feed's facts.
    pub(super) fn compile(
        feeds: &[&Feed],
        rows: impl Fn(&Feed) -> &[Row<B>],
        now: Timestamp,
        tags: &[Fact],
    ) -> Result<(Self, Digest), CompileError> {
        let mut candidates = Vec::with_capacity(feeds.iter().map(|feed| rows(feed).len()).sum());
        for (feed, number) in feeds.iter().zip(0_u16..) {
            candidates.extend(rows(feed).iter().filter_map(|row| {
                let expires = row.expires.extended_to(feed.asserted_until);
                expires.is_after(now).then_some(Candidate {
                    prefix: row.prefix(),
                    row: ListedRow {
                        expires,
                        feed: number,
                        attributes: row.attributes,
                    },
                })
            }));
        }
        sort(&mut candidates);
        // Ascending by expiry last: of entries that say the same, the one that lives longest stays.
        // Entries that say different things stay apart, because a request may count one and not
        // the other.
        candidates.dedup_by(|longer, kept| {
            let same = longer.key() == kept.key();
            if same {
                kept.row.expires = longer.row.expires;
            }
            same
        });
        if candidates.len() > LIMIT {
            return Err(CompileError::too_many("entries", candidates.len(), LIMIT));
        }
        Ok(Self::build(&candidates, tags))
    }

    fn build(candidates: &[Candidate<B>], tags: &[Fact]) -> (Self, Digest) {
        let mut nodes: Vec<Node<B>> = Vec::new();
        let mut numbered: Vec<(PrefixBits<B>, u32)> = Vec::new();
        let mut rows = Vec::with_capacity(candidates.len());
        // The prefixes that cover the current one, shortest first.
        let mut covering: Vec<(PrefixBits<B>, NodeNumber)> = Vec::new();
        let mut digest = Digest::default();
        let mut number = NodeNumber::MIN;
        for (Candidate { prefix, row }, first) in candidates.iter().zip(0_u32..) {
            if numbered.last().is_none_or(|(last, _)| last != prefix) {
                while covering
                    .pop_if(|(above, _)| !above.covers(*prefix))
                    .is_some()
                {}
                nodes.push(Node {
                    bits: prefix.bits,
                    above: covering.last().map(|(_, above)| *above),
                    first,
                    length: prefix.length,
                });
                numbered.push((*prefix, number.get()));
                covering.push((*prefix, number));
                number = number.saturating_add(1);
            }
            rows.push(*row);
            if let Some(tag) = tags.get(usize::from(row.feed)) {
                digest = digest + row.digest(*tag, *prefix);
            }
        }
        let table = Self {
            trie: Trie::build(&numbered),
            nodes,
            rows,
        };
        (table, digest)
    }

    /// The longest listed prefix that covers `address`.
    #[inline]
    pub(super) fn longest(&self, address: B) -> Option<NodeNumber> {
        NodeNumber::new(self.trie.lookup(address))
    }

    /// The rows of a prefix and of every prefix above it, longest prefix first.
    pub(super) fn upwards(
        &self,
        from: Option<NodeNumber>,
    ) -> impl Iterator<Item = (PrefixBits<B>, ListedRow)> {
        let mut next = from;
        std::iter::from_fn(move || {
            let number = next?;
            let node = self.nodes.get(number.get() as usize - 1)?;
            next = node.above;
            Some((node, number))
        })
        .flat_map(|(node, number)| {
            let rows = self.rows_of(node, number).iter();
            rows.map(|row| (node.prefix(), *row))
        })
    }

    /// The rows of every prefix that covers `prefix`.
    pub(super) fn covering_prefix(
        &self,
        prefix: PrefixBits<B>,
    ) -> impl Iterator<Item = (PrefixBits<B>, ListedRow)> {
        self.upwards(self.longest(prefix.bits))
            .filter(move |(above, _)| above.covers(prefix))
    }

    /// Every row: ascending by prefix, then by feed.
    pub(super) fn all(&self) -> impl Iterator<Item = (PrefixBits<B>, ListedRow)> {
        self.nodes.iter().zip(1_u32..).flat_map(|(node, number)| {
            let number = NodeNumber::new(number).unwrap_or(NodeNumber::MAX);
            let rows = self.rows_of(node, number).iter();
            rows.map(|row| (node.prefix(), *row))
        })
    }

    /// Every listed prefix, ascending.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = PrefixBits<B>> {
        self.nodes.iter().map(Node::prefix)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.trie.bytes()
            + self.nodes.capacity() * size_of::<Node<B>>()
            + self.rows.capacity() * size_of::<ListedRow>()
    }

    fn rows_of(&self, node: &Node<B>, number: NodeNumber) -> &[ListedRow] {
        // Numbers count from 1, so a node's number is the next node's index.
        let next = self.nodes.get(number.get() as usize);
        let end = next.map_or(self.rows.len(), |next| next.first as usize);
        self.rows.get(node.first as usize..end).unwrap_or_default()
    }
}

impl<B: Bits> Node<B> {
    fn prefix(&self) -> PrefixBits<B> {
        PrefixBits {
            bits: self.bits,
            length: self.length,
        }
    }
}

impl ListedRow {
    fn digest<B: Bits>(self, tag: Fact, prefix: PrefixBits<B>) -> Digest {
        let [family, high, low] = prefix.words();
        let rest = self.attributes.word() << 32 | self.expires.word();
        tag.word(family).word(high).word(low).word(rest).digest()
    }
}

fn sort<B: Bits>(candidates: &mut [Candidate<B>]) {
    let key = |candidate: &Candidate<B>| (candidate.key(), candidate.row.expires);
    #[cfg(feature = "rayon")]
    if candidates.len() >= PARALLEL_FROM {
        use rayon::slice::ParallelSliceMut as _;

        candidates.par_sort_unstable_by_key(key);
        return;
    }
    candidates.sort_unstable_by_key(key);
}
