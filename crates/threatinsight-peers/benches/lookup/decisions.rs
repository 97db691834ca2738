//! What a decision costs beside the look-up in it.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;

use threatinsight::{Action, Engine, Policy, Request, Snapshot, Timestamp, Verdict};
use threatinsight_lists as lists;
use threatinsight_peers::family::Family;
use threatinsight_peers::oracle::{answers, ranges};

use crate::Output;
use crate::measure::{median, sliced};

/// Clients of a pass. None is asked for twice, as in `lookups`.
const PASS: usize = 1 << 14;
const ROUNDS: usize = 15;

/// How many of the clients are allowed.
type Ask<'a> = dyn FnMut(&[IpAddr]) -> usize + 'a;

/// Clients that are not listed, one hop, 200 zones: the bare look-up, then `evaluate` through the
/// snapshot itself, through a thread's reader, and through the engine's load.
pub(crate) fn compare<A: Family>(output: &mut Output, size: usize) {
    let listed = A::list(size);
    let mut policy = Policy::new(Action::Block);
    policy.zones = lists::zones();
    policy.configuration.exclude_zones = vec!["nzo1".to_owned(), "nzo2".to_owned()];
    let snapshot = policy.compile(&[A::feed(&listed)], Timestamp(0)).unwrap();
    let engine = Engine::new(snapshot.clone());
    let mut reader = engine.reader();
    let clients = unlisted(&listed);

    let allowed = |verdict: Verdict| usize::from(verdict == Verdict::Allow);
    let mut asked: [(&str, Box<Ask<'_>>); 4] = [
        (
            "List::contains",
            Box::new(|of| {
                let list = snapshot.list();
                of.iter().filter(|client| !list.contains(**client)).count()
            }),
        ),
        (
            "Snapshot::evaluate",
            Box::new(|of| {
                let verdict = |client: &IpAddr| snapshot.evaluate(&Request::from(*client)).verdict;
                of.iter().map(|client| allowed(verdict(client))).sum()
            }),
        ),
        (
            "by a reader",
            Box::new(|of| {
                let verdict =
                    |client: &IpAddr| reader.snapshot().evaluate(&Request::from(*client)).verdict;
                of.iter().map(verdict).map(allowed).sum()
            }),
        ),
        (
            "by a load",
            Box::new(|of| {
                let verdict =
                    |client: &IpAddr| engine.load().evaluate(&Request::from(*client)).verdict;
                of.iter().map(verdict).map(allowed).sum()
            }),
        ),
    ];
    let mut times = [const { Vec::new() }; 4];
    let mut passes = clients.chunks_exact(PASS);
    for _ in 0..ROUNDS {
        for ((_, ask), times) in asked.iter_mut().zip(&mut times) {
            let clients = passes.next().expect("a pass for each");
            times.push(sliced(PASS, |slice| {
                black_box(ask(black_box(&clients[slice])));
            }));
        }
    }
    println!(
        "\n# {}, {size} prefixes, 200 zones, unlisted clients",
        A::NAME
    );
    println!(
        "{:<22}{:>8}{:>14}{:>14}",
        "asked", "ns", "of a look-up", "ns on top"
    );
    for ((name, _), of) in asked.iter().zip(&times) {
        let rounds = || of.iter().zip(&times[0]);
        let (ratio, more) = (
            median(rounds().map(|(of, bare)| of / bare)),
            median(rounds().map(|(of, bare)| of - bare)),
        );
        let ns = median(of.clone());
        println!("{name:<22}{ns:>8.1}{ratio:>14.2}{more:>14.1}");
        writeln!(output.decisions, "{},{size},{name},{ns:.3}", A::NAME).unwrap();
    }
    fold::<A>(output, size, &snapshot, &listed);
}

/// Clients that are listed: a decision reads what their entries say.
fn fold<A: Family>(output: &mut Output, size: usize, snapshot: &Snapshot, listed: &[(A, u8)]) {
    let workloads = A::workloads(listed, 2 * ROUNDS * PASS);
    let hits = workloads.into_iter().find(|(name, _)| *name == "hit");
    let (_, hits) = hits.expect("every family has it");
    let clients: Vec<IpAddr> = hits.into_iter().map(Family::ip).collect();
    let mut times = [const { Vec::new() }; 2];
    for clients in clients.chunks_exact(2 * PASS) {
        let (first, second) = clients.split_at(PASS);
        let [bare, whole] = &mut times;
        bare.push(sliced(PASS, |slice| {
            let is_listed = |client: &&IpAddr| snapshot.list().contains(**client);
            black_box(black_box(&first[slice]).iter().filter(is_listed).count());
        }));
        whole.push(sliced(PASS, |slice| {
            let verdicts = black_box(&second[slice]).iter().map(|client| {
                let decision = snapshot.evaluate(&Request::from(*client));
                usize::from(decision.verdict == Verdict::Block)
            });
            black_box(verdicts.sum::<usize>());
        }));
    }
    let [bare, whole] = times;
    let more = median(bare.iter().zip(&whole).map(|(bare, whole)| whole - bare));
    let (bare, whole) = (median(bare), median(whole));
    println!("listed clients: contains {bare:.1} ns, evaluate {whole:.1} ns, {more:.1} on top");
    writeln!(output.decisions, "{},{size},listed,{whole:.3}", A::NAME).unwrap();
}

fn unlisted<A: Family>(listed: &[(A, u8)]) -> Vec<IpAddr> {
    let ranges = ranges(listed);
    // A tenth more than is asked for, as some are listed.
    let workloads = A::workloads(listed, 4 * ROUNDS * PASS * 11 / 10);
    let uniform = workloads.into_iter().find(|(name, _)| *name == "rnd");
    let (_, uniform) = uniform.expect("every family has it");
    let listed = answers(listed, &ranges, &uniform);
    let unlisted = uniform.iter().zip(listed).filter(|(_, listed)| !listed);
    unlisted.map(|(bits, _)| bits.ip()).collect()
}
