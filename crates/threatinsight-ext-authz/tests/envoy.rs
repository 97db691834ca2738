//! The service on a loopback port, asked by a gRPC client as Envoy asks it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::{self as core, Pipe, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::Peer;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use envoy_types::pb::google::protobuf::value::Kind as ValueKind;
use threatinsight::{Action, Engine, Feed, Kind, ParseOptions, Policy, Timestamp, Verdict};
use threatinsight_corpus::{Arrival, Found};
use threatinsight_ext_authz::ExtAuthz;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Status};

type Client = AuthorizationClient<Channel>;

/// Serves `service` on loopback and connects to it.
async fn connect(service: ExtAuthz) -> Client {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder().add_service(service.into_service());
    tokio::spawn(server.serve_with_incoming(incoming));
    Client::connect(format!("http://{address}")).await.unwrap()
}

fn empty() -> Engine {
    let policy = Policy::new(Action::None);
    Engine::new(policy.compile(&[], Timestamp(0)).unwrap())
}

fn blocking() -> Engine {
    let feed = Feed::parse(
        "scanners",
        b"203.0.113.0/24\n2001:db8:bad::/48\n",
        &ParseOptions::default(),
    );
    let policy = Policy::new(Action::Block);
    Engine::new(policy.compile(&[feed.unwrap().feed], Timestamp(0)).unwrap())
}

fn socket(address: &str) -> Option<Address> {
    Some(Address::SocketAddress(SocketAddress {
        address: address.to_owned(),
        ..SocketAddress::default()
    }))
}

fn check(source: Option<Address>, kind: Option<&str>) -> CheckRequest {
    let peer = Peer {
        address: Some(core::Address { address: source }),
        ..Peer::default()
    };
    let extensions = kind.map(|kind| ("kind".to_owned(), kind.to_owned()));
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(peer),
            context_extensions: extensions.into_iter().collect(),
            ..AttributeContext::default()
        }),
    }
}

async fn ask(client: &mut Client, check: CheckRequest) -> Result<CheckResponse, Status> {
    client.check(check).await.map(tonic::Response::into_inner)
}

