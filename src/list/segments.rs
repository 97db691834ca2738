//! When the segments that versions of a list share are joined.

/// Segments, beside those of a build, after which the newest are joined.
const JOIN: usize = 24;

/// From which segment on all are to be joined into one, if any. `sizes` are those of all, oldest first, and `base` of
/// them are of a build, of which the first has nothing to move; `live` is how much of them is still referred to.
///
/// What no version needs any more is dead weight inside a shared segment. Where it is too much, everything is moved;
/// where there are too many segments, the newest are, so that sizes fall geometrically from the oldest to the newest
/// and each block is moved a logarithmic number of times.
pub(super) fn to_join(sizes: &[usize], live: usize, base: usize) -> Option<usize> {
    if sizes.iter().sum::<usize>() > live + live / 2 + 4096 {
        return Some(1);
    }
    if sizes.len() <= base + JOIN {
        return None;
    }
    let mut newest = 0;
    let mut first = sizes.len();
    for &size in sizes.iter().skip(base).rev() {
        let is_due = first + 2 > sizes.len() || size < 2 * newest + 1024;
        if !is_due {
            break;
        }
        newest += size;
        first -= 1;
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_living_segments_stay() {
        assert_eq!(to_join(&[1, 100_000], 100_000, 1), None);
        assert_eq!(to_join(&[1000; JOIN + 1], 1000 * JOIN, 1), None);
    }

    #[test]
    fn what_is_mostly_dead_is_moved_whole() {
        assert_eq!(to_join(&[1, 100_000], 50_000, 1), Some(1));
    }

    #[test]
    fn the_newest_of_too_many_are_joined_up_to_one_twice_their_size() {
        let mut sizes = vec![1, 1_000_000];
        sizes.resize(JOIN + 2, 100);
        assert_eq!(to_join(&sizes, 1_002_400, 1), Some(2));
        // Two at least.
        let falling: Vec<usize> = (0..26).rev().map(|at| 4096 * 3_usize.pow(at)).collect();
        assert_eq!(to_join(&falling, usize::MAX / 4, 1), Some(24));
    }
}
