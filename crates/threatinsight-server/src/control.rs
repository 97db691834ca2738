//! The control plane: the only place that changes what is enforced.
//!
//! A change is decided on the current state, compiled, stored, swapped in, and then answered, in
//! this order and one change at a time. What does not compile is not stored; what is not stored is
//! not served; what is answered is both. The steps run in a task of their own: a client that hangs
//! up between two of them does not leave the store and the engine apart.
//!
//! Other instances over one store, and a commit of which the outcome is unknown, are handled alike:
//! the store's revision differs from ours, and [`Control::synchronise`] loads what changed.

mod feeds;
mod state;
mod synchronise;

pub(crate) use self::feeds::{FeedUpdate, ParsedUpload, warn_of_rejected};
pub(crate) use self::state::{EXEMPT_ZONE, LoadedFeed, State, is_dynamic, is_exempt_zone};
pub(crate) use self::synchronise::{expire_on_time, keep_up};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use threatinsight::{Engine, Extensions, List, ParseOptions, Policy, Snapshot, Timestamp};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use self::feeds::blocking;
use crate::clock::Moment;
use crate::error::{ServiceError, StoreError};
use crate::event::LogEvent;
use crate::identifier;
use crate::metrics::Metrics;
use crate::refusal::{Code, Refusal};
use crate::store::{Change, Store};

/// How often a change is decided anew because another instance was faster.
const ATTEMPTS: usize = 64;

/// How long a change waits for those before it, as for a lock of the store.
const WAIT: Duration = Duration::from_secs(10);

/// What the service was told at its start about what it enforces.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The exempt zone apart, which is known by its id once it exists.
    pub(crate) extensions: Extensions,
    /// Whether there is a `DefaultExemptIpZone`, and what is in it is exempt.
    pub(crate) exempt_zone: bool,
    /// Whether there is a `DefaultEnhancedDynamicZone`.
    pub(crate) enhanced_zone: bool,
    pub(crate) parse: ParseOptions,
}

/// Owns the state, and what of it is served.
#[derive(Debug)]
pub(crate) struct Control {
    store: Store,
    engine: Engine,
    metrics: Metrics,
    rules: Rules,
    state: Mutex<State>,
    /// Held while a list is compiled, so that changes of zones need not wait for it.
    compiling: Mutex<()>,
    /// Held while what is served next is made from what is served, and never while the store is
    /// waited for: entries expire on time whatever the store does.
    serving: Mutex<()>,
    /// The ids of [`State::not_enforced`], for requests that must not wait for a change.
    not_enforced: RwLock<Arc<[String]>>,
    /// Whether what is served is what is stored, or was at some time.
    ready: AtomicBool,
    /// The next moment at which an entry expires, in seconds; the greatest value is never.
    next_expiry: AtomicU64,
}

/// A change that was decided on a state.
pub(crate) struct Decided<T> {
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<LogEvent>,
    pub(crate) answer: T,
}

impl Control {
    /// A control plane that serves nothing yet: see [`Self::begin`].
    pub(crate) fn new(store: Store, rules: Rules) -> Result<Arc<Self>, ServiceError> {
        let policy = Policy::new(threatinsight::Action::None);
        let snapshot = policy
            .compile(&[], Timestamp(0))
            .map_err(|error| ServiceError::new("policy", error))?;
        let engine = Engine::new(snapshot);
        let metrics = Metrics::new(engine.clone());
        Ok(Arc::new(Self {
            store,
            engine,
            metrics,
            rules,
            state: Mutex::new(State::empty()),
            compiling: Mutex::default(),
            serving: Mutex::default(),
            not_enforced: RwLock::new(Arc::new([])),
            ready: AtomicBool::new(false),
            next_expiry: AtomicU64::new(u64::MAX),
        }))
    }

    /// Loads what is stored, or seeds a new store, and serves it.
    pub(crate) async fn begin(&self) -> Result<(), ServiceError> {
        self.seed().await?;
        self.synchronise().await?;
        Ok(())
    }

    /// From now on requests are answered.
    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The ids of ACTIVE blocklist zones that are dynamic, and so not enforced.
    pub(crate) fn not_enforced(&self) -> Arc<[String]> {
        Arc::clone(
            &self
                .not_enforced
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Takes over `next`. The caller holds the state.
    fn become_state(&self, state: &mut State, next: State) {
        let not_enforced = next.not_enforced().into();
        *self
            .not_enforced
            .write()
            .unwrap_or_else(PoisonError::into_inner) = not_enforced;
        *state = next;
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) const fn parse_options(&self) -> ParseOptions {
        self.rules.parse
    }

    /// Reads from the current state.
    pub(crate) async fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&*self.state.lock().await)
    }

