//! What a peer can cost, and how it ends.

use std::net::TcpStream;
use std::time::Duration;

use spop::TypedData;
use threatinsight_spoe::{Agent, Limits};

use crate::blocking;
use crate::haproxy::{Running, hello, notify, src};

fn ask() -> Vec<u8> {
    let client = src("198.51.100.7".parse().unwrap());
    notify(1, 1, &[&[("client", client)]])
}

fn limited(limits: Limits) -> Running {
    Running::start(Agent::new(blocking()).limits(limits))
}

#[test]
fn what_does_not_fit_the_protocol_ends_the_connection_with_its_status() {
    let running = limited(Limits::default());
    let invalid: TypedData = 4_u32.into();
    for (name, sent, status) in [
        ("no hello", ask(), invalid.clone()),
        ("an old version", hello("1.0", 16_380, false), 8_u32.into()),
        ("tiny frames", hello("2.0", 255, false), 9_u32.into()),
        (
            "a huge frame",
            u32::MAX.to_be_bytes().to_vec(),
            invalid.clone(),
        ),
        (
            "nonsense",
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            invalid.clone(),
        ),
        ("an empty frame", vec![0; 4], invalid.clone()),
    ] {
        let mut connection = running.connect_only();
        connection.send(&sent);
        assert_eq!(connection.receive().disconnect(), status, "{name}");
        assert!(connection.is_closed(), "{name}");
    }
    for (name, sent) in [
        ("a second hello", hello("2.0", 16_380, false)),
        (
            "an answer",
            [&[0, 0, 0, 7, 103][..], &[0, 0, 0, 1, 0, 0]].concat(),
        ),
        (
            "a fragment",
            [&[0, 0, 0, 7, 3][..], &[0, 0, 0, 0, 0, 0]].concat(),
        ),
    ] {
        let mut connection = running.connect();
        // What was asked before it is answered.
        connection.send(&[ask(), sent].concat());
        assert_eq!(connection.receive().variables().len(), 3, "{name}");
        assert_eq!(connection.receive().disconnect(), invalid, "{name}");
        assert!(connection.is_closed(), "{name}");
    }
}

#[test]
fn a_peer_is_held_to_the_frames_it_agreed_to() {
    let running = limited(Limits::default());
    let mut connection = running.connect_only();
    connection.send(&hello("2.0", 300, false));
    let items = connection.receive().hello();
    assert_eq!(items["max-frame-size"], 300_u32.into());
    let long = TypedData::String("a".repeat(300));
    connection.send(&notify(1, 1, &[&[("uri", long)]]));
    assert_eq!(connection.receive().disconnect(), 4_u32.into());

    let mut connection = running.connect_only();
    connection.send(&hello("2.0", 1 << 20, false));
    let items = connection.receive().hello();
    assert_eq!(items["max-frame-size"], 16_384_u32.into());
}

/// An answer that does not fit would be none.
#[test]
fn many_feeds_do_not_cost_the_verdict() {
    let mut feeds = Vec::new();
    for number in 0..30 {
        let mut feed = threatinsight::Feed::new(format!("a feed with a long name {number}"));
        feed.push(threatinsight::Entry::new("203.0.113.0/24".parse().unwrap()));
        feeds.push(feed);
    }
    let policy = threatinsight::Policy::new(threatinsight::Action::Block);
    let snapshot = policy.compile(&feeds, threatinsight::Timestamp(0)).unwrap();
    let running = Running::start(Agent::new(threatinsight::Engine::new(snapshot)));
    let listed = || src("203.0.113.7".parse().unwrap());
    for (max_frame_size, has_feeds) in [(256, false), (16_380, true)] {
        let mut connection = running.connect_only();
        connection.send(&hello("2.0", max_frame_size, false));
        connection.receive().hello();
        let variables = connection.ask(&[("client", listed())]);
        assert_eq!(variables["verdict"], "block".to_owned().into());
        assert_eq!(variables.contains_key("feed"), has_feeds);
    }
}

#[test]
fn who_says_nothing_is_let_go() {
    let running = limited(Limits {
        hello: Duration::from_millis(50),
        ..Limits::default()
    });
    let timed_out: TypedData = 2_u32.into();
    let mut silent = running.connect_only();
    assert_eq!(silent.receive().disconnect(), timed_out);
    assert!(silent.is_closed());

    let running = limited(Limits {
        idle: Duration::from_millis(200),
        ..Limits::default()
    });
    let mut idle = running.connect();
    assert_eq!(idle.receive().disconnect(), timed_out);
    let mut half = running.connect();
    half.send(&ask()[..9]);
    assert_eq!(half.receive().disconnect(), timed_out);
}

/// Answers are not gathered for a peer that does not take them.
#[test]
fn who_does_not_read_is_let_go() {
    let running = limited(Limits {
        idle: Duration::from_millis(200),
        ..Limits::default()
    });
    let mut connection = running.connect();
    let asked = ask().repeat(1_000);
    assert!(connection.send_until_closed(&asked, 10_000));
}

#[test]
fn connections_above_the_limit_are_closed_and_places_are_given_back() {
    let running = limited(Limits {
        connections: 2,
        ..Limits::default()
    });
    let (mut first, second) = (running.connect(), running.connect());
    let mut third = running.connect_only();
    assert!(third.is_closed());
    first.send(&ask());
    assert_eq!(first.receive().variables().len(), 3);
    drop(second);
    // The agent notices by and by.
    let greeted = (0..1_000).any(|_| {
        let mut next = running.connect_only();
        let greeting = hello("2.0", 16_380, false);
        std::thread::sleep(Duration::from_millis(1));
        !next.send_until_closed(&greeting, 1) && next.try_receive().is_ok()
    });
    assert!(greeted);
}

#[test]
fn an_end_answers_what_has_arrived_and_says_goodbye() {
    let mut running = limited(Limits::default());
    let (mut idle, mut busy) = (running.connect(), running.connect());
    busy.send(&ask().repeat(100));
    // The agent has read the first, so the others have arrived.
    assert_eq!(busy.receive().variables().len(), 3);
    running.stop();
    running.join();
    for _ in 1..100 {
        assert_eq!(busy.receive().variables().len(), 3);
    }
    for connection in [&mut busy, &mut idle] {
        assert_eq!(connection.receive().disconnect(), 0_u32.into());
        assert!(connection.is_closed());
    }
    assert!(TcpStream::connect(running.address).is_err());
}
