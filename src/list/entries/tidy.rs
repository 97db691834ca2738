//! Keeps segments few, and what nobody refers to within bounds.

use std::sync::Arc;

use super::arena::{Arena, Reference};
use super::node::{Node, View};
use super::{Entries, Slot, leaf};
use crate::bits::Bits;
use crate::list::segments;

impl<A: Bits> Entries<A> {
    /// Ends the segment of an update.
    pub(super) fn tidy(&mut self) {
        self.arena.seal();
        let sizes: Vec<usize> = self.arena.sizes().collect();
        if let Some(first) = segments::to_join(&sizes, self.arena.live, self.base) {
            self.join(first);
            if first == 1 {
                self.base = self.arena.segments();
            }
        }
    }

    /// Moves the living blocks of segment `first` and all newer ones into one.
    fn join(&mut self, first: usize) {
        let old = self.arena.clone();
        self.arena.truncate(first);
        let live = self.arena.live;
        let mut moved = |reference| self.arena.moved::<A>(&old, reference, first);
        self.short.reference = moved(self.short.reference);
        for page in &mut self.pages {
            let stays = |reference: &Reference| reference.segment() < first;
            if !page.references.iter().all(stays) {
                for reference in &mut Arc::make_mut(page).references {
                    *reference = moved(*reference);
                }
            }
        }
        self.arena.seal();
        self.arena.live = live;
    }
}

impl Arena {
    /// The block, and all beneath it, if it is in segment `first` of `old` or a newer one.
    fn moved<A: Bits>(&mut self, old: &Self, reference: Reference, first: usize) -> Reference {
        if reference.is_none() || reference.segment() < first {
            return reference;
        }
        let words = old.at(reference);
        if !reference.is_node() {
            let block = words.get(..leaf::length::<A>(words)).unwrap_or_default();
            return self.add(false, |words| words.extend_from_slice(block));
        }
        let mut node = Node::<A>::read(words);
        for Slot { reference, .. } in node.slots_mut() {
            *reference = self.moved::<A>(old, *reference, first);
        }
        self.add(true, |words| node.write(words))
    }

    /// How many words the block and all beneath it have.
    pub(super) fn words<A: Bits>(&self, reference: Reference) -> usize {
        if reference.is_none() {
            return 0;
        }
        let words = self.at(reference);
        if !reference.is_node() {
            return leaf::length::<A>(words);
        }
        let beneath = View::new(words).slots::<A>();
        let beneath: usize = beneath.map(|slot| self.words::<A>(slot.reference)).sum();
        Node::<A>::read(words).length() + beneath
    }
}
