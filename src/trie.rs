//! A compiled prefix trie: from an address to the value of its longest-prefix match.
//!
//! The first stride is 16 bits wide, the others 8: at most 3 nodes are read for IPv4 and 15 for
//! IPv6, however many prefixes there are. Values are pushed to the leaves when the trie is built,
//! so that a look-up never goes back up. The 256 slots of a node are stored as runs: a bitmap has a
//! bit where a slot differs from the one before it, and the differing slots lie side by side.
//!
//! ```text
//! root   [slot; 65536]        by the top 16 bits
//! node   bitmap  256 bits     bit i: slot i differs from slot i - 1 (bit 0 is always set)
//!        ranks   4 x u8       bits set in the words before word w, less one
//!        first   u32          where the node's slots begin
//! slots  [slot]               value, or CHILD | index of a node
//! ```
//!
//! A run costs four bytes and a node forty, against 1 KiB for a plain array of slots: the lists
//! and zones measured in `benches/` have 2 to 12 runs a node.

use crate::bits::Bits;
use crate::prefix::PrefixBits;

/// Set in a slot that names a node; without it the slot is a value.
const CHILD: u32 = 1 << 31;

/// From prefixes to values below 2³¹; 0 means that no prefix covers the address.
#[derive(Debug)]
pub(crate) struct Trie<B> {
    /// INVARIANT: empty when the trie is, else 65,536 slots.
    root: Box<[u32]>,
    nodes: Box<[Node]>,
    slots: Box<[u32]>,
    family: std::marker::PhantomData<B>,
}

#[derive(Debug)]
struct Node {
    bitmap: [u64; 4],
    ranks: [u8; 4],
    first: u32,
}

const _: () = assert!(size_of::<Node>() == 40);

impl<B: Bits> Trie<B> {
    /// Builds from prefixes in ascending order, each once, with values from 1 to 2³¹ - 1.
    ///
    /// # Complexity
    ///
    /// One pass over the prefixes; each node is written once.
    pub(crate) fn build(prefixes: &[(PrefixBits<B>, u32)]) -> Self {
        debug_assert!(prefixes.is_sorted_by(|a, b| a.0 < b.0));
        debug_assert!(
            prefixes
                .iter()
                .all(|(_, value)| *value > 0 && *value < CHILD)
        );
        let mut builder = Builder::default();
        let root = if prefixes.is_empty() {
            Box::default()
        } else {
            let mut root = vec![0; 1 << 16].into_boxed_slice();
            builder.fill(&mut root, 0, prefixes);
            root
        };
        Self {
            root,
            nodes: builder.nodes.into_boxed_slice(),
            slots: builder.slots.into_boxed_slice(),
            family: std::marker::PhantomData,
        }
    }

    /// The value of the longest prefix that covers `address`, or 0.
    ///
    /// # Complexity
    ///
    /// At most 3 nodes for IPv4 and 15 for IPv6; no allocation.
    #[inline]
    pub(crate) fn lookup(&self, address: B) -> u32 {
        let mut slot = self.root.get(address.index(0, 16)).copied().unwrap_or(0);
        let mut depth = 16;
        while slot & CHILD != 0 {
            // A child is only ever named by a slot above the last stride; the bound spares the
            // shift in `octet` from ever being too wide.
            let Some(node) = self
                .nodes
                .get((slot & !CHILD) as usize)
                .filter(|_| depth < B::WIDTH)
            else {
                return 0;
            };
            slot = self
                .slots
                .get(node.slot(address.index(depth, 8)))
                .copied()
                .unwrap_or(0);
            depth += 8;
        }
        slot
    }

    /// The top 16 bits of every address with a wanted value, and of some without.
    pub(crate) fn roots(&self, wanted: impl Fn(u32) -> bool) -> RootSet {
        let mut roots = RootSet::default();
        for (root, slot) in self.root.iter().enumerate() {
            if self.any_under(*slot, &wanted) {
                roots.insert(root);
            }
        }
        roots
    }

