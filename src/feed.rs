//! Feeds: named sources of suspicious prefixes.

mod admission;
mod parse;

pub use self::admission::Admission;
pub use self::parse::{
    EntryText, FeedError, FeedParser, FeedReport, ParseOptions, ParsedFeed, RejectReason,
    RejectedLine,
};

use std::fmt;

use crate::prefix::{Family, Prefix};
use crate::row::Row;
use crate::threat::{Level, Pattern, Patterns};

/// A moment, in seconds since the Unix epoch. The core has no clock: whoever calls it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    /// The moment in UTC, as RFC 3339 writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400;
        // Days from 0000-03-01, so that a leap day ends its year; 400 years are 146,097 days.
        let days = self.0 / DAY + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Months of 31 and 30 days by turns from March: five have 153 days.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = 400 * era + year + carry;
        let (hour, minute, second) = (self.0 % DAY / 3_600, self.0 / 60 % 60, self.0 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// One prefix of a feed, with what the feed knows about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The suspicious addresses.
    pub prefix: Prefix,
    /// How dangerous they are.
    pub level: Level,
    /// What they were seen doing.
    pub patterns: Patterns,
    /// The first moment at which the entry no longer lives; `None` is never. Moments past
    /// 2106-02-07 are kept as 06:28:14 of that day.
    pub expires: Option<Timestamp>,
}

impl Entry {
    /// An entry of a feed that states no level, pattern or expiry: [`Level::High`],
    /// [`Pattern::NegativeIpReputation`], never.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            level: Level::High,
            patterns: Pattern::NegativeIpReputation.into(),
            expires: None,
        }
    }
}

/// One named source of suspicious prefixes.
///
/// Kept as columns, 12 bytes an IPv4 entry and 24 an IPv6 entry.
///
/// ```
/// use threatinsight::{Feed, ParseOptions};
///
/// let text = b"# seen today\n198.51.100.0/24\n203.0.113.7 ; SBL1\nnot-an-address\n";
/// let parsed = Feed::parse("scanners", text, &ParseOptions::default()).unwrap();
/// assert_eq!(parsed.feed.len(), 2);
/// assert_eq!(
///     parsed.report.rejected[0].to_string(),
///     "line 4: not an IPv4 or IPv6 address in `not-an-address`"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Feed {
    name: String,
    /// Until when the source vouches for everything in the feed.
    ///
    /// An entry lives until its own expiry or this moment, whichever is later: a feed whose source
    /// still asserts it does not wither because entries were stamped with short lives.
    /// `None`: the entries' own expiries alone count.
    pub asserted_until: Option<Timestamp>,
    pub(crate) rows4: Vec<Row<u32>>,
    pub(crate) rows6: Vec<Row<u128>>,
}

impl Feed {
    /// A feed without entries.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            asserted_until: None,
            rows4: Vec::new(),
            rows6: Vec::new(),
        }
    }

    /// Adds one entry as it is. Admission is for lists from outside: see [`FeedParser`].
    pub fn push(&mut self, entry: Entry) {
        match entry.prefix.family() {
            Family::V4(prefix) => self.rows4.push(Row::new(prefix, &entry)),
            Family::V6(prefix) => self.rows6.push(Row::new(prefix, &entry)),
        }
    }

    /// The name, by which decisions and explanations refer to the feed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many entries there are, repeated ones counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows4.len() + self.rows6.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries: IPv4 first, in the order they were added.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let rows4 = self.rows4.iter().map(Row::entry);
        rows4.chain(self.rows6.iter().map(Row::entry))
    }
}

impl Extend<Entry> for Feed {
    fn extend<I: IntoIterator<Item = Entry>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_as_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp(seconds).to_string(), expected);
        }
    }
}
