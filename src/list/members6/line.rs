//! One cache line of prefixes.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a `u128` is taken apart; places in a line are below CELLS, and kinds below 256"
)]

/// Cells of a line, and the one that is its own counterpart: it never holds a second half.
const CELLS: usize = 7;
const MIDDLE: usize = CELLS / 2;
/// The kind of a cell says how many of its last bits do not count, and:
const SHIFT: u8 = 63;
/// it is not enough to agree with it;
const NEVER: u8 = 1 << 6;
/// it is compared with the second half of an address, and its counterpart with the first.
const SECOND: u8 = 1 << 7;
const FIRST: u8 = NEVER;
const EMPTY: u8 = NEVER | 1;

/// For each kind, what a cell and the half of an address that agrees with it differ by less than, taken as one number
/// without carries.
static LIMITS: [u64; 256] = {
    let mut limits = [0; 256];
    let mut kind = 0;
    while kind < limits.len() {
        if kind as u8 & NEVER == 0 {
            limits[kind] = 1 << (kind as u8 & SHIFT);
        }
        kind += 1;
    }
    limits
};

/// As many passers-by as are counted; from there on the count stands.
pub(super) const MOST: u8 = 127;
/// A line with a marker in it.
const MARKED: u8 = 1 << 7;

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
    kinds: [u8; CELLS],
    /// MARKED, and how many passed by.
    state: u8,
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
            Self::Prefix { length, .. } if length <= 64 => [64 - length, EMPTY],
            Self::Prefix { length, .. } => [FIRST, SECOND | (128 - length)],
            Self::Marker { by, .. } => [FIRST, SECOND | NEVER | (by / 4)],
        }
    }
}

impl Line {
    pub(super) const EMPTY: Self = Self {
        kinds: [EMPTY; CELLS],
        state: 0,
        cells: [0; CELLS],
    };

    /// Whether a prefix in this line covers `address`. No branch depends on what the line holds: it is often still on
    /// its way from memory, and a wrong guess would keep the next look-up from starting.
    #[inline]
    pub(super) fn covers(&self, address: u128) -> bool {
        let [high, low] = halves(address);
        let limit = |at: usize| LIMITS[usize::from(self.kinds[at])];
        let mut covering = u64::from(self.cells[MIDDLE] ^ high < limit(MIDDLE));
        for at in 0..MIDDLE {
            let other = counterpart(at);
            // All ones if it is.
            let is_second = u64::from(self.kinds[other] / SECOND).wrapping_neg();
            let first = self.cells[at] ^ high;
            let second = self.cells[other] ^ high ^ (high ^ low) & is_second;
            covering += u64::from(first < limit(at));
            covering += u64::from(join(first & is_second, second) < u128::from(limit(other)));
        }
        covering != 0
    }

    /// Whether nothing that belongs into this line is elsewhere.
    #[inline]
    pub(super) fn is_all(&self) -> bool {
        self.state == 0
    }

    /// The levels that markers in this line name for what agrees with `address` in the first `filed` bits.
    #[inline]
    pub(super) fn levels(&self, address: u128, filed: u8) -> Levels {
        if self.state & MARKED == 0 {
            0
        } else {
            self.marked(address, filed)
        }
    }

