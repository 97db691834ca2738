//! One entry as feeds and lists store it: 12 bytes for IPv4, 24 for IPv6.

use std::cmp::Ordering;

use crate::bits::Bits;
use crate::digest::{Digest, Fact};
use crate::feed::{Entry, Timestamp};
use crate::prefix::PrefixBits;
use crate::threat::{Level, Patterns};

/// One entry of one feed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row<A: Bits> {
    bits: A::Stored,
    pub(crate) expires: Expiry,
    /// The place of the feed among the list's; a feed's own rows do not use it.
    pub(crate) feed: u16,
    pub(crate) length: u8,
    pub(crate) attributes: Attributes,
}

const _: () = assert!(size_of::<Row<u32>>() == 12 && size_of::<Row<u128>>() == 24);

impl<A: Bits> Row<A> {
    pub(crate) fn new(prefix: PrefixBits<A>, entry: &Entry) -> Self {
        Self {
            bits: prefix.bits.store(),
            expires: entry.expires.into(),
            feed: 0,
            length: prefix.length,
            attributes: Attributes::new(entry.level, entry.patterns),
        }
    }

    /// A row from its prefix and what [`said`](Self::said) gave.
    #[inline]
    pub(crate) fn from_words(PrefixBits { bits, length }: PrefixBits<A>, said: [u32; 2]) -> Self {
        let [expires, about] = said;
        let [high, low, _, attributes] = about.to_be_bytes();
        Self {
            bits: bits.store(),
            expires: Expiry(expires),
            feed: u16::from_be_bytes([high, low]),
            length,
            attributes: Attributes(attributes),
        }
    }

    #[inline]
    pub(crate) fn bits(&self) -> A {
        A::restore(self.bits)
    }

    #[inline]
    pub(crate) fn prefix(&self) -> PrefixBits<A> {
        PrefixBits {
            bits: self.bits(),
            length: self.length,
        }
    }

    /// What the row says about its prefix, in two words.
    #[inline]
    pub(crate) fn said(&self) -> [u32; 2] {
        let about = u32::from(self.feed) << 16 | u32::from(self.attributes.0);
        [self.expires.0, about]
    }

    /// The same entry in the feed at another place.
    #[inline]
    #[must_use]
    pub(crate) const fn of_feed(self, feed: u16) -> Self {
        Self { feed, ..self }
    }

    /// What makes an entry: everything but how long it lives. An entry sorts before everything
    /// beneath it.
    #[inline]
    pub(crate) fn key(&self) -> (PrefixBits<A>, u16, Attributes) {
        (self.prefix(), self.feed, self.attributes)
    }

    #[inline]
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }

    /// What the entry adds to the list's digest; `feed` begins the facts of its feed.
    #[inline]
    pub(crate) fn digest(&self, feed: Fact) -> Digest {
        let about =
            u64::from(A::WIDTH) << 16 | u64::from(self.length) << 8 | self.attributes.word();
        let bits: u128 = self.bits().into();
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of a u128")]
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        let fact = if A::WIDTH == 32 {
            feed.word(low << 32 | self.expires.word())
        } else {
            feed.word(high).word(low).word(self.expires.word())
        };
        fact.word(about).digest()
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry {
            prefix: A::prefix(self.prefix()),
            level: self.attributes.level(),
            patterns: self.attributes.patterns(),
            expires: self.expires.into(),
        }
    }
}

/// Seconds since the Unix epoch in 32 bits; the greatest value is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expiry(u32);

impl Expiry {
    pub(crate) const NEVER: Self = Self(u32::MAX);

    /// Whether an entry with this expiry lives at `now`, its feed being asserted until
    /// `asserted`.
    pub(crate) fn is_live(self, asserted: Option<Timestamp>, now: Timestamp) -> bool {
        self.is_after(now) || asserted.is_some_and(|asserted| asserted > now)
    }

    /// Whether the expiry comes after `now`.
    #[inline]
    pub(crate) fn is_after(self, now: Timestamp) -> bool {
        self == Self::NEVER || u64::from(self.0) > now.0
    }

    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.0 as u64
    }

    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl From<Option<Timestamp>> for Expiry {
    fn from(expires: Option<Timestamp>) -> Self {
        let Some(Timestamp(seconds)) = expires else {
            return Self::NEVER;
        };
        let last = u32::MAX - 1;
        Self(u32::try_from(seconds).map_or(last, |seconds| seconds.min(last)))
    }
}

impl From<Expiry> for Option<Timestamp> {
    fn from(expiry: Expiry) -> Self {
        (expiry != Expiry::NEVER).then(|| Timestamp(expiry.0.into()))
    }
}

/// Level and patterns in one byte: the level in the low two bits, the patterns above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attributes(u8);

impl Attributes {
    pub(crate) const fn new(level: Level, patterns: Patterns) -> Self {
        Self(level as u8 | patterns.bits() << 2)
    }

    #[inline]
    pub(crate) const fn level(self) -> Level {
        match self.0 & 3 {
            0 => Level::Low,
            1 => Level::Medium,
            _ => Level::High,
        }
    }

    #[inline]
    pub(crate) const fn patterns(self) -> Patterns {
        Patterns::from_bits(self.0 >> 2)
    }

    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.0 as u64
    }
}
