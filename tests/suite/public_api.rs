//! What an embedding may rely on beyond the verdicts.

use std::mem::size_of;
use std::panic::{RefUnwindSafe, UnwindSafe};

use threatinsight::{
    Action, Chain, CompileError, Decision, Engine, Explanation, Feed, FeedError, FeedParser, Kind,
    List, Loaded, ParseOptions, Policy, Prefix, Reader, Reason, Request, Snapshot, Stage, Threat,
    Timestamp, Verdict, Zones,
};
use threatinsight_heap::allocations;

const fn shared<T: Send + Sync>() {}
const fn sent<T: Send>() {}
const fn error<T: std::error::Error + Send + Sync + 'static>() {}
const fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

const _: () = {
    shared::<Engine>();
    shared::<Snapshot>();
    shared::<List>();
    shared::<Zones>();
    shared::<Feed>();
    shared::<Request<'_>>();
    shared::<Decision<'_>>();
    shared::<Explanation>();
    sent::<Reader>();
    sent::<FeedParser>();
    error::<CompileError>();
    error::<FeedError>();
    unwind_safe::<Snapshot>();
};

const _: () = {
    assert!(size_of::<Verdict>() == 1);
    assert!(size_of::<Option<Verdict>>() == 1);
    assert!(size_of::<Threat<'_>>() <= 40);
    assert!(size_of::<Decision<'_>>() <= 64);
    assert!(size_of::<Prefix>() <= 48);
    assert!(size_of::<Loaded>() <= 2 * size_of::<usize>());
};

#[test]
fn engine_crosses_threads_without_arc() {
    let engine = Engine::new(
        Policy::new(Action::Block)
            .compile(&[], Timestamp(0))
            .unwrap(),
    );
    let elsewhere = engine.clone();
    let thread = std::thread::spawn(move || {
        elsewhere
            .load()
            .evaluate(&Request::new(Chain::parse(b"203.0.113.7")))
            .stage
    });
    assert_eq!(thread.join().unwrap(), Stage::NotListed);
}

#[test]
fn decisions_serialize_with_what_is_known_of_a_listed_client() {
    let feed = |name| Feed::parse(name, b"203.0.113.0/24", &ParseOptions::default());
    let feeds = ["tor", "scanners"].map(|name| feed(name).unwrap().feed);
    let snapshot = Policy::new(Action::Block).compile(&feeds, Timestamp(0));
    let snapshot = snapshot.unwrap();
    let json = |chain: &[u8]| {
        let decision = snapshot.evaluate(&Request::new(Chain::parse(chain)));
        serde_json::to_string(&decision).unwrap()
    };
    assert_eq!(
        json(b"203.0.113.7"),
        r#"{"verdict":"block","reason":"listed","client":"203.0.113.7","level":"high","patterns":["Negative IP Reputation"],"feeds":["scanners","tor"]}"#
    );
    assert_eq!(
        json(b"garbage"),
        r#"{"verdict":"log","reason":"unknown-client","client":null}"#
    );
}

#[test]
fn a_zone_without_an_id_is_not_suggested_to_be_excluded() {
    let changes = |id: &str| {
        let zone =
            r#""type":"IP","name":"office","gateways":[{"type":"CIDR","value":"203.0.113.7"}]"#;
        let policy = format!(r#"{{"action":"block","zones":[{{{id}{zone}}}]}}"#);
        let policy: Policy = serde_json::from_str(&policy).unwrap();
        let feed = Feed::parse("tor", b"203.0.113.7", &ParseOptions::default()).unwrap();
        let snapshot = policy.compile(&[feed.feed], Timestamp(0)).unwrap();
        let explanation = snapshot.explain(&Request::new(Chain::parse(b"203.0.113.7")));
        assert_eq!(explanation.zones.len(), 1);
        let changes = explanation.changes.into_iter().map(|change| change.change);
        changes.filter(|change| change.contains("excluded")).count()
    };
    assert_eq!(changes(r#""id":"nzo1","#), 1);
    assert_eq!(changes(""), 0);
}

#[test]
fn explain_says_what_each_zone_being_inactive_would_change() {
    let policy = r#"{
        "action": "block", "excludeZones": ["office"], "exemptZone": "exempt",
        "zones": [
            {"type": "IP", "id": "office", "name": "office",
             "gateways": [{"type": "CIDR", "value": "203.0.113.0/28"}]},
            {"type": "IP", "id": "exempt", "name": "exempt",
             "gateways": [{"type": "CIDR", "value": "203.0.113.64/28"}]},
            {"type": "IP", "id": "blocked", "name": "blocked", "usage": "BLOCKLIST",
             "gateways": [{"type": "CIDR", "value": "198.51.100.0/24"}]},
            {"type": "IP", "id": "edge", "name": "edge",
             "proxies": [{"type": "CIDR", "value": "10.0.0.0/8"}]}
        ]}"#;
    let policy: Policy = serde_json::from_str(policy).unwrap();
    let feed = Feed::parse("feed", b"203.0.113.0/24", &ParseOptions::default());
    let snapshot = policy.compile(&[feed.unwrap().feed], Timestamp(0)).unwrap();
    for (chain, expected) in [
        ("203.0.113.7", Some(("office", Verdict::Block))),
        ("203.0.113.70", Some(("exempt", Verdict::Block))),
        ("198.51.100.7", Some(("blocked", Verdict::Allow))),
        ("203.0.113.99, 10.0.0.1", Some(("edge", Verdict::Allow))),
        ("203.0.113.99", None),
    ] {
        let explanation = snapshot.explain(&Request::new(Chain::parse(chain.as_bytes())));
        let changes = explanation.changes.into_iter();
        let told: Vec<_> = changes
            .filter(|change| change.change.ends_with("inactive"))
            .map(|change| (change.change, change.verdict))
            .collect();
        let expected = expected.map(|(zone, verdict)| (format!("zone `{zone}` inactive"), verdict));
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{chain}");
    }
}

/// A policy in which every stage is reached.
const POLICY: &str = r#"{
    "action": "block", "enforceFrom": "high", "excludeZones": ["nzoA"], "exemptZone": "nzoE",
    "zones": [
        {"type": "IP", "id": "nzoA", "name": "office",
         "gateways": [{"type": "CIDR", "value": "203.0.113.0/28"}],
         "proxies": [{"type": "CIDR", "value": "10.0.0.0/8"}]},
        {"type": "IP", "id": "nzoB", "name": "blocked", "usage": "BLOCKLIST",
         "gateways": [{"type": "RANGE", "value": "198.51.100.66-198.51.100.70"}]},
        {"type": "IP", "id": "nzoE", "name": "exempt",
         "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]}
    ]}"#;

const FEED: &[u8] =
    b"203.0.113.0/24\n203.0.112.0/24\t1\n2001:db8::/32\n2001:db8::/64\n2001:db8::7\n";

fn snapshot(action: Action) -> Snapshot {
    let mut policy: Policy = serde_json::from_str(POLICY).unwrap();
    policy.configuration.action = action;
    let feed = Feed::parse("feed", FEED, &ParseOptions::default())
        .unwrap()
        .feed;
    policy.compile(&[feed], Timestamp(0)).unwrap()
}

#[test]
fn evaluate_allocates_nothing_at_any_stage() {
    let long = "198.51.100.9, ".repeat(100) + "203.0.113.7:4711, 10.0.0.2, 10.0.0.1";
    let chains: [(&str, Stage); 12] = [
        ("203.0.113.77", Stage::Block),
        ("198.51.100.7", Stage::NotListed),
        ("203.0.113.7", Stage::Excluded),
        ("203.0.112.7", Stage::Below),
        ("192.0.2.7", Stage::Exempt),
        ("198.51.100.66", Stage::Blocklist),
        ("garbage,10.0.0.1", Stage::Unknown),
        ("2001:db8::7", Stage::Block),
        ("64:ff9b::203.0.113.77", Stage::Block),
        ("64:ff9b::203.0.113.7", Stage::Excluded),
        ("203.0.113.77, [::ffff:10.0.0.2]:80, 10.0.0.1", Stage::Block),
        (&long, Stage::Excluded),
    ];
    let snapshot = snapshot(Action::Block);
    for (chain, stage) in chains {
        let request = Request::new(Chain::parse(chain.as_bytes()));
        assert_eq!(snapshot.evaluate(&request).stage, stage, "{chain}");
        assert_eq!(
            allocations(|| snapshot.evaluate(&request).verdict),
            0,
            "{chain}"
        );
        let other = request.with_kind(Kind::Other);
        assert_eq!(
            allocations(|| snapshot.evaluate(&other).verdict),
            0,
            "{chain}"
        );
    }
    for action in [Action::None, Action::Audit] {
        let snapshot = self::snapshot(action);
        for (chain, _) in chains {
            let request = Request::new(Chain::parse(chain.as_bytes()));
            assert_eq!(
                allocations(|| snapshot.evaluate(&request).verdict),
                0,
                "{chain}"
            );
        }
    }
}

#[test]
fn evaluate_allocates_nothing_for_header_lines() {
    let snapshot = snapshot(Action::Block);
    let peer = "10.0.0.1".parse().ok();
    let lists: [&[u8]; 3] = [
        b"garbage, 198.51.100.9",
        b"203.0.113.77",
        b"10.0.0.3,10.0.0.2",
    ];
    let elements: [&[u8]; 2] = [
        b"for=\"garbage, for=\"203.0.113.77:80\";proto=https",
        b"For=10.0.0.2",
    ];
    for chain in [
        Chain::x_forwarded_for(peer, &lists),
        Chain::forwarded(peer, &elements),
    ] {
        let request = Request::new(chain);
        assert_eq!(snapshot.evaluate(&request).stage, Stage::Block);
        assert_eq!(allocations(|| snapshot.evaluate(&request).verdict), 0);
    }
}

#[test]
fn what_a_decision_says_is_read_without_allocation() {
    let snapshot = snapshot(Action::Block);
    let request = Request::new(Chain::parse(b"2001:db8::7"));
    let read = || {
        let threat = snapshot.evaluate(&request).threat.unwrap();
        (
            threat.level(),
            threat.patterns(),
            threat.listings().count(),
            threat.feeds().count(),
        )
    };
    assert_eq!(allocations(read), 0);
    assert_eq!((read().2, read().3), (3, 1));
}

#[test]
fn engine_and_reader_load_without_allocation() {
    let engine = Engine::new(snapshot(Action::Block));
    let mut reader = engine.reader();
    let request = Request::new(Chain::parse(b"203.0.113.77"));
    // The first load of a thread registers it.
    assert_eq!(engine.load().evaluate(&request).reason(), Reason::Listed);
    assert_eq!(allocations(|| engine.load().evaluate(&request).verdict), 0);
    assert_eq!(
        allocations(|| reader.snapshot().evaluate(&request).verdict),
        0
    );
}

#[test]
fn a_batch_uses_its_memory_again() {
    let snapshot = snapshot(Action::Block);
    let addresses: Vec<_> = (0..100).map(|n| [203, 0, 113, n].into()).collect();
    let mut decisions = Vec::new();
    snapshot.evaluate_batch(&addresses, Kind::Authentication, &mut decisions);
    let again = || snapshot.evaluate_batch(&addresses, Kind::Authentication, &mut decisions);
    assert_eq!(allocations(again), 0);
    assert_eq!(decisions.len(), 100);
}

#[test]
fn explain_is_what_allocates() {
    let snapshot = snapshot(Action::Block);
    let request = Request::new(Chain::parse(b"203.0.113.77"));
    assert!(allocations(|| snapshot.explain(&request)) > 0);
}