    /// The state, to change it, if the changes before it end in time.
    async fn changing(&self) -> Result<MutexGuard<'_, State>, Refusal> {
        timeout(WAIT, self.state.lock()).await.map_err(|_| {
            tracing::error!("a change is refused: those before it wait for the store");
            Refusal::new(Code::Unavailable)
        })
    }

    /// Changes configuration or zones. `decide` may be asked again, about a newer state.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl Fn(&State) -> Result<Decided<T>, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let control = Arc::clone(self);
        let task = tokio::spawn(async move { control.change_now(decide).await });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a change ended early");
            Err(Refusal::new(Code::Internal))
        })
    }

    async fn change_now<T>(
        &self,
        decide: impl Fn(&State) -> Result<Decided<T>, Refusal>,
    ) -> Result<T, Refusal> {
        let mut state = self.changing().await?;
        for _ in 0..ATTEMPTS {
            let Decided {
                changes,
                events,
                answer,
            } = decide(&state)?;
            let next = state.with(&changes);
            let snapshot = self.compile_policy(&next)?;
            match self.store.commit(state.revision, &changes, &events).await {
                Ok(revision) => {
                    self.become_state(&mut state, State { revision, ..next });
                    self.serve(&snapshot).await;
                    return Ok(answer);
                }
                Err(error) => self.recover(&mut state, &error).await?,
            }
        }
        Err(Refusal::new(Code::Unavailable))
    }

    /// After a commit that did not succeed: takes over what another instance stored, and returns
    /// when that was all. Otherwise the outcome is unknown, and what is stored is served.
    async fn recover(&self, state: &mut State, error: &StoreError) -> Result<(), Refusal> {
        if error.is_conflict() {
            // Whoever lost has more to read before the next attempt than whoever won: a pause of
            // up to 32 ms, for each its own, lets both through.
            let [milliseconds, ..] = identifier::random();
            sleep(Duration::from_millis(u64::from(milliseconds % 32))).await;
        } else {
            tracing::error!(%error, "a change is refused");
        }
        if let Err(error) = self.load(state).await {
            tracing::error!(%error, "what is served may not be what is stored; trying again");
            return Err(Refusal::new(Code::Unavailable));
        }
        if error.is_conflict() {
            Ok(())
        } else {
            Err(Refusal::new(Code::Unavailable))
        }
    }

    /// The served snapshot with the zones and the configuration of `state`.
    fn compile_policy(&self, state: &State) -> Result<Snapshot, Refusal> {
        let started = Instant::now();
        let snapshot = state.compile(&self.engine.load(), &self.rules);
        self.metrics
            .compile_seconds
            .observe(started.elapsed().as_secs_f64());
        // Requests are validated before: what fails here is a rule that the validation lacks.
        snapshot.map_err(|error| Refusal::with_detail(Code::Validation, error.to_string()))
    }

    /// Serves the zones and the configuration of `snapshot`. The caller holds the state.
    async fn serve(&self, snapshot: &Snapshot) {
        let _serving = self.serving.lock().await;
        // Since `snapshot` was made, entries may have expired.
        let list = self.engine.load().list().clone();
        self.swap(snapshot.with_list(list));
    }

    /// Serves `list` with what else is served. The caller holds the state.
    async fn serve_list(&self, list: CompiledList) {
        let _serving = self.serving.lock().await;
        self.swap_list(&self.engine.load(), list);
    }

    /// Serves `snapshot` with `list` in place of its own. The caller holds the state.
    async fn serve_with(&self, snapshot: &Snapshot, list: CompiledList) {
        let _serving = self.serving.lock().await;
        self.swap_list(snapshot, list);
    }

    /// Takes entries that have expired out of what is served.
    pub(crate) async fn expire(&self) {
        let now: Timestamp = Moment::now().into();
        if self.next_expiry.load(Ordering::Relaxed) > now.0 {
            return;
        }
        let _serving = self.serving.lock().await;
        let engine = self.engine.clone();
        let work = move || CompiledList::new(engine.load().list().expire(now));
        if let Ok(list) = blocking(work).await {
            self.swap_list(&self.engine.load(), list);
        }
    }

    /// The caller is [`serving`](Self::serving).
    fn swap_list(&self, snapshot: &Snapshot, list: CompiledList) {
        let CompiledList {
            list,
            next_expiry,
            entries,
        } = list;
        self.next_expiry.store(next_expiry, Ordering::Relaxed);
        self.metrics.enforced(&entries);
        let now: Timestamp = Moment::now().into();
        // The store may have taken its time since the list was compiled.
        let list = if next_expiry > now.0 {
            list
        } else {
            list.expire(now)
        };
        self.swap(snapshot.with_list(list));
    }

    /// Serves `snapshot`, and says what in it probably does not mean what it says and was not there before. The caller is
    /// [`serving`](Self::serving).
    fn swap(&self, snapshot: Snapshot) {
        let said: Vec<_> = self.engine.load().warnings().collect();
        let mut warnings: Vec<_> = snapshot.warnings().collect();
        warnings.retain(|warning| !said.contains(warning));
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.engine.swap(snapshot);
        self.metrics.snapshot_since.set(Moment::now().seconds());
    }
}

/// A list, with what is to be known about it.
pub(crate) struct CompiledList {
    list: List,
    next_expiry: u64,
    /// Live entries by feed.
    entries: Vec<(String, usize)>,
}

impl CompiledList {
    /// Looks at every entry of `list`.
    fn new(list: List) -> Self {
        let mut entries: Vec<(String, usize)> =
            list.feeds().map(|name| (name.to_owned(), 0)).collect();
        let mut next_expiry = u64::MAX;
        for listing in list.listings() {
            let place = entries.binary_search_by(|(name, _)| name.as_str().cmp(listing.feed));
            if let Some((_, live)) = place.ok().and_then(|place| entries.get_mut(place)) {
                *live += 1;
            }
            if let Some(expires) = listing.entry.expires {
                next_expiry = next_expiry.min(expires.0);
            }
        }
        Self {
            list,
            next_expiry,
            entries,
        }
    }
}
