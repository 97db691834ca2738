//! Bodies, read whole within their limit.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;
use threatinsight_feed_formats::from_json;

use crate::refusal::{Code, Refusal};
use crate::visit::text;

/// A body, as axum hands it over.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// The bytes of a body.
pub(super) fn bytes(body: Body) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| {
        let code = match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::Malformed,
        };
        Refusal::new(code)
    })
}

/// The JSON of a body.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    if let Some(kind) = text(headers, &CONTENT_TYPE) {
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if kind != "application/json" && !kind.ends_with("+json") {
            return Err(Refusal::new(Code::MediaType));
        }
    }
    from_json(&bytes(body)?).map_err(|_| Refusal::new(Code::Malformed))
}
