//! From sorted entries to planes and lines.
#![expect(
    clippy::indexing_slicing,
    reason = "`home` and the chain from it are below the number of lines"
)]

use std::hash::{BuildHasher as _, RandomState};

use super::{
    LONG, Lengths, MIDDLE, Members6,
    line::Line,
    lines::{Lines, PAGE, Shape, Tally, Writable, places},
    planes::Planes,
};
use crate::list::blocks::{Blocks, Edit, Placed};
use crate::row::Row;

/// Cells in use per hundred when a table is built; the rest is for updates and for lines that fill unevenly.
const FILL: usize = 60;
/// The same for a short list: the second cache has room for more lines, and the fewer of them are full, the fewer
/// look-ups read on. From so many prefixes on a list is not short; before that it gets ever less room.
const FILL_SHORT: usize = 40;
const NOT_SHORT: usize = 24_000;
/// Per ten of the cells that a table is built for, how many are in use when an update builds a new one.
const OVERFULL: usize = 13;
const CELLS_PER_LINE: usize = 7;
/// Lines in a chain that no list of networks makes unless it was made to: what cannot be filed by
/// more bits takes some forty.
pub(super) const LONGEST: usize = 256;
/// Factors that are tried before a long chain is put up with. All but the first are random: known ones could be listed
/// against.
const FACTORS: usize = 4;

impl Members6 {
    /// The addresses that `rows`, in prefix order, cover.
    pub(crate) fn build(rows: &[Row<u128>]) -> Self {
        let mut prefixes: Vec<(u128, u8)> =
            rows.iter().map(|row| (row.bits(), row.length)).collect();
        prefixes.dedup();
        Self {
            planes: Planes::build(prefixes.iter().copied()),
            middle: Lines::build(&prefixes, MIDDLE),
            long: Lines::build(&prefixes, LONG),
        }
    }
}

impl Lines {
    /// `prefixes` are distinct; those of other lengths are left out.
    pub(super) fn build(prefixes: &[(u128, u8)], lengths: Lengths) -> Self {
        let ours = || {
            let prefixes = prefixes.iter().copied();
            prefixes.filter(|(_, length)| lengths.contains(length))
        };
        let cells = |(bits, length)| places(bits, length).count() + usize::from(length > 64);
        let cells: usize = ours().map(cells).sum();
        let fill = (prefixes.len() * FILL / NOT_SHORT).clamp(FILL_SHORT, FILL);
        let mut pages = cells * 100 / fill / CELLS_PER_LINE / PAGE + 2;
        // The markers of crowded networks are not known beforehand.
        let mut factors = 1;
        let mut factor = Shape::FACTOR;
        let (fresh, most) = loop {
            let most = pages * PAGE * CELLS_PER_LINE * fill / 100 * OVERFULL / 10;
            let mut fresh = Fresh {
                lines: vec![Line::EMPTY; pages * PAGE],
                factor,
                tally: Tally::default(),
            };
            let fits = ours().all(|(bits, length)| {
                fresh.insert(bits, length);
                let Tally { cells, longest, .. } = fresh.tally;
                cells <= most && (longest <= LONGEST || factors == FACTORS)
            });
            if fits {
                break (fresh, most);
            }
            if fresh.tally.cells > most {
                pages += pages / 2;
            } else {
                factor = RandomState::new().hash_one(factors) | 1;
                factors += 1;
            }
        };
        fresh.finish(most, lengths)
    }
}

/// A table being built.
#[derive(Clone)]
struct Fresh {
    lines: Vec<Line>,
    factor: u64,
    tally: Tally,
}

impl Fresh {
    fn finish(self, most: usize, lengths: Lengths) -> Lines {
        let count = self.lines.len() / PAGE;
        let mut pages = Blocks::empty(count, &[Line::EMPTY; PAGE]);
        let shape = self.shape();
        let placed = (0..count).map(|page| Placed {
            index: page,
            flags: 0,
            offset: page * PAGE,
        });
        let edit = Edit {
            blocks: placed.collect(),
            elements: self.lines,
            removed: Vec::new(),
        };
        pages.replace(&edit, |_| PAGE);
        Lines {
            pages,
            shape,
            // From here on.
            tally: Tally {
                cells: self.tally.cells,
                ..Tally::default()
            },
            most,
            lengths,
        }
    }
}