    #[inline(never)]
    fn marked(&self, address: u128, filed: u8) -> Levels {
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

    fn passers(&self) -> u8 {
        self.state & MOST
    }

    /// Whether something was filed in a later line because this one was full.
    #[inline]
    pub(super) fn was_passed(&self) -> bool {
        self.passers() > 0
    }

    /// Counts one thing filed in a later line.
    pub(super) fn pass(&mut self) {
        if self.passers() < MOST {
            self.state += 1;
        }
    }

    /// Takes the count of one thing back; whether it was counted.
    pub(super) fn unpass(&mut self) -> bool {
        let is_counted = (1..MOST).contains(&self.passers());
        self.state -= u8::from(is_counted);
        is_counted
    }

    /// Adds `item` if there is room.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let Some(free) = self.kinds.iter().position(|kind| *kind == EMPTY) else {
            return false;
        };
        let [high, low] = halves(item.content());
        let [first, second] = item.kinds();
        if second == EMPTY {
            self.set(free, high, first);
        } else {
            if self.kinds.get(free + 1) != Some(&EMPTY) {
                return false;
            }
            // What has one cell makes room.
            let long = self.kinds.iter().position(|kind| *kind != FIRST);
            let long = long.unwrap_or(free);
            self.set(free, self.cells[long], self.kinds[long]);
            self.set(long, high, first);
            self.set(counterpart(long), low, second);
        }
        if matches!(item, Item::Marker { .. }) {
            self.state |= MARKED;
        }
        true
    }

    fn set(&mut self, at: usize, cell: u64, kind: u8) {
        (self.cells[at], self.kinds[at]) = (cell, kind);
    }

    /// Takes `item` out; it is here. Only one of it: what is filed in several places may be here twice.
    pub(super) fn remove(&mut self, item: Item) {
        let before = *self;
        *self = Self::EMPTY;
        self.state = before.passers();
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
        (0..CELLS).map_while(|at| {
            let kind = self.kinds[at];
            if kind == EMPTY || kind & SECOND != 0 {
                return None;
            }
            if kind != FIRST {
                let length = 64 - (kind & SHIFT);
                let bits = join(self.cells[at], 0);
                return Some(Item::Prefix { bits, length });
            }
            let bits = join(self.cells[at], self.cells[counterpart(at)]);
            let kind = self.kinds[counterpart(at)];
            Some(if kind & NEVER == 0 {
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

/// Where the second half is of what begins at `at`.
const fn counterpart(at: usize) -> usize {
    CELLS - 1 - at
}

const fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

fn join(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits as _;

    /// Items of every kind, about the same few networks.
    fn item(number: u64) -> Item {
        let random = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let network = 0x2001_0db8 << 96 | (random >> 100 & 3) << 64;
        let length = match random >> 120 {
            0..16 => 64,
            16..32 => 65,
            32..64 => 128,
            64..96 => 48 + (random >> 112) as u8 % 17,
            96..192 => 48 + (random >> 112) as u8 % 81,
            _ => {
                let filed = 48 + (random >> 112) as u8 % 10 * 8;
                let bits = (network | random >> 80 & 0xf00).masked(filed);
                let by = filed + 4;
                return Item::Marker { bits, filed, by };
            }
        };
        let bits = (network | random >> 80 & 0xf0f).masked(length);
        Item::Prefix { bits, length }
    }

    fn sorted(mut items: Vec<Item>) -> Vec<Item> {
        items.sort_by_key(|item| format!("{item:?}"));
        items
    }

    /// What is in it, and whether it covers the first and the last address of each item, and those beside them.
    fn check(line: &Line, model: &[Item], step: u64) {
        assert_eq!(
            sorted(line.items().collect()),
            sorted(model.to_vec()),
            "{step}"
        );
        let prefixes: Vec<(u128, u8)> = model
            .iter()
            .filter_map(|item| match *item {
                Item::Prefix { bits, length } => Some((bits, length)),
                Item::Marker { .. } => None,
            })
            .collect();
        for item in (0..40)
            .map(|near| item(step + near))
            .chain(model.iter().copied())
        {
            let (bits, length) = match item {
                Item::Prefix { bits, length } => (bits, length),
                Item::Marker { bits, filed, .. } => (bits | u128::from(filed), 128),
            };
            let last = bits | u128::MAX.checked_shr(length.into()).unwrap_or(0);
            for address in [
                bits,
                last,
                bits.wrapping_sub(1),
                last + 1,
                last ^ 1 << 64,
                0,
                1 << 64,
            ] {
                let covers = |&(bits, length): &(u128, u8)| address.masked(length) == bits;
                assert_eq!(
                    line.covers(address),
                    prefixes.iter().any(covers),
                    "{address:x} in {model:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_covers_what_its_prefixes_cover() {
        let mut line = Line::EMPTY;
        let mut model: Vec<Item> = Vec::new();
        let mut full = 0;
        for step in 0..4000 {
            let item = item(step);
            let cells: usize = model.iter().map(|item| item.cells()).sum();
            let fits = cells + item.cells() <= CELLS;
            assert_eq!(line.push(item), fits, "{step}");
            if fits {
                model.push(item);
            } else {
                full += 1;
                line.remove(model.remove(step as usize % model.len()));
            }
            check(&line, &model, step);
        }
        assert!(full > 1000);
    }

    #[test]
    fn markers_and_passers_are_known_apart() {
        let marker = |bits| Item::Marker {
            bits,
            filed: 48,
            by: 56,
        };
        let (near, far) = (0x2001_0db8 << 96, 0x2001_0db8_0001 << 80);
        let mut line = Line::EMPTY;
        assert!(line.is_all());
        for _ in 0..2 {
            line.pass();
            assert!(line.push(marker(near)));
            assert!(line.push(marker(far)));
            assert_eq!(line.levels(far | 7, 48), level(56));
            assert_eq!(line.levels(far | 7, 56), 0);
            line.remove(marker(far));
            assert_eq!(line.levels(far | 7, 48), 0);
            assert_eq!(line.levels(near | 7, 48), level(56));
            assert!(line.was_passed());
            assert!(line.unpass());
            assert!(!line.was_passed() && !line.is_all());
            line.remove(marker(near));
            assert!(line.is_all());
        }
        (0..1000).for_each(|_| line.pass());
        assert!((0..1000).all(|_| !line.unpass()));
        assert!(line.was_passed(), "nobody knows how many passed");
        assert!(line.push(marker(near)));
        assert_eq!(line.levels(near, 48), level(56));
    }
}
