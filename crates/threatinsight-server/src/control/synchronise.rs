//! Taking over what is stored: at the start, and when another instance changed it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use threatinsight::Action;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Control;
use super::feeds::{blocking, compile, load};
use super::state::State;
use crate::clock::Moment;
use crate::error::StoreError;
use crate::stop::told;
use crate::store::{CHANNEL, Change, Dialect, StoredConfiguration, StoredZone};
use crate::system_zones;

/// How often the store's revision is read while another instance keeps changing it.
const READS: usize = 64;

impl Control {
    /// Puts into a new store what every organisation has, and into any store the system zones that
    /// an option asks for. A zone of a user that has the name of one is an error: it would be
    /// taken for what it is not.
    pub(super) async fn seed(&self) -> Result<(), StoreError> {
        for _ in 0..READS {
            let revision = self.store.revision().await?;
            let zones = self.store.zones().await?;
            let now = Moment::now();
            let mut changes = Vec::new();
            if self.store.configuration().await?.is_none() {
                changes.push(Change::Configuration(StoredConfiguration {
                    action: Action::None,
                    exclude_zones: Vec::new(),
                    created: now,
                    updated: now,
                }));
            }
            let mut ordinal = zones.first().map_or(1, |newest| newest.ordinal + 1);
            for zone in system_zones::wanted(&self.rules, now) {
                let name = &zone.head().name;
                match zones.iter().find(|known| known.zone.head().name == *name) {
                    Some(known) if known.zone.head().system => {}
                    Some(known) => {
                        let found = format!(
                            "called `{name}`, as the system zone that was asked for; \
                             start without that one and rename this one"
                        );
                        let place = format!("zone {}", known.id());
                        return Err(StoreError::content(place, found));
                    }
                    None => {
                        changes.push(Change::PutZone(Box::new(StoredZone { ordinal, zone })));
                        ordinal += 1;
                    }
                }
            }
            if changes.is_empty() {
                return Ok(());
            }
            match self.store.commit(revision, &changes, &[]).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::conflict())
    }

    /// Serves what is stored, if it is not what is served.
    pub(crate) async fn synchronise(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        self.load(&mut state).await
    }

    /// Loads what differs from `state`, and serves it.
    pub(super) async fn load(&self, state: &mut State) -> Result<(), StoreError> {
        for _ in 0..READS {
            let revision = self.store.revision().await?;
            if revision == state.revision {
                return Ok(());
            }
            let configuration = self.store.configuration().await?;
            let zones = self.store.zones().await?;
            let revisions = self.store.feed_revisions().await?;
            let (mut feeds, missing) = state.known_feeds(&revisions);
            let mut stored = Vec::new();
            for name in &missing {
                stored.extend(self.store.feed(name).await?);
            }
            // Without a lock, these belong together only if nothing came in between.
            if self.store.revision().await? != revision {
                continue;
            }
            let changed = !missing.is_empty() || feeds.len() != state.feeds.len();
            let options = self.rules.parse;
            let work = move || {
                for stored in &stored {
                    let feed = load(stored, options)?;
                    feeds.insert(stored.name.clone(), Arc::new(feed));
                }
                let list = compile(&feeds, Moment::now().into());
                let list =
                    list.map_err(|refusal| StoreError::content("feeds", format!("{refusal:?}")))?;
                Ok((feeds, list))
            };
            let ended = |_| StoreError::content("feeds", "reading them ended early");
            let (feeds, list) = if changed {
                let (feeds, list) = blocking(work).await.map_err(ended)??;
                (feeds, Some(list))
            } else {
                (state.feeds.clone(), None)
            };
            let next = State {
                revision,
                configuration: configuration.unwrap_or_else(|| state.configuration.clone()),
                zones,
                feeds,
            };
            let snapshot = next
                .compile(&self.engine.load(), &self.rules)
                .map_err(|error| StoreError::content("policy", error))?;
            self.become_state(state, next);
            match list {
                // One swap, so that no request sees the new list with the old zones.
                Some(list) => self.serve_with(&snapshot, list).await,
                None => self.serve(&snapshot).await,
            }
            return Ok(());
        }
        Err(StoreError::conflict())
    }
}

/// Keeps up with other instances until `stop` says so.
///
/// On PostgreSQL a notification wakes it; the poll is there for notifications that are lost. A
/// change of another instance is served at the latest one `poll` after it was stored, plus the
/// time to load it.
pub(crate) async fn keep_up(
    control: Arc<Control>,
    url: Option<String>,
    poll: Duration,
    stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = told(stop) => {}
        () = follow(&control, url.as_deref(), poll) => {}
    }
}

/// Takes entries out of what is served as they expire, until `stop` says so.
pub(crate) async fn expire_on_time(control: Arc<Control>, stop: watch::Receiver<bool>) {
    let mut tick = interval(Duration::from_millis(500));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = told(stop.clone()) => return,
            _ = tick.tick() => control.expire().await,
        }
    }
}

async fn follow(control: &Control, url: Option<&str>, poll: Duration) {
    let mut tick = interval(poll);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listener = None;
    loop {
        if listener.is_none() && control.store().dialect() == Dialect::Postgres {
            listener = listen(url).await;
        }
        tokio::select! {
            _ = tick.tick() => {}
            heard = hear(&mut listener) => if !heard {
                tracing::warn!("notifications are interrupted; polling");
                listener = None;
                sleep(Duration::from_millis(200)).await;
            }
        }
        if let Err(error) = control.synchronise().await {
            tracing::warn!(%error, "what is stored could not be read; serving what was read last");
        }
    }
}

async fn listen(url: Option<&str>) -> Option<PgListener> {
    let mut listener = PgListener::connect(url?).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}

/// Waits for a notification; false when the connection broke. Without a listener, for ever.
async fn hear(listener: &mut Option<PgListener>) -> bool {
    match listener {
        Some(listener) => listener.recv().await.is_ok(),
        None => std::future::pending().await,
    }
}
