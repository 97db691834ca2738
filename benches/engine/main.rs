//! Costs of the core: look-up, decision, compile, swap, parse, chain.
//!
//! `THREATINSIGHT_BENCH_LIST` names a real list to measure beside the generated ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::missing_docs_in_private_items,
    reason = "a bench stops at the first thing that is not as it should be"
)]

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use threatinsight::{
    Action, Chain, Decision, Engine, Feed, Kind, List, ParseOptions, Policy, Request, Snapshot,
    Timestamp, Zones,
};
use threatinsight_lists as lists;

const NOW: Timestamp = Timestamp(0);
const QUERIES: usize = 1 << 16;
const SIZES: [(usize, &str); 3] = [(10_000, "10k"), (100_000, "100k"), (1_000_000, "1M")];

/// The address families a bench runs over.
#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

const FAMILIES: [(Family, &str); 2] = [(Family::V4, "ipv4"), (Family::V6, "ipv6")];

impl Family {
    fn feed(self, count: usize) -> Feed {
        match self {
            Self::V4 => lists::feed(lists::list4(count, 1).into_iter().map(lists::prefix4)),
            Self::V6 => lists::feed(lists::list6(count, 1).into_iter().map(lists::prefix6)),
        }
    }

    fn misses(self) -> Vec<IpAddr> {
        match self {
            Self::V4 => lists::uniform4(QUERIES, 1)
                .into_iter()
                .map(lists::address4)
                .collect(),
            Self::V6 => lists::uniform6(QUERIES, 1)
                .into_iter()
                .map(lists::address6)
                .collect(),
        }
    }
}

/// Listed addresses, in random order.
fn hits(feed: &Feed) -> Vec<IpAddr> {
    let listed: Vec<IpAddr> = feed.entries().map(|entry| entry.prefix.address()).collect();
    let mut random = lists::Random::new(7);
    let pick = |_| listed[random.below(listed.len() as u64) as usize];
    (0..QUERIES).map(pick).collect()
}

/// One hit in twenty, the rest misses.
fn mixed(family: Family, feed: &Feed) -> Vec<IpAddr> {
    let mut addresses = family.misses();
    for (address, hit) in addresses.iter_mut().step_by(20).zip(hits(feed)) {
        *address = hit;
    }
    addresses
}

fn lookup(c: &mut Criterion) {
    for (family, family_name) in FAMILIES {
        let mut group = c.benchmark_group(format!("lookup/{family_name}"));
        group.throughput(Throughput::Elements(QUERIES as u64));
        for (size, size_name) in SIZES {
            let feed = family.feed(size);
            let list = List::compile(std::slice::from_ref(&feed), NOW).unwrap();
            for (name, queries) in [
                ("hit", hits(&feed)),
                ("miss", family.misses()),
                ("mixed", mixed(family, &feed)),
            ] {
                group.bench_with_input(BenchmarkId::new(name, size_name), &queries, |b, q| {
                    b.iter(|| count_listed(&list, q));
                });
            }
        }
        group.finish();
    }
    if let Some(feed) = real_list() {
        let list = List::compile(std::slice::from_ref(&feed), NOW).unwrap();
        let mut group = c.benchmark_group("lookup/real");
        group.throughput(Throughput::Elements(QUERIES as u64));
        let queries = hits(&feed);
        group.bench_function("hit", |b| b.iter(|| count_listed(&list, &queries)));
        let queries = Family::V4.misses();
        group.bench_function("miss", |b| b.iter(|| count_listed(&list, &queries)));
        group.finish();
    }
}

fn count_listed(list: &List, queries: &[IpAddr]) -> usize {
    queries
        .iter()
        .filter(|address| list.contains(**address))
        .count()
}

fn evaluate(c: &mut Criterion) {
    let feed = Family::V4.feed(1_000_000);
    let snapshot = snapshot(std::slice::from_ref(&feed));
    let mut group = c.benchmark_group("evaluate/1M");
    group.throughput(Throughput::Elements(QUERIES as u64));
    for (name, queries) in [
        ("hit", hits(&feed)),
        ("miss", Family::V4.misses()),
        ("mixed", mixed(Family::V4, &feed)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                for address in &queries {
                    let _ = black_box(snapshot.evaluate(&Request::from(*address)).verdict);
                }
            });
        });
        let mut decisions: Vec<Decision<'_>> = Vec::new();
        group.bench_function(format!("batch/{name}"), |b| {
            b.iter(|| snapshot.evaluate_batch(&queries, Kind::Authentication, &mut decisions));
        });
    }
    let engine = Engine::new(snapshot.clone());
    let queries = Family::V4.misses();
    group.bench_function("miss/load", |b| {
        b.iter(|| {
            for address in &queries {
                let _ = black_box(engine.load().evaluate(&Request::from(*address)).verdict);
            }
        });
    });
    let mut reader = engine.reader();
    group.bench_function("miss/reader", |b| {
        b.iter(|| {
            for address in &queries {
                let _ = black_box(reader.snapshot().evaluate(&Request::from(*address)).verdict);
            }
        });
    });
    group.finish();
}

