//! API tokens: made once, shown once, kept as salted hashes.
//!
//! A token is 42 characters, `00` and 40 random ones, of which the first ten name it. The rest
//! is 178 bits, so that one HMAC is enough: there is nothing to guess that slowness would protect.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::authentication::TOKEN_LIMIT;
use crate::clock::Moment;
use crate::error::{ServiceError, StoreError};
use crate::identifier;
use crate::scope::Scope;
use crate::store::{Location, Store, StoredToken, database_file};

/// How many characters of a token name it.
const ID_LENGTH: usize = 12;

/// How many characters an administrator token from outside has.
const FOREIGN_LENGTH: RangeInclusive<usize> = 20..=TOKEN_LIMIT;

/// A token as it is shown to an administrator: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// What names the token.
    pub id: String,
    /// What the administrator called it.
    pub name: String,
    /// The scopes, with blanks between them.
    pub scopes: String,
    /// When it was made, as the API writes times.
    pub created: String,
}

/// The tokens of a store, for whoever administers it from beside the service.
#[derive(Debug)]
pub struct Tokens(Store);

impl Tokens {
    /// Opens the store at `location`, or makes one; a service may be running on it.
    ///
    /// # Errors
    ///
    /// When the store cannot be reached or brought up to date.
    pub async fn open(location: &Location) -> Result<Self, ServiceError> {
        Ok(Self(Store::open(location).await?))
    }

    /// Opens the store at `location` like [`Tokens::open`], but makes no directory and no database
    /// in one.
    ///
    /// # Errors
    ///
    /// Also when the directory has no database.
    pub async fn open_existing(location: &Location) -> Result<Self, ServiceError> {
        if let Location::Directory(directory) = location {
            let missing = |error: &io::Error| {
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
            };
            let is_there = match database_file(directory).metadata() {
                Ok(metadata) => metadata.is_file(),
                Err(error) if missing(&error) => false,
                Err(error) => return Err(ServiceError::new(directory.display(), error)),
            };
            if !is_there {
                let expected = "no database, expected the directory of a service";
                return Err(ServiceError::new(directory.display(), expected));
            }
        }
        Self::open(location).await
    }

    /// Makes a token and returns it. It is shown this once.
    ///
    /// # Errors
    ///
    /// When the name has control characters, which would break a line in which it is shown, or the
    /// store does not keep the token.
    pub async fn create(&self, name: &str, scopes: &[Scope]) -> Result<String, ServiceError> {
        if name.contains(char::is_control) {
            let found = format!(
                "control character in `{}`, expected none",
                name.escape_debug()
            );
            return Err(ServiceError::new("name", found));
        }
        Ok(create(&self.0, name, scopes).await?)
    }

    /// Every token, oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn list(&self) -> Result<Vec<TokenInfo>, ServiceError> {
        let tokens = self.0.tokens().await?.into_iter();
        Ok(tokens
            .map(|token| TokenInfo {
                id: token.id,
                name: token.name,
                scopes: token.scopes,
                created: token.created.to_second(),
            })
            .collect())
    }

    /// Revokes a token: it counts for no request that begins afterwards. Whether there was one.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn revoke(&self, id: &str) -> Result<bool, ServiceError> {
        Ok(self.0.delete_token(id).await?)
    }

    /// Revokes the token that [`Tokens::create`] returned: if it could not be shown, nobody has it.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn discard(&self, token: &str) -> Result<(), ServiceError> {
        Ok(revoke(&self.0, token).await?)
    }
}

/// Makes a token and stores what is needed to know it again.
pub(crate) async fn create(
    store: &Store,
    name: &str,
    scopes: &[Scope],
) -> Result<String, StoreError> {
    let token = identifier::fresh("00", 40);
    let id = id(&token);
    let salt = identifier::random().to_vec();
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let stored = StoredToken {
        id,
        name: name.to_owned(),
        scopes: scopes.join(" "),
        hash: hash(&salt, &token).finalize().into_bytes().to_vec(),
        salt,
        created: Moment::now(),
    };
    store.insert_token(&stored).await?;
    Ok(token)
}

/// Revokes the token itself, of which nobody need know the id.
pub(crate) async fn revoke(store: &Store, token: &str) -> Result<(), StoreError> {
    store.delete_token(&id(token)).await.map(drop)
}

