//! One request is judged by exactly one snapshot, and after a swap by the new one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use threatinsight::{
    Action, Chain, Configuration, Engine, Entry, Extensions, Feed, IpZone, List, NetworkZone,
    Policy, Reason, Request, Snapshot, Timestamp, Verdict, ZoneAddress, ZoneHead,
};

const SWAPS: usize = 20_000;
const UPDATES: u64 = 100;
const READERS: usize = 3;

const FIRST: &str = "203.0.113.0/24";
const SECOND: &str = "198.51.100.0/24";

fn list(prefix: &str) -> List {
    let mut feed = Feed::new("feed");
    feed.push(Entry::new(prefix.parse().unwrap()));
    List::compile(&[feed], Timestamp(0)).unwrap()
}

fn zones(gateway: &str) -> Vec<NetworkZone> {
    vec![NetworkZone::Ip(IpZone {
        head: ZoneHead::new("nzoA", "office"),
        gateways: Some(vec![ZoneAddress::Cidr(gateway.to_owned())]),
        proxies: None,
        links: None,
    })]
}

/// Lists one network and excludes the other, so that nobody is ever `Excluded`: only the list of
/// one snapshot with the zones of the other would say that.
fn snapshot(listed: &str, excluded: &str) -> Snapshot {
    let policy = Policy {
        configuration: Configuration {
            exclude_zones: vec!["nzoA".to_owned()],
            ..Configuration::new(Action::Block)
        },
        extensions: Extensions::default(),
        zones: zones(excluded),
    };
    let parts = policy.compile(&[], Timestamp(0)).unwrap();
    parts.with_list(list(listed))
}

fn reasons(snapshot: &Snapshot) -> [Reason; 2] {
    ["203.0.113.7", "198.51.100.7"].map(|client| {
        snapshot
            .evaluate(&Request::new(Chain::parse(client.as_bytes())))
            .reason()
    })
}

fn assert_whole(snapshot: &Snapshot) {
    let reasons = reasons(snapshot);
    assert!(
        reasons == [Reason::Listed, Reason::NotListed]
            || reasons == [Reason::NotListed, Reason::Listed],
        "generation {}: {reasons:?}",
        snapshot.generation()
    );
}

/// Runs `write` while readers call `read` over and over, each at least once after the last write.
fn storm(write: impl FnOnce() + Send, read: impl Fn(usize) + Sync) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (done, read) = (&done, &read);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    read(reader);
                }
                read(reader);
            });
        }
        // Dropped when `write` panics too, so that the readers end and the test fails.
        let _done = SetOnDrop(&done);
        write();
    });
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_mixed_view_would_be_seen() {
    let mixed = snapshot(FIRST, SECOND).with_list(list(SECOND));
    assert!(reasons(&mixed).contains(&Reason::Excluded));
}

#[test]
fn no_reader_sees_the_list_of_one_snapshot_with_the_zones_of_another() {
    let snapshots = [snapshot(SECOND, FIRST), snapshot(FIRST, SECOND)];
    let engine = Engine::new(snapshots[1].clone());
    let write = || {
        for swap in 0..SWAPS {
            engine.swap(snapshots[swap % 2].clone());
        }
    };
    storm(write, |reader| match reader {
        0 => {
            let mut reader = engine.reader();
            for _ in 0..100 {
                assert_whole(reader.snapshot());
            }
        }
        _ => assert_whole(&engine.load()),
    });
    assert_eq!(engine.load().generation(), SWAPS as u64 + 1);
}

#[test]
fn a_loaded_snapshot_stays_as_it_is() {
    let engine = Engine::new(snapshot(FIRST, SECOND));
    let loaded = engine.load();
    engine.swap(snapshot(SECOND, FIRST));
    assert_eq!(reasons(&loaded), [Reason::Listed, Reason::NotListed]);
    assert_eq!(reasons(&engine.load()), [Reason::NotListed, Reason::Listed]);
}

#[test]
fn after_a_swap_has_returned_every_evaluation_sees_it() {
    let served = snapshot(FIRST, SECOND);
    let engine = Engine::new(served.clone());
    let swapped = AtomicU64::new(engine.load().generation());
    let write = || {
        for generation in 2..SWAPS as u64 {
            engine.swap(served.clone());
            swapped.store(generation, Ordering::Release);
        }
    };
    let readers: Vec<_> = (0..READERS)
        .map(|_| Mutex::new((engine.reader(), 0)))
        .collect();
    storm(write, |reader| {
        let (reader, last) = &mut *readers[reader].lock().unwrap();
        let least = swapped.load(Ordering::Acquire);
        let seen = reader.snapshot().generation();
        assert!(
            seen >= least && seen >= *last,
            "{seen} after {least}, {last}"
        );
        let loaded = engine.load().generation();
        assert!(loaded >= seen, "{loaded} after {seen}");
        *last = seen;
    });
}

