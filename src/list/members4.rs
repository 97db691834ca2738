//! Whether an IPv4 address is listed: one read on most misses, three that depend on each other on most hits.
//!
//! The first 16 bits index a directory, which tells, at a guess, whether anything of a /24 is listed; there most misses
//! end. Each /16 has one node, or, when that would be long in a long list, one for each /20:
//!
//! ```text
//! directory [2048][32]  touched 64 │ COVERED 1 │ how many buckets 5 │ where the node is 26
//! table [16]            the same without `touched`, for each /20 of a /16 that has no node of its own
//! node                  up to 256 buckets of 16 bytes, then a bitmap of 32 bytes for each crowded /24
//! bucket                8 cells:  hash of the /24 7 │ host, subnet or bitmap 9
//! ```
//!
//! A hash of the /24, the third byte, chooses the bucket, which holds all that is listed in the /24: up to eight cells,
//! each a host or a subnet of four to all, else one with the number of a bitmap. Of the touched /24s of real lists 86 %
//! hold one host and 99 % no more than seven (ipsum, 120k addresses). A bucket is compared at once, with the host and
//! with the subnets that it is in, so no rank is counted, and the one branch on what is listed is whether a bitmap has
//! the answer: of a million prefixes, to 8 % of all hits and hardly to a miss.
//!
//! The hash is a bijection on bytes and a bucket holds neighbours in its order, so seven of its bits name the /24 where
//! there are two buckets. In one bucket they stand for two third bytes, which differ in their first bit alone; a node
//! has one only where the directory rules one of the two out.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "parts of an address are cut to their width; four bits are below 16"
)]

mod arena;
#[cfg(target_arch = "x86_64")]
mod avx2;
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

/// The listed IPv4 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members4 {
    directory: Directory,
    tables: Vec<Table>,
    /// The /16 of each table but the first.
    split: Vec<u16>,
    arena: Arena,
    /// The /16 whose nodes are moved next.
    next: u16,
}

/// References to the nodes of the /20s of a /16.
type Table = [Reference; 16];

impl Members4 {
    /// Where the directory leads from `address`, and whether that does not rule out that it is listed.
    #[inline(always)]
    pub(crate) fn look(&self, address: u32) -> (Reference, bool) {
        let slot = self.directory.of(address);
        (slot.node, slot.may_list(address))
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.directory.bytes()
            + size_of_val(&*self.tables)
            + size_of_val(&*self.split)
            + self.arena.bytes()
    }

    /// The node that `address` is in, if its /16 is not covered.
    #[inline(always)]
    fn node(&self, address: u32, reference: Reference) -> Reference {
        // In a short list hardly any /16 is split, and all have the table of those that are not.
        if self.tables.len() == 1 {
            return reference;
        }
        // Both ways at once: which it is, is as good as random.
        let number = reference.saturating_sub(arena::split(0));
        let table = self.tables.get(number as usize);
        let node = table.map_or(0, |table| table[(address >> 12 & 15) as usize]);
        if number == 0 { reference } else { node }
    }

    /// Whether `address` is listed, which the directory does not rule out: a node of one bucket relies on that.
    #[inline(never)]
    pub(crate) fn search(&self, address: u32, reference: Reference) -> bool {
        if reference & COVERED != 0 {
            return true;
        }
        let node = self.node(address, reference);
        let home = Home::new(address, node);
        let (lines, start) = self.arena.place(node);
        let Some(bucket) = lines.get(start + home.bucket) else {
            return false;
        };
        if bucket.names_bitmap(home.tag) {
            return home.in_bitmap(bucket, lines, start);
        }
        bucket.lists(home.cell())
    }
}

/// Where a host is kept in its node.
struct Home {
    /// The line of its bucket.
    bucket: usize,
    /// The first line after the buckets.
    bitmaps: usize,
    /// What names its /24 in a cell.
    tag: u16,
    host: u8,
}

impl Home {
    #[inline(always)]
    fn new(address: u32, node: Reference) -> Self {
        let buckets = arena::buckets(node);
        let hash = line::hash((address >> 8) as u8);
        Self {
            bucket: line::bucket(hash, buckets),
            bitmaps: buckets,
            tag: line::tag(hash),
            host: address as u8,
        }
    }

    /// The cell of the host.
    #[inline(always)]
    fn cell(&self) -> u16 {
        self.tag | line::hosts(self.host.into(), 1)
    }

    /// Whether the host is in the bitmap that `bucket` names for its /24 in the node that starts at `start` of `lines`.
    #[inline(always)]
    fn in_bitmap(&self, bucket: &Line, lines: &[Line], start: usize) -> bool {
        let line = |at| lines.get(start + self.bitmaps + 2 * at + self.half());
        let bitmap = line::bitmap(bucket.marker(self.tag)).and_then(line);
        bitmap.is_some_and(|line| self.is_in(line))
    }

    /// Which of the two lines of a bitmap the host is in.
    #[inline(always)]
    fn half(&self) -> usize {
        usize::from(self.host >> 7)
    }

    /// Whether that line has the host.
    #[inline(always)]
    fn is_in(&self, line: &Line) -> bool {
        line.0[usize::from(self.host >> 4 & 7)] >> (self.host & 15) & 1 != 0
    }
}
