//! Bytes by structure, and of an update while the list before it lives, counted by the allocator, with the lists' own
//! account of them beside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first thing that is not as it should be, and prints"
)]

use threatinsight::{Action, Delta, Entry, Feed, List, Policy, Prefix, Snapshot, Timestamp, Zones};
use threatinsight_heap::{Counting, kept};
use threatinsight_lists as lists;

#[global_allocator]
static HEAP: Counting = Counting;

const NOW: Timestamp = Timestamp(0);
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// How many entries an update removes, and how many it adds.
const CHANGES: usize = 1_000;

fn main() {
    // With `cargo bench -- --test` only the size that is held to a limit.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes = if is_test { &SIZES[2..] } else { &SIZES };
    let zones = lists::zones();
    let (_, bytes) = kept(|| Zones::compile(&zones).unwrap());
    println!("{} zones of 20 prefixes: {bytes} bytes", zones.len());
    println!(
        "\n{:<6}{:>10}{:>14}{:>14}{:>14}{:>16}{:>16}",
        "family", "prefixes", "membership", "entries", "list", "whole snapshot", "1,000 + 1,000"
    );
    for size in sizes {
        let prefixes = lists::list4(*size + CHANGES, 1).into_iter();
        row("IPv4", prefixes.map(lists::prefix4).collect());
    }
    for size in sizes {
        let prefixes = lists::list6(*size + CHANGES, 1).into_iter();
        row("IPv6", prefixes.map(lists::prefix6).collect());
    }
}

/// Two lines: bytes, and bytes per prefix, or what an update adds to the list. The last prefixes are those that it adds.
fn row(family: &str, mut prefixes: Vec<Prefix>) {
    let fresh = prefixes.split_off(prefixes.len() - CHANGES);
    let feed = &lists::feed(prefixes.iter().copied());
    let (list, whole) = kept(|| List::compile(std::slice::from_ref(feed), NOW).unwrap());
    // One allocation cannot be told from another by what it is for: the list says how its bytes
    // are shared out, and is held to what the allocator counted.
    let membership = list.membership_bytes();
    assert!(
        list.bytes().abs_diff(whole) <= whole / 50,
        "the list says {} bytes, the allocator {whole}",
        list.bytes()
    );
    let name = feed.name();
    let removals: Vec<_> = prefixes
        .iter()
        .rev()
        .take(CHANGES)
        .map(|p| (name, *p))
        .collect();
    let additions: Vec<_> = fresh.iter().map(|p| (name, Entry::new(*p))).collect();
    let delta = Delta {
        removals: &removals,
        additions: &additions,
    };
    let (_, grown) = kept(|| list.update(&delta, NOW).unwrap());
    assert!(
        feed.len() < SIZES[2] || grown * 10 < whole,
        "{CHANGES} + {CHANGES} changes add {grown} bytes to {whole}"
    );
    drop(list);
    let (_, snapshot) = kept(|| snapshot(feed));
    let columns = [membership, whole - membership, whole, snapshot];
    print!("{family:<6}{:>10}", feed.len());
    println!(
        "{}{grown:>16}",
        line(columns.map(|bytes| bytes.to_string()))
    );
    print!("{:>16}", "per prefix");
    let each = columns.map(|bytes| format!("{:.2}", bytes as f64 / feed.len() as f64));
    let growth = grown as f64 / whole as f64 * 100.0;
    println!("{}{growth:>14.2} %", line(each));
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
