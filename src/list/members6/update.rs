//! The pages of lines that a change touches.
#![expect(clippy::indexing_slicing, reason = "the place in a page is below PAGE")]

use std::collections::BTreeMap;

use super::{
    Members6,
    build::LONGEST,
    line::Line,
    lines::{Lines, PAGE, Shape, Writable},
};
use crate::list::blocks::{Edit, Placed};
use crate::list::entries::Entries;

impl Members6 {
    /// These members after prefixes appeared or vanished; `entries` are those after the change.
    pub(crate) fn update(
        &self,
        appeared: &[(u128, u8)],
        vanished: &[(u128, u8)],
        entries: &Entries<u128>,
    ) -> Self {
        Self {
            planes: self.planes.update(appeared, vanished, entries),
            middle: self.middle.update(appeared, vanished, entries),
            long: self.long.update(appeared, vanished, entries),
        }
    }
}

impl Lines {
    fn update(
        &self,
        appeared: &[(u128, u8)],
        vanished: &[(u128, u8)],
        entries: &Entries<u128>,
    ) -> Self {
        let mut changed = Changed {
            lines: self,
            pages: BTreeMap::new(),
            cells: self.cells,
            longest: 0,
        };
        let ours = |(_, length): &&(u128, u8)| self.lengths.contains(length);
        for &(bits, length) in vanished.iter().filter(ours) {
            changed.remove(bits, length);
        }
        for &(bits, length) in appeared.iter().filter(ours) {
            changed.insert(bits, length);
            if changed.is_overfull() || changed.longest > LONGEST {
                let mut prefixes: Vec<_> =
                    entries.iter().map(|row| (row.bits(), row.length)).collect();
                prefixes.dedup();
                return Self::build(&prefixes, self.lengths.clone());
            }
        }
        let cells = changed.cells;
        let mut edit = Edit::default();
        for (page, lines) in changed.pages {
            edit.blocks.push(Placed {
                index: page,
                flags: 0,
                offset: edit.elements.len(),
            });
            edit.elements.extend_from_slice(&lines);
        }
        let mut pages = self.pages.clone();
        pages.replace(&edit, |_| PAGE);
        Self {
            pages,
            lengths: self.lengths.clone(),
            shape: self.shape,
            cells,
            most: self.most,
        }
    }
}

/// A table with some pages of its own.
struct Changed<'a> {
    lines: &'a Lines,
    pages: BTreeMap<usize, [Line; PAGE]>,
    cells: usize,
    /// The longest chain that was followed.
    longest: usize,
}

impl Changed<'_> {
    fn page(&self, page: usize) -> [Line; PAGE] {
        let reference = self.lines.pages.directory.get(page).copied().unwrap_or(0);
        self.lines
            .pages
            .at(reference)
            .first_chunk()
            .copied()
            .unwrap_or([Line::EMPTY; PAGE])
    }
}

impl Writable for Changed<'_> {
    fn shape(&self) -> Shape {
        self.lines.shape
    }
    fn line(&self, at: usize) -> Line {
        match self.pages.get(&(at / PAGE)) {
            Some(page) => page[at % PAGE],
            None => self.page(at / PAGE)[at % PAGE],
        }
    }
    fn line_mut(&mut self, at: usize) -> &mut Line {
        let page = self.page(at / PAGE);
        &mut self.pages.entry(at / PAGE).or_insert(page)[at % PAGE]
    }
    fn is_overfull(&self) -> bool {
        self.cells > self.lines.most
    }
    fn grew(&mut self, cells: isize) {
        self.cells = self.cells.wrapping_add_signed(cells);
    }
    fn followed(&mut self, lines: usize) {
        self.longest = self.longest.max(lines);
    }
}
