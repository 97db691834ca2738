//! Which structures are measured, and how long a list each is asked to hold.

use crate::family::Family;
use crate::structure::{Kind, Parsed, Structure};
use crate::{crates, ours, plain};

/// How to make a structure, and for which lists.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<A> {
    /// As the tables call it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Makes it.
    pub build: fn(&Parsed<A>) -> Box<dyn Structure<A>>,
    /// The longest list it is made of when time is short: what never wins is not asked for more
    /// than it takes to see that.
    pub fast: usize,
}

/// No limit.
const ALL: usize = usize::MAX;

/// All IPv4 structures.
#[must_use]
pub fn ipv4() -> Vec<Candidate<u32>> {
    let mut all = both();
    all.push(Candidate {
        name: "roaring",
        kind: Kind::Range,
        build: crates::roaring,
        fast: ALL,
    });
    all
}

/// All IPv6 structures.
#[must_use]
pub fn ipv6() -> Vec<Candidate<u128>> {
    both()
}

fn both<A: Family>() -> Vec<Candidate<A>> {
    let candidate = |name, kind, fast, build| Candidate {
        name,
        kind,
        build,
        fast,
    };
    let (prefix, range) = (Kind::Prefix, Kind::Range);
    vec![
        candidate("threatinsight", Kind::Ours, ALL, ours::one),
        candidate("threatinsight batch", Kind::Batch, ALL, ours::many),
        candidate(
            "prefix-trie get_lpm",
            prefix,
            ALL,
            crates::prefix_trie_get_lpm,
        ),
        candidate(
            "prefix-trie is_covered",
            prefix,
            ALL,
            crates::prefix_trie_is_covered,
        ),
        candidate("ts_bart", prefix, ALL, crates::ts_bart),
        candidate("ip_network_table", prefix, 100_000, crates::network_table),
        candidate("treebitmap", prefix, 100_000, crates::treebitmap),
        candidate("poptrie", prefix, ALL, crates::poptrie),
        candidate("iptrie LC-trie", prefix, ALL, crates::iptrie),
        candidate("ipnet-trie", prefix, 10_000, crates::ipnet_trie),
        candidate("iprange", prefix, 10_000, crates::iprange),
        candidate("maxminddb", prefix, 10_000, crates::maxminddb),
        candidate("rangemap", range, 10_000, crates::rangemap),
        candidate("range-set-blaze", range, ALL, crates::range_set_blaze),
        candidate("ahash set per length", Kind::Hash, ALL, plain::per_length),
        candidate("sorted ranges", range, ALL, plain::sorted),
        candidate("Eytzinger", range, ALL, plain::eytzinger),
    ]
}