    fn any_under(&self, slot: u32, wanted: &impl Fn(u32) -> bool) -> bool {
        if slot & CHILD == 0 {
            return wanted(slot);
        }
        let Some(node) = self.nodes.get((slot & !CHILD) as usize) else {
            return false;
        };
        let runs: u32 = node.bitmap.iter().map(|word| word.count_ones()).sum();
        let slots = self.slots.get(node.first as usize..).unwrap_or_default();
        let slots = slots.get(..runs as usize).unwrap_or_default();
        slots.iter().any(|slot| self.any_under(*slot, wanted))
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.root) + size_of_val(&*self.nodes) + size_of_val(&*self.slots)
    }
}

impl Node {
    /// Where the slot of `octet` is: the number of set bits up to its own.
    #[inline]
    fn slot(&self, octet: usize) -> usize {
        let [word, rank] = match octet >> 6 {
            0 => [self.bitmap[0], self.ranks[0].into()],
            1 => [self.bitmap[1], self.ranks[1].into()],
            2 => [self.bitmap[2], self.ranks[2].into()],
            _ => [self.bitmap[3], self.ranks[3].into()],
        };
        let upto = word << (63 - (octet & 63));
        // The first bit is always set, so the sum is at least one beyond `first`; `ranks` counts
        // from minus one to take that off, and wraps for word 0.
        let run = (u64::from(upto.count_ones()) + rank) & 0xff;
        self.first as usize + run as usize
    }
}

/// A set of values of an address's top 16 bits: one bit read tells most addresses apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootSet {
    /// INVARIANT: empty, or a bit for each of the 65,536 values.
    words: Box<[u64]>,
}

impl RootSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    #[inline]
    pub(crate) fn contains<B: Bits>(&self, address: B) -> bool {
        let root = address.index(0, 16);
        let word = self.words.get(root / 64).copied().unwrap_or(0);
        word & (1 << (root % 64)) != 0
    }

    fn insert(&mut self, root: usize) {
        if self.words.is_empty() {
            self.words = vec![0; (1 << 16) / 64].into_boxed_slice();
        }
        if let Some(word) = self.words.get_mut(root / 64) {
            *word |= 1 << (root % 64);
        }
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    slots: Vec<u32>,
}

impl Builder {
    /// Fills the slots of one node, the one that begins at bit `depth`, from the prefixes under it.
    fn fill<B: Bits>(&mut self, slots: &mut [u32], depth: u8, prefixes: &[(PrefixBits<B>, u32)]) {
        let stride: u8 = if depth == 0 { 16 } else { 8 };
        let below = depth + stride;
        let index = |bits: B| bits.index(depth, stride);
        let mut rest = prefixes;
        while let Some(((prefix, value), after)) = rest.split_first() {
            let at = index(prefix.bits);
            if prefix.length <= below {
                // Ascending order puts a prefix before everything it covers, so later, longer
                // prefixes overwrite their part of this one.
                let width = 1 << (below - prefix.length);
                for slot in slots.iter_mut().skip(at).take(width) {
                    *slot = *value;
                }
                rest = after;
            } else {
                let run = rest.partition_point(|(p, _)| index(p.bits) == at);
                let (under, after) = rest.split_at(run);
                if let Some(slot) = slots.get_mut(at) {
                    *slot = self.child(below, *slot, under);
                }
                rest = after;
            }
        }
    }

    /// Appends the node that begins at bit `depth` and returns the slot that names it.
    fn child<B: Bits>(&mut self, depth: u8, inherited: u32, under: &[(PrefixBits<B>, u32)]) -> u32 {
        let mut slots = [inherited; 256];
        self.fill(&mut slots, depth, under);

        let first = index_u32(self.slots.len());
        let mut bitmap = [0_u64; 4];
        let mut last = None;
        for (i, slot) in slots.into_iter().enumerate() {
            if last != Some(slot) {
                self.slots.push(slot);
                if let Some(word) = bitmap.get_mut(i >> 6) {
                    *word |= 1 << (i & 63);
                }
                last = Some(slot);
            }
        }
        let mut ranks = [0; 4];
        let mut rank = u8::MAX;
        for (slot, word) in ranks.iter_mut().zip(bitmap) {
            *slot = rank;
            #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
            let ones = word.count_ones() as u8;
            rank = rank.wrapping_add(ones);
        }
        self.nodes.push(Node {
            bitmap,
            ranks,
            first,
        });
        CHILD | index_u32(self.nodes.len() - 1)
    }
}

