//! Whether an IPv6 address is listed: planes say whether to look, and one cache line answers.
//!
//! **Planes.** The first 16 bits index a directory (prefixes of at most 16 bits are a flag in it); each /16 has a map of
//! its listed /28s and a small hash table of its /32s, with three bits for each of their /36s: something of 48 bits or
//! longer beneath, something of 37 to 47, listed whole. An address of a network that nobody lists ends here.
//!
//! **Lines.** Every prefix longer than 36 bits is kept, exactly, in one of two hash tables of cache lines: 48 bits and
//! longer in the line chosen by the first 48 bits, so that one line holds all of a /48, the few others by 40 bits in a
//! table that is small enough to stay in a cache (one of 37 to 39 bits in each of its /40s):
//!
//! ```text
//! line    cells 7 × 64 │ kinds 7 × 8 │ marked 1 │ passers 7
//! kind    second 1 │ never 1 │ bits that do not count 6
//!         never: 0 the first of two cells, 1 none
//!         second and never: a marker, everything of l bits and longer is filed by its first l bits
//! ```
//!
//! First halves are at the front of a line, those with a second before the others, and second halves at its end in
//! reverse order: so each cell has one place where its other half can be, and only three can hold a second one.
//!
//! A line that was full when something belonged into it counts what passed, and the search goes on in the next. A
//! crowded network (a hosting /48 with thousands of /64s, a /64 with hundreds of hosts) is filed by more bits, and a
//! marker says by how many. Of a million prefixes in clouds and at providers, 93 % have 48 bits or more; of those 95 %
//! are in a /48 that needs one or two cells, and 2 % in one that needs more than a line. So nearly every hit reads one
//! line, and what it holds is compared without a branch.

mod batch;
mod build;
mod line;
mod lines;
mod planes;
mod update;

use std::ops::RangeInclusive;

use crate::list::blocks::Reference;

use lines::Lines;
use planes::{Look, Planes};

/// The lengths of the prefixes in one table of lines.
type Lengths = RangeInclusive<u8>;
const MIDDLE: Lengths = 37..=47;
const LONG: Lengths = 48..=128;

/// The listed IPv6 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members6 {
    planes: Planes,
    middle: Lines,
    long: Lines,
}

impl Members6 {
    /// Where the directory leads from `address`, and whether that does not rule out that it is listed.
    #[inline(always)]
    pub(crate) fn look(&self, address: u128) -> (Reference, bool) {
        let node = self.planes.node(address);
        (node, node != 0)
    }

    /// Whether `address` is listed, which the directory does not rule out.
    #[inline(never)]
    pub(crate) fn search(&self, address: u128, node: Reference) -> bool {
        match self.planes.look(address, node) {
            Look::Listed => true,
            Look::Nothing => false,
            Look::Beneath { long, middle } => {
                long && self.long.contain(address, 48) || middle && self.middle.contain(address, 40)
            }
        }
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.planes.bytes() + self.middle.bytes() + self.long.bytes()
    }
}
