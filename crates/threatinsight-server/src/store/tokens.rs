//! Tokens, as far as the store knows them: never the token itself.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, failed};
use crate::clock::Moment;
use crate::error::StoreError;

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredToken {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Scope names with blanks between them.
    pub(crate) scopes: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) created: Moment,
}

const READING: &str = "reading tokens";
const STORING: &str = "storing a token";

impl Store {
    pub(crate) async fn insert_token(&self, token: &StoredToken) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO tokens (id, name, scopes, salt, hash, created) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token.id.clone())
        .bind(token.name.clone())
        .bind(token.scopes.clone())
        .bind(token.salt.clone())
        .bind(token.hash.clone())
        .bind(token.created.0)
        .execute(&self.writer)
        .await
        .map(drop)
        .map_err(failed(STORING))
    }

    pub(crate) async fn token(&self, id: &str) -> Result<Option<StoredToken>, StoreError> {
        let query = "SELECT id, name, scopes, salt, hash, created FROM tokens WHERE id = $1";
        let row = sqlx::query(query)
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed(READING))?;
        row.as_ref().map(token).transpose()
    }

    /// Every token, oldest first.
    pub(crate) async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        let query = "SELECT id, name, scopes, salt, hash, created FROM tokens ORDER BY created, id";
        let rows = sqlx::query(query)
            .fetch_all(&self.readers)
            .await
            .map_err(failed(READING))?;
        rows.iter().map(token).collect()
    }

    /// Whether there was one to delete.
    pub(crate) async fn delete_token(&self, id: &str) -> Result<bool, StoreError> {
        let deleted = sqlx::query("DELETE FROM tokens WHERE id = $1")
            .bind(id)
            .execute(&self.writer)
            .await
            .map_err(failed(STORING))?;
        Ok(deleted.rows_affected() == 1)
    }
}

fn token(row: &AnyRow) -> Result<StoredToken, StoreError> {
    let wrong = failed(READING);
    Ok(StoredToken {
        id: row.try_get(0).map_err(&wrong)?,
        name: row.try_get(1).map_err(&wrong)?,
        scopes: row.try_get(2).map_err(&wrong)?,
        salt: row.try_get(3).map_err(&wrong)?,
        hash: row.try_get(4).map_err(&wrong)?,
        created: Moment(row.try_get(5).map_err(&wrong)?),
    })
}
