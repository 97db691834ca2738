//! One cache line of prefixes.
#![expect(
    clippy::cast_possible_truncation,
    reason = "fields of a word are cut to their width, a `u128` is taken apart"
)]

/// Cells of a line.
const CELLS: usize = 7;
/// The second cell of a prefix longer than 64 bits.
const SECOND: u8 = 255;
const MARKER: u8 = 128;
/// One passer-by, in the top byte of the first word.
const PASSER: u64 = 1 << (8 * CELLS);
/// As many as are counted; from there on the count stands.
const MOST: u64 = 0xff;

/// Lengths by which prefixes are filed, as a set: bit `l / 4` for `l`.
pub(super) type Levels = u32;

/// The set of one level.
pub(super) const fn level(length: u8) -> Levels {
    1 << (length / 4)
}

/// See the module [`super`] for the layout.
#[derive(Clone, Copy, Debug, Default)]
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

    fn kind(self) -> u8 {
        match self {
            Self::Prefix { length, .. } => length,
            Self::Marker { by, .. } => MARKER + by / 4,
        }
    }
}

impl Line {
    /// Whether a prefix in this line covers `address`; markers of networks that agree with `address` in the first
    /// `filed` bits are added to `levels`.
    #[inline]
    pub(super) fn covers(&self, address: u128, filed: u8, levels: &mut Levels) -> bool {
        let high = (address >> 64) as u64;
        // Short prefixes and what is worth a closer look are found without a branch, all cells at once.
        let shift = 64 - filed.min(64);
        let mut short = false;
        let mut closer = 0u32;
        for (at, cell) in self.cells.iter().enumerate() {
            let kind = self.kind(at);
            let differs = cell ^ high;
            let is_short = kind.wrapping_sub(1) < 64;
            short |= is_short & (differs >> (64u8.wrapping_sub(kind) & 63) == 0);
            closer |= u32::from(!is_short & (differs >> shift == 0)) << at;
        }
        if short {
            return true;
        }
        while closer != 0 {
            let at = closer.trailing_zeros() as usize;
            closer &= closer - 1;
            let kind = self.kind(at);
            let cell = self.cells.get(at).copied().unwrap_or(0);
            let low = self.cells.get(at + 1).copied().unwrap_or(0);
            match kind {
                65..=MARKER => {
                    if cell == high && (low ^ address as u64) >> (128 - kind) == 0 {
                        return true;
                    }
                }
                0 | SECOND => {}
                _ => {
                    let agrees = filed <= 64 || (low ^ address as u64) >> (128 - filed) == 0;
                    *levels |= u32::from(agrees && low as u8 == filed) << (kind - MARKER);
                }
            }
        }
        false
    }

    #[inline]
    fn kind(&self, at: usize) -> u8 {
        (self.kinds >> (8 * at)) as u8
    }

    /// Whether something was filed in a later line because this one was full.
    #[inline]
    pub(super) fn was_passed(&self) -> bool {
        self.kinds >= PASSER
    }

    /// Counts one thing filed in a later line.
    pub(super) fn pass(&mut self) {
        if self.kinds / PASSER < MOST {
            self.kinds += PASSER;
        }
    }

    /// Takes the count of one thing back.
    pub(super) fn unpass(&mut self) {
        if self.kinds / PASSER < MOST {
            self.kinds = self.kinds.saturating_sub(PASSER);
        }
    }

    /// Cells in use.
    pub(super) fn used(&self) -> usize {
        (0..CELLS)
            .position(|at| self.kind(at) == 0)
            .unwrap_or(CELLS)
    }

    /// Adds `item` if there is room.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let used = self.used();
        let Some(free) = self.cells.get_mut(used..used + item.cells()) else {
            return false;
        };
        let halves = [(item.content() >> 64) as u64, item.content() as u64];
        for ((at, cell), half) in free.iter_mut().enumerate().zip(halves) {
            *cell = half;
            let kind = if at == 0 { item.kind() } else { SECOND };
            self.kinds |= u64::from(kind) << (8 * (used + at));
        }
        true
    }

    /// Takes `item` out if it is here.
    pub(super) fn remove(&mut self, item: Item) -> bool {
        let kept: Vec<Item> = self.items().filter(|other| *other != item).collect();
        let cells: usize = kept.iter().map(|item| item.cells()).sum();
        if cells == self.used() {
            return false;
        }
        *self = Self {
            kinds: self.kinds / PASSER * PASSER,
            cells: [0; CELLS],
        };
        for item in kept {
            self.push(item);
        }
        true
    }

    /// Everything in the line.
    #[inline]
    pub(super) fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let kind = if at < CELLS { self.kind(at) } else { 0 };
            let high = self.cells.get(at).copied()?;
            let wide = at + 1 < CELLS && self.kind(at + 1) == SECOND;
            let low = if wide {
                self.cells.get(at + 1).copied()?
            } else {
                0
            };
            at += 1 + usize::from(wide);
            let bits = u128::from(high) << 64 | u128::from(low);
            match kind {
                0 => None,
                1..=MARKER => Some(Item::Prefix { bits, length: kind }),
                _ => Some(Item::Marker {
                    bits: bits & !0xff,
                    filed: bits as u8,
                    by: (kind - MARKER) * 4,
                }),
            }
        })
    }
}
