//! The event log's only writer: a bounded queue, batches as large as what has gathered meanwhile.
//!
//! A decision never waits for it. When the queue is full the event is dropped, counted, and said
//! once a minute.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::LogEvent;
use super::observation::{Likeness, Observation};
use crate::clock::Moment;
use crate::metrics::Metrics;
use crate::stop::told;
use crate::store::Store;

/// How many events are written in one transaction: a change of the configuration may wait for one.
const BATCH: usize = 256;

/// How many clients are remembered when the log folds; further ones are written unfolded.
const FOLDED_CLIENTS: usize = 100_000;

/// How many rows one step of the retention deletes, so that nobody waits long behind it.
const RETENTION_CHUNK: i64 = 2_000;

/// How much of the log is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub(crate) age: Duration,
    /// Of the events as they are answered, not of what the database adds to them.
    pub(crate) bytes: i64,
}

/// How the log is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterOptions {
    pub(crate) retention: Retention,
    /// Events alike within this time become one; zero writes each.
    pub(crate) fold: Duration,
    /// How long writing may go on after the stop.
    pub(crate) grace: Duration,
}

/// Where decisions leave what they observed.
#[derive(Clone, Debug)]
pub(crate) struct EventQueue {
    sender: mpsc::Sender<Observation>,
    metrics: Metrics,
    flood: Arc<Flood>,
}

/// What was said of dropped events.
#[derive(Debug)]
struct Flood {
    start: Instant,
    /// Seconds after `start` before which nothing more is said.
    said_until: AtomicU64,
}

/// Seconds for which a flood is said once.
const SAID_FOR: u64 = 60;

impl EventQueue {
    pub(crate) fn new(capacity: usize, metrics: Metrics) -> (Self, mpsc::Receiver<Observation>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let queue = Self {
            sender,
            metrics,
            flood: Arc::new(Flood::new()),
        };
        (queue, receiver)
    }

    /// Hands over an observation; never waits.
    pub(crate) fn push(&self, observation: Observation) {
        if self.sender.try_send(observation).is_err() {
            self.metrics.events_dropped.inc();
            if self.flood.is_news(self.flood.start.elapsed().as_secs()) {
                tracing::warn!("log events are dropped: the queue is full; said once a minute");
            }
        }
    }
}

