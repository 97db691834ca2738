//! The answer to a request that is blocked.

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
        let mut response = Response::new(threatinsight_access_denied::body().into());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(threatinsight_access_denied::CONTENT_TYPE),
        );
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static(threatinsight_access_denied::CACHE_CONTROL),
        );
        response
    }
}
