//! The service under load: `crates/threatinsight-load/run` sets everything up and prints one table.
//!
//! `threatinsight-load lists DIRECTORY` writes what both sides load. `threatinsight-load measure
//! SERVICE DIRECTORY [CROWDSEC KEY]` measures the service, a release binary, and then `CrowdSec`'s
//! local API at the address CROWDSEC, with the same client, connections and addresses.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and stops when something is not as it should be"
)]

mod client;
mod flips;
mod lists;
mod rates;
mod service;

use std::env;
use std::error::Error;
use std::path::Path;

use rates::{Peer, Rate};
use service::Service;

/// Whatever goes wrong ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match arguments[..] {
        ["lists", directory] => lists::write(Path::new(directory)),
        ["measure", binary, directory] => runtime.block_on(measure(binary, directory, None)),
        ["measure", binary, directory, address, key] => {
            let crowdsec = Peer::CrowdSec {
                address: address.to_owned(),
                key: key.to_owned(),
            };
            runtime.block_on(measure(binary, directory, Some(crowdsec)))
        }
        _ => Err(
            "usage: threatinsight-load lists DIRECTORY | measure SERVICE DIRECTORY [CROWDSEC KEY]"
                .into(),
        ),
    }
}

async fn measure(binary: &str, directory: &str, crowdsec: Option<Peer>) -> Result<()> {
    let directory = Path::new(directory);
    let service = Service::start(binary, directory, lists::SMALL).await?;
    let questions = lists::questions(&service).await?;
    let ours = rates::measure(&service.peer(), &questions).await?;
    service.stop()?;
    let theirs = match &crowdsec {
        Some(crowdsec) => rates::measure(crowdsec, &questions).await?,
        None => Vec::new(),
    };
    println!("| 100,000 entries | | requests/s | p50 | p99 |");
    println!("|---|---|---|---|---|");
    for rate in &ours {
        print(rate, "threatinsight");
    }
    for rate in &theirs {
        print(rate, "CrowdSec");
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        println!(
            "| {} | ratio | {:.0} | {:.0} | {:.0} |",
            ours.question,
            ours.per_second / theirs.per_second,
            theirs.p50 / ours.p50,
            theirs.p99 / ours.p99
        );
    }

    let service = Service::start(binary, directory, lists::LARGE).await?;
    let flips = flips::measure(&service, lists::listed(lists::LARGE)).await?;
    service.stop()?;
    println!(
        "\n| 1,000,000 entries, {} changes of the action | p50 | p99 | most |",
        flips::FLIPS
    );
    println!("|---|---|---|---|");
    for (what, times) in flips {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| client::quantile(&times, share) * 1e3);
        println!("| {what} | {p50:.2} ms | {p99:.2} ms | {most:.2} ms |");
    }
    Ok(())
}

fn print(rate: &Rate, who: &str) {
    println!(
        "| {} | {who} | {:.0} | {:.2} ms | {:.2} ms |",
        rate.question,
        rate.per_second,
        rate.p50 * 1e3,
        rate.p99 * 1e3
    );
}