impl Flood {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            said_until: AtomicU64::new(0),
        }
    }

    /// Whether a flood `now`, in seconds after `start`, has not been said yet.
    fn is_news(&self, now: u64) -> bool {
        let until = self.said_until.load(Ordering::Relaxed);
        let next = now + SAID_FOR;
        now >= until
            && self
                .said_until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Writes until `stop` says so and the queue is empty. What cannot be written within the grace is
/// dropped and counted.
pub(crate) async fn write_events(
    store: Store,
    queue: mpsc::Receiver<Observation>,
    options: WriterOptions,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) {
    let mut writer = Writer {
        store,
        queue,
        retention: options.retention,
        metrics,
        fold: Fold::new(options.fold),
        batch: Vec::new(),
    };
    let grace = async {
        told(stop.clone()).await;
        sleep(options.grace).await;
    };
    tokio::select! {
        () = writer.run(stop.clone()) => {}
        () = grace => writer.give_up(),
    }
}

struct Writer {
    store: Store,
    queue: mpsc::Receiver<Observation>,
    retention: Retention,
    metrics: Metrics,
    fold: Fold,
    /// What is being written, or was tried and will be again before anything else.
    batch: Vec<LogEvent>,
}

impl Writer {
    async fn run(&mut self, stop: watch::Receiver<bool>) {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_retention: Option<Instant> = None;
        loop {
            let mut received = Vec::new();
            tokio::select! {
                count = self.queue.recv_many(&mut received, BATCH), if self.batch.is_empty() => {
                    if count == 0 {
                        break;
                    }
                }
                _ = tick.tick() => {
                    let due = last_retention.is_none_or(|last| last.elapsed() >= Duration::from_secs(60));
                    if due {
                        last_retention = Some(Instant::now());
                        retain(&self.store, self.retention).await;
                    }
                }
                () = told(stop.clone()), if !self.queue.is_closed() => self.queue.close(),
            }
            received
                .into_iter()
                .for_each(|observation| self.take(observation));
            self.write(Moment::now()).await;
        }
        self.write(Moment(i64::MAX)).await;
    }

    /// Adds an observation to the batch, or to those that are folded.
    fn take(&mut self, observation: Observation) {
        let event = self.fold.add(observation).map(Observation::event);
        self.batch.extend(event);
    }

    /// Writes the batch, and what was folded into windows that have ended at `now`. A batch that
    /// fails stays while others may gather behind it; one of which the outcome is unknown may be
    /// stored twice, under the same ids.
    async fn write(&mut self, now: Moment) {
        self.batch
            .extend(self.fold.due(now).map(Observation::event));
        if self.batch.is_empty() {
            return;
        }
        match self.store.append_events(&self.batch).await {
            Ok(()) => {
                self.metrics.events_written.inc_by(self.batch.len() as u64);
                self.batch.clear();
            }
            Err(error) if !self.queue.is_closed() && self.queue.capacity() > 0 => {
                tracing::warn!(%error, count = self.batch.len(), "log events wait for the store");
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Drops the batch.
    fn lose(&mut self, reason: &dyn Display) {
        let count = self.batch.len();
        if count == 0 {
            return;
        }
        self.batch.clear();
        self.metrics.events_dropped.inc_by(count as u64);
        tracing::error!(error = %reason, count, "log events are lost");
    }

    /// Drops everything there is.
    fn give_up(&mut self) {
        self.queue.close();
        while let Ok(observation) = self.queue.try_recv() {
            self.take(observation);
        }
        let folded = self.fold.due(Moment(i64::MAX)).map(Observation::event);
        self.batch.extend(folded);
        self.lose(&"the store did not take them in time");
    }
}

async fn retain(store: &Store, retention: Retention) {
    let age = i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX);
    let before = Moment(Moment::now().0.saturating_sub(age));
    loop {
        match store
            .retain_events(before, retention.bytes, RETENTION_CHUNK)
            .await
        {
            Ok(0) => return,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::warn!(%error, "old log events stay");
                return;
            }
        }
    }
}

/// Events alike within a window become two: the first at once, and one for the rest at its end.
struct Fold {
    window: i64,
    open: HashMap<Likeness, Folded>,
    next: Moment,
}

struct Folded {
    until: Moment,
    last: Option<Observation>,
    repeated: u64,
}

impl Fold {
    fn new(window: Duration) -> Self {
        Self {
            window: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            open: HashMap::new(),
            next: Moment(i64::MAX),
        }
    }

    /// The observation back, unless it is folded into an earlier one.
    fn add(&mut self, observation: Observation) -> Option<Observation> {
        if self.window == 0 {
            return Some(observation);
        }
        let likeness = observation.likeness();
        if let Some(folded) = self.open.get_mut(&likeness) {
            folded.repeated += 1;
            folded.last = Some(observation);
            return None;
        }
        if self.open.len() < FOLDED_CLIENTS {
            let until = Moment(observation.published().0.saturating_add(self.window));
            self.next = self.next.min(until);
            self.open.insert(
                likeness,
                Folded {
                    until,
                    last: None,
                    repeated: 0,
                },
            );
        }
        Some(observation)
    }

    /// What was folded into windows that have ended at `now`.
    fn due(&mut self, now: Moment) -> impl Iterator<Item = Observation> + use<> {
        let mut ended = Vec::new();
        if self.next <= now {
            self.next = Moment(i64::MAX);
            self.open.retain(|_, folded| {
                if folded.until > now {
                    self.next = self.next.min(folded.until);
                    return true;
                }
                ended.extend(folded.last.take().map(|last| last.repeat(folded.repeated)));
                false
            });
        }
        ended.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Executor as _, SqliteConnection};
    use threatinsight::{
        Action, Chain, Engine, Feed, List, ParseOptions, Policy, Request, Snapshot, Timestamp,
    };

    use tokio::time::timeout;

    use super::super::observation::RequestContext;
    use super::*;
    use crate::store::{Location, database_file};

    #[test]
    fn a_flood_is_said_once_a_minute() {
        let flood = Flood::new();
        let said: Vec<u64> = (0..200).filter(|now| flood.is_news(*now)).collect();
        assert_eq!(said, [0, 60, 120, 180]);
    }

    /// A store, another connection to its database, and a decision that is logged.
    async fn store(directory: &Path) -> (Store, SqliteConnection, Snapshot) {
        let location = Location::Directory(directory.to_owned());
        let store = Store::open(&location).await.unwrap();
        let database = SqliteConnectOptions::new().filename(database_file(directory));
        let connection = database.connect().await.unwrap();
        let feed = Feed::parse("scanners", b"203.0.113.0/24", &ParseOptions::default());
        let list = List::compile(&[feed.unwrap().feed], Timestamp(0)).unwrap();
        let policy = Policy::new(Action::Block).compile(&[], Timestamp(0));
        (store, connection, policy.unwrap().with_list(list))
    }

    fn observation(snapshot: &Snapshot) -> Observation {
        let chain = Chain::parse(b"203.0.113.7");
        let decision = snapshot.evaluate(&Request::new(chain));
        Observation::of(&decision, &chain, RequestContext::default).unwrap()
    }

    const OPTIONS: WriterOptions = WriterOptions {
        retention: Retention {
            age: Duration::MAX,
            bytes: i64::MAX,
        },
        fold: Duration::ZERO,
        grace: Duration::from_millis(200),
    };

    #[tokio::test]
    async fn what_a_locked_store_does_not_take_after_the_stop_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let (store, mut lock, snapshot) = store(directory.path()).await;
        lock.execute("BEGIN IMMEDIATE").await.unwrap();
        let metrics = Metrics::new(Engine::new(snapshot.clone()));
        let (events, queue) = EventQueue::new(1_000, metrics.clone());
        for _ in 0..1_000 {
            events.push(observation(&snapshot));
        }
        let (_stop, stopped) = watch::channel(true);
        let writing = write_events(store, queue, OPTIONS, metrics.clone(), stopped);
        // What is waited for is the grace, and not the lock.
        let writing = timeout(Duration::from_secs(8), writing);
        writing.await.unwrap();
        assert_eq!(metrics.events_dropped.get(), 1_000);
        assert_eq!(metrics.events_written.get(), 0);
    }

    #[tokio::test]
    async fn a_batch_that_fails_is_tried_again_while_the_queue_has_room() {
        let directory = tempfile::tempdir().unwrap();
        let (store, mut connection, snapshot) = store(directory.path()).await;
        let hide = "ALTER TABLE events RENAME TO hidden";
        connection.execute(hide).await.unwrap();
        let metrics = Metrics::new(Engine::new(snapshot.clone()));
        let (events, queue) = EventQueue::new(2, metrics.clone());
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(write_events(
            store,
            queue,
            OPTIONS,
            metrics.clone(),
            stopped,
        ));
        // The first is tried, and those behind it fill the queue.
        events.push(observation(&snapshot));
        while events.sender.capacity() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        let dropped = &metrics.events_dropped;
        events.push(observation(&snapshot));
        sleep(Duration::from_millis(2_500)).await;
        assert_eq!(dropped.get(), 0);
        events.push(observation(&snapshot));
        timeout(Duration::from_secs(30), async {
            while dropped.get() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(dropped.get(), 1);

        connection
            .execute("ALTER TABLE hidden RENAME TO events")
            .await
            .unwrap();
        timeout(Duration::from_secs(30), async {
            while metrics.events_written.get() < 2 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(dropped.get(), 1);
    }
}