/// The dynamic metadata; numbers as text.
fn metadata(response: &CheckResponse) -> HashMap<&str, String> {
    let fields = &response.dynamic_metadata.as_ref().unwrap().fields;
    let value = |kind: &Option<ValueKind>| match kind {
        Some(ValueKind::StringValue(text)) => text.clone(),
        Some(ValueKind::NumberValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let fields = fields.iter();
    fields
        .map(|(name, found)| (name.as_str(), value(&found.kind)))
        .collect()
}

/// Whether Envoy lets the request through; fails when status and response are not of one mind.
fn passes(response: &CheckResponse) -> bool {
    let code = Code::from_i32(response.status.as_ref().unwrap().code);
    match (code, response.http_response.as_ref().unwrap()) {
        (Code::Ok, HttpResponse::OkResponse(_)) => true,
        (Code::PermissionDenied, HttpResponse::DeniedResponse(denied)) => {
            assert_eq!(denied.status.as_ref().unwrap().code, 403);
            false
        }
        other => panic!("{other:?}"),
    }
}

/// The cases whose chain is one hop: a client that Envoy has resolved. Those whose hop does not
/// parse are failures, not decisions.
#[tokio::test]
async fn every_case_of_one_hop_is_decided_as_written() {
    let engine = empty();
    let seen: Arc<Mutex<Vec<Found>>> = Arc::default();
    let events = Arc::clone(&seen);
    let service = ExtAuthz::new(engine.clone())
        .on_decision(move |event| events.lock().unwrap().push(event.decision.into()));
    let mut client = connect(service).await;

    let (mut decided, mut failed, mut complaints) = (0, 0, Vec::new());
    for case in threatinsight_corpus::cases() {
        let Some(Arrival { peer, lines, .. }) = case.arrival() else {
            continue;
        };
        if lines.iter().any(|line| !line.trim().is_empty()) {
            continue;
        }
        engine.swap(case.policy.compile(&case.feeds(), case.now()).unwrap());
        // The text of the case where it has one: mapped, bracketed, with a port, or garbage.
        let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
        let text = case.chain.as_deref().unwrap_or(&peer);
        let kind = case.kind.to_string();
        let answer = ask(&mut client, check(socket(text), Some(&kind))).await;
        let found: Vec<Found> = std::mem::take(&mut seen.lock().unwrap());
        match (answer, &found[..]) {
            (Ok(response), [found]) => {
                let metadata = metadata(&response);
                assert_eq!(metadata["verdict"], found.verdict.to_string());
                assert_eq!(metadata["reason"], found.reason.to_string());
                let generation = engine.load().generation().to_string();
                assert_eq!(metadata["generation"], generation, "{}", case.name);
                let blocked = found.verdict == Verdict::Block;
                assert_eq!(passes(&response), !blocked, "{}", case.name);
                if let Some(feeds) = case.expected_feeds() {
                    let feeds: Vec<&str> = feeds.iter().map(String::as_str).collect();
                    let found = metadata.get("feed").map_or("", String::as_str);
                    assert_eq!(found, feeds.join(", "), "{}", case.name);
                }
                complaints.extend(case.complaint(found));
                decided += 1;
            }
            (Err(status), []) => {
                assert_eq!(status.code(), Code::InvalidArgument, "{}", case.name);
                let unknown = Found::from(&engine.load().evaluate(&case_request(text)));
                assert_eq!(unknown.client, None, "{}", case.name);
                failed += 1;
            }
            other => panic!("{}: {other:?}", case.name),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{decided} cases decided, {failed} refused");
    assert!(decided > 100 && failed >= 2, "{decided}, {failed}");
}

fn case_request(text: &str) -> threatinsight::Request<'_> {
    threatinsight::Request::new(threatinsight::Chain::parse(text.as_bytes()))
}

#[tokio::test]
async fn a_denial_is_oktas_and_says_nothing_of_why() {
    let mut client = connect(ExtAuthz::new(blocking())).await;
    let response = ask(&mut client, check(socket("203.0.113.7"), None)).await;
    let response = response.unwrap();
    assert!(!passes(&response));
    assert_eq!(metadata(&response)["feed"], "scanners");
    let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
        panic!("{response:?}");
    };
    let start = r#"{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action","errorLink":"E0000006","errorId":"oae"#;
    assert!(denied.body.starts_with(start), "{}", denied.body);
    assert!(
        denied.body.ends_with(r#"","errorCauses":[]}"#),
        "{}",
        denied.body
    );
    let headers: Vec<String> = denied
        .headers
        .into_iter()
        .map(|option| option.header.unwrap())
        .map(|header| format!("{}: {}", header.key, header.value))
        .collect();
    let expected = [
        "content-type: application/json",
        "cache-control: no-cache, no-store",
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn an_address_however_it_is_written_is_that_address() {
    let mut client = connect(ExtAuthz::new(blocking())).await;
    for (address, expected) in [
        ("203.0.113.7", false),
        ("::ffff:203.0.113.7", false),
        ("203.0.113.7:4711", false),
        ("[2001:db8:bad::7]:443", false),
        ("2001:db8:bad::7%eth0", false),
        ("198.51.100.7", true),
        ("::ffff:198.51.100.7", true),
        ("2001:db8::7", true),
    ] {
        let response = ask(&mut client, check(socket(address), None)).await;
        assert_eq!(passes(&response.unwrap()), expected, "{address}");
    }
}

/// Neither the connection to the service, nor the policy, has a say in who the client is.
#[tokio::test]
async fn what_is_no_address_is_an_error_and_never_a_verdict() {
    let events: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&events);
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let errors = Arc::clone(&heard);
    let service = ExtAuthz::new(blocking())
        .on_decision(move |_| *counted.lock().unwrap() += 1)
        .on_unjudged(move |error| errors.lock().unwrap().push(error.to_owned()));
    let mut client = connect(service).await;
    let pipe = Address::Pipe(Pipe::default());
    let mut checks: Vec<CheckRequest> =
        ["", " ", "garbage", "unknown", "203.0.113.7, 198.51.100.7"]
            .into_iter()
            .map(|address| check(socket(address), None))
            .collect();
    checks.extend([
        check(None, None),
        check(Some(pipe), None),
        CheckRequest { attributes: None },
        CheckRequest {
            attributes: Some(AttributeContext::default()),
        },
    ]);
    for check in checks {
        let status = ask(&mut client, check.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{check:?}");
        let heard: Vec<String> = std::mem::take(&mut heard.lock().unwrap());
        assert_eq!(heard, [status.message()], "{check:?}");
        let message = status.message();
        assert!(
            message.starts_with("attributes.source.address: ")
                && message.ends_with(", expected an address"),
            "{message}"
        );
    }
    assert_eq!(*events.lock().unwrap(), 0);
}

/// Envoy's source address is its peer, even where Envoy has resolved another client.
#[tokio::test]
async fn the_client_that_envoy_states_in_metadata_is_not_its_peer() {
    let mut client = connect(ExtAuthz::new(blocking())).await;
    let mut ask = async |stated: &[&str], peer: &str| {
        let mut request = tonic::Request::new(check(socket(peer), None));
        for address in stated {
            let value = address.parse().unwrap();
            request.metadata_mut().append("x-real-ip", value);
        }
        let answer = client.check(request).await;
        answer.map(|response| passes(&response.into_inner()))
    };
    assert!(!ask(&["203.0.113.7"], "198.51.100.1").await.unwrap());
    assert!(!ask(&["::ffff:203.0.113.7"], "198.51.100.1").await.unwrap());
    assert!(ask(&["198.51.100.7"], "203.0.113.1").await.unwrap());
    for stated in [
        &[""][..],
        &["-"],
        &["198.51.100.7, 198.51.100.8"],
        &["198.51.100.7"; 2],
    ] {
        let status = ask(stated, "198.51.100.1").await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{stated:?}");
        assert!(status.message().starts_with("x-real-ip: "), "{status}");
    }
}

#[tokio::test]
async fn only_the_route_says_that_a_request_is_no_sign_in() {
    let mut listed = threatinsight::Entry::new("203.0.113.0/24".parse().unwrap());
    listed.patterns = threatinsight::Pattern::PasswordSpray.into();
    let mut feed = Feed::new("sprayers");
    feed.push(listed);
    let policy = Policy::new(Action::Block);
    let engine = Engine::new(policy.compile(&[feed], Timestamp(0)).unwrap());
    let kinds: Arc<Mutex<Vec<Kind>>> = Arc::default();
    let seen = Arc::clone(&kinds);
    let service = ExtAuthz::new(engine)
        .on_decision(move |event| seen.lock().unwrap().push(event.request.kind));
    let mut client = connect(service).await;
    for (kind, expected) in [
        (Some("other"), true),
        (Some("authentication"), false),
        (Some("Other"), false),
        (Some(""), false),
        (None, false),
    ] {
        let response = ask(&mut client, check(socket("203.0.113.7"), kind)).await;
        assert_eq!(passes(&response.unwrap()), expected, "{kind:?}");
    }
    let [first, ..] = kinds.lock().unwrap()[..] else {
        panic!("no decision was seen");
    };
    assert_eq!(first, Kind::Other);
}

#[tokio::test]
async fn the_next_check_obeys_a_swap_on_the_same_connection() {
    let engine = empty();
    let mut client = connect(ExtAuthz::new(engine.clone())).await;
    for (policy, expected) in [(blocking(), false), (empty(), true), (blocking(), false)] {
        engine.swap((*policy.load()).clone());
        let response = ask(&mut client, check(socket("203.0.113.7"), None)).await;
        assert_eq!(passes(&response.unwrap()), expected);
    }
}
