//! Reading what is to be enforced.

use sqlx::Row as _;
use threatinsight::{Action, Configuration, NetworkZone};

use super::{Store, failed};
use crate::clock::Moment;
use crate::error::StoreError;

/// The configuration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredConfiguration {
    pub(crate) action: Action,
    pub(crate) exclude_zones: Vec<String>,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
}

impl StoredConfiguration {
    /// The configuration as the API answers with it, without links.
    pub(crate) fn object(&self) -> Configuration {
        Configuration {
            action: self.action,
            exclude_zones: self.exclude_zones.clone(),
            created: Some(self.created.to_second()),
            last_updated: Some(self.updated.to_second()),
            links: None,
        }
    }
}

/// A zone as it is stored: with id and dates, without links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredZone {
    /// Zones are listed by it, descending.
    pub(crate) ordinal: i64,
    pub(crate) zone: NetworkZone,
}

impl StoredZone {
    pub(crate) fn id(&self) -> &str {
        self.zone.head().id.as_deref().unwrap_or_default()
    }
}

/// A feed as it was uploaded.
#[derive(Clone, Debug)]
pub(crate) struct StoredFeed {
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
    pub(crate) since: Vec<u8>,
    pub(crate) revision: i64,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
}

const READING_CONFIGURATION: &str = "reading the configuration";
const READING_ZONES: &str = "reading zones";
const READING_FEEDS: &str = "reading feeds";

impl Store {
    /// The number of the last committed change.
    pub(crate) async fn revision(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT revision FROM position WHERE id = 1")
            .fetch_one(&self.readers)
            .await
            .map_err(failed("reading the revision"))
    }

    /// The configuration; `None` in a store that is new.
    pub(crate) async fn configuration(&self) -> Result<Option<StoredConfiguration>, StoreError> {
        let query =
            "SELECT action, exclude_zones, created, updated FROM configuration WHERE id = 1";
        let row = sqlx::query(query)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed(READING_CONFIGURATION))?;
        let Some(row) = row else { return Ok(None) };
        let wrong = failed(READING_CONFIGURATION);
        let action: String = row.try_get(0).map_err(&wrong)?;
        let exclude_zones: String = row.try_get(1).map_err(&wrong)?;
        let content = |error| StoreError::content("configuration", error);
        Ok(Some(StoredConfiguration {
            action: serde_json::from_value(action.into()).map_err(content)?,
            exclude_zones: serde_json::from_str(&exclude_zones).map_err(content)?,
            created: Moment(row.try_get(2).map_err(&wrong)?),
            updated: Moment(row.try_get(3).map_err(&wrong)?),
        }))
    }

    /// The zones, newest first.
    pub(crate) async fn zones(&self) -> Result<Vec<StoredZone>, StoreError> {
        let rows = sqlx::query("SELECT ordinal, id, body FROM zones ORDER BY ordinal DESC")
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READING_ZONES))?;
        let wrong = failed(READING_ZONES);
        rows.iter()
            .map(|row| {
                let id: String = row.try_get(1).map_err(&wrong)?;
                let body: String = row.try_get(2).map_err(&wrong)?;
                Ok(StoredZone {
                    ordinal: row.try_get(0).map_err(&wrong)?,
                    zone: serde_json::from_str(&body)
                        .map_err(|error| StoreError::content(format!("zone {id}"), error))?,
                })
            })
            .collect()
    }

    /// The feeds' names, each with the number of the change that stored it.
    pub(crate) async fn feed_revisions(&self) -> Result<Vec<(String, i64)>, StoreError> {
        sqlx::query_as("SELECT name, revision FROM feeds ORDER BY name")
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READING_FEEDS))
    }

    /// One feed; `None` when there is none of that name.
    pub(crate) async fn feed(&self, name: &str) -> Result<Option<StoredFeed>, StoreError> {
        let query = "SELECT body, since, revision, created, updated FROM feeds WHERE name = $1";
        let row = sqlx::query(query)
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed(READING_FEEDS))?;
        let Some(row) = row else { return Ok(None) };
        let wrong = failed(READING_FEEDS);
        Ok(Some(StoredFeed {
            name: name.to_owned(),
            body: row.try_get(0).map_err(&wrong)?,
            since: row.try_get(1).map_err(&wrong)?,
            revision: row.try_get(2).map_err(&wrong)?,
            created: Moment(row.try_get(3).map_err(&wrong)?),
            updated: Moment(row.try_get(4).map_err(&wrong)?),
        }))
    }
}
