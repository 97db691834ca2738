//! RFC 3339 and the system clock: the core has neither.

use std::error::Error;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use threatinsight::Timestamp;
use threatinsight_feed_formats::rfc3339;

/// Reads a time as RFC 3339 has it; what is below a second is dropped.
pub(crate) fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let time = rfc3339(text).ok_or(TimeError::NotRfc3339)?;
    let seconds = u64::try_from(time.as_second()).map_err(|_| TimeError::Before1970)?;
    Ok(Timestamp(seconds))
}

/// The present; a clock set before 1970 shows 1970.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(elapsed.map_or(0, |elapsed| elapsed.as_secs()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    NotRfc3339,
    Before1970,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRfc3339 => "expected a time as in RFC 3339, such as 2026-01-31T12:00:00Z",
            Self::Before1970 => "expected a time from 1970 on",
        })
    }
}

impl Error for TimeError {}
