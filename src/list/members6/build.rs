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
use crate::list::blocks::{Blocks, Placed};
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
        let mut blocks = Blocks::empty(pages, &[Line::EMPTY; PAGE]);
        let placed = (0..pages).map(|page| Placed {
            index: page,
            flags: 0,
            offset: page * PAGE,
        });
        blocks.append(&fresh.lines, &placed.collect::<Vec<_>>());
        Self {
            pages: blocks,
            shape: fresh.shape(),
            // From here on.
            tally: Tally {
                cells: fresh.tally.cells,
                ..Tally::default()
            },
            most,
            lengths,
        }
    }
}

/// A table being built.
struct Fresh {
    lines: Vec<Line>,
    factor: u64,
    tally: Tally,
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
    use std::ops::Range;

    use super::*;
    use crate::Entry;
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
