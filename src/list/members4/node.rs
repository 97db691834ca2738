//! The words of one /16: taking a node apart and putting one together.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "words of a map are below 4; hosts are below 256"
)]

use std::ops::Range;

/// Offset of the live map.
pub(super) const LIVE: usize = 1;
/// Words of a bitmap, and of a map of /24s.
pub(super) const BITMAP: usize = 4;
/// The node of a /16 without anything longer beneath.
pub(super) const EMPTY: [u64; LIVE + BITMAP] = [0; LIVE + BITMAP];

const ONES: u64 = 0x0101_0101_0101_0101;
/// A whole /24.
const FULL: Map = [u64::MAX; BITMAP];
/// Whole /24s up to which they get a leaf each, and no map.
const FEW: u32 = 4;
/// Hosts that fit a leaf.
const INLINE: u32 = 7;

/// 256 bits: the hosts of a /24, or the /24s of a /16.
pub(super) type Map = [u64; BITMAP];

/// Whether one of the seven host bytes of a leaf with tag 0 is `host`.
#[inline]
pub(super) fn holds(leaf: u64, host: u8) -> bool {
    // The tag's byte is made unequal; a zero byte is what the subtraction borrows through.
    let difference = (leaf ^ u64::from(host).wrapping_mul(ONES)) | 0xff;
    difference.wrapping_sub(ONES) & !difference & (ONES << 7) != 0
}

/// A leaf that does not hold `host`.
#[inline]
pub(super) fn without(host: u8) -> u64 {
    u64::from(!host).wrapping_mul(ONES) & !0xff
}

/// Where the bitmaps of the node with this first word begin.
#[inline]
pub(super) fn first_bitmap(head: u64) -> usize {
    (head >> 32) as usize & 0xffff
}

/// Words of the node that `words` starts with.
#[inline]
pub(super) fn words(words: &[u64]) -> usize {
    words.first().map_or(0, |head| (head >> 48) as usize)
}

/// Sets the bits `range` of a map.
pub(super) fn set(map: &mut Map, range: Range<usize>) {
    for (word, bits) in map.iter_mut().enumerate() {
        let low = range.start.max(word * 64);
        let high = range.end.min(word * 64 + 64);
        if low < high {
            *bits |= (u64::MAX >> (64 - (high - low))) << (low % 64);
        }
    }
}

/// The state of one /24.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Leaf {
    None,
    Covered,
    Hosts(Map),
    /// A leaf with tag 0, as it is stored.
    Inline(u64),
}

impl Leaf {
    pub(super) fn from_map(map: Map) -> Self {
        match map {
            [0, 0, 0, 0] => Self::None,
            [u64::MAX, u64::MAX, u64::MAX, u64::MAX] => Self::Covered,
            _ if count(&map) > INLINE => Self::Hosts(map),
            _ => {
                let mut bytes = [0; 8];
                let mut length = 0;
                for (word, mut bits) in map.into_iter().enumerate() {
                    while bits != 0 {
                        if let Some(byte) = bytes.get_mut(length + 1) {
                            *byte = (word * 64) as u8 + bits.trailing_zeros() as u8;
                        }
                        length += 1;
                        bits &= bits - 1;
                    }
                }
                Self::inline(bytes, length)
            }
        }
    }

    /// This leaf with more prefixes longer than 24 bits in it.
    pub(super) fn joined(self, more: impl Iterator<Item = (u32, u8)>) -> Self {
        let mut map = match self {
            Self::None => [0; BITMAP],
            Self::Covered => FULL,
            Self::Hosts(map) => map,
            Self::Inline(leaf) => {
                let mut map = [0; BITMAP];
                for host in leaf.to_le_bytes().into_iter().skip(1) {
                    set(&mut map, usize::from(host)..usize::from(host) + 1);
                }
                map
            }
        };
        for (bits, length) in more {
            let host = (bits & 0xff) as usize;
            set(&mut map, host..host + (1 << (32 - length)));
        }
        Self::from_map(map)
    }

    /// A leaf of `length` hosts in bytes 1.. of `bytes`.
    pub(super) fn inline(mut bytes: [u8; 8], length: usize) -> Self {
        let first = bytes[1];
        bytes
            .iter_mut()
            .skip(length + 1)
            .for_each(|byte| *byte = first);
        Self::Inline(u64::from_le_bytes(bytes))
    }
}