impl Writable for Fresh {
    fn shape(&self) -> Shape {
        Shape {
            count: self.lines.len() as u64,
            factor: self.factor,
        }
    }
    fn line(&self, at: usize) -> Line {
        self.lines.get(at).copied().unwrap_or(Line::EMPTY)
    }
    fn line_mut(&mut self, at: usize) -> &mut Line {
        &mut self.lines[at]
    }
    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use super::*;
    use crate::Entry;
    use crate::bits::Bits as _;
    use crate::list::entries::Entries;
    use crate::prefix::PrefixBits;

    /// /64s in /48s of their own.
    fn rows(numbers: Range<usize>) -> Vec<Row<u128>> {
        let entry = Entry::new("2001:db8::/64".parse().unwrap());
        let rows = numbers.map(|number| {
            let bits = 0x2001_0db8 << 96 | (number as u128) << 80;
            Row::new(PrefixBits { bits, length: 64 }, &entry)
        });
        rows.collect()
    }

    /// In a table of few lines what is filed by one number of bits often lies beside what is filed by another.
    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "they are below 60")]
    fn what_is_filed_by_several_numbers_of_bits_is_found_and_goes() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..2000 {
            let mut fresh = Fresh {
                lines: vec![Line::EMPTY; 2 * PAGE],
                factor: random(1 << 31) << 33 | Shape::FACTOR,
                tally: Tally::default(),
            };
            let mut model: BTreeSet<(u128, u8)> = BTreeSet::new();
            for step in 0..60 {
                let site = 0x2001_0db8 << 96;
                // Hosts first: of a network that is filed by few bits already they would be one of many.
                let drawn = match random(4) + step / 15 {
                    0..2 => (site | u128::from(random(2) << 8 | random(8)), 128),
                    2 => (
                        site | u128::from(random(1 << 31)) << 32,
                        65 + random(32) as u8,
                    ),
                    _ => (site | u128::from(random(3) << 8 | random(16)) << 64, 64),
                };
                let prefix = (drawn.0.masked(drawn.1), drawn.1);
                if fresh.tally.cells < 90 && model.insert(prefix) {
                    fresh.insert(prefix.0, prefix.1);
                } else if let Some(&prefix) = model.iter().nth(random(60) as usize) {
                    model.remove(&prefix);
                    fresh.remove(prefix.0, prefix.1);
                }
            }
            let lines = fresh.clone().finish(usize::MAX, LONG);
            for &(bits, length) in &model {
                assert!(lines.contain(bits, 48), "{bits:x}/{length}");
            }
            let gone: Vec<_> = model.iter().copied().collect();
            for &(bits, length) in &gone {
                fresh.remove(bits, length);
            }
            let lines = fresh.finish(usize::MAX, LONG);
            for &(bits, length) in &gone {
                assert!(!lines.contain(bits, 48), "{bits:x}/{length} is gone");
            }
        }
    }

    /// Cells in use per hundred.
    fn used(Members6 { long, .. }: &Members6) -> usize {
        long.tally.cells * 100 / (long.pages.directory.len() * PAGE * CELLS_PER_LINE)
    }

    #[test]
    fn a_short_list_has_room_and_keeps_it_as_it_grows() {
        const FIRST: usize = 2000;
        const STEP: usize = 100;
        let mut members = Members6::build(&rows(0..FIRST));
        let mut rebuilt = 0;
        for first in (FIRST..3 * FIRST).step_by(STEP) {
            let used = used(&members);
            assert!(used <= 52, "{used} of {first}");
            let entries = Entries::build(&rows(0..first + STEP));
            let appeared = rows(first..first + STEP);
            let appeared: Vec<_> = appeared.iter().map(|row| (row.bits(), 64)).collect();
            let before = members.long.shape.count;
            members = members.update(&appeared, &[], &entries);
            rebuilt += usize::from(members.long.shape.count > before);
        }
        assert!((3..=5).contains(&rebuilt), "{rebuilt}");
    }

    #[test]
    fn a_table_has_less_room_the_longer_the_list() {
        for (length, expected) in [(16_000, 38..=40), (20_000, 48..=50), (30_000, 58..=60)] {
            let used = used(&Members6::build(&rows(0..length)));
            assert!(expected.contains(&used), "{used} of {length}");
        }
    }
}
