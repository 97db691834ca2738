//! What the command line asks for.

use std::path::PathBuf;
use std::process::exit;

const HELP: &str = "cargo bench -p threatinsight-peers [-- OPTIONS]
  --full           10M prefixes too, and every peer at every size
  --sizes A,B      list sizes
  --family 4|6     one family only
  --only TEXT      only peers whose name contains TEXT, and ours
  --out DIRECTORY  where the CSV files go (default: target/peers)
A list of your own is measured beside the made ones when THREATINSIGHT_BENCH_LIST names it.";

pub(crate) struct Options {
    pub(crate) full: bool,
    pub(crate) sizes: Vec<usize>,
    /// The width of the addresses, where only one is wanted.
    pub(crate) width: Option<u8>,
    pub(crate) only: String,
    pub(crate) out: PathBuf,
}

impl Options {
    pub(crate) fn read() -> Self {
        let mut options = Self {
            full: false,
            sizes: Vec::new(),
            width: None,
            only: String::new(),
            out: concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers").into(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| refuse(&argument));
            match argument.as_str() {
                "--full" => options.full = true,
                "--sizes" => {
                    let sizes = value();
                    let sizes = sizes.split(',').map(str::parse);
                    options.sizes = sizes.map(|size| size.expect("a number")).collect();
                }
                "--family" => options.width = Some(if value() == "4" { 32 } else { 128 }),
                "--only" => options.only = value(),
                "--out" => options.out = value().into(),
                // Added by cargo.
                "--bench" => {}
                _ => refuse(&argument),
            }
        }
        if options.sizes.is_empty() {
            options.sizes = vec![10_000, 100_000, 1_000_000];
            if options.full {
                options.sizes.push(10_000_000);
            }
        }
        options
    }
}

fn refuse(argument: &str) -> ! {
    let is_asked = argument == "--help";
    if !is_asked {
        println!("`{argument}` is not an option, or wants a value\n");
    }
    println!("{HELP}");
    exit(if is_asked { 0 } else { 2 });
}
