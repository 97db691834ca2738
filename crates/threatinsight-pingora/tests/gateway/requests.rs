//! The request phase, with the connection's own peer.

use std::sync::{Arc, Mutex};

use threatinsight::{Action, Pattern, Reason};
use threatinsight_pingora::{ChainSource, Enforce};

use crate::client::Client;
use crate::engine;
use crate::server::{Running, serve};

fn blocking(proxies: &[&str]) -> threatinsight::Engine {
    let listed = ["203.0.113.0/24", "127.0.0.66/32"];
    engine(
        Action::Block,
        proxies,
        &listed,
        Pattern::NegativeIpReputation,
    )
}

fn gateway(enforce: &Enforce) -> Running {
    let forwarded = enforce.clone().chain_source(ChainSource::Forwarded);
    serve(enforce.clone(), forwarded, None)
}

#[tokio::test]
async fn header_lines_count_as_far_as_the_proxies_vouch_for_them() {
    let enforce = Enforce::new(blocking(&["127.0.0.1/32"]));
    let gateway = gateway(&enforce);
    for (source, lines, status) in [
        ("127.0.0.1", &["203.0.113.7"][..], 403),
        ("127.0.0.1", &["::ffff:203.0.113.7"], 403),
        ("127.0.0.1", &["203.0.113.7:4711"], 403),
        ("127.0.0.1", &["198.51.100.7"], 200),
        ("127.0.0.1", &["203.0.113.7", "198.51.100.7"], 200),
        ("127.0.0.1", &["198.51.100.7", "203.0.113.7"], 403),
        ("127.0.0.1", &["203.0.113.7, garbage"], 200),
        ("127.0.0.1", &[], 200),
        ("127.0.0.2", &["203.0.113.7"], 200),
        ("127.0.0.66", &["198.51.100.7"], 403),
        ("127.0.0.66", &[], 403),
    ] {
        let mut client = Client::connect(source, gateway.address).await;
        let answer = client.ask("/", "x-forwarded-for", lines).await.unwrap();
        assert_eq!(answer.status, status, "{source} {lines:?}");
        let facts = gateway.decided(1);
        assert_eq!(facts.len(), 1);
        if lines == ["203.0.113.7, garbage"] {
            assert_eq!(facts[0].reason, Reason::UnknownClient);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_oktas_and_ends_the_connection() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let enforce = Enforce::new(blocking(&[])).on_event(move |event| {
        let path = event.head.unwrap().uri.path().to_owned();
        seen.lock().unwrap().push(path);
    });
    let gateway = gateway(&enforce);
    let mut client = Client::connect("127.0.0.66", gateway.address).await;
    // What follows the head is no second request.
    let request = "POST /sign-in HTTP/1.1\r\nhost: a\r\ncontent-length: 36\r\n\r\n\
                   GET /inner HTTP/1.1\r\nhost: a\r\n\r\n  ";
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.status, 403);
    for line in ["content-type: application/json", "connection: close"] {
        assert!(answer.head.lines().any(|found| found == line), "{answer:?}");
    }
    let start = r#"{"errorCode":"E0000006","errorSummary":"You do not have permission"#;
    assert!(answer.body.starts_with(start), "{answer:?}");
    assert!(client.answer().await.is_none());
    assert_eq!(*heads.lock().unwrap(), ["/sign-in"]);

    let mut client = Client::connect("127.0.0.66", gateway.address).await;
    let first = answer.body;
    let second = client.ask("/", "accept", &["*/*"]).await.unwrap().body;
    assert_ne!(first, second, "an error has an id of its own");
}

#[tokio::test]
async fn the_next_request_obeys_a_swap_on_the_same_connection() {
    let engine = blocking(&["127.0.0.1/32"]);
    let gateway = gateway(&Enforce::new(engine.clone()));
    let mut client = Client::connect("127.0.0.1", gateway.address).await;
    let action = |action| {
        let other = crate::engine(
            action,
            &["127.0.0.1/32"],
            &["203.0.113.0/24"],
            Pattern::NegativeIpReputation,
        );
        engine.swap((*other.load()).clone());
    };
    for (now, status) in [
        (Action::None, 200),
        (Action::Audit, 200),
        (Action::Block, 403),
    ] {
        action(now);
        let answer = client.ask("/", "x-forwarded-for", &["203.0.113.7"]).await;
        assert_eq!(answer.unwrap().status, status, "{now:?}");
    }
}
