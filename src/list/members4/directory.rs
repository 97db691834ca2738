//! What is known of each /16, in pages of 256 that versions of a list share.
#![expect(
    clippy::indexing_slicing,
    reason = "what indexes 256 of anything is a byte"
)]

use std::sync::Arc;

use crate::list::{blocks::Reference, cover};

/// A slot for each /16.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pages: Box<[Arc<Page>; 256]>,
}

/// The two are apart, because a miss reads only the first.
#[derive(Clone, Debug)]
struct Page {
    touched: [Touched; 256],
    nodes: [Reference; 256],
}

impl Directory {
    /// Nothing is listed.
    pub(super) fn new() -> Self {
        let page = Arc::new(Page {
            touched: [Touched::default(); 256],
            nodes: [0; 256],
        });
        Self {
            pages: Box::new(std::array::from_fn(|_| Arc::clone(&page))),
        }
    }

    /// Whether it does not rule out that `address` is listed.
    #[inline(always)]
    pub(super) fn may_list(&self, address: u32) -> bool {
        let [first, second, third, _] = address.to_be_bytes();
        self.pages[usize::from(first)].touched[usize::from(second)].may_list(third)
    }

    /// The reference of the /16 that `address` is in.
    #[inline(always)]
    pub(super) fn node(&self, address: u32) -> Reference {
        let [first, second, ..] = address.to_be_bytes();
        self.pages[usize::from(first)].nodes[usize::from(second)]
    }

    /// What is known of a /16.
    pub(super) fn get(&self, index: u16) -> (Touched, Reference) {
        let [first, second] = index.to_be_bytes().map(usize::from);
        let page = &self.pages[first];
        (page.touched[second], page.nodes[second])
    }

    /// The same, to change it. Its page is this version's own from then on.
    pub(super) fn get_mut(&mut self, index: u16) -> (&mut Touched, &mut Reference) {
        let [first, second] = index.to_be_bytes().map(usize::from);
        let page = Arc::make_mut(&mut self.pages[first]);
        (&mut page.touched[second], &mut page.nodes[second])
    }

    /// The references that are wanted, to change them. Only their pages become this version's own.
    pub(super) fn wanted(
        &mut self,
        is_wanted: impl Fn(Reference) -> bool + Copy,
    ) -> impl Iterator<Item = &mut Reference> {
        let has_wanted = move |page: &Page| page.nodes.iter().any(|node| is_wanted(*node));
        let pages = self.pages.iter_mut().filter(move |page| has_wanted(page));
        let nodes = pages.flat_map(|page| &mut Arc::make_mut(page).nodes);
        nodes.filter(move |node| is_wanted(**node))
    }

    /// Heap bytes, those shared with other versions included.
    pub(super) fn bytes(&self) -> usize {
        let mut pages: Vec<_> = self.pages.iter().map(Arc::as_ptr).collect();
        pages.sort_unstable();
        pages.dedup();
        size_of_val(&*self.pages) + size_of::<Page>() * pages.len()
    }
}

impl cover::Directory for Directory {
    fn reference(&mut self, index: u16) -> Option<&mut Reference> {
        Some(self.get_mut(index).1)
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

/// The same for each third byte, as one number.
static BITS: [u64; 256] = {
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
    #[inline(always)]
    fn may_list(self, net: u8) -> bool {
        let Self([upper, lower]) = self;
        let bits = BITS[usize::from(net)];
        (u64::from(upper) | u64::from(lower) << 32) & bits == bits
    }

    pub(super) const ALL: Self = Self([u32::MAX; 2]);

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
