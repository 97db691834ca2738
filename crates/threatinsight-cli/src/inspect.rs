//! `threatinsight inspect`: what the inputs were compiled to.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Serialize, Serializer};
use threatinsight::{Digest, FeedReport, Prefix, RejectedLine, Snapshot, Warning};

use crate::failure::Failure;
use crate::inputs::{Inputs, Loaded};
use crate::output::json_line;
use crate::overlap::{Addresses, Count};
use crate::source::Source;

/// Show what feeds and a policy are compiled to
///
/// For every feed its lines, live entries, distinct addresses and rejected lines; the addresses
/// that two feeds share; and for all of it memory, compile time and the digest of the content.
#[derive(Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    inputs: Inputs,

    /// Write one JSON object
    ///
    /// Counts of addresses are decimal strings, because an IPv6 count exceeds what JSON readers
    /// keep exact.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let loaded = self.inputs.read()?;
        let started = Instant::now();
        let snapshot = loaded.compile()?;
        let inspection = Inspection::new(&loaded, &snapshot, started.elapsed());
        let mut output = io::stdout().lock();
        if self.json {
            json_line(&mut output, &inspection)?;
        } else {
            write!(output, "{inspection}").map_err(Failure::Output)?;
        }
        output.flush().map_err(Failure::Output)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspection<'a> {
    feeds: Vec<InspectedFeed<'a>>,
    overlaps: Vec<Overlap<'a>>,
    entries: usize,
    addresses: Count,
    memory_bytes: usize,
    #[serde(rename = "compileMicroseconds", serialize_with = "microseconds")]
    compile_time: Duration,
    #[serde(serialize_with = "as_text")]
    digest: Digest,
    #[serde(serialize_with = "as_texts")]
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectedFeed<'a> {
    name: &'a str,
    #[serde(serialize_with = "as_text")]
    source: &'a Source,
    lines: u64,
    blank: u64,
    comments: u64,
    accepted: u64,
    /// What lives of the accepted lines, repeated prefixes counted once.
    entries: usize,
    addresses: Count,
    #[serde(serialize_with = "rejected_lines")]
    rejected: &'a [RejectedLine],
}

/// The addresses that are in both feeds.
#[derive(Serialize)]
struct Overlap<'a> {
    feeds: [&'a str; 2],
    addresses: Count,
}

impl<'a> Inspection<'a> {
    fn new(loaded: &'a Loaded, snapshot: &'a Snapshot, compile_time: Duration) -> Self {
        let list = snapshot.list();
        let mut prefixes: HashMap<&str, Vec<Prefix>> = HashMap::new();
        for listing in list.listings() {
            prefixes
                .entry(listing.feed)
                .or_default()
                .push(listing.entry.prefix);
        }
        let mut feeds = Vec::new();
        let mut covered: Vec<(&str, Addresses)> = Vec::new();
        let mut overlaps = Vec::new();
        for (feed, (source, report)) in loaded.feeds.iter().zip(&loaded.reports) {
            let FeedReport {
                lines,
                blank,
                comments,
                accepted,
                ref rejected,
            } = *report;
            let live = prefixes.remove(feed.name()).unwrap_or_default();
            let entries = live.len();
            let addresses: Addresses = live.into_iter().collect();
            overlaps.extend(covered.iter().filter_map(|(other, theirs)| {
                let shared = addresses.shared(theirs);
                (shared != Count::ZERO).then_some(Overlap {
                    feeds: [other, feed.name()],
                    addresses: shared,
                })
            }));
            feeds.push(InspectedFeed {
                name: feed.name(),
                source,
                lines,
                blank,
                comments,
                accepted,
                entries,
                addresses: addresses.count(),
                rejected,
            });
            covered.push((feed.name(), addresses));
        }
        Self {
            feeds,
            overlaps,
            entries: list.len(),
            addresses: Count {
                ipv4: list.distinct_ipv4(),
                ipv6: list.distinct_ipv6(),
            },
            memory_bytes: list.bytes() + snapshot.zones().bytes(),
            compile_time,
            digest: snapshot.digest(),
            warnings: snapshot.warnings().collect(),
        }
    }
}

impl fmt::Display for Inspection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for feed in &self.feeds {
            writeln!(f, "feed `{}` from {}", feed.name, feed.source)?;
            writeln!(
                f,
                "  lines      {}: {} accepted, {} rejected, {} comments, {} blank",
                feed.lines,
                feed.accepted,
                feed.rejected.len(),
                feed.comments,
                feed.blank,
            )?;
            writeln!(f, "  entries    {}", feed.entries)?;
            writeln!(f, "  addresses  {}", feed.addresses)?;
            for line in feed.rejected {
                writeln!(f, "  rejected   {line}")?;
            }
        }
        for Overlap {
            feeds: [one, other],
            addresses,
        } in &self.overlaps
        {
            writeln!(f, "overlap of `{one}` and `{other}`: {addresses}")?;
        }
        writeln!(f, "compiled")?;
        writeln!(f, "  entries    {}", self.entries)?;
        writeln!(f, "  addresses  {}", self.addresses)?;
        writeln!(f, "  memory     {} bytes", self.memory_bytes)?;
        writeln!(f, "  time       {:.1?}", self.compile_time)?;
        writeln!(f, "  digest     {}", self.digest)?;
        for warning in &self.warnings {
            writeln!(f, "  warning    {warning}")?;
        }
        Ok(())
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_texts<S: Serializer>(values: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn microseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(time.as_micros())
}

fn rejected_lines<S: Serializer>(
    lines: &&[RejectedLine],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Rejected<'a> {
        line: u64,
        reason: String,
        text: &'a str,
    }

    serializer.collect_seq(
        lines
            .iter()
            .map(|RejectedLine { line, text, reason }| Rejected {
                line: *line,
                reason: reason.to_string(),
                text,
            }),
    )
}
