//! The corpus, through a gateway whose host resolves the peer: by the port of the test's
//! connection, for loopback has no other peers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use pingora::listeners::ConnectionFilter as _;
use threatinsight::{Action, Engine, Policy, Timestamp, Verdict};
use threatinsight_corpus::{Arrival, Found, Header};
use threatinsight_pingora::{ChainSource, Enforce, Facts, PeerFilter};

use crate::client::Client;
use crate::server::serve;

fn found(facts: &Facts) -> Found {
    Found {
        verdict: facts.verdict,
        reason: facts.reason,
        client: facts.client,
        level: facts.level,
        patterns: facts.patterns,
    }
}

#[tokio::test]
async fn every_case_of_the_corpus_is_decided_as_written() {
    let policy = Policy::new(Action::None);
    let engine = Engine::new(policy.compile(&[], Timestamp(0)).unwrap());
    let peers: Arc<Mutex<HashMap<u16, Option<IpAddr>>>> = Arc::default();
    let events: Arc<Mutex<Vec<Found>>> = Arc::default();
    let enforce = |source| {
        let (peers, events) = (Arc::clone(&peers), Arc::clone(&events));
        Enforce::new(engine.clone())
            .chain_source(source)
            .peer(move |session| {
                let port = session.client_addr().unwrap().as_inet().unwrap().port();
                peers.lock().unwrap()[&port]
            })
            .on_event(move |event| events.lock().unwrap().push(event.decision.into()))
    };
    let (list, forwarded) = (ChainSource::default(), ChainSource::Forwarded);
    let gateway = serve(enforce(list), enforce(forwarded), None);

    let filter = PeerFilter::new(engine.clone());
    let (mut complaints, mut dropped) = (Vec::new(), 0);
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
        let mut client = Client::connect("127.0.0.1", gateway.address).await;
        peers.lock().unwrap().insert(client.port(), peer);
        let path = format!("/{name}/{}", case.kind);
        let answer = client.ask(&path, name, &lines).await.unwrap();
        let [facts] = gateway.decided(1)[..] else {
            panic!("{}: not one decision", case.name);
        };
        let logged = std::mem::take(&mut *events.lock().unwrap());
        let (status, logs) = match facts.verdict {
            Verdict::Allow => (200, vec![]),
            Verdict::Log => (200, vec![found(&facts)]),
            Verdict::Block => (403, vec![found(&facts)]),
        };
        assert_eq!((answer.status, logged), (status, logs), "{}", case.name);
        let generation = engine.load().generation();
        assert_eq!(facts.generation, generation, "{}", case.name);
        complaints.extend(case.complaint(&found(&facts)));
        // No connection is dropped for which a request would have been allowed.
        if let Some(peer) = peer
            && !filter.should_accept(Some(&(peer, 0).into())).await
        {
            assert_eq!(facts.verdict, Verdict::Block, "{}", case.name);
            dropped += 1;
        }
    }
    assert!(dropped > 10, "{dropped}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let blank = ["blank hop alone before a trusted proxy makes the client unknown"];
    assert_eq!(inexpressible, blank);
}
