//! What is asked, and what is answered.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::thread;

use spop::TypedData;
use threatinsight::{Action, Engine, Entry, Feed, Pattern, Policy, Timestamp};
use threatinsight_spoe::Agent;

use crate::haproxy::{Running, disconnect, hello, notify, src};
use crate::{blocking, empty};

const LISTED: &str = "203.0.113.7";
const OTHER: &str = "198.51.100.7";

fn client(address: &str) -> TypedData {
    src(address.parse().unwrap())
}

fn text(text: &str) -> TypedData {
    text.to_owned().into()
}

#[test]
fn a_listed_client_is_blocked_with_reason_and_feed() {
    let engine = blocking();
    let generation = engine.load().generation();
    let running = Running::start(Agent::new(engine));
    let mut connection = running.connect();
    let listed = [
        ("feed", text("scanners")),
        ("generation", generation.into()),
        ("reason", text("listed")),
        ("verdict", text("block")),
    ];
    for address in [LISTED, "::ffff:203.0.113.7", "2001:db8:bad::7"] {
        let variables = connection.ask(&[("client", client(address))]);
        let expected = listed.clone().map(|(name, value)| (name.to_owned(), value));
        assert_eq!(variables, expected.into(), "{address}");
    }
    let variables = connection.ask(&[("client", client(OTHER))]);
    assert_eq!(variables["verdict"], text("allow"));
    assert_eq!(variables["reason"], text("not-listed"));
    assert!(!variables.contains_key("feed"));
}

/// HAProxy's own rule then says whether the request passes.
#[test]
fn without_one_client_no_variable_is_set_and_nothing_is_decided() {
    let decisions: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&decisions);
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let errors = Arc::clone(&heard);
    let agent = Agent::new(blocking())
        .on_decision(move |_| *counted.lock().unwrap() += 1)
        .on_unjudged(move |error| errors.lock().unwrap().push(error.to_owned()));
    let running = Running::start(agent);
    let mut connection = running.connect();
    for arguments in [
        &[][..],
        &[("client", TypedData::Null)],
        &[("client", text(OTHER))],
        &[("client", 42_u32.into())],
        &[("src", client(OTHER))],
        &[("client", client(OTHER)), ("client", client(LISTED))],
        &[("client", client(OTHER)), ("client", TypedData::Null)],
    ] {
        assert!(connection.ask(arguments).is_empty(), "{arguments:?}");
    }
    connection.send(&notify(7, 1, &[]));
    assert!(connection.receive().variables().is_empty());
    let other = [("client", client(OTHER))];
    connection.send(&notify(7, 1, &[&other, &[("client", client(LISTED))]]));
    assert!(connection.receive().variables().is_empty());
    assert_eq!(*decisions.lock().unwrap(), 0);
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 9, "{heard:?}");
    for (error, found) in heard.iter().zip(["nothing", "another type"]) {
        assert!(error.contains(&format!("client: found {found}")), "{error}");
    }
    assert!(heard[8].contains("client: found several"), "{heard:?}");
    // Beside another message, or said twice, one client is one.
    connection.send(&notify(7, 1, &[&[], &other, &other]));
    assert_eq!(connection.receive().variables()["verdict"], text("allow"));
    assert_eq!(*decisions.lock().unwrap(), 1);
}

#[test]
fn only_the_kind_other_is_no_sign_in() {
    let mut listed = Entry::new("203.0.113.0/24".parse().unwrap());
    listed.patterns = Pattern::PasswordSpray.into();
    let mut feed = Feed::new("sprayers");
    feed.push(listed);
    let policy = Policy::new(Action::Block);
    let engine = Engine::new(policy.compile(&[feed], Timestamp(0)).unwrap());
    let running = Running::start(Agent::new(engine));
    let mut connection = running.connect();
    for (kind, verdict) in [
        (text("other"), "allow"),
        (text("authentication"), "block"),
        (text("Other"), "block"),
        (TypedData::Null, "block"),
    ] {
        let variables = connection.ask(&[("client", client(LISTED)), ("kind", kind.clone())]);
        assert_eq!(variables["verdict"], text(verdict), "{kind:?}");
    }
}

#[test]
fn the_sink_is_told_what_the_configuration_says_about_the_request() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let events = Arc::clone(&seen);
    let agent = Agent::new(blocking()).on_decision(move |event| {
        let told = ["uri", "user-agent", "host"].map(|name| event.text(name));
        let said = format!("{} {told:?}", event.decision.verdict);
        events.lock().unwrap().push(said);
    });
    let running = Running::start(agent);
    let mut connection = running.connect();
    connection.ask(&[
        ("client", client(LISTED)),
        ("uri", text("/sign-in")),
        ("user-agent", TypedData::Null),
    ]);
    let expected = [r#"block [Some("/sign-in"), None, None]"#];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn pipelined_frames_are_each_answered_under_their_own_number() {
    let running = Running::start(Agent::new(blocking()));
    let mut connection = running.connect();
    let rounds = 2_000;
    let frames: Vec<u8> = (0..rounds)
        .flat_map(|number| {
            let address = if number % 3 == 0 { LISTED } else { OTHER };
            notify(number, number % 5 + 1, &[&[("client", client(address))]])
        })
        .collect();
    let mut writer = connection.writer();
    let writing = thread::spawn(move || writer.write_all(&frames));
    for number in 0..rounds {
        let received = connection.receive();
        assert_eq!((received.stream, received.frame), (number, number % 5 + 1));
        let verdict = if number % 3 == 0 { "block" } else { "allow" };
        assert_eq!(received.variables()["verdict"], text(verdict), "{number}");
    }
    writing.join().unwrap().unwrap();
}

#[test]
fn the_next_frame_obeys_a_swap_on_the_same_connection() {
    let engine = empty();
    let running = Running::start(Agent::new(engine.clone()));
    let mut connection = running.connect();
    for (policy, verdict) in [
        (blocking(), "block"),
        (empty(), "allow"),
        (blocking(), "block"),
    ] {
        engine.swap((*policy.load()).clone());
        let variables = connection.ask(&[("client", client(LISTED))]);
        assert_eq!(variables["verdict"], text(verdict));
    }
}

#[test]
fn a_health_check_is_greeted_and_let_go() {
    let running = Running::start(Agent::new(blocking()));
    let mut connection = running.connect_only();
    connection.send(&hello("2.0", 16_380, true));
    let items = connection.receive().hello();
    assert_eq!(items["version"], text("2.0"));
    assert_eq!(items["max-frame-size"], 16_380_u32.into());
    assert_eq!(items["capabilities"], text("pipelining"));
    assert!(connection.is_closed());
}

#[test]
fn a_disconnect_is_returned() {
    let running = Running::start(Agent::new(blocking()));
    let mut connection = running.connect();
    // With what was asked before it.
    let ask = notify(1, 1, &[&[("client", client(OTHER))]]);
    connection.send(&[ask, disconnect()].concat());
    assert_eq!(connection.receive().variables()["verdict"], text("allow"));
    assert_eq!(connection.receive().disconnect(), 0_u32.into());
    assert!(connection.is_closed());
}
