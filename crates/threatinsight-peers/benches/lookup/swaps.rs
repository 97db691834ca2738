//! What readers notice of swaps, and what a second core brings them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use threatinsight::{Action, Delta, Engine, Policy, Request, Snapshot, Timestamp, Verdict};
use threatinsight_lists as lists;
use threatinsight_peers::family::Family as _;

use crate::measure::median;
use crate::updates::additions;

const NOW: Timestamp = Timestamp(0);
const CLIENTS: usize = 1 << 18;
const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(40);
const SWAP: Duration = Duration::from_millis(1);
const CHANGES: [usize; 3] = [0, 10, 1_000];
const READERS: [usize; 2] = [1, 2];

/// Readers that judge uniform clients, alone and beside a thread that a thousand times a second
/// swaps the list for one with so many entries more, or back. The first reader has a core of its own, as a worker of a
/// gateway should have: left to the scheduler, a wake of the other thread moves it, and a swap for the same list costs
/// as much as any.
pub(crate) fn compare(size: usize) {
    let mut listed = lists::list4(size + CHANGES[2], 1);
    let fresh = listed.split_off(size);
    let snapshot = Policy::new(Action::Block).compile(&[u32::feed(&listed)], NOW);
    let snapshot = snapshot.unwrap();
    let changed = CHANGES.map(|count| {
        let delta = Delta {
            removals: &[],
            additions: &additions(&fresh[..count]),
        };
        let list = snapshot.list().update(&delta, NOW).unwrap();
        [snapshot.clone(), snapshot.with_list(list)]
    });
    let engine = Engine::new(snapshot);
    let clients = lists::uniform4(CLIENTS, 7);
    let clients: Vec<IpAddr> = clients.into_iter().map(lists::address4).collect();
    let changes = [None, Some(0), Some(1), Some(2)];
    let ways = READERS.map(|readers| changes.map(|change| (readers, change)));
    let ways = ways.as_flattened();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for _ in 0..ROUNDS {
        for ((readers, change), rounds) in ways.iter().zip(&mut rounds) {
            let swapped = change.map(|change: usize| &changed[change]);
            rounds.push(round(&engine, &clients, *readers, swapped));
        }
    }
    println!("\n# IPv4, {size} prefixes, readers beside 1,000 swaps a second");
    println!(
        "{:<10}{:<16}{:>16}{:>18}{:>16}",
        "readers", "swapped for", "M decisions/s", "of those alone", "of one alone"
    );
    for (at, ((readers, change), of)) in ways.iter().zip(&rounds).enumerate() {
        let ratio = |to: usize| median(of.iter().zip(&rounds[to]).map(|(of, to)| of / to));
        let change = change.map_or("-".to_owned(), |at| format!("{} more", CHANGES[at]));
        let before = at - at % changes.len();
        let (all, alone, one) = (median(of.clone()) / 1e6, ratio(before), ratio(0));
        println!("{readers:<10}{change:<16}{all:>16.1}{alone:>18.2}{one:>16.2}");
    }
}

/// Decisions per second of all readers together.
fn round(
    engine: &Engine,
    clients: &[IpAddr],
    readers: usize,
    swapped: Option<&[Snapshot; 2]>,
) -> f64 {
    let decisions = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let read = |core: usize| {
        pin(core);
        let mut reader = engine.reader();
        let mut allowed = 0;
        let mut judged = 0;
        for clients in clients.chunks(1 << 10).cycle() {
            for client in clients {
                let decision = reader.snapshot().evaluate(&Request::from(*client));
                allowed += usize::from(decision.verdict == Verdict::Allow);
            }
            judged += clients.len();
            if is_over.load(Relaxed) {
                break;
            }
        }
        assert!(allowed > judged / 2, "most are not listed");
        decisions.fetch_add(judged, Relaxed);
    };
    let mut swaps = 0;
    let start = Instant::now();
    thread::scope(|scope| {
        for core in 0..readers {
            scope.spawn(move || read(core));
        }
        scope.spawn(|| {
            pin(1);
            while start.elapsed() < ROUND {
                if let Some(snapshots) = swapped {
                    engine.swap(snapshots[swaps % 2].clone());
                    swaps += 1;
                    let next = SWAP * u32::try_from(swaps).expect("one round of them");
                    thread::sleep(next.saturating_sub(start.elapsed()));
                } else {
                    thread::sleep(ROUND);
                }
            }
            is_over.store(true, Relaxed);
        });
    });
    decisions.into_inner() as f64 / start.elapsed().as_secs_f64()
}

/// Keeps this thread on one core, if there is such a core.
fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}
