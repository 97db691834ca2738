//! What is listed, found in a way that no structure under test shares.

use crate::family::Family;
use crate::structure::{Queries, Structure};

/// One query in so many is also looked for in the whole list.
const SCANNED: usize = 4096;

/// The disjoint ranges that `list` covers, ascending; those that touch are joined.
pub fn ranges<A: Family>(list: &[(A, u8)]) -> Vec<(A, A)> {
    let whole = |&(bits, length): &(A, u8)| (bits, bits.last(length));
    let mut sorted: Vec<(A, A)> = list.iter().map(whole).collect();
    sorted.sort_unstable();
    let mut ranges: Vec<(A, A)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match ranges.last_mut() {
            Some(open) if open.1.next().is_none_or(|next| first <= next) => {
                open.1 = open.1.max(last);
            }
            _ => ranges.push((first, last)),
        }
    }
    ranges.shrink_to_fit();
    ranges
}

/// Whether each of `queries` is listed: by merged ranges, and for a sample by a scan of the list.
///
/// # Panics
///
/// When the two disagree.
pub fn answers<A: Family>(list: &[(A, u8)], ranges: &[(A, A)], queries: &[A]) -> Vec<bool> {
    let answer = |(at, address): (usize, &A)| {
        let after = ranges.partition_point(|range| range.0 <= *address);
        let listed = after > 0 && *address <= ranges[after - 1].1;
        if at % SCANNED == 0 {
            let covers = |&(bits, length): &(A, u8)| address.first(length) == bits;
            assert_eq!(list.iter().any(covers), listed, "scan of {address:x?}");
        }
        listed
    };
    queries.iter().enumerate().map(answer).collect()
}

/// Asks `structure` for every query, one by one and as it is timed.
///
/// # Panics
///
/// When an answer is not the expected one.
pub fn check<A: Family>(
    name: &str,
    structure: &dyn Structure<A>,
    queries: Queries<'_, A>,
    expected: &[bool],
) {
    for (address, expected) in queries.bits.iter().zip(expected) {
        let listed = structure.contains(*address);
        assert_eq!(listed, *expected, "{name} on {}", address.ip());
    }
    let listed = expected.iter().filter(|listed| **listed).count();
    assert_eq!(structure.hits(queries), listed, "{name}");
}
