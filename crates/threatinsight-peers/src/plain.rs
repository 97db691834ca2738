//! What one writes by hand: hash sets, sorted ranges.

use std::cmp::Reverse;

use ahash::AHashSet;

use crate::family::Family;
use crate::oracle::ranges;
use crate::structure::{Parsed, Structure};

/// A set for each prefix length, the most frequent length first.
struct PerLength<A>(Vec<(u8, AHashSet<A>)>);

pub(crate) fn per_length<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
    let mut sets = Vec::new();
    for length in 0..=A::WIDTH {
        let of_length = list.prefixes.iter().filter(|prefix| prefix.1 == length);
        let count = of_length.clone().count();
        if count > 0 {
            let mut set = AHashSet::with_capacity(count);
            set.extend(of_length.map(|prefix| prefix.0));
            sets.push((length, set));
        }
    }
    sets.sort_by_key(|(_, set)| Reverse(set.len()));
    Box::new(PerLength(sets))
}

impl<A: Family> Structure<A> for PerLength<A> {
    #[inline(always)]
    fn contains(&self, address: A) -> bool {
        let listed = |(length, set): &(u8, AHashSet<A>)| set.contains(&address.first(*length));
        self.0.iter().any(listed)
    }
}

/// Disjoint ranges, starts and ends apart, searched by halves.
struct Sorted<A> {
    starts: Vec<A>,
    ends: Vec<A>,
}

pub(crate) fn sorted<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
    let (starts, ends) = ranges(&list.prefixes).into_iter().unzip();
    Box::new(Sorted { starts, ends })
}

impl<A: Family> Structure<A> for Sorted<A> {
    #[inline(always)]
    fn contains(&self, address: A) -> bool {
        let at = self.starts.partition_point(|start| *start <= address);
        at > 0 && address <= self.ends[at - 1]
    }
}

/// The same in breadth-first order, searched without branches; element 0 is not used.
struct Eytzinger<A> {
    starts: Vec<A>,
    ends: Vec<A>,
}

pub(crate) fn eytzinger<A: Family>(list: &Parsed<A>) -> Box<dyn Structure<A>> {
    fn lay<A: Copy>(
        ranges: &mut impl Iterator<Item = (A, A)>,
        at: usize,
        starts: &mut [A],
        ends: &mut [A],
    ) {
        if at < starts.len() {
            lay(ranges, 2 * at, starts, ends);
            (starts[at], ends[at]) = ranges.next().expect("as many as elements");
            lay(ranges, 2 * at + 1, starts, ends);
        }
    }
    let ranges = ranges(&list.prefixes);
    let (first, last) = *ranges.first().expect("an empty list is not measured");
    let mut starts = vec![first; ranges.len() + 1];
    let mut ends = vec![last; ranges.len() + 1];
    lay(&mut ranges.into_iter(), 1, &mut starts, &mut ends);
    Box::new(Eytzinger { starts, ends })
}

impl<A: Family> Structure<A> for Eytzinger<A> {
    #[inline(always)]
    fn contains(&self, address: A) -> bool {
        let mut at = 1;
        while at < self.starts.len() {
            at = 2 * at + usize::from(self.starts[at] <= address);
        }
        // The last turn to the right was at the greatest start that is not above the address.
        at >>= at.trailing_zeros() + 1;
        at > 0 && address <= self.ends[at]
    }
}
