//! The answer to a request that is blocked.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::event::Event;

/// What answers a blocked request: [`AccessDenied`], or a closure.
///
/// A gRPC server answers with a status, not with a body:
///
/// ```
/// use tonic::{Status, body::Body};
/// use threatinsight_tower::{Event, Refuse};
///
/// let refuse = |_: &Event<'_>| Status::permission_denied("not from this address").into_http();
/// # fn is_refusal(_: impl Refuse<Body>) {}
/// # is_refusal(refuse);
/// ```
pub trait Refuse<B> {
    /// The answer. It should not say why: that tells a suspicious client what to change.
    fn refuse(&self, event: &Event<'_>) -> Response<B>;
}

impl<F, B> Refuse<B> for F
where
    F: Fn(&Event<'_>) -> Response<B>,
{
    fn refuse(&self, event: &Event<'_>) -> Response<B> {
        self(event)
    }
}

/// Status 403 and the body that Okta answers with: error `E0000006` as JSON, with an id of its own
/// every time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessDenied;

impl<B: From<String>> Refuse<B> for AccessDenied {
    fn refuse(&self, _: &Event<'_>) -> Response<B> {
        let id = error_id();
        let body = format!(
            "{{\"errorCode\":\"E0000006\",\
             \"errorSummary\":\"You do not have permission to perform the requested action\",\
             \"errorLink\":\"E0000006\",\"errorId\":\"{id}\",\"errorCauses\":[]}}"
        );
        let mut response = Response::new(body.into());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("no-cache, no-store"),
        );
        response
    }
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
