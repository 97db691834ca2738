//! Bytes by structure, counted by the allocator, with the lists' own account of them beside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first thing that is not as it should be, and prints"
)]

use threatinsight::{Action, Feed, List, Policy, Snapshot, Timestamp, Zones};
use threatinsight_heap::{Counting, kept};
use threatinsight_lists as lists;

#[global_allocator]
static HEAP: Counting = Counting;

const NOW: Timestamp = Timestamp(0);
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    // `cargo bench -- --test` only asks whether the bench still runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes = if is_test { &SIZES[..1] } else { &SIZES };
    let zones = lists::zones();
    let (_, bytes) = kept(|| Zones::compile(&zones).unwrap());
    println!("{} zones of 20 prefixes: {bytes} bytes", zones.len());
    println!(
        "\n{:<6}{:>10}{:>14}{:>14}{:>14}{:>16}",
        "family", "prefixes", "membership", "entries", "list", "whole snapshot"
    );
    for size in sizes {
        let prefixes = lists::list4(*size, 1).into_iter().map(lists::prefix4);
        row("IPv4", &lists::feed(prefixes));
    }
    for size in sizes {
        let prefixes = lists::list6(*size, 1).into_iter().map(lists::prefix6);
        row("IPv6", &lists::feed(prefixes));
    }
}

/// Two lines: bytes, and bytes per prefix.
fn row(family: &str, feed: &Feed) {
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
    print!("{family:<6}{:>10}", feed.len());
    println!("{}", line(columns.map(|bytes| bytes.to_string())));
    print!("{:>16}", "per prefix");
    let each = columns.map(|bytes| format!("{:.2}", bytes as f64 / feed.len() as f64));
    println!("{}", line(each));
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
