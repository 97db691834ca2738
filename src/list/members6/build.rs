//! From sorted entries to planes and lines.
#![expect(
    clippy::indexing_slicing,
    reason = "`home` and the chain from it are below the number of lines"
)]

use super::{
    LONG, Lengths, MIDDLE, Members6,
    line::Line,
    lines::{Lines, PAGE, Shape, Writable, places},
    planes::Planes,
};
use crate::list::blocks::{Blocks, Placed};
use crate::row::Row;

/// Cells in use per hundred when a table is built; the rest is for updates and for lines that fill unevenly.
const FILL: usize = 60;
/// Cells in use per hundred from which an update builds a new table.
pub(super) const OVERFULL: usize = 78;
pub(super) const CELLS_PER_LINE: usize = 7;
/// Lines in a chain that no list of networks makes unless it was made to: what cannot be filed by
/// more bits takes some forty.
pub(super) const LONGEST: usize = 256;
/// Seeds that are tried before a long chain is put up with.
const SEEDS: u64 = 16;

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
        let mut pages = cells * 100 / FILL / CELLS_PER_LINE / PAGE + 2;
        // The markers of crowded networks are not known beforehand.
        let mut seed = 0;
        let fresh = loop {
            let mut fresh = Fresh {
                lines: vec![Line::EMPTY; pages * PAGE],
                cells: 0,
                seed,
                longest: 0,
            };
            let fits = ours().all(|(bits, length)| {
                fresh.insert(bits, length);
                !fresh.is_overfull() && (fresh.longest <= LONGEST || seed == SEEDS)
            });
            if fits {
                break fresh;
            }
            if fresh.is_overfull() {
                pages += pages / 2;
            } else {
                seed += 1;
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
            cells: fresh.cells,
            lengths,
        }
    }
}

/// A table being built.
struct Fresh {
    lines: Vec<Line>,
    cells: usize,
    seed: u64,
    /// The longest chain that was followed.
    longest: usize,
}

impl Writable for Fresh {
    fn shape(&self) -> Shape {
        Shape {
            count: self.lines.len() as u64,
            seed: self.seed.wrapping_mul(0xbf58_476d_1ce4_e5b9),
        }
    }
    fn line(&self, at: usize) -> Line {
        self.lines.get(at).copied().unwrap_or(Line::EMPTY)
    }
    fn line_mut(&mut self, at: usize) -> &mut Line {
        &mut self.lines[at]
    }
    fn is_overfull(&self) -> bool {
        self.cells * 100 > self.lines.len() * CELLS_PER_LINE * OVERFULL
    }
    fn grew(&mut self, cells: isize) {
        self.cells = self.cells.wrapping_add_signed(cells);
    }
    fn followed(&mut self, lines: usize) {
        self.longest = self.longest.max(lines);
    }
}
