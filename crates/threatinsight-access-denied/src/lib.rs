//! What Okta answers a blocked request with, so that every adapter answers alike: status 403,
//! error `E0000006`, and nothing about why, which would tell a suspicious client what to change.
//!
//! ```
//! let body = threatinsight_access_denied::body();
//! assert!(body.starts_with(r#"{"errorCode":"E0000006","#));
//! ```
#![forbid(unsafe_code)]

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The status.
pub const STATUS: u16 = 403;

/// The body's `Content-Type`.
pub const CONTENT_TYPE: &str = "application/json";

/// The answer's `Cache-Control`: the next request may be judged otherwise.
pub const CACHE_CONTROL: &str = "no-cache, no-store";

/// The body, under an id of its own every time.
#[must_use]
pub fn body() -> String {
    let id = error_id();
    format!(
        "{{\"errorCode\":\"E0000006\",\
         \"errorSummary\":\"You do not have permission to perform the requested action\",\
         \"errorLink\":\"E0000006\",\"errorId\":\"{id}\",\"errorCauses\":[]}}"
    )
}

/// `oae` and 22 digits: a number of this process, and one that tells processes apart.
fn error_id() -> String {
    static PROCESS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "oae{:016x}{:06x}",
        PROCESS.hash_one(number),
        number & 0xff_ffff
    )
}
