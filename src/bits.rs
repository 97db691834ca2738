//! The two address families as integers, most significant bit first.
#![expect(
    clippy::cast_possible_truncation,
    reason = "a `u128` is taken apart, and a count of zeros is at most 128"
)]

use std::fmt::Debug;

use crate::prefix::{Prefix, PrefixBits};

/// An address as an unsigned integer: `u32` for IPv4, `u128` for IPv6.
pub(crate) trait Bits: Copy + Ord + Into<u128> + Debug + Send + Sync + 'static {
    /// How many bits an address has.
    const WIDTH: u8;
    /// How many words of 32 bits an address is in a block.
    const WORDS: usize;
    /// How a row keeps the bits: a `u128` as two words, so that a row is 24 bytes and not 32.
    type Stored: Copy + Send + Sync + PartialEq + Debug;

    /// The form kept in a row.
    fn store(self) -> Self::Stored;
    /// The integer of a stored form.
    fn restore(stored: Self::Stored) -> Self;
    /// The address at the start of `words`; 0 when they are too few.
    fn from_words(words: &[u32]) -> Self;
    /// Appends the address to `words`.
    fn to_words(self, words: &mut Vec<u32>);
    /// How many of the addresses in `words`, which ascend, are below `limit`.
    fn below(words: &[u32], limit: Self) -> usize;
    /// The first `length` bits, the rest cleared.
    #[must_use]
    fn masked(self, length: u8) -> Self;
    /// The highest address that shares the first `length` bits.
    #[must_use]
    fn last(self, length: u8) -> Self;
    /// The `stride` bits that follow the first `depth`, as an index.
    fn index(self, depth: u8, stride: u8) -> usize;
    /// How many leading bits two addresses share.
    fn shared(self, other: Self) -> u8;
    /// The prefix of this family's bits.
    fn prefix(prefix: PrefixBits<Self>) -> Prefix;
}

impl Bits for u32 {
    const WIDTH: u8 = 32;
    const WORDS: usize = 1;
    type Stored = Self;

    #[inline]
    fn store(self) -> Self {
        self
    }
    #[inline]
    fn restore(stored: Self) -> Self {
        stored
    }
    #[inline]
    fn from_words(words: &[u32]) -> Self {
        words.first().copied().unwrap_or(0)
    }
    #[inline]
    fn to_words(self, words: &mut Vec<u32>) {
        words.push(self);
    }
    #[inline]
    fn below(words: &[u32], limit: Self) -> usize {
        words.partition_point(|word| *word < limit)
    }
    #[inline]
    fn masked(self, length: u8) -> Self {
        self & !Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    #[inline]
    fn last(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    #[inline]
    fn index(self, depth: u8, stride: u8) -> usize {
        (self.wrapping_shl(depth.into()) >> (32 - Self::from(stride))) as usize
    }
    #[inline]
    fn shared(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn prefix(prefix: PrefixBits<Self>) -> Prefix {
        prefix.into()
    }
}

impl Bits for u128 {
    const WIDTH: u8 = 128;
    const WORDS: usize = 4;
    type Stored = [u64; 2];

    #[inline]
    fn store(self) -> [u64; 2] {
        [(self >> 64) as u64, self as u64]
    }
    #[inline]
    fn restore([high, low]: [u64; 2]) -> Self {
        Self::from(high) << 64 | Self::from(low)
    }
    #[inline]
    fn from_words(words: &[u32]) -> Self {
        let [a, b, c, d] = words.first_chunk().copied().unwrap_or([0; 4]);
        Self::from(a) << 96 | Self::from(b) << 64 | Self::from(c) << 32 | Self::from(d)
    }
    #[inline]
    fn to_words(self, words: &mut Vec<u32>) {
        words.extend([
            (self >> 96) as u32,
            (self >> 64) as u32,
            (self >> 32) as u32,
            self as u32,
        ]);
    }
    #[inline]
    fn below(words: &[u32], limit: Self) -> usize {
        let (addresses, _) = words.as_chunks::<4>();
        addresses.partition_point(|words| Self::from_words(words) < limit)
    }
    #[inline]
    fn masked(self, length: u8) -> Self {
        self & !Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    #[inline]
    fn last(self, length: u8) -> Self {
        self | Self::MAX.checked_shr(length.into()).unwrap_or(0)
    }
    #[inline]
    fn index(self, depth: u8, stride: u8) -> usize {
        (self.wrapping_shl(depth.into()) >> (128 - u32::from(stride))) as usize
    }
    #[inline]
    fn shared(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }
    fn prefix(prefix: PrefixBits<Self>) -> Prefix {
        prefix.into()
    }
}
