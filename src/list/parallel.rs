//! The one place that knows whether rayon is there. Small work stays on the calling thread.

use std::cmp::Ordering;

/// Below this many rows a second thread costs more than it brings.
#[cfg(feature = "rayon")]
const WORTH_SHARING: usize = 50_000;

/// Runs `work` on every part; `size` is the number of rows in all parts together.
pub(crate) fn each<T: Send>(size: usize, parts: Vec<T>, work: impl Fn(T) + Sync + Send) {
    map(size, parts, work);
}

/// `work` of every part, in order.
pub(crate) fn map<T: Send, R: Send>(
    size: usize,
    parts: Vec<T>,
    work: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    #[cfg(feature = "rayon")]
    if size >= WORTH_SHARING && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        return parts.into_par_iter().with_max_len(1).map(work).collect();
    }
    let _ = size;
    parts.into_iter().map(work).collect()
}

/// How many parts a pass over `size` rows is worth cutting into.
pub(crate) fn parts(size: usize) -> usize {
    #[cfg(feature = "rayon")]
    if size >= WORTH_SHARING {
        let threads = rayon::current_num_threads();
        return if threads > 1 { threads * 4 } else { 1 };
    }
    let _ = size;
    1
}

/// Sorts, on several threads when it pays.
pub(crate) fn sort_unstable_by<T: Send>(
    items: &mut [T],
    order: impl Fn(&T, &T) -> Ordering + Sync,
) {
    #[cfg(feature = "rayon")]
    if items.len() >= WORTH_SHARING && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        items.par_sort_unstable_by(order);
        return;
    }
    items.sort_unstable_by(order);
}
