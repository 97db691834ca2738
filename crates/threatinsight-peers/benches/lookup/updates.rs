//! What an update costs beside a compile, by the size of the change.

use std::collections::VecDeque;
use std::fmt::Write as _;

use threatinsight::{Delta, Entry, List, Prefix, Timestamp};
use threatinsight_heap::kept;
use threatinsight_lists::Random;
use threatinsight_peers::family::Family;

use crate::Output;
use crate::measure::{median, median_of, once};
use crate::options::Options;

const NOW: Timestamp = Timestamp(0);
const LATER: Timestamp = Timestamp(1);
const CHANGES: [usize; 5] = [1, 10, 100, 1_000, 10_000];

/// One table: a single addition, then as many removals as additions, then an expiry.
pub(crate) fn compare<A: Family>(options: &Options, output: &mut Output) {
    println!("\n# {}, updates", A::NAME);
    println!(
        "{:<10}{:<22}{:>10}{:>16}{:>18}",
        "prefixes", "change", "ms", "of a compile", "memory grows by"
    );
    for &size in &options.sizes {
        update::<A>(output, size);
    }
}

fn update<A: Family>(output: &mut Output, size: usize) {
    // What comes is shaped like what is there.
    let mut listed = A::list(size + size / 10);
    let fresh = listed.split_off(size);
    let feeds = [A::feed(&listed)];
    let compile = || List::compile(&feeds, NOW).unwrap();
    let full = median_of(if size > 1_000_000 { 3 } else { 7 }, compile);
    let list = compile();
    let bytes = list.bytes() as f64;
    println!("{size:<10}{:<22}{full:>10.3}", "compile");
    writeln!(output.updates, "{},{size},compile,{full:.4},1,1", A::NAME).unwrap();

    let mut report = |change: &str, column: &str, ms: f64, grown: usize| {
        let (of, grows) = (full / ms, grown as f64 / bytes);
        println!(
            "{size:<10}{change:<22}{ms:>10.3}{:>16}{:>17.2}%",
            format!("1/{of:.0}"),
            grows * 1e2
        );
        writeln!(
            output.updates,
            "{},{size},{column},{ms:.4},{:.6},{grows:.6}",
            A::NAME,
            1.0 / of
        )
        .unwrap();
    };
    let single = (0..31).map(|at| {
        let additions = additions(&fresh[at * 7..=at * 7]);
        once(|| {
            list.update(
                &Delta {
                    removals: &[],
                    additions: &additions,
                },
                NOW,
            )
            .unwrap()
        })
    });
    let single = median(single);
    let one = additions(&fresh[..1]);
    let (_, grown) = kept(|| {
        list.update(
            &Delta {
                removals: &[],
                additions: &one,
            },
            NOW,
        )
        .unwrap()
    });
    report("1 addition", "0", single, grown);

    for count in CHANGES.into_iter().filter(|count| *count <= fresh.len()) {
        let (next, removed) = (&fresh[..count], &listed[listed.len() - count..]);
        let (removals, additions) = (removals(removed), additions(next));
        let delta = Delta {
            removals: &removals,
            additions: &additions,
        };
        let ms = median_of(9, || list.update(&delta, NOW).unwrap());
        let (updated, grown) = kept(|| list.update(&delta, NOW).unwrap());
        let mut expected = listed[..listed.len() - count].to_vec();
        expected.extend_from_slice(next);
        let compiled = List::compile(&[A::feed(&expected)], NOW).unwrap();
        assert_eq!(updated.digest(), compiled.digest(), "{count} changes");
        report(
            &format!("{count} out, {count} in"),
            &count.to_string(),
            ms,
            grown,
        );
    }

    let expiring = expiring(&listed);
    let ms = median_of(9, || expiring.expire(LATER));
    let (_, grown) = kept(|| expiring.expire(LATER));
    report("1000 expire", "expire", ms, grown);
}

/// What updates cost that follow each other, whether the list grows, and whether it drifts from what a compile would give.
pub(crate) fn churn<A: Family>(size: usize, updates: usize, changes: usize) {
    let mut listed = A::list(size + size / 10);
    let mut others = VecDeque::from(listed.split_off(size));
    let compiled = |listed: &[(A, u8)]| List::compile(&[A::feed(listed)], NOW).unwrap();
    let full = median_of(7, || compiled(&listed));
    let mut list = compiled(&listed);
    let (mut random, mut most, mut growth, mut times) = (Random::new(7), 0, 0.0_f64, Vec::new());
    for _ in 0..updates {
        let out: Vec<_> = (0..changes)
            .map(|_| listed.swap_remove(random.below(listed.len() as u64) as usize))
            .collect();
        let new: Vec<_> = others.drain(..changes).collect();
        let (removals, additions) = (removals(&out), additions(&new));
        let delta = Delta {
            removals: &removals,
            additions: &additions,
        };
        let mut next = None;
        let ((), grown) =
            kept(|| times.push(once(|| next = Some(list.update(&delta, NOW).unwrap()))));
        growth = growth.max(grown as f64 / list.bytes() as f64);
        list = next.unwrap();
        most = most.max(list.bytes());
        listed.extend(new);
        others.extend(out);
    }
    let compiled = compiled(&listed);
    assert_eq!(list.digest(), compiled.digest(), "after {updates} updates");
    let of_compiled = |bytes: usize| bytes as f64 / compiled.bytes() as f64;
    let longest = times.iter().copied().fold(0.0, f64::max);
    let median = median(times);
    println!(
        "\n# {}, {size} prefixes, {updates} updates of {changes} out, {changes} in",
        A::NAME
    );
    println!(
        "median {median:.3} ms, 1/{:.0} of a compile, longest {longest:.3} ms; the memory grows by at most {:.2}%; \
         at most {:.2}, at the end {:.2} of the bytes of a compile, with the same digest",
        full / median,
        growth * 1e2,
        of_compiled(most),
        of_compiled(list.bytes())
    );
}

pub(crate) fn additions<A: Family>(prefixes: &[(A, u8)]) -> Vec<(&'static str, Entry)> {
    let entry = |(bits, length): &(A, u8)| ("bench", Entry::new(bits.prefix(*length)));
    prefixes.iter().map(entry).collect()
}

fn removals<A: Family>(prefixes: &[(A, u8)]) -> Vec<(&'static str, Prefix)> {
    let prefix = |(bits, length): &(A, u8)| ("bench", bits.prefix(*length));
    prefixes.iter().map(prefix).collect()
}

/// The list with 1,000 entries that expire before `LATER`.
fn expiring<A: Family>(listed: &[(A, u8)]) -> List {
    let (brief, lasting) = listed.split_at(1_000);
    let mut feed = A::feed(lasting);
    feed.extend(brief.iter().map(|(bits, length)| {
        let mut entry = Entry::new(bits.prefix(*length));
        entry.expires = Some(LATER);
        entry
    }));
    List::compile(&[feed], NOW).unwrap()
}