/// The stored token that `presented` is, if it is one.
pub(crate) async fn find(
    store: &Store,
    presented: &str,
) -> Result<Option<StoredToken>, StoreError> {
    let Some(id) = presented.get(..ID_LENGTH) else {
        return Ok(None);
    };
    let token = store.token(id).await?;
    Ok(token.filter(|token| {
        hash(&token.salt, presented)
            .verify_slice(&token.hash)
            .is_ok()
    }))
}

fn id(token: &str) -> String {
    token.chars().take(ID_LENGTH).collect()
}

fn hash(salt: &[u8], token: &str) -> Hmac<Sha256> {
    // INVARIANT: HMAC takes keys of any length; the empty one is never reached.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(salt).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(token.as_bytes());
    mac
}

/// An administrator token that was given from outside and counts for this run only.
#[derive(Clone)]
pub struct AdministratorToken {
    salt: [u8; 16],
    hash: Vec<u8>,
}

impl AdministratorToken {
    /// Takes over `token`, of which only a salted hash is kept. A line end after it is no part of
    /// it: files with secrets often have one.
    ///
    /// # Errors
    ///
    /// When it could not come in an `Authorization` header, or is shorter than 20 characters or
    /// longer than 8,192.
    pub fn new(token: &str) -> Result<Self, ServiceError> {
        let refused = |reason: String| Err(ServiceError::new("administrator token", reason));
        let token = token.strip_suffix('\n').unwrap_or(token);
        let token = token.strip_suffix('\r').unwrap_or(token);
        if !token.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let found = "a character that no header brings, expected printable ASCII";
            return refused(found.to_owned());
        }
        if token.trim() != token {
            return refused("a blank at its start or end, expected none".to_owned());
        }
        let (length, expected) = (token.len(), FOREIGN_LENGTH);
        if !expected.contains(&length) {
            let (least, most) = expected.into_inner();
            return refused(format!("{length} characters, expected {least} to {most}"));
        }
        let salt = identifier::random();
        let hash = hash(&salt, token).finalize().into_bytes().to_vec();
        Ok(Self { salt, hash })
    }

    pub(crate) fn is(&self, presented: &str) -> bool {
        hash(&self.salt, presented).verify_slice(&self.hash).is_ok()
    }
}

impl fmt::Debug for AdministratorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdministratorToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_token_is_one_that_a_header_can_bring() {
        let longest = "x".repeat(8_192);
        for (token, presented) in [
            ("twenty characters ok", "twenty characters ok"),
            ("twenty characters ok\n", "twenty characters ok"),
            ("twenty characters ok\r\n", "twenty characters ok"),
            (&longest, &longest),
        ] {
            let token = AdministratorToken::new(token).unwrap();
            assert!(token.is(presented) && !token.is("twenty characters no"));
        }
        let unprintable = "a character that no header brings, expected printable ASCII";
        let blank = "a blank at its start or end, expected none";
        for (token, found) in [
            ("nineteen characters", "19 characters, expected 20 to 8192"),
            (
                &format!("{longest}x"),
                "8193 characters, expected 20 to 8192",
            ),
            ("twenty characters no ", blank),
            (" twenty characters no", blank),
            ("twenty characters no\n\n", unprintable),
            ("twenty characters n\u{f6}", unprintable),
            ("twenty\tcharacters\tno", unprintable),
        ] {
            assert_eq!(
                AdministratorToken::new(token).unwrap_err().to_string(),
                format!("administrator token: {found}")
            );
        }
    }

    #[tokio::test]
    async fn a_token_is_known_by_its_secret_and_not_by_its_id() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Directory(directory.path().into()))
            .await
            .unwrap();
        let token = create(&store, "terraform", &[Scope::NetworkZonesManage])
            .await
            .unwrap();
        let found = find(&store, &token).await.unwrap().unwrap();
        assert_eq!(
            (found.name.as_str(), found.scopes.as_str()),
            ("terraform", "okta.networkZones.manage")
        );

        let other = format!("{}{}", &token[..ID_LENGTH], "x".repeat(30));
        assert_eq!(find(&store, &other).await.unwrap(), None);
        assert_eq!(find(&store, "00").await.unwrap(), None);

        let file = std::fs::read(directory.path().join("threatinsight.db-wal")).unwrap();
        let secret = &token.as_bytes()[ID_LENGTH..];
        assert!(!file.windows(secret.len()).any(|window| window == secret));

        assert!(store.delete_token(&found.id).await.unwrap());
        assert_eq!(find(&store, &token).await.unwrap(), None);
    }
}
