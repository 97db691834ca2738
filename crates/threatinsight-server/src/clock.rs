//! The time, and how the API writes it.

use std::time::{SystemTime, UNIX_EPOCH};

use threatinsight::Timestamp;
use threatinsight_feed_formats::iso8601;

/// A moment in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    pub(crate) fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
        let milliseconds = elapsed.map_or(0, |elapsed| elapsed.as_millis());
        Self(i64::try_from(milliseconds).unwrap_or(i64::MAX))
    }

    pub(crate) const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds, written with `.000`, as the real service does for objects.
    pub(crate) fn to_second(self) -> String {
        Self(self.seconds().saturating_mul(1_000)).to_millisecond()
    }

    /// `2026-01-31T12:00:00.123Z`.
    pub(crate) fn to_millisecond(self) -> String {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        format!("{time:.3}")
    }

    /// Reads an ISO 8601 time; a time without an offset is UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self(iso8601(text)?.as_millisecond()))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        Self(u64::try_from(moment.seconds()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_whole_seconds_and_events_milliseconds() {
        let moment = Moment(1_771_396_501_789);
        assert_eq!(moment.to_second(), "2026-02-18T06:35:01.000Z");
        assert_eq!(moment.to_millisecond(), "2026-02-18T06:35:01.789Z");
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        for (text, expected) in [
            ("2026-02-18T06:35:01Z", Some(1_771_396_501_000)),
            ("2026-02-18T06:35:01.789Z", Some(1_771_396_501_789)),
            ("2026-02-18T08:35:01+02:00", Some(1_771_396_501_000)),
            ("2026-02-18T06:35:01", Some(1_771_396_501_000)),
            ("2026-02-18", Some(1_771_372_800_000)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_207_200_999)),
            ("9999-12-31", Some(253_402_207_200_999)),
            ("10000-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(
                Moment::parse(text).map(|moment| moment.0),
                expected,
                "{text}"
            );
        }
    }
}
