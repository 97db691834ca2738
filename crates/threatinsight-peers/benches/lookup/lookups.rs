//! Membership: ns per look-up, compile time, bytes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use threatinsight::{Feed, List, Timestamp};
use threatinsight_heap::kept;
use threatinsight_peers::candidates::Candidate;
use threatinsight_peers::family::Family;
use threatinsight_peers::oracle::{answers, check, ranges};
use threatinsight_peers::structure::{Kind, Parsed, Queries, Structure};

use crate::Output;
use crate::measure::{build, elapsed, median, once, processor, sliced};
use crate::options::Options;

/// Queries of a pass.
const PASS: usize = 1 << 16;
const ROUNDS: usize = 9;
/// How long a structure is asked before it is timed.
const WARM: Duration = Duration::from_millis(20);

/// Where a list comes from.
pub(crate) struct Source<A> {
    name: &'static str,
    pub(crate) list: Parsed<A>,
}

impl<A: Family> Source<A> {
    pub(crate) fn made(size: usize) -> Self {
        Self::of("made", A::list(size))
    }

    pub(crate) fn real(prefixes: Vec<(A, u8)>) -> Self {
        Self::of("real", prefixes)
    }

    fn of(name: &'static str, mut prefixes: Vec<(A, u8)>) -> Self {
        if name == "real" {
            prefixes.sort_unstable();
            prefixes.dedup();
        }
        let feed: [Feed; 1] = [A::feed(&prefixes)];
        Self {
            name,
            list: Parsed { prefixes, feed },
        }
    }
}

/// A workload with its expected answers.
struct Workload<A: Family> {
    name: &'static str,
    bits: Vec<A>,
    addresses: Vec<A::Address>,
    expected: Vec<bool>,
}

impl<A: Family> Workload<A> {
    fn queries(&self) -> Queries<'_, A> {
        Queries {
            bits: &self.bits,
            addresses: &self.addresses,
        }
    }
}

struct Built<A> {
    name: &'static str,
    kind: Kind,
    structure: Box<dyn Structure<A>>,
    ms: f64,
    /// Per prefix.
    bytes: f64,
}

/// One table for each workload.
pub(crate) fn compare<A: Family>(
    options: &Options,
    output: &mut Output,
    source: &Source<A>,
    candidates: &[Candidate<A>],
) {
    let list = &source.list;
    let workloads = workloads(&list.prefixes);
    let wanted = candidates.iter().filter(|candidate| {
        (options.full || list.prefixes.len() <= candidate.fast)
            && (!candidate.kind.is_peer() || candidate.name.contains(&options.only))
    });
    let built: Vec<Built<A>> = wanted
        .map(|candidate| made(candidate, list, &workloads))
        .collect();
    let size = list.prefixes.len();
    let head = format!("{},{},{size}", A::NAME, source.name);
    for b in &built {
        let (name, kind, ms, bytes) = (b.name, b.kind, b.ms, b.bytes);
        writeln!(output.builds, "{head},{name},{kind:?},{ms:.3},{bytes:.2}").unwrap();
    }
    for workload in &workloads {
        let times = rounds(&built, workload.queries());
        let medians: Vec<f64> = times.iter().map(|times| median(times.clone())).collect();
        let best = |wanted: &dyn Fn(Kind) -> bool| {
            let places = (0..built.len()).filter(|at| wanted(built[*at].kind));
            places.min_by(|a, b| medians[*a].total_cmp(&medians[*b]))
        };
        let ratio = |of: usize, to: usize| {
            let rounds = times[of].iter().zip(&times[to]);
            median(rounds.map(|(of, to)| of / to))
        };
        let best_peer = best(&Kind::is_peer);
        println!(
            "\n# {}, {size} prefixes ({}), {}",
            A::NAME,
            source.name,
            workload.name
        );
        println!(
            "{:<26}{:>12}{:>14}{:>16}{:>14}",
            "structure", "ns/look-up", "of best peer", "bytes/prefix", "compile ms"
        );
        let mut order: Vec<usize> = (0..built.len()).collect();
        order.sort_by(|a, b| medians[*a].total_cmp(&medians[*b]));
        for at in order {
            let b = &built[at];
            let ratio = best_peer.map_or(f64::NAN, |best| ratio(at, best));
            println!(
                "{:<26}{:>12.1}{ratio:>14.2}{:>16.1}{:>14.1}",
                b.name, medians[at], b.bytes, b.ms
            );
            let (name, kind, ns) = (b.name, b.kind, medians[at]);
            let workload = workload.name;
            writeln!(
                output.lookups,
                "{head},{workload},{name},{kind:?},{ns:.3},{ratio:.3}"
            )
            .unwrap();
        }
        if let Some(ours) = best(&|kind| kind == Kind::Ours) {
            for (what, other) in [
                ("peer", best_peer),
                ("prefix structure", best(&|kind| kind == Kind::Prefix)),
                ("hash set", best(&|kind| kind == Kind::Hash)),
            ] {
                if let Some(other) = other {
                    let times = ratio(other, ours);
                    println!(
                        "  {times:.2} x as fast as the best {what} ({})",
                        built[other].name
                    );
                }
            }
            if let Some(batch) = best(&|kind| kind == Kind::Batch) {
                println!("  batch: {:.2} x as fast as one by one", ratio(ours, batch));
            }
        }
    }
    ours(output, source, &head);
}

