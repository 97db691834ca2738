//! Prefixes of at most 16 bits: one flag in each directory index they cover, so that adding or removing one leaves
//! what is below where it is.

use std::ops::{ControlFlow, RangeInclusive};

use crate::bits::Bits;
use crate::list::{blocks::Reference, entries::Entries};

/// The whole /16 is listed.
pub(crate) const COVERED: Reference = 1 << 31;
/// The longest prefix the flag stands for.
pub(crate) const LONGEST: u8 = 16;

type Prefixes<A> = Vec<(A, u8)>;

/// Those of `prefixes` that the flag stands for, and the others.
pub(crate) fn parted<A: Copy>(prefixes: &[(A, u8)]) -> (Prefixes<A>, Prefixes<A>) {
    let is_short = |prefix: &(A, u8)| prefix.1 <= LONGEST;
    prefixes.iter().copied().partition(is_short)
}

/// Something with a reference for each /16.
pub(crate) trait Directory {
    /// The reference of a /16, where the flag is.
    fn reference(&mut self, index: u16) -> Option<&mut Reference>;
}

impl Directory for [Reference] {
    fn reference(&mut self, index: u16) -> Option<&mut Reference> {
        self.get_mut(usize::from(index))
    }
}

/// Sets the flag of every index the prefix covers.
pub(crate) fn cover<A: Bits>(directory: &mut (impl Directory + ?Sized), prefix: (A, u8)) {
    for index in indices(prefix) {
        if let Some(reference) = directory.reference(index) {
            *reference |= COVERED;
        }
    }
}

/// The prefix is gone: what it covered is covered now only by others as short, which `entries` know.
pub(crate) fn uncover<A: Bits>(
    directory: &mut (impl Directory + ?Sized),
    prefix: (A, u8),
    entries: &Entries<A>,
) {
    let mut left = Vec::new();
    let _: ControlFlow<()> = entries.overlapping(prefix, LONGEST, |row| {
        left.push((row.bits(), row.length));
        ControlFlow::Continue(())
    });
    // However many feeds list them: the rows of one prefix are met together.
    left.dedup();
    for index in indices(prefix) {
        if let Some(reference) = directory.reference(index) {
            *reference &= !COVERED;
        }
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
#[expect(clippy::cast_possible_truncation, reason = "an index of 16 bits")]
pub(crate) fn indices<A: Bits>((bits, length): (A, u8)) -> RangeInclusive<u16> {
    let from = bits.index(0, LONGEST);
    let last = from + (1 << (LONGEST - length)) - 1;
    from as u16..=last as u16
}
