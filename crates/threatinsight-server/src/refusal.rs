//! Answers that refuse, as Okta's error object.
//!
//! Source: Okta API, "Error codes"; the code is the contract, texts are Okta's where it has one.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::identifier;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    code: Code,
    /// What takes the place of `{0}` in the summary.
    detail: String,
    causes: Vec<String>,
}

/// Okta's error codes, as far as this service answers with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Validation,
    Malformed,
    TooLarge,
    TimedOut,
    Forbidden,
    NotFound,
    NoSuchPath,
    Internal,
    Unavailable,
    Token,
    MediaType,
    Method,
    Paging,
    Search,
    RateLimit,
    Filter,
}

impl Code {
    const fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Validation => (
                "E0000001",
                StatusCode::BAD_REQUEST,
                "Api validation failed: {0}",
            ),
            Self::Malformed => (
                "E0000003",
                StatusCode::BAD_REQUEST,
                "The request body was not well-formed.",
            ),
            Self::TooLarge => (
                "E0000003",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body was not well-formed.",
            ),
            Self::TimedOut => (
                "E0000002",
                StatusCode::REQUEST_TIMEOUT,
                "The request was not valid: {0}",
            ),
            Self::Forbidden => (
                "E0000006",
                StatusCode::FORBIDDEN,
                "You do not have permission to perform the requested action",
            ),
            Self::NotFound => ("E0000007", StatusCode::NOT_FOUND, "Not found: {0}"),
            Self::NoSuchPath => (
                "E0000008",
                StatusCode::NOT_FOUND,
                "The requested path was not found",
            ),
            Self::Internal => (
                "E0000009",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal Server Error",
            ),
            Self::Unavailable => (
                "E0000010",
                StatusCode::SERVICE_UNAVAILABLE,
                "Service is in read only mode",
            ),
            Self::Token => (
                "E0000011",
                StatusCode::UNAUTHORIZED,
                "Invalid token provided",
            ),
            Self::MediaType => (
                "E0000021",
                StatusCode::BAD_REQUEST,
                "Bad request.  Accept and/or Content-Type headers likely do not match supported values.",
            ),
            Self::Method => (
                "E0000022",
                StatusCode::METHOD_NOT_ALLOWED,
                "The endpoint does not support the provided HTTP method",
            ),
            Self::Paging => (
                "E0000029",
                StatusCode::BAD_REQUEST,
                "Invalid paging request.",
            ),
            Self::Search => ("E0000031", StatusCode::BAD_REQUEST, "{0}"),
            Self::RateLimit => (
                "E0000047",
                StatusCode::TOO_MANY_REQUESTS,
                "API call exceeded rate limit due to too many requests.",
            ),
            Self::Filter => ("E0000053", StatusCode::BAD_REQUEST, "{0}"),
        }
    }
}

impl Refusal {
    pub(crate) const fn new(code: Code) -> Self {
        Self {
            code,
            detail: String::new(),
            causes: Vec::new(),
        }
    }

    pub(crate) fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::new(code)
        }
    }

    /// `Api validation failed: {member}`, with a cause `{member}: {message}` for each message.
    pub(crate) fn validation<M: AsRef<str>>(
        member: &str,
        messages: impl IntoIterator<Item = M>,
    ) -> Self {
        let causes = messages.into_iter();
        Self {
            code: Code::Validation,
            detail: member.to_owned(),
            causes: causes
                .map(|message| format!("{member}: {}", message.as_ref()))
                .collect(),
        }
    }

    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// `Not found: Resource not found: {id} ({kind})`.
    pub(crate) fn not_found(id: &str, kind: &str) -> Self {
        Self::with_detail(Code::NotFound, format!("Resource not found: {id} ({kind})"))
    }

    /// The causes, or else the detail, as one line.
    pub(crate) fn reason(&self) -> String {
        if self.causes.is_empty() {
            self.object().error_summary
        } else {
            self.causes.join("; ")
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.code.parts().1
    }

    /// Okta's error object, under a fresh id.
    pub(crate) fn object(&self) -> ErrorObject {
        let (code, _, summary) = self.code.parts();
        ErrorObject {
            error_code: code,
            error_summary: summary.replacen("{0}", &self.detail, 1),
            error_link: code,
            error_id: identifier::error(),
            error_causes: self
                .causes
                .iter()
                .map(|cause| Cause {
                    error_summary: cause.clone(),
                })
                .collect(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Json(self.object())).into_response()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorObject {
    error_code: &'static str,
    error_summary: String,
    error_link: &'static str,
    error_id: String,
    error_causes: Vec<Cause>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cause {
    error_summary: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_the_members_in_oktas_order() {
        let refusal = Refusal::validation("action", ["The field cannot be left blank"]);
        let json = serde_json::to_string(&refusal.object()).unwrap();
        let start = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: action","errorLink":"E0000001","errorId":"oae"#;
        let end = r#"","errorCauses":[{"errorSummary":"action: The field cannot be left blank"}]}"#;
        assert!(json.starts_with(start) && json.ends_with(end), "{json}");
    }
}
