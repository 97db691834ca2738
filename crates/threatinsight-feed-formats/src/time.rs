//! Times as lists, queries and people write them.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// Reads a time as RFC 3339 has it.
///
/// The last day of the year 9999, which is how many write "never", is the last moment that a
/// [`Timestamp`] holds: it ends 26 hours earlier.
///
/// ```
/// use threatinsight_feed_formats::rfc3339;
///
/// assert_eq!(rfc3339("1970-01-01T01:00:30+01:00").unwrap().as_second(), 30);
/// assert_eq!(rfc3339("9999-12-31T23:59:59Z"), Some(jiff::Timestamp::MAX));
/// assert_eq!(rfc3339("9999-12-31T23:59:59"), None);
/// ```
#[must_use]
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    Some(moment(&pieces, pieces.time()?, pieces.to_numeric_offset()?))
}

/// Reads a time as ISO 8601 has it: [`rfc3339`], but without an offset it is UTC, and without a
/// time of day midnight.
#[must_use]
pub fn iso8601(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    Some(moment(&pieces, pieces.time().unwrap_or_default(), offset))
}

fn moment(pieces: &Pieces<'_>, time: Time, offset: Offset) -> Timestamp {
    let written = pieces.date().to_datetime(time);
    let end = if written.year() > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    };
    offset.to_timestamp(written).unwrap_or(end)
}
