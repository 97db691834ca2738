//! An allocator that counts: what the process holds, and how often each thread allocates.
//!
//! ```
//! #[global_allocator]
//! static HEAP: threatinsight_heap::Counting = threatinsight_heap::Counting;
//!
//! let before = threatinsight_heap::held();
//! let bytes = vec![0_u8; 1000];
//! assert_eq!(threatinsight_heap::held() - before, 1000);
//! assert_eq!(threatinsight_heap::allocations(|| bytes.len()), 0);
//! assert_eq!(threatinsight_heap::allocations(|| bytes.clone()), 1);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with counters beside it. They stand still unless a program makes this
/// its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that the process has asked for and not given back; what the allocator adds for itself is
/// not in it.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// What `f` makes, and by how many bytes the process then holds more than before.
pub fn kept<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = held();
    let made = black_box(f());
    (made, held().saturating_sub(before))
}

/// How often `f` makes the current thread allocate or grow memory.
pub fn allocations<T>(f: impl FnOnce() -> T) -> usize {
    let before = COUNT.get();
    black_box(f());
    COUNT.get() - before
}

fn count() {
    // A thread that is going down has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every method hands its arguments to `System` unchanged and returns what it returns; the
// counters have no destructor and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        HELD.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with `layout`, because every allocation does; the
        // caller's promise about `size` is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with `layout`, because every allocation does.
        unsafe { System.dealloc(pointer, layout) }
    }
}