/// A node being put together, /24 by /24 in order.
#[derive(Debug)]
pub(super) struct Builder {
    live: Map,
    covered: Map,
    leaves: Vec<u64>,
    bitmaps: Vec<Map>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            live: [0; 4],
            covered: [0; 4],
            leaves: Vec::with_capacity(256),
            bitmaps: Vec::with_capacity(256),
        }
    }

    pub(super) fn clear(&mut self) {
        self.live = [0; 4];
        self.covered = [0; 4];
        self.leaves.clear();
        self.bitmaps.clear();
    }

    /// States /24 number `at`; numbers ascend.
    #[inline]
    pub(super) fn push(&mut self, at: usize, leaf: Leaf) {
        let (word, bit) = (at / 64 % BITMAP, 1 << (at % 64));
        match leaf {
            Leaf::None => return,
            Leaf::Covered => self.covered[word] |= bit,
            Leaf::Inline(leaf) => self.leaves.push(leaf),
            Leaf::Hosts(FULL) => self.covered[word] |= bit,
            Leaf::Hosts(map) => {
                self.leaves.push((self.bitmaps.len() as u64) << 8 | 1);
                self.bitmaps.push(map);
            }
        }
        self.live[word] |= bit;
    }

    /// Marks whole /24s; none of them may be pushed otherwise.
    pub(super) fn cover(&mut self, covered: &Map) {
        for (word, bits) in covered.iter().enumerate() {
            self.live[word] |= bits;
            self.covered[word] |= bits;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == [0; 4]
    }

    /// Appends the node to `words`; whether it has a covered map.
    pub(super) fn finish(&mut self, words: &mut Vec<u64>) -> bool {
        let covered = count(&self.covered);
        let mixed = covered > FEW;
        if covered > 0 && !mixed {
            self.cover_by_leaves();
        }
        let first_bitmap = LIVE + BITMAP + if mixed { BITMAP } else { 0 } + self.leaves.len();
        let length = first_bitmap + self.bitmaps.len() * BITMAP;
        let mut head = (length as u64) << 48 | (first_bitmap as u64) << 32;
        let mut rank = 0;
        for (word, (live, covered)) in self.live.iter().zip(&self.covered).enumerate() {
            head |= rank << (8 * word);
            rank += u64::from((live & !covered).count_ones());
        }
        words.push(head);
        words.extend_from_slice(&self.live);
        if mixed {
            words.extend_from_slice(&self.covered);
        }
        words.extend_from_slice(&self.leaves);
        words.extend_from_slice(self.bitmaps.as_flattened());
        mixed
    }

    /// Gives every whole /24 a leaf.
    fn cover_by_leaves(&mut self) {
        let full = (self.bitmaps.len() as u64) << 8 | 1;
        self.bitmaps.push(FULL);
        let mut rank = 0;
        for word in 0..BITMAP {
            let mut bits = self.live[word];
            while bits != 0 {
                if self.covered[word] & bits & bits.wrapping_neg() != 0 {
                    self.leaves.insert(rank, full);
                }
                rank += 1;
                bits &= bits - 1;
            }
        }
        self.covered = [0; BITMAP];
    }
}

fn count(map: &Map) -> u32 {
    map.iter().map(|word| word.count_ones()).sum()
}

/// The leaves of an existing node.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) live: Map,
    pub(super) covered: Map,
    leaves: &'a [u64],
    bitmaps: &'a [u64],
}

impl<'a> Parts<'a> {
    pub(super) fn of(node: &'a [u64], mixed: bool) -> Self {
        let map = |from: usize| {
            node.get(from..from + BITMAP)
                .and_then(|m| m.try_into().ok())
                .unwrap_or([0; 4])
        };
        let first = if mixed {
            LIVE + 2 * BITMAP
        } else {
            LIVE + BITMAP
        };
        let bitmaps = node.first().map_or(0, |head| first_bitmap(*head));
        Self {
            live: map(LIVE),
            covered: if mixed { map(LIVE + BITMAP) } else { [0; 4] },
            leaves: node.get(first..bitmaps).unwrap_or_default(),
            bitmaps: node.get(bitmaps..words(node)).unwrap_or_default(),
        }
    }

    /// The next stored leaf; they come in the order of the /24s that are live and not covered.
    pub(super) fn next(&mut self) -> Leaf {
        let Some((&leaf, rest)) = self.leaves.split_first() else {
            return Leaf::None;
        };
        self.leaves = rest;
        if leaf & 0xff == 0 {
            return Leaf::Inline(leaf);
        }
        let at = (leaf >> 8) as usize * BITMAP;
        let map = self
            .bitmaps
            .get(at..at + BITMAP)
            .and_then(|map| map.try_into().ok());
        map.map_or(Leaf::None, Leaf::Hosts)
    }
}
