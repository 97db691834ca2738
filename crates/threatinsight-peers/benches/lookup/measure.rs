//! Times, as robust against whatever else the machine does as we can make them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The processor time of the current thread: what others run meanwhile is not in it.
pub(crate) fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long `work` keeps the current thread busy, in milliseconds; what it makes is dropped
/// afterwards.
pub(crate) fn once<T>(work: impl FnOnce() -> T) -> f64 {
    let start = processor();
    let made = black_box(work());
    let time = processor() - start;
    drop(made);
    time.as_secs_f64() * 1e3
}

/// The same by the clock on the wall, for work of several threads.
pub(crate) fn elapsed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let made = black_box(work());
    let time = start.elapsed();
    drop(made);
    time.as_secs_f64() * 1e3
}

/// ns of processor time for each of `count` pieces of work, as the median over slices of them:
/// short enough that most meet no interruption.
pub(crate) fn sliced(count: usize, mut work: impl FnMut(std::ops::Range<usize>)) -> f64 {
    const SLICE: usize = 1 << 13;
    median((0..count).step_by(SLICE).map(|first| {
        let slice = first..count.min(first + SLICE);
        let length = slice.len() as f64;
        let start = processor();
        work(slice);
        (processor() - start).as_nanos() as f64 / length
    }))
}

/// The median of `rounds` times.
pub(crate) fn median_of<T>(rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    median((0..rounds).map(|_| once(&mut work)))
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The smallest of a few times: the first build of a size pays for the pages of the heap, and what
/// takes long is made once.
pub(crate) fn build<T>(first: f64, mut work: impl FnMut() -> T) -> f64 {
    let again = match first {
        ..50.0 => 5,
        ..200.0 => 2,
        _ => 0,
    };
    (0..again).map(|_| once(&mut work)).fold(first, f64::min)
}
