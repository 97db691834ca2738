//! The pages of lines that a change touches.
#![expect(clippy::indexing_slicing, reason = "the place in a page is below PAGE")]

use std::collections::BTreeMap;

use super::{
    Members6,
    build::LONGEST,
    line::{self, Line},
    lines::{Lines, PAGE, Shape, Tally, Writable},
};
use crate::list::blocks::{Edit, Placed};
use crate::list::entries::Entries;

/// Passers by that may be lost before a new table is built: at most 64 lines seem passed then that are not.
const LOST: usize = 64 * line::MOST as usize;

/// A table is built anew when of so many cells that it may have in use it has less than one, and it has as many pages.
const SPARSE: usize = 8;

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
            tally: self.tally,
        };
        let ours = |(_, length): &&(u128, u8)| self.lengths.contains(length);
        for &(bits, length) in vanished.iter().filter(ours) {
            changed.remove(bits, length);
        }
        let fits = appeared.iter().filter(ours).all(|&(bits, length)| {
            changed.insert(bits, length);
            changed.tally.cells <= self.most && changed.tally.longest <= LONGEST
        });
        let tally = changed.tally;
        let is_sparse = tally.cells < self.most / SPARSE && self.pages.directory.len() > SPARSE;
        if !fits || is_sparse || tally.lost > LOST {
            let mut prefixes: Vec<_> = entries.iter().map(|row| (row.bits(), row.length)).collect();
            prefixes.dedup();
            return Self::build(&prefixes, self.lengths.clone());
        }
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
            tally,
            most: self.most,
        }
    }
}

/// A table with some pages of its own.
struct Changed<'a> {
    lines: &'a Lines,
    pages: BTreeMap<usize, [Line; PAGE]>,
    tally: Tally,
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
    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Entry,
        list::members6::{LONG, MIDDLE, lines::tests},
        prefix::PrefixBits,
        row::Row,
    };

    fn entries(prefixes: &[(u128, u8)]) -> Entries<u128> {
        let entry = Entry::new("2001:db8::/64".parse().unwrap());
        let row = |&(bits, length): &(u128, u8)| Row::new(PrefixBits { bits, length }, &entry);
        Entries::build(&prefixes.iter().map(row).collect::<Vec<_>>())
    }

    #[test]
    fn lines_that_stopped_counting_are_built_anew_after_a_while() {
        let listed: Vec<_> = (0..2000)
            .map(|site: u128| (0x2002 << 112 | site << 80, 48))
            .collect();
        let mut lines = Lines::build(&listed, LONG);
        let before = tests::count(&lines, Line::was_passed);
        let entries = entries(&listed);
        let mut lost = 0;
        for at in (0..600).step_by(12) {
            let pile = tests::pile(lines.shape.count, at, 200);
            lines = lines.update(&pile, &[], &entries);
            assert!(pile.iter().all(|(bits, _)| lines.contain(*bits, 48)));
            lines = lines.update(&[], &pile, &entries);
            assert!(!pile.iter().any(|(bits, _)| lines.contain(*bits, 48)));
            assert!(listed.iter().all(|(bits, _)| lines.contain(*bits, 48)));
            lost += usize::from(tests::count(&lines, Line::was_passed) > before);
        }
        let after = tests::count(&lines, Line::was_passed);
        assert!(lost > 20 && after < before + 64, "{lost} {before} {after}");
    }

    #[test]
    fn a_table_shrinks_with_its_list() {
        let mut listed: Vec<_> = (0..20_000)
            .map(|site: u128| (0x2002 << 112 | site << 80, 48))
            .collect();
        let mut lines = Lines::build(&listed, LONG);
        let before = lines.bytes();
        let mut rebuilt = 0;
        while !listed.is_empty() {
            let gone = listed.split_off(listed.len().saturating_sub(50));
            let next = lines.update(&[], &gone, &entries(&listed));
            rebuilt += usize::from(next.shape.count < lines.shape.count);
            lines = next;
            assert!(listed.iter().all(|(bits, _)| lines.contain(*bits, 48)));
            assert!(!gone.iter().any(|(bits, _)| lines.contain(*bits, 48)));
        }
        assert!(lines.bytes() < before / 50, "{} of {before}", lines.bytes());
        assert!((2..=4).contains(&rebuilt), "{rebuilt}");
    }

    #[test]
    fn a_table_that_no_change_is_for_is_shared() {
        let listed: Vec<_> = (0..2000)
            .map(|site: u128| (0x2002 << 112 | site << 88, 40))
            .collect();
        let entries = entries(&listed);
        let lines = Lines::build(&listed, MIDDLE);
        let next = lines.update(&[(0x2002 << 112, 48)], &[], &entries);
        assert!(Arc::ptr_eq(&lines.pages.directory, &next.pages.directory));
        let next = lines.update(&[(0x2003 << 112, 40)], &[], &entries);
        assert!(!Arc::ptr_eq(&lines.pages.directory, &next.pages.directory));
    }
}
