//! Content digests that do not depend on order.
//!
//! A digest is the wrapping sum of one 128-bit hash per fact, so that the same facts in any order
//! give the same digest and a change of one fact changes it in constant time. It tells contents
//! apart; it is no signature: whoever chooses the facts can find a collision.

use std::fmt;
use std::ops::{Add, AddAssign, SubAssign};

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

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Digest {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

/// The hash of one fact, word by word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact(u128);

/// The golden ratio's fraction in 128 bits, made odd.
const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

impl Fact {
    /// Begins a fact of the kind that `tag` names.
    pub(crate) const fn new(tag: u64) -> Self {
        Self(MULTIPLIER).word(tag)
    }

    /// One-to-one in what came before for every `word`, so that no two facts meet on the way.
    #[must_use]
    #[inline]
    pub(crate) const fn word(self, word: u64) -> Self {
        let product = (self.0 ^ word as u128).wrapping_mul(MULTIPLIER);
        Self(product ^ product >> 61)
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

    #[inline]
    pub(crate) const fn digest(self) -> Digest {
        Digest(self.0)
    }
}
