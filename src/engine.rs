//! The shared handle that requests are judged through while the control plane swaps snapshots.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Cache, Guard};

use crate::configuration::{Configuration, Extensions};
use crate::error::CompileError;
use crate::feed::Timestamp;
use crate::list::{Delta, List};
use crate::snapshot::Snapshot;
use crate::zone::{NetworkZone, Zones};

/// The shared handle: share it between threads, load once per request, swap whenever there is
/// something new. Clones share the same snapshot.
///
/// | operation | waits for | cost |
/// |---|---|---|
/// | [`load`](Self::load) | nothing | two atomic operations |
/// | [`Reader::snapshot`] | nothing | one atomic read |
/// | [`swap`](Self::swap) and the updates | other swaps and updates, never a request | the compile |
///
/// After a swap has returned, every load sees the new snapshot or a newer one. A snapshot that was
/// loaded stays whole until it is dropped; its memory goes with the last load of it.
///
/// ```
/// use threatinsight::{Action, Chain, Engine, Feed, List, ParseOptions, Policy, Request, Timestamp, Verdict};
///
/// let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
/// let request = Request::new(Chain::parse(b"203.0.113.7"));
/// assert_eq!(engine.load().evaluate(&request).verdict, Verdict::Allow);
///
/// let feed = Feed::parse("scanners", b"203.0.113.0/24", &ParseOptions::default()).unwrap().feed;
/// engine.update_list(List::compile(&[feed], Timestamp(0)).unwrap());
/// assert_eq!(engine.load().evaluate(&request).verdict, Verdict::Block);
/// ```
#[derive(Clone)]
pub struct Engine {
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// Held while a new snapshot is made from the current one and put in its place, so that no
    /// update is lost and generations increase. Loads never touch it.
    swapping: Arc<Mutex<()>>,
}

impl Engine {
    /// An engine that serves `snapshot`.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            swapping: Arc::default(),
        }
    }

    /// The current snapshot. Load once per request and judge everything about it by that.
    #[must_use]
    #[inline]
    pub fn load(&self) -> Loaded {
        Loaded(self.snapshot.load())
    }

    /// Serves `snapshot`, under the next generation, and returns the one that was served.
    pub fn swap(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.begin().finish(snapshot)
    }

    /// Replaces the list alone and returns the snapshot that was served.
    pub fn update_list(&self, list: List) -> Arc<Snapshot> {
        let swap = self.begin();
        let next = swap.current.with_list(list);
        swap.finish(next)
    }

    /// Changes the list by `delta` alone and returns the snapshot that was served; see
    /// [`List::update`].
    ///
    /// # Errors
    ///
    /// When there would be too many feeds or entries. What is being served does not change.
    pub fn change_list(
        &self,
        delta: &Delta<'_>,
        now: Timestamp,
    ) -> Result<Arc<Snapshot>, CompileError> {
        let swap = self.begin();
        let list = swap.current.list().update(delta, now)?;
        let next = swap.current.with_list(list);
        Ok(swap.finish(next))
    }

    /// Takes the entries that no longer live at `now` out of the list and returns the snapshot
    /// that was served; see [`List::expire`].
    pub fn expire_list(&self, now: Timestamp) -> Arc<Snapshot> {
        let swap = self.begin();
        let next = swap.current.with_list(swap.current.list().expire(now));
        swap.finish(next)
    }

    /// Replaces the zones alone and returns the snapshot that was served.
    ///
    /// # Errors
    ///
    /// When the zones do not compile, or the configuration names one that is not among them. What
    /// is being served does not change.
    pub fn update_zones(&self, zones: &[NetworkZone]) -> Result<Arc<Snapshot>, CompileError> {
        let zones = Zones::compile(zones)?;
        let swap = self.begin();
        let next = swap.current.with_zones(zones)?;
        Ok(swap.finish(next))
    }

    /// Replaces the configuration alone and returns the snapshot that was served.
    ///
    /// # Errors
    ///
    /// When the configuration names a zone that does not exist. What is being served does not
    /// change.
    pub fn update_configuration(
        &self,
        configuration: &Configuration,
        extensions: &Extensions,
    ) -> Result<Arc<Snapshot>, CompileError> {
        let swap = self.begin();
        let next = swap.current.with_configuration(configuration, extensions)?;
        Ok(swap.finish(next))
    }

    /// A reader for one thread's loop: cheaper than [`Self::load`], and just as current.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.snapshot)))
    }

    fn begin(&self) -> Swap<'_> {
        // Nothing is left half-done when a holder panics: the pointer is swapped at the end.
        let swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        Swap {
            engine: self,
            current: self.snapshot.load_full(),
            _swapping: swapping,
        }
    }
}

/// The making of the next snapshot, while nobody else makes one.
struct Swap<'e> {
    engine: &'e Engine,
    current: Arc<Snapshot>,
    _swapping: MutexGuard<'e, ()>,
}

impl Swap<'_> {
    /// Serves `next` and returns what was served.
    fn finish(self, next: Snapshot) -> Arc<Snapshot> {
        let next = next.with_generation(self.current.generation() + 1);
        self.engine.snapshot.store(Arc::new(next));
        self.current
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.load();
        f.debug_struct("Engine")
            .field("generation", &snapshot.generation())
            .field("entries", &snapshot.list().len())
            .finish_non_exhaustive()
    }
}

/// A loaded snapshot; dereferences to it.
pub struct Loaded(Guard<Arc<Snapshot>>);

impl Deref for Loaded {
    type Target = Snapshot;

    #[inline]
    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loaded").field(&self.generation()).finish()
    }
}

/// One thread's cached view of an [`Engine`].
///
/// Holds on to the snapshot it returned last until it is asked again: a thread that stops asking
/// should drop its reader.
///
/// ```
/// use threatinsight::{Action, Chain, Engine, Policy, Request, Timestamp, Verdict};
///
/// let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
/// let mut reader = engine.reader();
/// for line in ["203.0.113.7", "203.0.113.8"] {
///     let request = Request::new(Chain::parse(line.as_bytes()));
///     assert_eq!(reader.snapshot().evaluate(&request).verdict, Verdict::Allow);
/// }
/// ```
pub struct Reader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

impl Reader {
    /// The current snapshot.
    #[inline]
    pub fn snapshot(&mut self) -> &Snapshot {
        self.0.load()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
