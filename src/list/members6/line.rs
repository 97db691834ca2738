//! One cache line of prefixes.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "fields of a word are cut to their width, a `u128` is taken apart; an item has two cells at most"
)]

/// Cells of a line.
const CELLS: usize = 7;
/// The kind of a cell says how many of its last bits do not count, and:
const SHIFT: u8 = 63;
/// it is compared with the second half of an address, and with it the cell before;
const SECOND: u8 = 1 << 6;
/// an address that agrees is covered.
const ENDS: u8 = 1 << 7;
/// The first of two cells: all of its bits count.
const FIRST: u8 = 0;
const EMPTY: u8 = 1;
/// A byte for each cell.
const EACH: u64 = 0x0001_0101_0101_0101;

/// One passer-by.
const PASSER: u64 = 1 << (8 * CELLS);
/// As many as are counted; from there on the count stands.
const MOST: u64 = 127;
/// A line with a marker in it.
const MARKED: u64 = 1 << 63;

/// Lengths by which prefixes are filed, as a set: bit `l / 4` for `l`.
pub(super) type Levels = u32;

/// The set of one level.
pub(super) const fn level(length: u8) -> Levels {
    1 << (length / 4)
}

/// See the module [`super`] for the layout.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line {
    kinds: u64,
    cells: [u64; CELLS],
}

const _: () = assert!(size_of::<Line>() == 64);

/// What a line holds: a prefix, or the statement that of what agrees with `bits` in `filed` bits, all of `by` bits and
/// longer is filed by that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Prefix { bits: u128, length: u8 },
    Marker { bits: u128, filed: u8, by: u8 },
}

impl Item {
    pub(super) fn cells(self) -> usize {
        match self {
            Self::Prefix { length, .. } => 1 + usize::from(length > 64),
            Self::Marker { .. } => 2,
        }
    }

    /// What the cells hold. A marker is for 120 bits at most and tells its number in the last eight.
    fn content(self) -> u128 {
        match self {
            Self::Prefix { bits, .. } => bits,
            Self::Marker { bits, filed, .. } => bits | u128::from(filed),
        }
    }

    /// The kinds of its cells.
    fn kinds(self) -> [u8; 2] {
        match self {
            Self::Prefix { length, .. } if length <= 64 => [ENDS | (64 - length), EMPTY],
            Self::Prefix { length, .. } => [FIRST, ENDS | SECOND | (128 - length)],
            Self::Marker { by, .. } => [FIRST, SECOND | (by / 4)],
        }
    }
}

impl Line {
    pub(super) const EMPTY: Self = Self {
        kinds: EACH,
        cells: [0; CELLS],
    };

    /// Whether a prefix in this line covers `address`. No branch depends on what the line holds: it is often still on
    /// its way from memory, and a wrong guess would keep the next look-up from starting.
    #[inline]
    pub(super) fn covers(&self, address: u128) -> bool {
        let halves = [(address >> 64) as u64, address as u64];
        let mut agrees = 0u64;
        for (at, cell) in self.cells.iter().enumerate() {
            let kind = self.kind(at);
            let half = halves[usize::from(kind / SECOND % 2)];
            let differs = (cell ^ half) >> (kind & SHIFT);
            agrees |= u64::from(differs == 0) << (8 * at);
        }
        let second = (self.kinds / u64::from(SECOND)) & EACH;
        let ends = (self.kinds / u64::from(ENDS)) & EACH;
        agrees & ends & (agrees << 8 | !second) != 0
    }

    /// Whether nothing that belongs into this line is elsewhere.
    #[inline]
    pub(super) fn is_all(&self) -> bool {
        self.kinds < PASSER
    }

    /// The levels that markers in this line name for what agrees with `address` in the first `filed` bits.
    #[inline]
    pub(super) fn levels(&self, address: u128, filed: u8) -> Levels {
        if self.kinds & MARKED == 0 {
            return 0;
        }
        let levels = self.items().map(|item| match item {
            Item::Marker {
                bits,
                filed: of,
                by,
            } if of == filed && (bits ^ address) >> (128 - filed) == 0 => level(by),
            Item::Marker { .. } | Item::Prefix { .. } => 0,
        });
        levels.fold(0, |levels, level| levels | level)
    }

    #[inline]
    fn kind(&self, at: usize) -> u8 {
        (self.kinds >> (8 * at)) as u8
    }

    fn passers(&self) -> u64 {
        (self.kinds / PASSER) & MOST
    }

    /// Whether something was filed in a later line because this one was full.
    pub(super) fn was_passed(&self) -> bool {
        self.passers() > 0
    }

    /// Counts one thing filed in a later line.
    pub(super) fn pass(&mut self) {
        if self.passers() < MOST {
            self.kinds += PASSER;
        }
    }

    /// Takes the count of one thing back.
    pub(super) fn unpass(&mut self) {
        if (1..MOST).contains(&self.passers()) {
            self.kinds -= PASSER;
        }
    }

    /// Cells in use.
    fn used(&self) -> usize {
        (0..CELLS)
            .position(|at| self.kind(at) == EMPTY)
            .unwrap_or(CELLS)
    }

    /// Adds `item` if there is room.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let used = self.used();
        let Some(free) = self.cells.get_mut(used..used + item.cells()) else {
            return false;
        };
        let halves = [(item.content() >> 64) as u64, item.content() as u64];
        for (at, cell) in free.iter_mut().enumerate() {
            *cell = halves[at];
            self.kinds ^= u64::from(item.kinds()[at] ^ EMPTY) << (8 * (used + at));
        }
        if matches!(item, Item::Marker { .. }) {
            self.kinds |= MARKED;
        }
        true
    }

    /// Takes `item` out; it is here. Only one of it: what is filed in several places may be here twice.
    pub(super) fn remove(&mut self, item: Item) {
        let before = *self;
        self.kinds = EACH | (self.passers() * PASSER);
        self.cells = [0; CELLS];
        let mut is_out = false;
        for other in before.items() {
            if other == item && !is_out {
                is_out = true;
            } else {
                self.push(other);
            }
        }
    }

    /// Everything in the line.
    #[inline]
    pub(super) fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let high = u128::from(*self.cells.get(at)?) << 64;
            let kind = self.kind(at);
            at += 1;
            if kind == EMPTY {
                return None;
            }
            if kind != FIRST {
                let length = 64 - (kind & SHIFT);
                return Some(Item::Prefix { bits: high, length });
            }
            let bits = high | u128::from(*self.cells.get(at)?);
            let kind = self.kind(at);
            at += 1;
            Some(if kind & ENDS != 0 {
                let length = 128 - (kind & SHIFT);
                Item::Prefix { bits, length }
            } else {
                Item::Marker {
                    bits: bits & !0xff,
                    filed: bits as u8,
                    by: (kind & SHIFT) * 4,
                }
            })
        })
    }
}
