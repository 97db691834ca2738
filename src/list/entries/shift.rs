//! Moves blocks to new segments, so that old ones are needed no more.

use std::hint::black_box;
use std::sync::Arc;

use super::arena::{Arena, Reference};
use super::node::{self, View};
use super::{Entries, MOST, PAGE, leaf};
use crate::bits::Bits;

/// How many slots of the directory are read ahead.
const AHEAD: usize = 16;

/// Where the next update goes on moving blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next<A> {
    /// 0 for the rows too short for the directory, then one more than a slot of it.
    part: usize,
    /// The last row of the last leaf there that was moved.
    after: Option<A>,
}

impl<A> Next<A> {
    pub(super) const FIRST: Self = Self {
        part: 0,
        after: None,
    };
}

/// What is to be moved of one part.
struct Due<A> {
    /// So many words of it.
    words: usize,
    /// Only leaves with rows behind this one.
    after: Option<A>,
    /// The last row of the leaf that was the last.
    stopped: Option<A>,
}

impl<A: Bits> Entries<A> {
    /// Moves the blocks that are due.
    pub(super) fn shift(&mut self) {
        let mut words = self.arena.due();
        let parts = 1 + (self.pages.len() << PAGE);
        for _ in 0..parts {
            if words == 0 {
                break;
            }
            let Next { part, after } = self.next;
            let mut due = Due {
                words,
                after,
                stopped: None,
            };
            if part == 0 {
                self.short.reference = self.arena.shifted(self.short.reference, &mut due);
            } else if let Some(page) = self.pages.get_mut((part - 1) >> PAGE) {
                let at = (part - 1) % (1 << PAGE);
                if at.is_multiple_of(AHEAD) {
                    let ahead = page.references.get(at..at + AHEAD);
                    self.arena.fetch(ahead.unwrap_or_default());
                }
                let before = page.slot(at).reference;
                let shifted = self.arena.shifted(before, &mut due);
                if shifted != before
                    && let Some(reference) = Arc::make_mut(page).references.get_mut(at)
                {
                    *reference = shifted;
                }
            }
            words = due.words;
            self.next = match due.stopped {
                None => Next {
                    part: (part + 1) % parts,
                    after: None,
                },
                after => Next { part, after },
            };
        }
    }
}

impl Arena {
    /// `reference` after what is due beneath it was moved.
    fn shifted<A: Bits>(&mut self, reference: Reference, due: &mut Due<A>) -> Reference {
        if reference.is_none() {
            return reference;
        }
        let words = self.at(reference.place());
        if !reference.is_node() {
            if due.after.is_some() && leaf::last(words) <= due.after {
                return reference;
            }
            let moved = self.shift_leaf(reference, due);
            if due.words == 0 {
                due.stopped = leaf::last(self.at(moved.place()));
            }
            return moved;
        }
        let node = View::new(words);
        let origin: A = node.origin();
        let mut slots = [Reference::NONE; 1 + (1 << MOST)];
        for (slot, word) in slots.iter_mut().zip(node.references()) {
            *slot = Reference::from_word(*word);
        }
        let length = node.length::<A>();
        let (slots, _) = slots.split_at_mut(node.present());
        let mut is_same = true;
        let (own, children) = slots.split_at_mut(usize::from(!node.own().is_none()));
        let passed = match due.after {
            Some(after) if after.masked(node.depth) > origin => return reference,
            Some(after) if after >= origin => node.before(after.index(node.depth, node.stride)),
            _ => {
                for own in own {
                    *own = self.shift_leaf(*own, due);
                    is_same = false;
                }
                0
            }
        };
        self.fetch(children);
        for child in children.iter_mut().skip(passed) {
            let before = std::mem::replace(child, self.shifted(*child, due));
            is_same &= *child == before;
            if due.stopped.is_some() {
                break;
            }
        }
        if is_same {
            return reference;
        }
        due.words = due.words.saturating_sub(length);
        let place = self.shift(reference.place(), length, |block| node::refer(block, slots));
        Reference::to(true, place)
    }

    /// Reads the blocks, so that the caches are filled by many reads at once.
    fn fetch(&self, references: &[Reference]) {
        let read = references.iter().map(|reference| {
            let words = self.at(reference.place());
            words.first().copied().unwrap_or(0)
        });
        black_box(read.fold(0, |a, b| a ^ b));
    }

    fn shift_leaf<A: Bits>(&mut self, reference: Reference, due: &mut Due<A>) -> Reference {
        let length = leaf::length::<A>(self.at(reference.place()));
        due.words = due.words.saturating_sub(length);
        Reference::to(false, self.shift(reference.place(), length, |_| ()))
    }
}
