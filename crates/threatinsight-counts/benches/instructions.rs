//! Instructions per 1,000 look-ups and decisions, counted by valgrind: the same on every run of
//! one binary, whatever else the machine does.
//!
//! Each count has a limit 10 % above the baseline beside it; beyond the limit the bench fails. A
//! change that means to cost more raises the baseline in the same commit, and says why.
#![allow(
    missing_docs,
    unused_qualifications,
    clippy::unwrap_used,
    reason = "the harness writes what is undocumented; a bench stops at the first mistake"
)]

use std::hint::black_box;
use std::net::IpAddr;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use threatinsight::{Action, Engine, List, Policy, Reader, Request, Timestamp};
use threatinsight_lists as lists;

const LISTED: usize = 100_000;
const QUERIES: usize = 1_000;
const NOW: Timestamp = Timestamp(0);

/// The limit for a baseline: what may be lost before somebody has to look.
fn limit(baseline: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, baseline + baseline / 10)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn list4() -> List {
    let prefixes = lists::list4(LISTED, 1).into_iter().map(lists::prefix4);
    List::compile(&[lists::feed(prefixes)], NOW).unwrap()
}

fn list6() -> List {
    let prefixes = lists::list6(LISTED, 1).into_iter().map(lists::prefix6);
    List::compile(&[lists::feed(prefixes)], NOW).unwrap()
}

fn hits4() -> (List, Vec<IpAddr>) {
    let hits = lists::hits(&lists::list4(LISTED, 1), QUERIES, 2, lists::within4);
    (list4(), hits.into_iter().map(lists::address4).collect())
}

fn misses4() -> (List, Vec<IpAddr>) {
    let misses = lists::uniform4(QUERIES, 2);
    (list4(), misses.into_iter().map(lists::address4).collect())
}

fn hits6() -> (List, Vec<IpAddr>) {
    let hits = lists::hits(&lists::list6(LISTED, 1), QUERIES, 2, lists::within6);
    (list6(), hits.into_iter().map(lists::address6).collect())
}

fn misses6() -> (List, Vec<IpAddr>) {
    let misses = lists::uniform6(QUERIES, 2);
    (list6(), misses.into_iter().map(lists::address6).collect())
}

fn reader((list, addresses): (List, Vec<IpAddr>)) -> (Reader, Vec<IpAddr>) {
    let snapshot = Policy::new(Action::Block).compile(&[], NOW).unwrap();
    (Engine::new(snapshot.with_list(list)).reader(), addresses)
}

#[library_benchmark]
#[bench::hits_ipv4(args = (hits4(),), config = limit(91_490))]
#[bench::misses_ipv4(args = (misses4(),), config = limit(23_065))]
#[bench::hits_ipv6(args = (hits6(),), config = limit(160_361))]
#[bench::misses_ipv6(args = (misses6(),), config = limit(25_098))]
fn contains((list, addresses): (List, Vec<IpAddr>)) -> (List, Vec<IpAddr>) {
    let listed = addresses.iter().filter(|address| list.contains(**address));
    black_box(listed.count());
    // Dropped outside of what is counted.
    (list, addresses)
}

#[library_benchmark]
#[bench::hits_ipv4(args = (reader(hits4()),), config = limit(1_028_277))]
#[bench::misses_ipv4(args = (reader(misses4()),), config = limit(66_156))]
fn evaluate((mut reader, addresses): (Reader, Vec<IpAddr>)) -> (Reader, Vec<IpAddr>) {
    for address in &addresses {
        let _ = black_box(reader.snapshot().evaluate(&Request::from(*address)).verdict);
    }
    (reader, addresses)
}

library_benchmark_group!(name = instructions, benchmarks = [contains, evaluate]);
main!(library_benchmark_groups = instructions);
