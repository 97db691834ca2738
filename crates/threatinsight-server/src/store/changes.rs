//! Writing what is to be enforced, together with the events that say so.

use sqlx::{Any, Transaction};

use super::{CHANNEL, Dialect, Store, StoredConfiguration, StoredFeed, StoredZone, failed};
use crate::error::StoreError;
use crate::event::LogEvent;

/// One change, as the store makes it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Configuration(StoredConfiguration),
    PutZone(Box<StoredZone>),
    DeleteZone(String),
    /// The feed's `revision` is the number of this change, whatever it says.
    PutFeed(StoredFeed),
    DeleteFeed(String),
}

const STORING: &str = "storing a change";

impl Store {
    /// Makes `changes` and writes `events`, all or nothing, if no change came after `revision`.
    /// The new revision: when it is returned, the changes survive a crash.
    pub(crate) async fn commit(
        &self,
        revision: i64,
        changes: &[Change],
        events: &[LogEvent],
    ) -> Result<i64, StoreError> {
        self.outlasts()?;
        let mut transaction = self.writer.begin().await.map_err(failed(STORING))?;
        let next = revision + 1;
        let taken = sqlx::query("UPDATE position SET revision = $1 WHERE id = 1 AND revision = $2")
            .bind(next)
            .bind(revision)
            .execute(&mut *transaction)
            .await
            .map_err(failed(STORING))?;
        if taken.rows_affected() != 1 {
            return Err(StoreError::conflict());
        }
        for change in changes {
            apply(&mut transaction, change, next).await?;
        }
        Self::append(&mut transaction, events).await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(next.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed(STORING))?;
        }
        transaction.commit().await.map_err(failed(STORING))?;
        Ok(next)
    }
}

async fn apply(
    transaction: &mut Transaction<'static, Any>,
    change: &Change,
    revision: i64,
) -> Result<(), StoreError> {
    let query = match change {
        Change::Configuration(configuration) => {
            let exclude_zones = serde_json::to_string(&configuration.exclude_zones)
                .map_err(|error| StoreError::content("excludeZones", error))?;
            sqlx::query(
                "INSERT INTO configuration (id, action, exclude_zones, created, updated) \
                 VALUES (1, $1, $2, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET action = excluded.action, \
                 exclude_zones = excluded.exclude_zones, updated = excluded.updated",
            )
            .bind(configuration.action.to_string())
            .bind(exclude_zones)
            .bind(configuration.created.0)
            .bind(configuration.updated.0)
        }
        Change::PutZone(zone) => {
            let body = serde_json::to_string(&zone.zone)
                .map_err(|error| StoreError::content("zone", error))?;
            sqlx::query(
                "INSERT INTO zones (id, ordinal, name, body) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
            )
            .bind(zone.id().to_owned())
            .bind(zone.ordinal)
            .bind(zone.zone.head().name.clone())
            .bind(body)
        }
        Change::DeleteZone(id) => sqlx::query("DELETE FROM zones WHERE id = $1").bind(id.clone()),
        Change::PutFeed(feed) => sqlx::query(
            "INSERT INTO feeds (name, body, since, revision, created, updated) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (name) DO UPDATE SET body = excluded.body, since = excluded.since, \
             revision = excluded.revision, updated = excluded.updated",
        )
        .bind(feed.name.clone())
        .bind(feed.body.clone())
        .bind(feed.since.clone())
        .bind(revision)
        .bind(feed.created.0)
        .bind(feed.updated.0),
        Change::DeleteFeed(name) => {
            sqlx::query("DELETE FROM feeds WHERE name = $1").bind(name.clone())
        }
    };
    query
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(failed(STORING))
}
