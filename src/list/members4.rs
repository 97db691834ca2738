//! Whether an IPv4 address is listed: three dependent reads on a hit, one and a half on a miss.
//!
//! The first 16 bits index a directory; each /16 with anything longer beneath has one node of 64-bit words:
//!
//! ```text
//! directory [65,536]   COVERED 1 │ MIXED 1 │ where the node is 30
//! node       0         ranks 4 × 8 │ first bitmap 16 │ words 16
//!            1..5      live:    one bit per /24 with anything listed in it
//!            5..9      covered: one bit per /24 listed whole          (only if MIXED: if there are more than a few)
//!            then      leaves:  one word per live and not covered /24, in order
//!            then      bitmaps: four words per leaf that needs them
//! leaf       tag 0     up to 7 host bytes in bytes 1..=7, the first repeated in the unused ones
//!            tag 1     number of its bitmap; a whole /24 in a node that is not MIXED has one of all ones
//! ```
//!
//! Of the touched /24s of real lists 86 % hold one host and 99 % no more than seven (ipsum, 120k addresses), so eight
//! bytes answer nearly all; whole /24s and shorter cost one bit. Every index has a node to read, the empty one if need
//! be, so that the test of `live` is the first branch, and on a miss the only one.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width; a word of a map is below 4"
)]

mod batch;
mod build;
mod node;
mod update;

use crate::list::{
    blocks::{Blocks, Reference},
    cover::COVERED,
};

use node::{BITMAP, EMPTY, LIVE};

/// The node has a `covered` map.
const MIXED: Reference = 1 << 30;

/// The listed IPv4 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members4 {
    nodes: Blocks<u64>,
}

impl Members4 {
    /// Whether `address` is listed. A miss ends in the caller; only a hit, or a near one, costs a call.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u32) -> bool {
        let Some(&reference) = self.nodes.directory.get((address >> 16) as usize) else {
            return false;
        };
        let words = self.nodes.at(reference);
        let Some(head) = words.first_chunk::<{ EMPTY.len() }>() else {
            return false;
        };
        let word = (address >> 14 & 3) as usize;
        let live = head[LIVE + word];
        if live >> (address >> 8 & 63) & 1 == 0 {
            return reference & COVERED != 0;
        }
        leaf_contains(reference, words, head[0], live, address)
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

/// The answer of the leaf of a /24 that is live: `live` is its word of the map of the node `words` starts with.
#[inline(never)]
fn leaf_contains(reference: Reference, words: &[u64], head: u64, live: u64, address: u32) -> bool {
    let word = address >> 14 & 3;
    let bit = address >> 8 & 63;
    let mut own = live;
    let mut leaves = LIVE + BITMAP;
    if reference & (COVERED | MIXED) != 0 {
        if reference & COVERED != 0 {
            return true;
        }
        let covered = words.get(leaves + word as usize).copied().unwrap_or(0);
        if covered >> bit & 1 != 0 {
            return true;
        }
        own &= !covered;
        leaves += BITMAP;
    }
    let rank = (head >> (8 * word)) as usize & 0xff;
    let rank = rank + (own & ((1 << bit) - 1)).count_ones() as usize;
    let leaf = words.get(leaves + rank).copied().unwrap_or(0);
    leaf_holds(leaf, head, words, address)
}

/// Whether the leaf has the host. Both ways are taken at once: which kind of leaf it is, is as good as random, and a
/// wrong guess of it costs more than the word read for nothing, which is the node's first.
#[inline]
fn leaf_holds(leaf: u64, head: u64, words: &[u64], address: u32) -> bool {
    let wide = leaf & 1;
    let bitmap = node::first_bitmap(head)
        + (leaf >> 8) as usize % 256 * BITMAP
        + (address >> 6 & 3) as usize;
    let at = bitmap & (wide as usize).wrapping_neg();
    let hosts = words.get(at).copied().unwrap_or(0) >> (address & 63);
    (hosts & wide) | (u64::from(node::holds(leaf, address as u8)) & !wide) & 1 != 0
}
