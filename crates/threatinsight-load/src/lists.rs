//! What is loaded, and what is asked.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use threatinsight_lists::{Random, address4, list4, uniform4, within4};

use crate::Result;
use crate::client::Connection;
use crate::rates::{Peer, ask};
use crate::service::Service;

pub(crate) const SMALL: usize = 100_000;
pub(crate) const LARGE: usize = 1_000_000;

/// How many addresses of each kind are asked about in turn.
const QUESTIONS: usize = 10_000;

const SEED: u64 = 4;

/// Listed addresses and others.
pub(crate) struct Questions {
    pub(crate) hits: Vec<IpAddr>,
    pub(crate) misses: Vec<IpAddr>,
}

pub(crate) fn file(directory: &Path, size: usize) -> PathBuf {
    directory.join(format!("list-{size}.txt"))
}

/// Writes the lists, and the small one as decisions for `CrowdSec`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    for size in [SMALL, LARGE] {
        let mut text = String::new();
        let mut decisions = String::from("duration,scope,value,type,reason,origin\n");
        for (bits, length) in list4(size, SEED) {
            let address = address4(bits);
            writeln!(text, "{address}/{length}")?;
            match length {
                32 => writeln!(decisions, "24h,Ip,{address},ban,bench,cscli-import")?,
                _ => writeln!(
                    decisions,
                    "24h,Range,{address}/{length},ban,bench,cscli-import"
                )?,
            }
        }
        fs::write(file(directory, size), text)?;
        if size == SMALL {
            fs::write(directory.join("decisions.csv"), decisions)?;
        }
    }
    Ok(())
}

/// Listed addresses.
pub(crate) fn listed(size: usize) -> Vec<IpAddr> {
    let mut random = Random::new(SEED);
    let list = list4(size, SEED);
    let chosen = (0..QUESTIONS).map(|_| list[random.below(size as u64) as usize]);
    let mut random = Random::new(SEED + 1);
    chosen
        .map(|prefix| address4(within4(&mut random, prefix)))
        .collect()
}

/// Addresses by what the service says of them, so that both sides are asked the same.
pub(crate) async fn questions(service: &Service) -> Result<Questions> {
    let mut connection = Connection::open(&service.address).await?;
    let mut questions = Questions {
        hits: Vec::new(),
        misses: Vec::new(),
    };
    let peer: Peer = service.peer();
    let others = uniform4(QUESTIONS, SEED).into_iter().map(address4);
    for address in listed(SMALL).into_iter().chain(others) {
        if ask(&peer, &mut connection, address).await? {
            questions.hits.push(address);
        } else {
            questions.misses.push(address);
        }
    }
    Ok(questions)
}
