//! The store: SQLite in a directory, or PostgreSQL for several instances, by the same queries.
//!
//! Both know `$1`, `RETURNING` and `ON CONFLICT`, so `sqlx`'s `Any` driver needs no dialect layer:
//! only the migrations differ, in the name of the type for bytes. What PostgreSQL alone has,
//! `NOTIFY`, is one statement more in [`Store::commit`].
//!
//! Every transaction that changes something takes its number from the single row of `position`
//! first. That row's lock orders the transactions, so that numbers appear in the order of commits:
//! a reader that has seen event 7 has missed no event before it.

mod changes;
mod events;
mod policy;
mod tokens;

pub(crate) use self::changes::Change;
pub(crate) use self::events::{EventQuery, EventRow, Order};
pub(crate) use self::policy::{StoredConfiguration, StoredFeed, StoredZone};
pub(crate) use self::tokens::StoredToken;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::StoreError;
use crate::stop::told;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The channel that instances over one PostgreSQL tell each other about changes through.
pub(crate) const CHANNEL: &str = "threatinsight";

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A directory of our own, made when it does not exist: SQLite.
    Directory(PathBuf),
    /// A `postgres://` address.
    Postgres(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A connected store; clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dialect: Dialect,
    /// SQLite's database.
    file: Option<PathBuf>,
    readers: AnyPool,
    /// SQLite has one writer at a time: queueing for it here is fairer than polling its lock.
    writer: AnyPool,
}

impl Store {
    /// Connects, and brings the schema up to date.
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        install_default_drivers();
        let (dialect, url, file) = match location {
            Location::Directory(directory) => {
                let file = std::path::absolute(database_file(directory)).ok();
                (Dialect::Sqlite, sqlite_url(directory)?, file)
            }
            Location::Postgres(url) => (Dialect::Postgres, url.clone(), None),
        };
        let failed = |error| StoreError::database("connecting", error);
        let options = AnyConnectOptions::from_str(&url).map_err(failed)?;
        let (readers, writers) = match dialect {
            Dialect::Sqlite => (4, 1),
            Dialect::Postgres => (8, 4),
        };
        let pool = |connections: u32| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                // A server may have hung up; a file does not.
                .test_before_acquire(dialect == Dialect::Postgres)
                .after_connect(move |connection, _| Box::pin(settle(dialect, connection)))
                .after_release(move |connection, _| Box::pin(is_settled(dialect, connection)))
        };
        let writer = match pool(writers).connect_with(options.clone()).await {
            Ok(writer) => writer,
            // It has tried again and again, and does not say what was wrong.
            Err(error @ sqlx::Error::PoolTimedOut) => {
                let connected = options.connect().await;
                let cause = match connected {
                    Ok(mut connection) => settle(dialect, &mut connection).await.err(),
                    Err(cause) => Some(cause),
                };
                return Err(failed(cause.unwrap_or(error)));
            }
            Err(error) => return Err(failed(error)),
        };
        migrate(dialect, &writer).await?;
        let readers = pool(readers).connect_with(options).await.map_err(failed)?;
        Ok(Self {
            dialect,
            file,
            readers,
            writer,
        })
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Refuses to write what would end with the process: the system keeps a file that was removed
    /// for those who have it open.
    fn outlasts(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) if matches!(file.try_exists(), Ok(false)) => {
                let found = "removed since the start, expected the database";
                Err(StoreError::content(file.display().to_string(), found))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Copies commits from SQLite's write-ahead log into the database every second, until `stop`
    /// says so. They are safe before; but left to itself, SQLite copies a thousand pages within
    /// some commit, and the change that waits for that one waits ten times as long as others.
    pub(crate) async fn checkpoint(self, stop: watch::Receiver<bool>) {
        if self.dialect != Dialect::Sqlite {
            return;
        }
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(stop.clone()) => return,
                _ = tick.tick() => {}
            }
            let copy = self.readers.execute("PRAGMA wal_checkpoint(PASSIVE)");
            if let Err(error) = copy.await {
                tracing::warn!(%error, "the write-ahead log grows");
            }
        }
    }

    /// Waits for what is under way and disconnects.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// What a new connection begins with.
