//! Whether an IPv4 address is listed: one read on most misses, three that depend on each other on most hits.
//!
//! The first 16 bits index a directory, which tells, at a guess, whether anything of a /24 is listed; there most misses
//! end. Each /16 has one node, or, when that would be long, one for each /20:
//!
//! ```text
//! directory [256][256]  touched 64 │ COVERED 1 │ buckets 5 │ where the node is 26
//! table [16]            the same without `touched`, for each /20 of a /16 with 31 for its buckets
//! node                  1..=30 buckets of 16 bytes, then a bitmap of 32 bytes for each crowded /24
//! bucket                8 cells:  hash of the /24 7 │ marker 1 │ host 8
//! ```
//!
//! A hash of the /24, the third byte, chooses the bucket, which holds all that is listed in the /24: one cell per host
//! for up to [`FEW`] hosts, else one marker with the number of a bitmap or the word that the /24 is listed whole. Of
//! the touched /24s of real lists 86 % hold one host and 99 % no more than seven (ipsum, 120k addresses). A bucket is
//! compared at once, so no rank is counted and which kind of cell answers is the first branch that depends on the list.
//! The hash is a bijection on bytes and a bucket holds neighbours in its order, so seven of its bits name the /24.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "parts of an address are cut to their width; four bits are below 16"
)]

mod arena;
mod batch;
mod build;
mod directory;
mod line;
mod node;
mod update;

use crate::list::{blocks::Reference, cover::COVERED};

use arena::Arena;
use directory::Directory;
use line::Line;

/// Most hosts of a /24 that are cells of their own.
const FEW: usize = 6;

/// The listed IPv4 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members4 {
    directory: Directory,
    tables: Vec<Table>,
    arena: Arena,
}

/// References to the nodes of the /20s of a /16.
type Table = [Reference; 16];

impl Members4 {
    /// Whether `address` is listed. Most misses end in the caller.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u32) -> bool {
        let slot = self.directory.of(address);
        slot.may_list(address) && self.search(address, slot.node)
    }

    /// Whether the directory does not rule out that `address` is listed.
    #[inline(always)]
    pub(crate) fn may_contain(&self, address: u32) -> bool {
        self.directory.of(address).may_list(address)
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.directory.bytes() + size_of_val(&*self.tables) + self.arena.bytes()
    }

    /// The node that `address` is in, if it is not in all of a /16.
    #[inline(always)]
    fn node(&self, address: u32, reference: Reference) -> Reference {
        // Both ways at once: which it is, is as good as random.
        let split = Reference::from(arena::is_split(reference)).wrapping_neg();
        let table = self.tables.get(arena::table(reference & split));
        let node = table.map_or(0, |table| table[(address >> 12 & 15) as usize]);
        reference ^ (reference ^ node) & split
    }

    #[inline(never)]
    fn search(&self, address: u32, reference: Reference) -> bool {
        if reference & COVERED != 0 {
            return true;
        }
        let node = self.node(address, reference);
        let (lines, start) = self.arena.place(node);
        let hash = line::hash((address >> 8) as u8);
        let Some(bucket) = lines.get(start + line::bucket(hash, arena::buckets(node))) else {
            return false;
        };
        let tag = line::tag(hash);
        bucket.has(tag | address as u16 & 0xff)
            || marked(
                bucket.marker(tag),
                lines,
                start + arena::buckets(node),
                address as u8,
            )
    }
}

/// What the marker of a /24 says of `host`; the bitmaps of its node are at `bitmaps`.
#[inline]
fn marked(marker: u16, lines: &[Line], bitmaps: usize, host: u8) -> bool {
    if marker == 0 {
        return false;
    }
    match marker & line::LOW {
        line::WHOLE => true,
        line::NOTHING => false,
        number => {
            let line = bitmaps + 2 * usize::from(number) + usize::from(host >> 7);
            let word = usize::from(host >> 4 & 7);
            let hosts = lines.get(line).and_then(|line| line.0.get(word));
            hosts.is_some_and(|hosts| hosts >> (host & 15) & 1 != 0)
        }
    }
}
