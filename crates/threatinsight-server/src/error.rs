//! Why the service does not start, or its store does not answer.

use std::error::Error;
use std::fmt;

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub struct StoreError(Kind);

#[derive(Debug)]
enum Kind {
    Database {
        doing: &'static str,
        error: Box<dyn Error + Send + Sync>,
    },
    Content {
        place: String,
        found: String,
    },
    Conflict,
}

impl StoreError {
    pub(crate) fn database(
        doing: &'static str,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Kind::Database {
            doing,
            error: error.into(),
        })
    }

    pub(crate) fn content(place: impl Into<String>, found: impl fmt::Display) -> Self {
        Self(Kind::Content {
            place: place.into(),
            found: found.to_string(),
        })
    }

    pub(crate) const fn conflict() -> Self {
        Self(Kind::Conflict)
    }

    /// Whether another instance's change was stored first; nothing was stored.
    pub(crate) const fn is_conflict(&self) -> bool {
        matches!(self.0, Kind::Conflict)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Database { doing, error } => write!(f, "store: {doing}: {error}"),
            Kind::Content { place, found } => write!(f, "store: {place}: {found}"),
            Kind::Conflict => f.write_str("store: another instance's change came first"),
        }
    }
}

impl Error for StoreError {}

/// Why the service does not start, or stops.
#[derive(Debug)]
pub struct ServiceError(String);

impl ServiceError {
    pub(crate) fn new(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self(format!("{place}: {reason}"))
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ServiceError {}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
