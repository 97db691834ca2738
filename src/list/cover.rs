//! Prefixes of at most 16 bits: one flag in each directory index they cover, so that adding or removing one leaves
//! what is below where it is.

use std::ops::{ControlFlow, Range};

use crate::bits::Bits;
use crate::list::{blocks::Reference, entries::Entries};

/// The whole /16 is listed.
pub(crate) const COVERED: Reference = 1 << 31;
/// The longest prefix the flag stands for.
pub(crate) const LONGEST: u8 = 16;

/// An element of a directory.
pub(crate) trait Slot {
    /// Where the flag is.
    fn reference(&mut self) -> &mut Reference;
}

impl Slot for Reference {
    fn reference(&mut self) -> &mut Reference {
        self
    }
}

/// Sets the flag of every index the prefix covers.
pub(crate) fn cover<A: Bits>(directory: &mut [impl Slot], (bits, length): (A, u8)) {
    for slot in covered(directory, (bits, length)) {
        *slot.reference() |= COVERED;
    }
}

/// The prefix is gone: what it covered is covered now only by others as short, which `entries` know.
pub(crate) fn uncover<A: Bits>(directory: &mut [impl Slot], prefix: (A, u8), entries: &Entries<A>) {
    let mut left = Vec::new();
    let _: ControlFlow<()> = entries.overlapping(prefix, LONGEST, |row| {
        left.push((row.bits(), row.length));
        ControlFlow::Continue(())
    });
    for slot in covered(directory, prefix) {
        *slot.reference() &= !COVERED;
    }
    for (bits, length) in left {
        // One that is shorter covers more than was cleared, and that is still set.
        let narrower = if length < prefix.1 {
            prefix
        } else {
            (bits, length)
        };
        cover(directory, narrower);
    }
}

/// The indices that a prefix covers.
pub(crate) fn indices<A: Bits>((bits, length): (A, u8)) -> Range<usize> {
    let from = bits.index(0, LONGEST);
    from..from + (1 << (LONGEST - length))
}

fn covered<S, A: Bits>(directory: &mut [S], prefix: (A, u8)) -> &mut [S] {
    directory.get_mut(indices(prefix)).unwrap_or_default()
}
