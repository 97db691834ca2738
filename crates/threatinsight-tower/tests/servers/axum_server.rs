//! Axum: the conformance corpus through HTTP, swaps, and each setting.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{ConnectInfo, Extension};
use axum::routing::get;
use axum::{Router, body::Body};
use http::{Response, StatusCode};
use threatinsight::{
    Action, Configuration, Engine, Extensions, Kind, Policy, Reason, Timestamp, Verdict,
};
use threatinsight_corpus::{Arrival, Found, Header};
use threatinsight_tower::{Attach, ChainSource, EnforceLayer, Event, Facts, Peer};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::proxy_listener::{ProxiedPeer, ProxyListener};
use crate::{engine, snapshot};

/// Facts in the order they were seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Facts>>>);

impl Seen {
    fn push(&self, facts: Facts) {
        self.0.lock().unwrap().push(facts);
    }

    fn take(&self) -> Vec<Facts> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn found(facts: &Facts) -> Found {
    Found {
        verdict: facts.verdict,
        reason: facts.reason,
        client: facts.client,
        level: facts.level,
        patterns: facts.patterns,
    }
}

/// The peer of a connection that came straight from the client.
fn socket_peer() -> Peer {
    Peer::extension(|ConnectInfo(address): &ConnectInfo<SocketAddr>| Some(address.ip()))
}

/// Serves `router` on loopback and connects to it.
async fn connect(router: Router) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await });
    Client::connect(address).await
}

#[tokio::test]
async fn every_case_of_the_corpus_is_decided_as_written() {
    let engine = Engine::new(
        Policy::new(Action::None)
            .compile(&[], Timestamp(0))
            .unwrap(),
    );
    let (events, passed) = (Seen::default(), Seen::default());
    let layer = |source, kind| {
        let events = events.clone();
        let peer = Peer::extension(|ConnectInfo(peer): &ConnectInfo<ProxiedPeer>| peer.0);
        EnforceLayer::new(engine.clone(), peer)
            .chain_source(source)
            .kind(kind)
            .attach(Attach::Always)
            .on_event(move |event| events.push(event.facts()))
    };
    let handler = {
        let passed = passed.clone();
        get(async move |Extension(facts): Extension<Facts>| passed.push(facts))
    };
    let mut router = Router::new();
    for kind in [Kind::Authentication, Kind::Other] {
        let list = handler.clone().layer(layer(ChainSource::default(), kind));
        let forwarded = handler.clone().layer(layer(ChainSource::Forwarded, kind));
        router = router
            .route(&format!("/x-forwarded-for/{kind}"), list)
            .route(&format!("/forwarded/{kind}"), forwarded);
    }
    let listener = ProxyListener(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.0.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<ProxiedPeer>();
    tokio::spawn(async { axum::serve(listener, service).await });

    let mut complaints = Vec::new();
    let mut inexpressible = Vec::new();
    for case in threatinsight_corpus::cases() {
        let Some(Arrival {
            peer,
            header,
            lines,
        }) = case.arrival()
        else {
            inexpressible.push(case.name);
            continue;
        };
        engine.swap(case.policy.compile(&case.feeds(), case.now()).unwrap());
        let name = match header {
            Header::XForwardedFor => "x-forwarded-for",
            Header::Forwarded => "forwarded",
        };
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut client = Client::connect_for(peer, address).await;
        let answer = client
            .ask(&format!("/{name}/{}", case.kind), name, &lines)
            .await;
        let (events, passed) = (events.take(), passed.take());
        let (status, facts) = match (&events[..], &passed[..]) {
            ([], [facts]) if facts.verdict == Verdict::Allow => (200, *facts),
            ([logged], [facts]) if logged == facts && facts.verdict == Verdict::Log => {
                (200, *facts)
            }
            ([facts], []) if facts.verdict == Verdict::Block => (403, *facts),
            _ => panic!("{}: {events:?}, {passed:?}, {answer:?}", case.name),
        };
        assert_eq!(answer.status, status, "{}", case.name);
        assert_eq!(
            facts.generation,
            engine.load().generation(),
            "{}",
            case.name
        );
        complaints.extend(case.complaint(&found(&facts)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let blank = ["blank hop alone before a trusted proxy makes the client unknown"];
    assert_eq!(inexpressible, blank);
}

#[tokio::test]
async fn the_next_request_obeys_a_swap_on_the_same_connection() {
    let engine = engine(Action::Block);
    let layer = EnforceLayer::new(engine.clone(), socket_peer());
    let mut client = connect(Router::new().route("/", get(async || "in").layer(layer))).await;
    let mut ask = async || {
        client
            .ask("/", "x-forwarded-for", &["203.0.113.7"])
            .await
            .status
    };
    for _ in 0..20 {
        assert_eq!(ask().await, 403);
        let audit = Configuration::new(Action::Audit);
        engine
            .update_configuration(&audit, &Extensions::default())
            .unwrap();
        assert_eq!(ask().await, 200);
        engine.swap(snapshot(Action::Block));
    }
}

#[tokio::test]
async fn a_blocked_request_gets_what_okta_answers() {
    let layer = EnforceLayer::new(engine(Action::Block), socket_peer());
    let mut client = connect(Router::new().route("/", get(async || "in").layer(layer))).await;
    let mut ids = Vec::new();
    for line in ["203.0.113.7", "[2001:db8:bad::7]:443"] {
        let answer = client.ask("/", "x-forwarded-for", &[line]).await;
        assert_eq!(answer.status, 403);
        assert!(
            answer
                .head
                .contains("\r\ncontent-type: application/json\r\n"),
            "{}",
            answer.head
        );
        let mut body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        ids.push(body["errorId"].take());
        let expected = serde_json::json!({
            "errorCode": "E0000006",
            "errorSummary": "You do not have permission to perform the requested action",
            "errorLink": "E0000006",
            "errorId": null,
            "errorCauses": [],
        });
        assert_eq!(body, expected);
    }
    assert!(
        ids[0]
            .as_str()
            .is_some_and(|id| id.starts_with("oae") && id.len() == 25),
        "{ids:?}"
    );
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        client
            .ask("/", "x-forwarded-for", &["198.51.100.7"])
            .await
            .body,
        "in"
    );
}

#[tokio::test]
async fn a_closure_answers_instead() {
    let layer =
        EnforceLayer::new(engine(Action::Block), socket_peer()).refuse_with(|event: &Event<'_>| {
            let mut response = Response::new(Body::from(format!("not {}", event.head.uri.path())));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        });
    let mut client = connect(Router::new().route("/a", get(async || "in").layer(layer))).await;
    let answer = client.ask("/a", "x-forwarded-for", &["203.0.113.7"]).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "not /a"));
}