fn chain(c: &mut Criterion) {
    let snapshot = snapshot(&[Family::V4.feed(100_000)]);
    let peer: IpAddr = "192.0.2.1".parse().unwrap();
    let mut group = c.benchmark_group("chain");
    for (name, line) in [
        ("one-hop", "203.0.113.7"),
        ("three-hops", "198.51.100.7, 203.0.113.7:4711, 192.0.2.2"),
        ("ipv6", "[2001:db8::7]:443, 192.0.2.2"),
    ] {
        let lines = [line.as_bytes()];
        group.bench_function(name, |b| {
            b.iter(|| {
                let chain = Chain::x_forwarded_for(Some(peer), black_box(&lines));
                snapshot.evaluate(&Request::new(chain)).verdict
            });
        });
    }
    let lines: [&[u8]; 1] = [br#"for="[2001:db8::7]:443";proto=https, for=192.0.2.2"#];
    group.bench_function("rfc7239", |b| {
        b.iter(|| {
            let chain = Chain::forwarded(Some(peer), black_box(&lines));
            snapshot.evaluate(&Request::new(chain)).verdict
        });
    });
    group.finish();
}

fn compile(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(4));
    for (family, family_name) in FAMILIES {
        for (size, size_name) in SIZES {
            let feed = [family.feed(size)];
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(BenchmarkId::new(family_name, size_name), |b| {
                b.iter_with_large_drop(|| List::compile(&feed, NOW).unwrap());
            });
        }
    }
    let zones = lists::zones();
    group.throughput(Throughput::Elements(zones.len() as u64));
    group.bench_function("zones/200", |b| b.iter(|| Zones::compile(&zones).unwrap()));
    group.finish();
}

fn swap(c: &mut Criterion) {
    let snapshot = snapshot(&[Family::V4.feed(1_000_000)]);
    let engine = Engine::new(snapshot.clone());
    let mut group = c.benchmark_group("swap/1M");
    group.bench_function("pointer", |b| {
        b.iter_batched(
            || snapshot.clone(),
            |next| engine.swap(next),
            BatchSize::SmallInput,
        );
    });
    let configuration = snapshot.configuration().clone();
    let extensions = snapshot.extensions().clone();
    group.bench_function("configuration", |b| {
        b.iter(|| {
            engine
                .update_configuration(&configuration, &extensions)
                .unwrap()
        });
    });
    let zones = lists::zones();
    group.bench_function("zones", |b| b.iter(|| engine.update_zones(&zones).unwrap()));
    group.finish();
}

fn parse(c: &mut Criterion) {
    let options = ParseOptions {
        max_rejected: usize::MAX,
        ..ParseOptions::default()
    };
    let mut group = c.benchmark_group("parse");
    group.sample_size(20);
    for (family, family_name) in FAMILIES {
        let text = text(&family.feed(100_000));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new(family_name, "100k"), |b| {
            b.iter(|| {
                Feed::parse("bench", text.as_bytes(), &options)
                    .unwrap()
                    .feed
                    .len()
            });
        });
    }
    group.finish();
}

fn snapshot(feeds: &[Feed]) -> Snapshot {
    let mut policy = Policy::new(Action::Block);
    policy.zones = lists::zones();
    policy.configuration.exclude_zones = vec!["nzo1".to_owned(), "nzo2".to_owned()];
    policy.compile(feeds, NOW).unwrap()
}

/// The feed as text, one prefix a line.
fn text(feed: &Feed) -> String {
    let lines = feed.entries().map(|entry| format!("{}\n", entry.prefix));
    lines.collect()
}

fn real_list() -> Option<Feed> {
    let path = std::env::var_os("THREATINSIGHT_BENCH_LIST")?;
    let text = std::fs::read(path).unwrap();
    Some(
        Feed::parse("real", &text, &ParseOptions::default())
            .unwrap()
            .feed,
    )
}

criterion_group!(benches, lookup, evaluate, chain, compile, swap, parse);
criterion_main!(benches);