/// The parts of ours: what `contains` reads, and what a second thread brings.
fn ours<A: Family>(output: &mut Output, source: &Source<A>, head: &str) {
    let compile = || List::compile(&source.list.feed, Timestamp(0)).unwrap();
    let size = source.list.prefixes.len() as f64;
    let bytes = compile().membership_bytes() as f64 / size;
    println!("\n# {}, {size} prefixes ({}), ours", A::NAME, source.name);
    println!("membership alone: {bytes:.2} bytes/prefix");
    // The first ones of a thread pay for the pages of its heap.
    let median_of_wall = || median((0..7).map(|_| elapsed(compile)).skip(2));
    let one = median_of_wall();
    let pool = ThreadPoolBuilder::new().num_threads(2).build();
    let two = pool.unwrap().install(median_of_wall);
    println!(
        "compile: {one:.1} ms on one thread, {two:.1} ms on two, {:.2} x",
        one / two
    );
    writeln!(
        output.builds,
        "{head},threatinsight membership,Part,,{bytes:.2}"
    )
    .unwrap();
    writeln!(
        output.builds,
        "{head},threatinsight on two threads,Wall,{two:.3},"
    )
    .unwrap();
}

fn workloads<A: Family>(list: &[(A, u8)]) -> Vec<Workload<A>> {
    let ranges = ranges(list);
    let workloads = A::workloads(list, ROUNDS * PASS).into_iter();
    workloads
        .map(|(name, bits)| Workload {
            name,
            addresses: bits.iter().map(|bits| bits.address()).collect(),
            expected: answers(list, &ranges, &bits),
            bits,
        })
        .collect()
}

fn made<A: Family>(
    candidate: &Candidate<A>,
    list: &Parsed<A>,
    workloads: &[Workload<A>],
) -> Built<A> {
    let make = || (candidate.build)(list);
    let mut structure = None;
    let (first, bytes) = kept(|| once(|| structure = Some(make())));
    let structure = structure.expect("just made");
    for workload in workloads {
        check(
            candidate.name,
            &*structure,
            workload.queries(),
            &workload.expected,
        );
    }
    Built {
        name: candidate.name,
        kind: candidate.kind,
        structure,
        ms: build(first, make),
        bytes: bytes as f64 / list.prefixes.len() as f64,
    }
}

/// For each structure the ns per look-up of every round.
fn rounds<A: Family>(built: &[Built<A>], queries: Queries<'_, A>) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(ROUNDS); built.len()];
    for round in 0..ROUNDS {
        for (b, times) in built.iter().zip(&mut times) {
            // What is slow answers fewer questions.
            let is_slow = times.first().is_some_and(|ns| *ns > 150.0);
            let count = if is_slow { PASS / 4 } else { PASS };
            let pass = |number: usize| {
                let first = number % ROUNDS * PASS;
                queries.slice(first..first + count)
            };
            // The others have driven its data out of the caches. It is asked what comes in the other rounds, as real
            // clients do not come in an order that the processor's branch predictor knows.
            let start = processor();
            for other in (round + 1..round + ROUNDS).cycle() {
                if processor() - start > WARM {
                    break;
                }
                black_box(b.structure.hits(pass(other)));
            }
            let timed = pass(round);
            times.push(sliced(count, |slice| {
                black_box(b.structure.hits(black_box(timed.slice(slice))));
            }));
        }
    }
    times
}
