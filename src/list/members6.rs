//! Whether an IPv6 address is listed: planes say whether to look, and one cache line answers.
//!
//! **Planes.** The first 16 bits index a directory (prefixes of at most 16 bits are a flag in it); each /16 has the map
//! of its /24s with anything beneath, and for each of those three bits per /32: something of 48 bits or longer
//! beneath, something of 33 to 47, listed whole. An address of a network that nobody lists ends here.
//!
//! **Lines.** Every prefix longer than 32 bits is kept, exactly, in a hash table of cache lines, in the line chosen by
//! its first 48 bits (33..40: by 32, 40..48: by 40), so that one line holds all that can cover an address of a /48:
//!
//! ```text
//! line    kinds 7 × 8 │ full 8 │ cells 7 × 64
//! kind    0 none │ 1..=64 a prefix of that length, in one cell │ 65..=128 the same, in two cells
//!         128 + l/4  everything of l bits and longer is filed by its first l bits │ 255 second cell
//! ```
//!
//! A line that was full when something belonged into it says so, and the search goes on in the next. A crowded network
//! (a hosting /48 with thousands of /64s, a /64 with hundreds of hosts) is filed by more bits, and a marker says by how
//! many. In cloud and routing lists a listed /48 has 2.2 prefixes on average.

mod batch;
mod build;
mod line;
mod lines;
mod planes;
mod update;

use lines::Lines;
use planes::Planes;

/// The listed IPv6 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members6 {
    planes: Planes,
    lines: Lines,
}

impl Members6 {
    /// Whether `address` is listed.
    #[inline]
    pub(crate) fn contains(&self, address: u128) -> bool {
        match self.planes.look(address) {
            planes::Look::Listed => true,
            planes::Look::Nothing => false,
            planes::Look::Lines(levels) => self.lines.contain(address, levels),
        }
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.planes.bytes() + self.lines.bytes()
    }
}
