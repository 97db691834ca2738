//! Connections, before a byte of them is read.

use std::sync::{Arc, Mutex};

use threatinsight::{Action, Engine, Kind, Pattern, Verdict};
use threatinsight_pingora::{Enforce, PeerFilter};

use crate::client::Client;
use crate::engine;
use crate::server::{Running, serve};

fn gateway(engine: &Engine, filter: PeerFilter) -> Running {
    let enforce = Enforce::new(engine.clone());
    serve(enforce.clone(), enforce, Some(Arc::new(filter)))
}

/// The status of a request; `None` when the connection is dropped.
async fn status(gateway: &Running, source: &str, path: &str, lines: &[&str]) -> Option<u16> {
    let mut client = Client::connect(source, gateway.address).await;
    let answer = client.ask(path, "x-forwarded-for", lines).await;
    answer.map(|answer| answer.status)
}

#[tokio::test]
async fn a_listed_peer_is_dropped_and_a_proxy_never_is() {
    // The proxy is listed too: it is not the client of what it passes on.
    let (proxies, listed) = (["127.0.0.1/32"], ["127.0.0.66/32", "127.0.0.1/32"]);
    let engine = engine(
        Action::Block,
        &proxies,
        &listed,
        Pattern::NegativeIpReputation,
    );
    let dropped: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&dropped);
    let filter = PeerFilter::new(engine.clone()).on_event(move |event| {
        assert_eq!(event.decision.verdict, Verdict::Block);
        assert!(event.head.is_none());
        let client = event.decision.client.unwrap();
        seen.lock().unwrap().push(client.to_string());
    });
    let gateway = gateway(&engine, filter);
    assert_eq!(status(&gateway, "127.0.0.66", "/", &[]).await, None);
    assert_eq!(status(&gateway, "127.0.0.2", "/", &[]).await, Some(200));
    let passed_on = ["198.51.100.7"];
    assert_eq!(
        status(&gateway, "127.0.0.1", "/", &passed_on).await,
        Some(200)
    );
    let own = status(&gateway, "127.0.0.1", "/", &[]).await;
    assert_eq!(own, Some(403), "its own request is the request phase's");
    assert_eq!(*dropped.lock().unwrap(), ["127.0.0.66"]);
    // A dropped connection is no request.
    assert_eq!(gateway.decided(3).len(), 3);
}

/// A swap is obeyed by the next connection; one that is open is judged by request.
#[tokio::test]
async fn the_next_connection_obeys_a_swap() {
    let with = |action| {
        engine(
            action,
            &[],
            &["127.0.0.66/32"],
            Pattern::NegativeIpReputation,
        )
    };
    let engine = with(Action::Audit);
    let gateway = gateway(&engine, PeerFilter::new(engine.clone()));
    let mut open = Client::connect("127.0.0.66", gateway.address).await;
    assert_eq!(open.ask("/", "accept", &[]).await.unwrap().status, 200);
    engine.swap((*with(Action::Block).load()).clone());
    assert_eq!(status(&gateway, "127.0.0.66", "/", &[]).await, None);
    assert_eq!(open.ask("/", "accept", &[]).await.unwrap().status, 403);
    engine.swap((*with(Action::None).load()).clone());
    assert_eq!(status(&gateway, "127.0.0.66", "/", &[]).await, Some(200));
}

/// What only sign-ins are blocked for is no reason to drop what may be something else.
#[tokio::test]
async fn a_peer_listed_for_sign_ins_only_is_dropped_only_where_all_are() {
    let engine = engine(
        Action::Block,
        &[],
        &["127.0.0.66/32"],
        Pattern::PasswordSpray,
    );
    let any = gateway(&engine, PeerFilter::new(engine.clone()));
    assert_eq!(status(&any, "127.0.0.66", "/other", &[]).await, Some(200));
    assert_eq!(status(&any, "127.0.0.66", "/sign-in", &[]).await, Some(403));
    let filter = PeerFilter::new(engine.clone()).kind(Kind::Authentication);
    let sign_ins = gateway(&engine, filter);
    assert_eq!(status(&sign_ins, "127.0.0.66", "/sign-in", &[]).await, None);
}
