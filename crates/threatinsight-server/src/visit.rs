//! What every request of the API goes through, and what handlers are told about it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HOST, PRAGMA, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::authentication::Caller;
use crate::clock::Moment;
use crate::event::Administrator;
use crate::identifier;
use crate::rate_limit::{Allowance, Bucket, Counted};
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-okta-request-id");
static LIMIT: HeaderName = HeaderName::from_static("x-rate-limit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-rate-limit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-rate-limit-reset");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// One request of the API, as far as it was looked at before its handler.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// `https://host`, by which the service was reached.
    pub(crate) base: String,
    caller: Option<Caller>,
    peer: Option<IpAddr>,
    request_id: String,
    user_agent: Option<String>,
    uri: String,
}

impl Visit {
    /// The caller, if it may do what needs `scope`.
    pub(crate) fn require(&self, scope: Scope) -> Result<&Caller, Refusal> {
        let caller = self
            .caller
            .as_ref()
            .ok_or_else(|| Refusal::new(Code::Token))?;
        caller.require(scope)?;
        Ok(caller)
    }

    /// The caller, if it may do what needs `scope`, as events name it.
    pub(crate) fn administrator(&self, scope: Scope) -> Result<Administrator, Refusal> {
        let caller = self.require(scope)?;
        Ok(Administrator {
            id: caller.id.clone(),
            name: caller.name.clone(),
            token: caller.token.clone(),
            address: self.peer,
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            uri: self.uri.clone(),
        })
    }
}

/// Looks at a request, counts it, has it handled in time, and completes the answer.
pub(crate) async fn attend(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = identifier::request();
    let method = method_name(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    let peer = peer(&request);
    let started = tokio::time::Instant::now();

    let caller = app.authentication.caller(request.headers()).await;
    let caller = caller.map_err(|error| {
        tracing::error!(%error, "a caller could not be looked up");
        Refusal::new(Code::Unavailable)
    });
    let counted = match &caller {
        Ok(Some(caller)) => Counted::Caller(caller.id.clone()),
        Ok(None) | Err(_) => Counted::Address(peer),
    };
    let bucket = Bucket::of(request.uri().path());
    let allowance = app.rate_limit.count(counted, bucket, Moment::now());

    let answer = match caller {
        _ if !app.control.is_ready() => Refusal::new(Code::Unavailable).into_response(),
        Err(refusal) => refusal.into_response(),
        Ok(_) if allowance.exceeded => Refusal::new(Code::RateLimit).into_response(),
        Ok(caller) => {
            let headers = request.headers();
            let visit = Visit {
                base: base(&app, request.uri(), headers),
                caller,
                peer,
                request_id: request_id.clone(),
                user_agent: lossy(headers, &USER_AGENT)
                    .map(|text| text.chars().take(512).collect()),
                uri: request.uri().path().chars().take(512).collect(),
            };
            request.extensions_mut().insert(Arc::new(visit));
            // What a client sends slowly it may not hold open for ever; an upload may take longer.
            let limit = app.request_timeout * if bucket == Bucket::Feeds { 10 } else { 1 };
            match tokio::time::timeout(limit, next.run(request)).await {
                Ok(answer) => in_oktas_form(answer),
                Err(_) => {
                    let detail = format!("not complete after {} s", limit.as_secs());
                    Refusal::with_detail(Code::TimedOut, detail).into_response()
                }
            }
        }
    };
    app.control
        .metrics()
        .answered(method, route.clone(), answer.status().as_u16());
    let status = answer.status().as_u16();
    let elapsed = started.elapsed().as_micros();
    tracing::info!(
        method,
        route,
        status,
        elapsed_us = elapsed,
        request = request_id,
        "answered"
    );
    complete(answer, &request_id, allowance)
}

/// What the framework refuses by itself, such as a path that is not UTF-8, it refuses in plain text.
fn in_oktas_form(answer: Response) -> Response {
    let is_error = answer.status().is_client_error() || answer.status().is_server_error();
    let kind = text(answer.headers(), &CONTENT_TYPE).unwrap_or_default();
    if !is_error || kind.starts_with("application/json") {
        return answer;
    }
    let code = if answer.status().is_server_error() {
        Code::Internal
    } else {
        Code::Malformed
    };
    Refusal::new(code).into_response()
}

fn complete(mut answer: Response, request_id: &str, allowance: Allowance) -> Response {
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID.clone(), id);
    }
    headers.insert(LIMIT.clone(), allowance.limit.into());
    headers.insert(REMAINING.clone(), allowance.remaining.into());
    headers.insert(RESET.clone(), allowance.reset.into());
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The address that opened the connection.
pub(crate) fn peer(request: &Request) -> Option<IpAddr> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(threatinsight::address::canonical(info.0.ip()))
}

/// Where the client reached us: clients key their caches by the links in our answers.
///
/// HTTP/1.1 names the host in a header, HTTP/2 in the address.
fn base(app: &App, uri: &Uri, headers: &HeaderMap) -> String {
    let forwarded = text(headers, &FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
    let scheme = if app.tls || forwarded {
        "https"
    } else {
        "http"
    };
    let is_host = |host: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
    };
    let host = text(headers, &HOST)
        .or_else(|| uri.authority().map(Authority::as_str))
        .filter(is_host)
        .unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// A header for the log, whatever bytes it has: what one byte could hide, attackers would.
pub(crate) fn lossy(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// A header that decides something, if it is text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The method as a label: one of few, whatever a client makes up.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
