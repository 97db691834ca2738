//! Content digests that do not depend on order.
//!
//! A digest is the wrapping sum of one 128-bit hash per fact, so that the same facts in any order
//! give the same digest and a change of one fact changes it in constant time. It tells contents
//! apart; it is no signature: whoever chooses the facts can find a collision.

use std::fmt;
use std::ops::{Add, Sub};

/// A 128-bit digest of what was compiled; the same on every platform and in every version that
/// keeps its meaning.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Add for Digest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl Sub for Digest {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

/// The hash of one fact, word by word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    low: u64,
    high: u64,
}

impl Fact {
    /// Begins a fact of the kind that `tag` names.
    pub(crate) const fn new(tag: u64) -> Self {
        Self {
            low: mix(tag ^ 0x9e37_79b9_7f4a_7c15),
            high: mix(tag ^ 0xd1b5_4a32_d192_ed03),
        }
    }

    #[must_use]
    pub(crate) const fn word(self, word: u64) -> Self {
        Self {
            low: mix(self.low ^ word),
            high: mix(self.high.rotate_left(29) ^ word.wrapping_mul(0xff51_afd7_ed55_8ccd)),
        }
    }

    #[must_use]
    pub(crate) fn text(self, text: &str) -> Self {
        let (words, tail) = text.as_bytes().as_chunks::<8>();
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        words
            .iter()
            .fold(self.word(text.len() as u64), |fact, word| {
                fact.word(u64::from_le_bytes(*word))
            })
            .word(u64::from_le_bytes(last))
    }

    pub(crate) fn digest(self) -> Digest {
        Digest((u128::from(self.high) << 64) | u128::from(self.low))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection in which every input
/// bit reaches every output bit.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
