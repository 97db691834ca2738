//! The System Log's rows.

use std::fmt::Write as _;

use sqlx::{Any, Row as _, Transaction};

use super::{Store, failed};
use crate::clock::Moment;
use crate::error::StoreError;
use crate::event::LogEvent;

/// Which rows to read.
#[derive(Clone, Debug)]
pub(crate) struct EventQuery<'a> {
    /// The first moment that counts.
    pub(crate) since: Moment,
    /// The first moment that no longer counts.
    pub(crate) until: Option<Moment>,
    /// The row after which to begin: its moment and its position.
    pub(crate) after: Option<(Moment, i64)>,
    pub(crate) order: Order,
    /// Values that columns must have, by the column's name.
    pub(crate) equal: Vec<(&'static str, &'a str)>,
    pub(crate) limit: i64,
}

/// The order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// By position: what is written later comes later, whatever its time.
    Position,
    /// By time, then position.
    Published,
    /// By time, then position, the newest first.
    PublishedDescending,
}

/// One event, rendered.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) position: i64,
    pub(crate) published: Moment,
    pub(crate) body: String,
}

const WRITING: &str = "writing events";
const READING: &str = "reading events";

impl Store {
    /// Writes `events` in one transaction.
    pub(crate) async fn append_events(&self, events: &[LogEvent]) -> Result<(), StoreError> {
        self.outlasts()?;
        let mut transaction = self.writer.begin().await.map_err(failed(WRITING))?;
        Self::append(&mut transaction, events).await?;
        transaction.commit().await.map_err(failed(WRITING))
    }

    pub(super) async fn append(
        transaction: &mut Transaction<'static, Any>,
        events: &[LogEvent],
    ) -> Result<(), StoreError> {
        // Seven parameters a row: far below what either database takes in one statement.
        for batch in events.chunks(256) {
            let bodies: Vec<String> = batch
                .iter()
                .map(serde_json::to_string)
                .collect::<Result<_, _>>()
                .map_err(|error| StoreError::content("event", error))?;
            let bytes: i64 = bodies.iter().map(|body| length(body)).sum();
            let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            let (last, end): (i64, i64) = sqlx::query_as(
                "UPDATE position SET event = event + $1, event_bytes = event_bytes + $2 \
                 WHERE id = 1 RETURNING event, event_bytes",
            )
            .bind(count)
            .bind(bytes)
            .fetch_one(&mut **transaction)
            .await
            .map_err(failed(WRITING))?;
            let mut text = String::from(
                "INSERT INTO events \
                 (position, bytes_before, published, event_type, actor, outcome, body) VALUES ",
            );
            for (row, first) in (1..).step_by(7).enumerate().take(batch.len()) {
                let comma = if row == 0 { "" } else { ", " };
                let [a, b, c, d, e, f, g] = [0, 1, 2, 3, 4, 5, 6].map(|place| first + place);
                let _ = write!(text, "{comma}(${a}, ${b}, ${c}, ${d}, ${e}, ${f}, ${g})");
            }
            let mut query = sqlx::query(&text).persistent(false);
            let mut before = end - bytes;
            for ((event, body), position) in batch.iter().zip(bodies).zip(last - count + 1..) {
                let length = length(&body);
                query = query
                    .bind(position)
                    .bind(before)
                    .bind(event.moment().0)
                    .bind(event.event_type())
                    .bind(event.actor_id())
                    .bind(event.result())
                    .bind(body);
                before += length;
            }
            query
                .execute(&mut **transaction)
                .await
                .map_err(failed(WRITING))?;
        }
        Ok(())
    }

    /// The rows that `query` asks for.
    pub(crate) async fn events(&self, query: &EventQuery<'_>) -> Result<Vec<EventRow>, StoreError> {
        let mut text = String::from(
            "SELECT position, published, body FROM events WHERE published >= $1 AND published < $2",
        );
        let (after_moment, after_position) = query.after.unwrap_or((Moment(0), 0));
        if query.after.is_some() {
            text.push_str(match query.order {
                Order::Position => " AND position > $3 AND $4 = $4",
                Order::Published => " AND (published > $4 OR (published = $4 AND position > $3))",
                Order::PublishedDescending => {
                    " AND (published < $4 OR (published = $4 AND position < $3))"
                }
            });
        } else {
            text.push_str(" AND $3 = $3 AND $4 = $4");
        }
        for (place, (column, _)) in query.equal.iter().enumerate() {
            let _ = write!(text, " AND {column} = ${}", place + 6);
        }
        text.push_str(match query.order {
            Order::Position => " ORDER BY position LIMIT $5",
            Order::Published => " ORDER BY published, position LIMIT $5",
            Order::PublishedDescending => " ORDER BY published DESC, position DESC LIMIT $5",
        });
        let until = query.until.unwrap_or(Moment(i64::MAX));
        let mut sql = sqlx::query(&text)
            .bind(query.since.0)
            .bind(until.0)
            .bind(after_position)
            .bind(after_moment.0)
            .bind(query.limit);
        for (_, value) in &query.equal {
            sql = sql.bind(*value);
        }
        let rows = sql
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READING))?;
        let wrong = failed(READING);
        rows.iter()
            .map(|row| {
                Ok(EventRow {
                    position: row.try_get(0).map_err(&wrong)?,
                    published: Moment(row.try_get(1).map_err(&wrong)?),
                    body: row.try_get(2).map_err(&wrong)?,
                })
            })
            .collect()
    }

    /// Deletes at most `chunk` events that are older than `before`, and as many beyond the newest
    /// whose bodies have `bytes` bytes together; how many there were.
    pub(crate) async fn retain_events(
        &self,
        before: Moment,
        bytes: i64,
        chunk: i64,
    ) -> Result<u64, StoreError> {
        // Neither half reads more of the log than it deletes.
        let deleted = sqlx::query(
            "DELETE FROM events WHERE position IN \
             (SELECT position FROM events WHERE published < $1 ORDER BY published LIMIT $3) \
             OR position IN (SELECT position FROM \
             (SELECT position, bytes_before FROM events ORDER BY position LIMIT $3) AS oldest \
             WHERE bytes_before < (SELECT event_bytes FROM position WHERE id = 1) - $2)",
        )
        .bind(before.0)
        .bind(bytes)
        .bind(chunk)
        .execute(&self.writer)
        .await
        .map_err(failed("deleting old events"))?;
        Ok(deleted.rows_affected())
    }
}

fn length(body: &str) -> i64 {
    i64::try_from(body.len()).unwrap_or(i64::MAX)
}