/// An index as a slot holds it. A trie that outgrows 2³¹ slots would need more than 8 GiB; feeds
/// are bounded far below that.
fn index_u32(index: usize) -> u32 {
    debug_assert!(index < CHILD as usize);
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let index = index as u32;
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn longest_match<B: Bits>(prefixes: &[(PrefixBits<B>, u32)], address: B) -> u32 {
        prefixes
            .iter()
            .filter(|(prefix, _)| prefix.contains(address))
            .max_by_key(|(prefix, _)| prefix.length)
            .map_or(0, |(_, value)| *value)
    }

    /// Sorted, each prefix once, numbered from one.
    fn numbered<B: Bits>(raw: Vec<(B, u8)>) -> Vec<(PrefixBits<B>, u32)> {
        let mut prefixes: Vec<_> = raw
            .into_iter()
            .map(|(bits, length)| PrefixBits {
                bits: bits.masked(length),
                length,
            })
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes.into_iter().zip(1..).collect()
    }

    /// Few networks, so that prefixes nest and share nodes.
    fn clustered4() -> impl Strategy<Value = u32> {
        (0_u32..3, any::<u16>()).prop_map(|(net, low)| (net << 30) | u32::from(low & 0x0f0f))
    }

    fn clustered6() -> impl Strategy<Value = u128> {
        (0_u128..3, any::<u16>(), 0_u32..8)
            .prop_map(|(net, low, at)| (net << 126) | (u128::from(low) << (at * 14)))
    }

    proptest! {
        #[test]
        fn ipv4_lookup_is_the_longest_match(
            raw in prop::collection::vec((clustered4(), 0_u8..=32), 0..60),
            probes in prop::collection::vec(clustered4(), 40),
        ) {
            let prefixes = numbered(raw);
            let trie = Trie::build(&prefixes);
            let ends = prefixes.iter().flat_map(|(p, _)| {
                let last = p.bits | u32::MAX.checked_shr(p.length.into()).unwrap_or(0);
                [p.bits, last, p.bits.wrapping_sub(1), last.wrapping_add(1)]
            });
            for address in probes.into_iter().chain(ends) {
                prop_assert_eq!(trie.lookup(address), longest_match(&prefixes, address));
            }
        }

        #[test]
        fn ipv6_lookup_is_the_longest_match(
            raw in prop::collection::vec((clustered6(), 0_u8..=128), 0..60),
            probes in prop::collection::vec(clustered6(), 40),
        ) {
            let prefixes = numbered(raw);
            let trie = Trie::build(&prefixes);
            let ends = prefixes.iter().flat_map(|(p, _)| {
                let last = p.bits | u128::MAX.checked_shr(p.length.into()).unwrap_or(0);
                [p.bits, last, p.bits.wrapping_sub(1), last.wrapping_add(1)]
            });
            for address in probes.into_iter().chain(ends) {
                prop_assert_eq!(trie.lookup(address), longest_match(&prefixes, address));
            }
        }
    }

    #[test]
    fn a_node_with_256_runs_keeps_every_slot() {
        let hosts: Vec<_> = (0..=255_u32).map(|host| (0xc000_0200 | host, 32)).collect();
        let prefixes = numbered(hosts);
        let trie = Trie::build(&prefixes);
        for host in 0..=255 {
            assert_eq!(trie.lookup(0xc000_0200 | host), host + 1);
        }
        assert_eq!(trie.lookup(0xc000_0300), 0);
    }
}
