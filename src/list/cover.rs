//! Prefixes of at most 16 bits: one flag in each directory index they cover, so that adding or removing one leaves
//! what is below where it is.

use std::ops::ControlFlow;

use crate::bits::Bits;
use crate::list::{blocks::Reference, entries::Entries};

/// The whole /16 is listed.
pub(crate) const COVERED: Reference = 1 << 31;
/// The longest prefix the flag stands for.
pub(crate) const LONGEST: u8 = 16;

/// Sets the flag of every index the prefix covers.
pub(crate) fn cover<A: Bits>(directory: &mut [Reference], (bits, length): (A, u8)) {
    for reference in covered(directory, (bits, length)) {
        *reference |= COVERED;
    }
}

/// The prefix is gone: what it covered is covered now only by others as short, which `entries` know.
pub(crate) fn uncover<A: Bits>(directory: &mut [Reference], prefix: (A, u8), entries: &Entries<A>) {
    let mut left = Vec::new();
    let _: ControlFlow<()> = entries.overlapping(prefix, LONGEST, |row| {
        left.push((row.bits(), row.length));
        ControlFlow::Continue(())
    });
    for reference in covered(directory, prefix) {
        *reference &= !COVERED;
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

fn covered<A: Bits>(directory: &mut [Reference], (bits, length): (A, u8)) -> &mut [Reference] {
    let from = bits.index(0, LONGEST);
    directory
        .get_mut(from..from + (1 << (LONGEST - length)))
        .unwrap_or_default()
}
