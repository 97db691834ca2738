//! Draws what the bench wrote, one SVG for each question.
//!
//! `cargo run -p threatinsight-peers --bin charts -- [FROM [TO]]` reads the CSV files of FROM
//! (default: `target/peers`) and writes to TO (default: `docs/charts`).
#![allow(clippy::indexing_slicing, reason = "the bench wrote the rows")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use threatinsight_peers::chart::{Chart, Line, Look};

const PREFIXES: &str = "listed prefixes";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let from = arguments
        .next()
        .unwrap_or_else(|| Path::new(ROOT).join("target/peers"));
    let to = arguments
        .next()
        .unwrap_or_else(|| Path::new(ROOT).join("docs/charts"));
    fs::create_dir_all(&to)?;
    let machine = fs::read_to_string(from.join("machine.txt"))?;
    let draw = |name: &str, title: &str, y: &str, x: &str, lines: Vec<Line>| {
        let chart = Chart {
            title,
            subtitle: &machine,
            x,
            y,
            lines: &lines,
        };
        match chart.svg() {
            Some(svg) => fs::write(to.join(format!("{name}.svg")), svg),
            None => Ok(()),
        }
    };
    let lookups = rows(&from.join("lookups.csv"))?;
    let builds = rows(&from.join("builds.csv"))?;
    let updates = rows(&from.join("updates.csv"))?;
    for family in ["IPv4", "IPv6"] {
        let file = family.to_lowercase();
        for (workload, what) in [
            ("rnd", "uniform addresses, nearly all misses"),
            ("hit", "listed addresses only"),
            ("zipf", "5 % listed, few frequent and many rare clients"),
            ("near", "addresses in the /48 of a listed one"),
        ] {
            let of = of_made(&lookups, family, |row| row[3] == workload);
            let title = format!("{family} look-ups: {what}");
            let lines = lines(&of, [4, 5, 2, 6]);
            draw(
                &format!("{file}-{workload}"),
                &title,
                "ns per look-up",
                PREFIXES,
                lines,
            )?;
        }
        let of = of_made(&builds, family, |row| row[4] != "Batch" && row[4] != "Wall");
        let title = format!("{family}: compile from parsed prefixes, one thread");
        draw(
            &format!("{file}-compile"),
            &title,
            "ms",
            PREFIXES,
            lines(&of, [3, 4, 2, 5]),
        )?;
        let title = format!("{family}: memory (the peers hold membership only)");
        let lines = lines(&of, [3, 4, 2, 6]);
        draw(
            &format!("{file}-bytes"),
            &title,
            "bytes per prefix",
            PREFIXES,
            lines,
        )?;
        let title = format!("{family}: an update, and a compile of the whole list (dashed)");
        let x = "removals, and as many additions";
        draw(
            &format!("{file}-updates"),
            &title,
            "ms",
            x,
            changes(&updates, family),
        )?;
    }
    Ok(())
}

/// The wanted rows about made lists of `family`.
fn of_made<'r>(
    rows: &'r [Vec<String>],
    family: &str,
    wanted: impl Fn(&[String]) -> bool,
) -> Vec<&'r Vec<String>> {
    let of_made = |row: &&Vec<String>| row[0] == family && row[1] == "made" && wanted(row);
    rows.iter().filter(of_made).collect()
}

/// The fields of every line but the first.
fn rows(path: &Path) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let fields = |line: &str| line.split(',').map(str::to_owned).collect();
    Ok(text.lines().skip(1).map(fields).collect())
}

/// Lines by name, from the columns of names, kinds, abscissas and ordinates; what has no number
/// has no point.
fn lines(rows: &[&Vec<String>], columns: [usize; 4]) -> Vec<Line> {
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for row in rows {
        let [name, kind, x, y] = columns.map(|column| row[column].as_str());
        let look = match kind {
            "Ours" => Look::Ours,
            "Batch" | "Part" => Look::OursToo,
            "Prefix" => Look::Prefix,
            "Hash" => Look::Hash,
            _ => Look::Range,
        };
        if let (Ok(x), Ok(y)) = (x.parse(), y.parse()) {
            let line = lines.entry(name).or_insert_with(|| Line::new(name, look));
            line.points.push((x, y));
        }
    }
    lines.into_values().collect()
}

/// For each size a line of updates, and the compile as a level beside it.
fn changes(rows: &[Vec<String>], family: &str) -> Vec<Line> {
    let mut updates: BTreeMap<u64, Line> = BTreeMap::new();
    let mut compiles = BTreeMap::new();
    for row in rows.iter().filter(|row| row[0] == family) {
        let (Ok(size), Ok(ms)) = (row[1].parse::<u64>(), row[3].parse::<f64>()) else {
            continue;
        };
        if row[2] == "compile" {
            compiles.insert(size, ms);
        } else if let Ok(count) = row[2].parse::<f64>()
            && count > 0.0
        {
            let name = format!("{} listed", short(size));
            let line = updates.entry(size);
            let line = line.or_insert_with(|| Line::new(&name, Look::Ours));
            line.points.push((count, ms));
        }
    }
    let ends = |of: &[(f64, f64)]| Some((of.first()?.0, of.last()?.0));
    let widest = updates.values().filter_map(|line| ends(&line.points));
    let (low, high) = widest.fold((f64::INFINITY, 0.0), |all: (f64, f64), of| {
        (all.0.min(of.0), all.1.max(of.1))
    });
    let levels = compiles.into_iter().map(|(size, ms)| {
        let mut line = Line::new(&format!("compile {}", short(size)), Look::Level);
        line.points = vec![(low, ms), (high, ms)];
        line
    });
    let levels: Vec<Line> = levels.collect();
    updates.into_values().chain(levels).collect()
}

fn short(size: u64) -> String {
    match size {
        1_000_000.. => format!("{}M", size / 1_000_000),
        1_000.. => format!("{}k", size / 1_000),
        _ => size.to_string(),
    }
}
