//! `/v1/decisions` and `/v1/authorize`: what gateways ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request as HttpRequest, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, FORWARDED, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use threatinsight::{Chain, Decision, Explanation, Kind, Request, Snapshot, Verdict};

use super::body::{Body, json};
use crate::app::App;
use crate::event::{Observation, RequestContext};
use crate::options::ClientSource;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::visit::{lossy, peer, text};

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
static ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");

/// Where gateways ask about the request itself.
const AUTHORIZE: &str = "/v1/authorize";

/// How many chains one request may ask about.
const CHAINS: usize = 10_000;

/// How many explanations; each is some kilobytes.
const EXPLANATIONS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    chain: Option<String>,
    chains: Option<Vec<String>>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    explain: bool,
}

/// The answer to one chain.
#[derive(Serialize)]
struct Answer<'a> {
    chain: &'a str,
    #[serde(flatten)]
    decision: Decision<'a>,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Explanation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answers<'a> {
    decisions: Vec<Answer<'a>>,
    /// ACTIVE blocklist zones that are not enforced, because they are dynamic.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    not_enforced: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneAnswer<'a> {
    #[serde(flatten)]
    answer: Answer<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    not_enforced: &'a [String],
}

/// Judges the chains of a body. A request that asks for explanations asks about requests rather
/// than being one, and leaves nothing in the log.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let caller = app.authentication.caller(&headers).await.map_err(|error| {
        tracing::error!(%error, "a caller could not be looked up");
        Refusal::new(Code::Unavailable)
    })?;
    caller
        .ok_or_else(|| Refusal::new(Code::Token))?
        .require(Scope::DecisionsRead)?;
    let question: Question = json(&headers, body)?;
    let (chains, one) = match (question.chain, question.chains) {
        (Some(chain), None) => (vec![chain], true),
        (None, Some(chains)) => (chains, false),
        (None, None) => {
            return Err(Refusal::validation(
                "chain",
                ["The field cannot be left blank"],
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Refusal::validation(
                "chains",
                ["expected either chain or chains"],
            ));
        }
    };
    let limit = if question.explain {
        EXPLANATIONS
    } else {
        CHAINS
    };
    if chains.len() > limit {
        let message = format!("{} chains, expected at most {limit}", chains.len());
        return Err(Refusal::validation("chains", [message]));
    }
    let not_enforced = app.control.not_enforced();
    let snapshot = app.control.engine().load();
    let decide = |chain| judge(&app, &snapshot, chain, question.kind, question.explain);
    let mut decisions: Vec<Answer<'_>> = chains.iter().map(|chain| decide(chain)).collect();
    let not_enforced: &[String] = &not_enforced;
    let answer = match decisions.pop() {
        Some(answer) if one => Json(OneAnswer {
            answer,
            not_enforced,
        })
        .into_response(),
        last => {
            decisions.extend(last);
            Json(Answers {
                decisions,
                not_enforced,
            })
            .into_response()
        }
    };
    Ok(answer)
}

fn judge<'a>(
    app: &App,
    snapshot: &'a Snapshot,
    text: &'a str,
    kind: Kind,
    explain: bool,
) -> Answer<'a> {
    let request = Request::new(Chain::parse(text.as_bytes())).with_kind(kind);
    let decision = snapshot.evaluate(&request);
    if !explain {
        observe(app, &decision, &request.chain, RequestContext::default);
    }
    Answer {
        chain: text,
        decision,
        generation: snapshot.generation(),
        explanation: explain.then(|| snapshot.explain(&request)),
    }
}

/// Counts a decision, and leaves it to the log when it is one to log.
pub(super) fn observe(
    app: &App,
    decision: &Decision<'_>,
    chain: &Chain<'_>,
    context: impl FnOnce() -> RequestContext,
) {
    app.control.metrics().decided(decision);
    if let Some(observation) = Observation::of(decision, chain, context) {
        app.events.push(observation);
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    kind: Kind,
}

/// Judges the request itself, as a gateway forwards it: 200 with an empty body, or 403.
///
/// The method is the client's with some gateways, the gateway's with others, and says nothing.
/// A kind that is none of ours is the strictest, an authentication request. So is one in a query that
/// is the client's: below the path itself, and where the gateway says that the client asked with the
/// same query, because Caddy hands it on with the path.
pub(super) async fn authorize(
    State(app): State<Arc<App>>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: HttpRequest,
) -> Response {
    let headers = request.headers();
    let uri = request.uri();
    let is_clients = [&FORWARDED_URI, &ORIGINAL_URI].iter().any(|name| {
        let theirs = headers.get_all(*name).iter().map(HeaderValue::as_bytes);
        let mut queries = theirs.filter_map(|uri| uri.splitn(2, |byte| *byte == b'?').nth(1));
        queries.any(|query| uri.query().map(str::as_bytes) == Some(query))
    });
    let kind = match asked {
        Ok(Query(asked)) if uri.path() == AUTHORIZE && !is_clients => asked.kind,
        Ok(_) | Err(_) => Kind::default(),
    };
    let peer = peer(&request);
    let lines = |name: &HeaderName| -> Vec<&[u8]> {
        headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect()
    };
    match &app.client_source {
        ClientSource::ForwardedFor => {
            let lines = lines(&FORWARDED_FOR);
            answer(
                &app,
                &Request::new(Chain::x_forwarded_for(peer, &lines)).with_kind(kind),
                headers,
            )
        }
        ClientSource::Forwarded => {
            let lines = lines(&FORWARDED);
            answer(
                &app,
                &Request::new(Chain::forwarded(peer, &lines)).with_kind(kind),
                headers,
            )
        }
        ClientSource::Header(name) => {
            let mut values = headers.get_all(name.as_str()).iter();
            let client = match (values.next(), values.next()) {
                (Some(value), None) => value.as_bytes(),
                (Some(_), Some(_)) | (None, _) => b"",
            };
            // Whoever can send two, or a list, is not the gateway.
            let client = if client.contains(&b',') { b"" } else { client };
            let chain = Chain::parse(client);
            let resolved = chain.hops().next().and_then(|hop| hop.address);
            let chain = resolved.map_or(chain, Chain::from);
            answer(&app, &Request::new(chain).with_kind(kind), headers)
        }
    }
}

fn answer(app: &App, request: &Request<'_>, headers: &HeaderMap) -> Response {
    let snapshot = app.control.engine().load();
    let decision = snapshot.evaluate(request);
    observe(app, &decision, &request.chain, || RequestContext {
        user_agent: lossy(headers, &USER_AGENT),
        uri: lossy(headers, &FORWARDED_URI).or_else(|| lossy(headers, &ORIGINAL_URI)),
    });
    let mut answer = match decision.verdict {
        Verdict::Allow | Verdict::Log => StatusCode::OK.into_response(),
        Verdict::Block if wants_page(headers) => {
            let page = (StatusCode::FORBIDDEN, FORBIDDEN_PAGE).into_response();
            with_type(page, "text/html; charset=utf-8")
        }
        Verdict::Block => Refusal::new(Code::Forbidden).into_response(),
    };
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

const FORBIDDEN_PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<title>403 Access Forbidden</title></head><body><h1>403 Access Forbidden</h1>\
<p>You do not have permission to perform the requested action</p></body></html>\n";

fn with_type(mut answer: Response, kind: &'static str) -> Response {
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Whether the client asks for HTML, and not for JSON before it.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = text(headers, &ACCEPT).unwrap_or_default();
    let place = |kind| accept.find(kind);
    match (place("text/html"), place("application/json")) {
        (Some(html), Some(json)) => html < json,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
