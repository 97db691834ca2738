//! How often one caller may ask, as the real service counts: a window that begins with the first
//! request and is not smoothed, so that `X-Rate-Limit-Reset` can be promised to the second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::clock::Moment;

/// Requests that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    Threats,
    Zones,
    Logs,
    Feeds,
    Other,
}

impl Bucket {
    pub(crate) fn of(path: &str) -> Self {
        let within = |prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
        };
        if within("/api/v1/threats") {
            Self::Threats
        } else if within("/api/v1/zones") {
            Self::Zones
        } else if within("/api/v1/logs") {
            Self::Logs
        } else if within("/v1/feeds") || within("/v1/listed") {
            Self::Feeds
        } else {
            Self::Other
        }
    }
}

/// Who is counted: a token, or an address that showed none that is valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    Caller(String),
    Address(Option<IpAddr>),
}

/// What is left to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds since the Unix epoch.
    pub(crate) reset: i64,
    pub(crate) exceeded: bool,
}

const WINDOW: i64 = 60;

/// How many windows are remembered before those that ended are forgotten.
const REMEMBERED: usize = 10_000;

/// The windows of all callers.
#[derive(Debug)]
pub(crate) struct RateLimit {
    limit: u32,
    windows: Mutex<HashMap<(Counted, Bucket), Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    reset: i64,
    used: u32,
}

impl RateLimit {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            windows: Mutex::default(),
        }
    }

    /// Counts one request.
    pub(crate) fn count(&self, counted: Counted, bucket: Bucket, now: Moment) -> Allowance {
        let now = now.seconds();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= REMEMBERED {
            windows.retain(|_, window| window.reset > now);
            // Only a flood of addresses fills it with windows that are open.
            if windows.len() >= REMEMBERED {
                windows.clear();
            }
        }
        let fresh = Window {
            reset: now + WINDOW,
            used: 0,
        };
        let window = windows.entry((counted, bucket)).or_insert(fresh);
        if window.reset <= now {
            *window = fresh;
        }
        let exceeded = window.used >= self.limit;
        window.used = window.used.saturating_add(1);
        Allowance {
            limit: self.limit,
            remaining: self.limit.saturating_sub(window.used),
            reset: window.reset,
            exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_with_the_first_request_and_ends_after_a_minute() {
        let limit = RateLimit::new(2);
        let caller = || Counted::Caller("a".to_owned());
        let ask = |second: i64| limit.count(caller(), Bucket::Zones, Moment(second * 1_000));
        let left =
            |allowance: Allowance| (allowance.remaining, allowance.exceeded, allowance.reset);
        assert_eq!(left(ask(7)), (1, false, 67));
        assert_eq!(left(ask(8)), (0, false, 67));
        assert_eq!(left(ask(66)), (0, true, 67));
        assert_eq!(left(ask(67)), (1, false, 127));
    }

    #[test]
    fn buckets_and_callers_are_counted_apart() {
        let limit = RateLimit::new(1);
        let now = Moment(0);
        let a = Counted::Caller("a".to_owned());
        assert!(!limit.count(a.clone(), Bucket::Zones, now).exceeded);
        assert!(!limit.count(a.clone(), Bucket::Logs, now).exceeded);
        assert!(
            !limit
                .count(Counted::Address(None), Bucket::Zones, now)
                .exceeded
        );
        assert!(limit.count(a, Bucket::Zones, now).exceeded);
    }

    #[test]
    fn paths_beside_a_bucket_are_not_in_it() {
        assert_eq!(Bucket::of("/api/v1/zones/nzo1"), Bucket::Zones);
        assert_eq!(Bucket::of("/api/v1/zonesx"), Bucket::Other);
    }
}
