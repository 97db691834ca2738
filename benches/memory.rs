//! Bytes by structure, and of updates while the list before them lives, counted by the allocator, with the lists' own
//! account of them beside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first thing that is not as it should be, and prints"
)]

use threatinsight::{Action, Delta, Entry, Feed, List, Policy, Prefix, Snapshot, Timestamp, Zones};
use threatinsight_heap::{Counting, held, kept};
use threatinsight_lists as lists;

#[global_allocator]
static HEAP: Counting = Counting;

const NOW: Timestamp = Timestamp(0);
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// How many entries an update removes, and how many it adds.
const CHANGES: usize = 1_000;
/// How many of them follow each other.
const UPDATES: usize = 100;

fn main() {
    // With `cargo bench -- --test` only the size that is held to a limit.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes = if is_test { &SIZES[2..] } else { &SIZES };
    let zones = lists::zones();
    let (_, bytes) = kept(|| Zones::compile(&zones).unwrap());
    println!("{} zones of 20 prefixes: {bytes} bytes", zones.len());
    println!(
        "\n{:<6}{:>10}{:>14}{:>14}{:>14}{:>16}",
        "family", "prefixes", "membership", "entries", "list", "whole snapshot"
    );
    let made = |size| size + UPDATES * CHANGES;
    for &size in sizes {
        let prefixes = lists::list4(made(size), 1).into_iter();
        rows("IPv4", size, prefixes.map(lists::prefix4).collect());
    }
    for &size in sizes {
        let prefixes = lists::list6(made(size), 1).into_iter();
        rows("IPv6", size, prefixes.map(lists::prefix6).collect());
    }
}

/// Three lines: bytes, bytes per prefix, and what updates add to the list. The prefixes after the first `size` are those
/// that they add.
fn rows(family: &str, size: usize, prefixes: Vec<Prefix>) {
    let mut listed = prefixes;
    let fresh = listed.split_off(size);
    let feed = &lists::feed(listed.iter().copied());
    let (list, whole) = kept(|| List::compile(std::slice::from_ref(feed), NOW).unwrap());
    // One allocation cannot be told from another by what it is for: the list says how its bytes
    // are shared out, and is held to what the allocator counted.
    let membership = list.membership_bytes();
    assert!(
        list.bytes().abs_diff(whole) <= whole / 50,
        "the list says {} bytes, the allocator {whole}",
        list.bytes()
    );
    drop(list);
    let (_, snapshot) = kept(|| snapshot(feed));
    let columns = [membership, whole - membership, whole, snapshot];
    print!("{family:<6}{size:>10}");
    println!("{}", line(columns.map(|bytes| bytes.to_string())));
    print!("{:>16}", "per prefix");
    let each = columns.map(|bytes| format!("{:.2}", bytes as f64 / size as f64));
    println!("{}", line(each));
    updates(feed, listed, &fresh, whole);
}

/// What updates that follow each other add to what the list takes at the time, and what the list takes after them.
fn updates(feed: &Feed, mut listed: Vec<Prefix>, fresh: &[Prefix], compiled: usize) {
    let name = feed.name();
    let mut list = List::compile(std::slice::from_ref(feed), NOW).unwrap();
    let mut random = lists::Random::new(1);
    let (mut growths, mut bytes) = (Vec::new(), Vec::new());
    for fresh in fresh.chunks(CHANGES) {
        let any = |_| {
            let at = random.below(listed.len() as u64);
            listed.swap_remove(usize::try_from(at).unwrap())
        };
        let removed: Vec<_> = (0..CHANGES).map(any).collect();
        listed.extend(fresh);
        let removals: Vec<_> = removed.iter().map(|prefix| (name, *prefix)).collect();
        let additions: Vec<_> = fresh.iter().map(|p| (name, Entry::new(*p))).collect();
        let delta = Delta {
            removals: &removals,
            additions: &additions,
        };
        let (next, grown) = kept(|| list.update(&delta, NOW).unwrap());
        growths.push(grown as f64 / list.bytes() as f64 * 100.0);
        list = next;
        bytes.push(list.bytes() as f64 / compiled as f64);
    }
    let most = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    println!(
        "{:>16}: {CHANGES} + {CHANGES} add {:.2} % at first and {:.2} % at most of what the list takes \
         then, which is up to {:.2} times a compile",
        format!("{} updates", growths.len()),
        growths.first().unwrap(),
        most(&growths),
        most(&bytes)
    );
    let (before, bytes) = (held(), list.bytes());
    drop(list);
    let freed = before - held();
    assert!(
        bytes.abs_diff(freed) <= freed / 50,
        "after updates the list says {bytes} bytes, the allocator {freed}"
    );
    assert!(
        listed.len() < SIZES[2] || most(&growths) < 10.0,
        "an update adds {:.2} %",
        most(&growths)
    );
}

fn line([membership, entries, list, snapshot]: [String; 4]) -> String {
    format!("{membership:>14}{entries:>14}{list:>14}{snapshot:>16}")
}

/// The list, 200 zones and the rules.
fn snapshot(feed: &Feed) -> Snapshot {
    let mut policy = Policy::new(Action::Block);
    policy.zones = lists::zones();
    policy.configuration.exclude_zones = vec!["nzo1".to_owned(), "nzo2".to_owned()];
    policy.compile(std::slice::from_ref(feed), NOW).unwrap()
}
