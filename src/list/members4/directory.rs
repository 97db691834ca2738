//! What is known of each /16, in pages of 32 that versions of a list share: a thousand changes spread over a list touch
//! half of them, and the pointers to all stay in the first cache.
#![expect(
    clippy::indexing_slicing,
    reason = "what indexes 256 of anything is a byte, a page five bits, and pages eleven"
)]

use std::sync::Arc;

use crate::list::{
    blocks::Reference,
    cover::{self, COVERED},
};

/// A slot for each /16.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// Shared as long as none changes.
    pages: Arc<[Arc<Page>; PAGES]>,
}

const PAGES: usize = 1 << 11;
/// Slots of a page.
const SLOTS: usize = 65_536 / PAGES;

type Page = [Slot; SLOTS];

impl Directory {
    /// Nothing is listed.
    pub(super) fn new() -> Self {
        let page = Arc::new([Slot::default(); SLOTS]);
        Self {
            pages: Arc::new(std::array::from_fn(|_| Arc::clone(&page))),
        }
    }

    /// The slot of the /16 that `address` is in.
    #[inline(always)]
    pub(super) fn of(&self, address: u32) -> &Slot {
        let index = (address >> 16) as usize;
        &self.pages[index / SLOTS][index % SLOTS]
    }

    /// The slot of a /16.
    pub(super) fn get(&self, index: u16) -> Slot {
        *self.of(u32::from(index) << 16)
    }

    /// The same, to change it. Its page is this version's own from then on.
    pub(super) fn get_mut(&mut self, index: u16) -> &mut Slot {
        let index = usize::from(index);
        let page = &mut Arc::make_mut(&mut self.pages)[index / SLOTS];
        &mut Arc::make_mut(page)[index % SLOTS]
    }

    /// Heap bytes, those shared with other versions included.
    pub(super) fn bytes(&self) -> usize {
        let mut pages: Vec<_> = self.pages.iter().map(Arc::as_ptr).collect();
        pages.sort_unstable();
        pages.dedup();
        // A shared page has two counters.
        size_of_val(&*self.pages) + size_of::<([usize; 2], Page)>() * pages.len()
    }
}

impl cover::Directory for Directory {
    fn reference(&mut self, index: u16) -> Option<&mut Reference> {
        Some(&mut self.get_mut(index).node)
    }
}

/// What is known of a /16.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) touched: Touched,
    pub(super) node: Reference,
}

impl Slot {
    /// Whether it does not rule out that `address` is listed.
    #[inline(always)]
    pub(super) fn may_list(&self, address: u32) -> bool {
        let [.., net, _] = address.to_be_bytes();
        let Touched([upper, lower]) = self.touched;
        let bits = BITS[usize::from(net)];
        (u64::from(upper) | u64::from(lower) << 32) & bits == bits
    }

    pub(super) const fn is_covered(&self) -> bool {
        self.node & COVERED != 0
    }
}

/// In which /24s of a /16 something may be listed: a bit for the upper five bits of the third byte of those where
/// something is, and one for the lower five. Of a million prefixes like those of real lists, it lets 7 % of all
/// addresses pass, where one bit for each /21 lets 12 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Touched([u32; 2]);

/// The two bits of the /24 with this third byte.
const fn bits(net: u8) -> [u32; 2] {
    [1 << (net >> 3), 1 << (net & 31)]
}

/// The same for each third byte, as one number. Not a `static`, which the caller's crate would have to look for.
const BITS: [u64; 256] = {
    let mut all = [0; 256];
    let mut net = 0;
    loop {
        let [upper, lower] = bits(net);
        all[net as usize] = upper as u64 | (lower as u64) << 32;
        if net == u8::MAX {
            break all;
        }
        net += 1;
    }
};

impl Touched {
    pub(super) const ALL: Self = Self([u32::MAX; 2]);

    /// Whether it does not rule out that something of this /24 is listed.
    pub(super) const fn has(self, net: u8) -> bool {
        let [upper, lower] = bits(net);
        self.0[0] & upper != 0 && self.0[1] & lower != 0
    }

    /// Whether of two third bytes that differ in their first bit alone, it always rules one out.
    pub(super) const fn tells_halves(self) -> bool {
        self.0[0] & self.0[0].rotate_left(16) == 0
    }

    pub(super) const fn insert(&mut self, net: u8) {
        let [upper, lower] = bits(net);
        self.0[0] |= upper;
        self.0[1] |= lower;
    }

    /// Nothing is listed in `net` any more; of the others, `is_listed` knows.
    pub(super) fn remove(&mut self, net: u8, is_listed: impl Fn(u8) -> bool) {
        let [upper, lower] = bits(net);
        if !(0..8).any(|other| is_listed(net & !7 | other)) {
            self.0[0] &= !upper;
        }
        if !(0..8).any(|other| is_listed(net & 31 | other << 5)) {
            self.0[1] &= !lower;
        }
    }
}

impl FromIterator<u8> for Touched {
    fn from_iter<I: IntoIterator<Item = u8>>(nets: I) -> Self {
        let mut touched = Self::default();
        nets.into_iter().for_each(|net| touched.insert(net));
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn touched_is_what_the_nets_that_are_left_say() {
        let mut model = BTreeSet::new();
        let mut touched = Touched::default();
        for step in 0..4000_u32 {
            let [.., net] = (step * step / 3).to_be_bytes();
            if step % 7 < 3 || !model.contains(&net) {
                model.insert(net);
                touched.insert(net);
            } else {
                model.remove(&net);
                touched.remove(net, |net| model.contains(&net));
            }
            assert_eq!(touched, model.iter().copied().collect(), "step {step}");
        }
        assert!(model.len() < 200, "few were ever gone");
    }
}