#[test]
fn every_swap_replaces_another_snapshot() {
    let served = snapshot(FIRST, SECOND);
    let engine = Engine::new(served.clone());
    let together = Barrier::new(4);
    let swap = || -> Vec<u64> {
        together.wait();
        let swaps = (0..5 * SWAPS).map(|_| engine.swap(served.clone()).generation());
        swaps.collect()
    };
    let mut replaced: Vec<u64> = thread::scope(|scope| {
        let threads = [swap; 4].map(|swap| scope.spawn(swap));
        let swapped = threads.into_iter().map(|thread| thread.join().unwrap());
        swapped.flatten().collect()
    });
    replaced.sort_unstable();
    assert!(replaced.into_iter().eq(1..=20 * SWAPS as u64));
}

#[test]
fn updates_of_different_parts_are_never_lost() {
    let engine = Engine::new(snapshot(FIRST, SECOND));
    thread::scope(|scope| {
        let update_list = || {
            for update in 0..UPDATES {
                engine.update_list(list(if update == UPDATES - 1 { SECOND } else { FIRST }));
            }
        };
        let update_zones = || {
            for update in 0..UPDATES {
                engine
                    .update_zones(&zones(if update == UPDATES - 1 { FIRST } else { SECOND }))
                    .unwrap();
            }
        };
        scope.spawn(update_list);
        scope.spawn(update_zones);
    });
    assert_eq!(reasons(&engine.load()), [Reason::NotListed, Reason::Listed]);
    assert_eq!(engine.load().generation(), 2 * UPDATES + 1);
}

#[test]
fn a_refused_update_changes_nothing() {
    let engine = Engine::new(snapshot(FIRST, SECOND));
    let mut unknown = Configuration::new(Action::Audit);
    unknown.exclude_zones.push("nzoX".to_owned());
    let error = engine
        .update_configuration(&unknown, &Extensions::default())
        .unwrap_err();
    assert!(error.is_unknown_zone(), "{error}");
    assert!(engine.update_zones(&[]).unwrap_err().is_unknown_zone());
    assert!(
        engine
            .update_zones(&zones("192.0.2.0/33"))
            .unwrap_err()
            .is_zone_address()
    );
    assert_eq!(engine.load().generation(), 1);
    assert_eq!(reasons(&engine.load()), [Reason::Listed, Reason::NotListed]);
}

#[test]
fn an_old_snapshot_is_freed_with_its_last_load() {
    let engine = Engine::new(snapshot(FIRST, SECOND));
    let mut reader = engine.reader();
    assert_whole(reader.snapshot());
    let loaded = engine.load();

    let old = engine.swap(snapshot(SECOND, FIRST));
    let freed = Arc::downgrade(&old);
    drop(old);
    drop(loaded);
    assert!(
        freed.upgrade().is_some(),
        "the reader holds on until it is asked again"
    );
    assert_eq!(
        reasons(reader.snapshot()),
        [Reason::NotListed, Reason::Listed]
    );
    assert!(freed.upgrade().is_none());

    let old = Arc::downgrade(&engine.swap(snapshot(FIRST, SECOND)));
    drop(reader);
    assert!(old.upgrade().is_none());
}

#[test]
fn a_storm_leaves_no_snapshot_behind() {
    let served = snapshot(FIRST, SECOND);
    let engine = Engine::new(served.clone());
    let mut old = Vec::new();
    let write = || {
        for _ in 0..SWAPS {
            old.push(Arc::downgrade(&engine.swap(served.clone())));
        }
    };
    storm(write, |_| assert_whole(&engine.load()));
    assert!(old.iter().all(|old| old.strong_count() == 0));
}

#[test]
fn clones_of_an_engine_serve_the_same_snapshot() {
    let engine = Engine::new(snapshot(FIRST, SECOND));
    let clone = engine.clone();
    engine.swap(snapshot(SECOND, FIRST));
    assert_eq!(reasons(&clone.load()), [Reason::NotListed, Reason::Listed]);
}

#[test]
fn updating_the_configuration_keeps_list_and_zones() {
    let engine = Engine::new(snapshot(FIRST, FIRST));
    assert_eq!(
        reasons(&engine.load()),
        [Reason::Excluded, Reason::NotListed]
    );
    engine
        .update_configuration(&Configuration::new(Action::Audit), &Extensions::default())
        .unwrap();
    let snapshot = engine.load();
    let decision = snapshot.evaluate(&Request::new(Chain::parse(b"203.0.113.7")));
    assert_eq!(
        (decision.verdict, decision.reason()),
        (Verdict::Log, Reason::Listed)
    );
}