async fn settle(dialect: Dialect, connection: &mut AnyConnection) -> sqlx::Result<()> {
    let settings = match dialect {
        Dialect::Sqlite => SQLITE_SETTINGS,
        Dialect::Postgres => POSTGRES_SETTINGS,
    };
    connection.execute(settings).await.map(drop)
}

/// Whether a connection may be used again. A full disk has SQLite roll back a transaction by
/// itself; `sqlx` then takes it for open, and what follows for nested in it: it would be reported as
/// stored, and never be.
async fn is_settled(dialect: Dialect, connection: &mut AnyConnection) -> sqlx::Result<bool> {
    match dialect {
        Dialect::Sqlite => {
            // A rollback may be under way.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        }
        Dialect::Postgres => Ok(true),
    }
}

/// Brings the schema up to date, which may take its time with a large log.
async fn migrate(dialect: Dialect, pool: &AnyPool) -> Result<(), StoreError> {
    let failed = failed("migrating");
    let mut connection = pool.acquire().await.map_err(&failed)?;
    let migrator = match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => {
            connection.execute(PATIENT).await.map_err(&failed)?;
            &POSTGRES
        }
    };
    let migrated = migrator.run(&mut *connection).await;
    migrated.map_err(|error| StoreError::database("migrating", error))?;
    settle(dialect, &mut connection).await.map_err(&failed)
}

/// A commit is on the disk when it returns; readers do not wait for the writer. A commit makes the
/// checkpoint only when [`Store::checkpoint`] does not keep up: 64 MiB.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                               PRAGMA wal_autocheckpoint = 16384; \
                               PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;";

/// Nothing waits for ever: for a lock no longer than in SQLite, and for a statement as long as a
/// large feed may take.
const POSTGRES_SETTINGS: &str = "SET lock_timeout = '10s'; SET statement_timeout = '60s';";

/// For migrations, and instances that wait for another's.
const PATIENT: &str = "SET lock_timeout = 0; SET statement_timeout = 0;";

/// What may not stand as it is in the path of a URL.
const NOT_IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

fn sqlite_url(directory: &Path) -> Result<String, StoreError> {
    std::fs::create_dir_all(directory)
        .map_err(|error| StoreError::database("making the data directory", error))?;
    let file = database_file(directory);
    let path = file.to_str().ok_or_else(|| {
        StoreError::content(file.display().to_string(), "expected a path in Unicode")
    })?;
    let path = utf8_percent_encode(path, NOT_IN_PATH);
    Ok(format!("sqlite://{path}?mode=rwc"))
}

/// The database in a directory of ours.
pub(crate) fn database_file(directory: &Path) -> PathBuf {
    directory.join("threatinsight.db")
}

/// What a query was doing when it failed.
pub(crate) fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::database(doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn feed(bytes: usize) -> [Change; 1] {
        [Change::PutFeed(StoredFeed {
            name: "scanners".to_owned(),
            body: vec![b'#'; bytes],
            since: Vec::new(),
            revision: 0,
            created: Moment(0),
            updated: Moment(0),
        })]
    }

    #[tokio::test]
    async fn what_is_stored_after_the_store_was_full_stays_stored() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Directory(directory.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        let (full, roomy) = (
            "PRAGMA max_page_count = 1",
            "PRAGMA max_page_count = 1000000",
        );
        for revision in 0..3 {
            store.writer.execute(full).await.unwrap();
            let error = store.commit(revision, &feed(1 << 20), &[]).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains("database or disk is full"), "{error}");
            store.writer.execute(roomy).await.unwrap();
            let conflict = store.commit(revision + 1, &feed(1), &[]).await;
            assert!(conflict.unwrap_err().is_conflict());
            let stored = store.commit(revision, &feed(1), &[]).await.unwrap();
            assert_eq!(store.revision().await.unwrap(), stored);
        }
    }

    #[tokio::test]
    async fn nothing_is_stored_in_a_file_that_was_removed() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Directory(directory.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        store.commit(0, &feed(1), &[]).await.unwrap();
        std::fs::remove_file(database_file(directory.path())).unwrap();
        for stored in [
            store.commit(1, &feed(1), &[]).await.map(drop),
            store.append_events(&[]).await,
        ] {
            let error = stored.unwrap_err().to_string();
            assert!(error.contains("threatinsight.db: removed"), "{error}");
        }
        assert_eq!(store.revision().await.unwrap(), 1);
    }
}
