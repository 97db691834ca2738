//! Every structure against every workload, in one run.
//!
//! Everything is seeded and, but for the readers beside swaps, runs on one thread. Each structure is
//! checked on the very queries it is timed on. Times are processor time of the thread. Rounds are
//! interleaved, so that a disturbance meets everybody, and a ratio is the median of the rounds'
//! ratios. "best peer" is the one with the smallest median on that workload.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops at the first thing that is not as it should be"
)]

mod decisions;
mod lookups;
mod measure;
mod options;
mod swaps;
mod updates;

use std::fs;
use std::thread::available_parallelism;
use std::time::Instant;

use threatinsight::{Feed, ParseOptions};
use threatinsight_heap::Counting;
use threatinsight_peers::candidates::{self, Candidate};
use threatinsight_peers::family::Family;

use crate::lookups::Source;
use crate::options::Options;

#[global_allocator]
static HEAP: Counting = Counting;

/// The files that the charts are drawn from.
struct Output {
    lookups: String,
    builds: String,
    updates: String,
    decisions: String,
}

fn main() {
    let options = Options::read();
    let start = Instant::now();
    let mut output = Output {
        lookups: "family,list,prefixes,workload,structure,kind,ns,of best peer\n".into(),
        builds: "family,list,prefixes,structure,kind,ms,bytes per prefix\n".into(),
        updates: "family,prefixes,removals and additions,ms,of a compile,memory grows by\n".into(),
        decisions: "family,prefixes,asked,ns\n".into(),
    };
    let load = load();
    // What a second thread brings to our own compile is a line of its own.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    one.expect("a thread").install(|| {
        family(&options, &mut output, &candidates::ipv4());
        family(&options, &mut output, &candidates::ipv6());
    });
    let machine = format!(
        "{}, {} cores, load average {load} to {}, {}",
        processor(),
        available_parallelism().map_or(1, usize::from),
        self::load(),
        jiff::Zoned::now().date()
    );
    fs::create_dir_all(&options.out).expect("the output directory");
    for (name, text) in [
        ("lookups.csv", &output.lookups),
        ("builds.csv", &output.builds),
        ("updates.csv", &output.updates),
        ("decisions.csv", &output.decisions),
        ("machine.txt", &machine),
    ] {
        fs::write(options.out.join(name), text).expect(name);
    }
    println!("\n{machine}; {:.0} s", start.elapsed().as_secs_f64());
}

fn family<A: Family>(options: &Options, output: &mut Output, candidates: &[Candidate<A>]) {
    if options.width.is_some_and(|width| width != A::WIDTH) {
        return;
    }
    for &size in &options.sizes {
        let source = Source::made(size);
        lookups::compare(options, output, &source, candidates);
    }
    if let Some(prefixes) = real() {
        let source = Source::real(A::prefixes(&prefixes));
        if !source.list.prefixes.is_empty() {
            lookups::compare(options, output, &source, candidates);
        }
    }
    updates::compare::<A>(options, output);
    if let Some(&size) = options
        .sizes
        .iter()
        .filter(|size| **size <= 1_000_000)
        .max()
    {
        updates::churn::<A>(size, 10_000, 10);
        updates::churn::<A>(size, 100, 1_000);
        decisions::compare::<A>(output, size);
        if A::WIDTH == 32 {
            swaps::compare(size);
        }
    }
}

/// The list that the environment names.
fn real() -> Option<Feed> {
    let path = std::env::var_os("THREATINSIGHT_BENCH_LIST")?;
    let text = fs::read(path).expect("the list that THREATINSIGHT_BENCH_LIST names");
    let options = ParseOptions {
        max_rejected: usize::MAX,
        ..ParseOptions::default()
    };
    Some(Feed::parse("real", &text, &options).expect("a list").feed)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or(std::env::consts::ARCH, |(_, name)| name)
        .to_owned()
}

/// How busy the machine was in the last minute: above 1, our numbers are noisy.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let word = text.split_whitespace().next();
    word.unwrap_or("unknown").to_owned()
}
