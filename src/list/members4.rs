//! Whether an IPv4 address is listed: one read on most misses, three that depend on each other on most hits.
//!
//! The first 16 bits index a directory, which tells, at a guess, whether anything of a /24 is listed; there most misses
//! end. Each /16 has one node, or, when that would be long, one for each /20:
//!
//! ```text
//! directory [65,536]   touched 64 │ COVERED 1 │ buckets 5 │ where the node is 26
//! table [16]           the same without `touched`, for each /20 of a /16 with 31 for its buckets
//! node                 1..=30 buckets of 16 bytes, then a bitmap of 32 bytes for each crowded /24
//! bucket               8 cells:  hash of the /24 7 │ marker 1 │ host 8
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
mod line;
mod node;
mod update;

use crate::list::{
    blocks::Reference,
    cover::{self, COVERED},
};

use arena::Arena;
use line::Line;

/// Most hosts of a /24 that are cells of their own.
const FEW: usize = 6;

/// The listed IPv4 addresses.
#[derive(Clone, Debug)]
pub(crate) struct Members4 {
    directory: Box<[Slot]>,
    tables: Vec<Table>,
    arena: Arena,
}

/// What is known of a /16.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    touched: Touched,
    node: Reference,
}

/// In which /24s of a /16 something may be listed: a bit for the upper five bits of the third byte of those where
/// something is, and one for the lower five. Of a million prefixes like those of real lists, it lets 7 % of all
/// addresses pass, where one bit for each /21 lets 12 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Touched([u32; 2]);

/// The two bits of the /24 with each third byte.
static BITS: [u64; 256] = {
    let mut bits = [0; 256];
    let mut net = 0;
    while net < bits.len() {
        bits[net] = 1 << (net >> 3) | 1 << (32 + (net & 31));
        net += 1;
    }
    bits
};

impl Touched {
    const ALL: Self = Self([u32::MAX; 2]);

    const fn insert(&mut self, net: u8) {
        self.0[0] |= 1 << (net >> 3);
        self.0[1] |= 1 << (net & 31);
    }

    /// Nothing is listed in `net` any more; of the others, `is_listed` knows.
    fn remove(&mut self, net: u8, is_listed: impl Fn(u8) -> bool) {
        if !(0..8).any(|other| is_listed(net & !7 | other)) {
            self.0[0] &= !(1 << (net >> 3));
        }
        if !(0..8).any(|other| is_listed(net & 31 | other << 5)) {
            self.0[1] &= !(1 << (net & 31));
        }
    }
}

impl FromIterator<u8> for Touched {
    fn from_iter<I: IntoIterator<Item = u8>>(nets: I) -> Self {
        let mut touched = Self::default();
        nets.into_iter().for_each(|net| touched.insert(net));
        touched
    }
}

/// References to the nodes of the /20s of a /16.
type Table = [Reference; 16];

impl Slot {
    #[inline(always)]
    fn may_list(&self, address: u32) -> bool {
        let Touched([upper, lower]) = self.touched;
        let bits = BITS[(address >> 8 & 255) as usize];
        (u64::from(upper) | u64::from(lower) << 32) & bits == bits
    }
}

impl cover::Slot for Slot {
    fn reference(&mut self) -> &mut Reference {
        &mut self.node
    }
}

impl Members4 {
    /// Whether `address` is listed. Most misses end in the caller.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u32) -> bool {
        let slot = self.slot(address);
        slot.is_some_and(|slot| slot.may_list(address) && self.search(address, slot.node))
    }

    /// Whether the directory does not rule out that `address` is listed.
    #[inline(always)]
    pub(crate) fn may_contain(&self, address: u32) -> bool {
        self.slot(address)
            .is_some_and(|slot| slot.may_list(address))
    }

    #[inline(always)]
    fn slot(&self, address: u32) -> Option<&Slot> {
        self.directory.get((address >> 16) as usize)
    }

    /// Heap bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.directory) + size_of_val(&*self.tables) + self.arena.bytes()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn touched_is_what_the_nets_that_are_left_say() {
        let mut model = BTreeSet::new();
        let mut touched = Touched::default();
        for step in 0..4000_u32 {
            let net = (step * step / 3) as u8;
            if step % 7 < 3 || !model.contains(&net) {
                model.insert(net);
                touched.insert(net);
            } else {
                model.remove(&net);
                touched.remove(net, |net| model.contains(&net));
            }
            assert_eq!(touched, model.iter().copied().collect(), "step {step}");
        }
        assert!(model.len() < 200, "few were ever gone");
    }
}
