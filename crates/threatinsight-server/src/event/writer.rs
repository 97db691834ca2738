//! The event log's only writer: a bounded queue, batches as large as what has gathered meanwhile.
//!
//! A decision never waits for it. When the queue is full the event is dropped, counted, and said
//! once a minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

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

/// Writes until `stop` says so and the queue is empty.
pub(crate) async fn write_events(
    store: Store,
    mut queue: mpsc::Receiver<Observation>,
    options: WriterOptions,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) {
    let mut fold = Fold::new(options.fold);
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_retention: Option<Instant> = None;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            received = queue.recv_many(&mut batch, BATCH) => if received == 0 { break },
            _ = tick.tick() => {
                let due = last_retention.is_none_or(|last| last.elapsed() >= Duration::from_secs(60));
                if due {
                    last_retention = Some(Instant::now());
                    retain(&store, options.retention).await;
                }
            }
            () = told(stop.clone()), if !queue.is_closed() => queue.close(),
        }
        let mut events = Vec::with_capacity(batch.len());
        for observation in batch {
            events.extend(fold.add(observation).map(Observation::event));
        }
        events.extend(fold.due(Moment::now()).map(Observation::event));
        write(&store, &events, &metrics).await;
    }
    let rest: Vec<LogEvent> = fold.due(Moment(i64::MAX)).map(Observation::event).collect();
    write(&store, &rest, &metrics).await;
}

async fn write(store: &Store, events: &[LogEvent], metrics: &Metrics) {
    if events.is_empty() {
        return;
    }
    let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
    match store.append_events(events).await {
        Ok(()) => {
            metrics.events_written.inc_by(count);
        }
        Err(error) => {
            metrics.events_dropped.inc_by(count);
            tracing::error!(%error, count, "log events are lost");
        }
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
    use super::*;

    #[test]
    fn a_flood_is_said_once_a_minute() {
        let flood = Flood::new();
        let said: Vec<u64> = (0..200).filter(|now| flood.is_news(*now)).collect();
        assert_eq!(said, [0, 60, 120, 180]);
    }
}