#[tokio::test]
async fn a_request_without_a_peer_has_an_unknown_client() {
    let events = Seen::default();
    let sink = events.clone();
    let layer = EnforceLayer::new(
        engine(Action::Block),
        Peer::extension(|peer: &std::net::IpAddr| Some(*peer)),
    )
    .on_event(move |event| sink.push(event.facts()));
    let mut client = connect(Router::new().route("/", get(async || "in").layer(layer))).await;
    assert_eq!(
        client
            .ask("/", "x-forwarded-for", &["203.0.113.7"])
            .await
            .status,
        200
    );
    let events = events.take();
    assert_eq!(
        (events[0].reason, events[0].client),
        (Reason::UnknownClient, None)
    );
}

/// What is resolved is the client, even if a zone trusts it; a header that a client may have
/// written is not read.
#[tokio::test]
async fn a_resolved_client_is_walked_no_further() {
    let peer = Peer::head(|head| head.headers.get("x-real-ip")?.to_str().ok()?.parse().ok());
    let layer = EnforceLayer::new(engine(Action::Block), peer).chain_source(ChainSource::Resolved);
    let mut client = connect(Router::new().route("/", get(async || "in").layer(layer))).await;
    let listed = client.ask("/", "x-real-ip", &["::ffff:203.0.113.7"]).await;
    assert_eq!(listed.status, 403);
    let spoofed = ["192.0.2.1\r\nx-forwarded-for: 203.0.113.7"];
    assert_eq!(client.ask("/", "x-real-ip", &spoofed).await.status, 200);
}

#[tokio::test]
async fn only_the_header_that_is_named_is_read() {
    let name = http::HeaderName::from_static("x-edge-for");
    let layer = EnforceLayer::new(engine(Action::Block), socket_peer())
        .chain_source(ChainSource::List(name));
    let mut client = connect(Router::new().route("/", get(async || "in").layer(layer))).await;
    assert_eq!(
        client.ask("/", "x-edge-for", &["203.0.113.7"]).await.status,
        403
    );
    for other in ["x-forwarded-for", "forwarded"] {
        let lines = ["203.0.113.7", "for=203.0.113.7"];
        assert_eq!(client.ask("/", other, &lines).await.status, 200, "{other}");
    }
}

/// An entry that only covers sign-ins leaves other requests alone.
#[tokio::test]
async fn a_closure_tells_kinds_apart() {
    let mut listed = threatinsight::Entry::new("203.0.113.0/24".parse().unwrap());
    listed.patterns = threatinsight::Pattern::PasswordSpray.into();
    let mut feed = threatinsight::Feed::new("sprayers");
    feed.push(listed);
    let engine = engine(Action::Block);
    engine.update_list(threatinsight::List::compile(&[feed], Timestamp(0)).unwrap());
    let layer = EnforceLayer::new(engine, socket_peer()).kind_of(|head| match head.uri.path() {
        "/sign-in" => Kind::Authentication,
        _ => Kind::Other,
    });
    let router = Router::new().fallback(async || "in").layer(layer);
    let mut client = connect(router).await;
    for (path, status) in [("/sign-in", 403), ("/prices", 200)] {
        let answer = client.ask(path, "x-forwarded-for", &["203.0.113.7"]).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

/// Facts of an outer layer's kind of request would be stale behind an inner layer.
#[tokio::test]
async fn an_inner_layer_replaces_the_facts_of_an_outer_one() {
    let inner = engine(Action::None);
    let handler = get(async |Extension(facts): Extension<Facts>| facts.reason.to_string())
        .layer(EnforceLayer::new(inner, socket_peer()));
    let outer = EnforceLayer::new(engine(Action::Audit), socket_peer());
    let mut client = connect(Router::new().route("/", handler).layer(outer)).await;
    let answer = client.ask("/", "x-forwarded-for", &["203.0.113.7"]).await;
    assert_eq!(answer.body, "disabled");
}
