//! The cases of `tests/data`, as its README describes them, for the tests of the adapters: one
//! corpus, read one way, run through every embedding.
#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    reason = "a case that does not read is a defect of the corpus, and must fail its test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use threatinsight::{
    Chain, Decision, Entry, Feed, Kind, Level, Patterns, Policy, Prefix, Reason, Timestamp, Verdict,
};

/// A case of `decisions.jsonl` or `headers.jsonl`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The name, unique in the corpus.
    pub name: String,
    /// The policy.
    pub policy: Policy,
    entries: Vec<Listed>,
    #[serde(deserialize_with = "moment")]
    now: u64,
    /// The chain as one text, where the case is not about header lines.
    pub chain: Option<String>,
    peer: Option<IpAddr>,
    header: Option<Header>,
    #[serde(default)]
    lines: Vec<String>,
    /// What the request is for.
    pub kind: Kind,
    expect: Expected,
}

/// A header that names hops.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// How a request arrives at a gateway.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The address that opened the connection; `None` where it has none.
    pub peer: Option<IpAddr>,
    /// Which header `lines` are of.
    pub header: Header,
    /// The header's lines, in order.
    pub lines: Vec<String>,
}

/// What an embedding decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The client; `None` when unknown.
    pub client: Option<IpAddr>,
    /// The level; `None` when the client is not listed.
    pub level: Option<Level>,
    /// The patterns.
    pub patterns: Patterns,
}

impl From<&Decision<'_>> for Found {
    fn from(decision: &Decision<'_>) -> Self {
        let threat = decision.threat;
        Self {
            verdict: decision.verdict,
            reason: decision.reason(),
            client: decision.client,
            level: threat.map(|threat| threat.level()),
            patterns: threat.map_or(Patterns::NONE, |threat| threat.patterns()),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    feed: String,
    prefix: Prefix,
    level: Option<Level>,
    patterns: Option<Patterns>,
    #[serde(default, deserialize_with = "some_moment")]
    expires: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: Verdict,
    reason: Reason,
    client: Option<IpAddr>,
    level: Option<Level>,
    patterns: Option<Patterns>,
    feeds: Option<BTreeSet<String>>,
}

impl Case {
    /// The moment of compiling.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// The entries by feed, feeds and entries in the order they are written.
    #[must_use]
    pub fn feeds(&self) -> Vec<Feed> {
        let mut feeds: Vec<Feed> = Vec::new();
        for listed in &self.entries {
            let stated = Entry::new(listed.prefix);
            let entry = Entry {
                level: listed.level.unwrap_or(stated.level),
                patterns: listed.patterns.unwrap_or(stated.patterns),
                expires: listed.expires.map(Timestamp),
                ..stated
            };
            match feeds.iter_mut().find(|feed| feed.name() == listed.feed) {
                Some(feed) => feed.push(entry),
                None => {
                    let mut feed = Feed::new(&listed.feed);
                    feed.push(entry);
                    feeds.push(feed);
                }
            }
        }
        feeds
    }

    /// The request as a connection with header lines; `None` for a chain that no lines can be.
    #[must_use]
    pub fn arrival(&self) -> Option<Arrival> {
        let Some(chain) = &self.chain else {
            return Some(Arrival {
                peer: self.peer,
                header: self.header?,
                lines: self.lines.clone(),
            });
        };
        let (before, peer) = match chain.rsplit_once(',') {
            Some((before, peer)) => (Some(before), peer),
            None => (None, chain.as_str()),
        };
        // A blank line has no hop, where a blank text before a comma is one.
        if before.is_some_and(|before| before.trim().is_empty()) {
            return None;
        }
        Some(Arrival {
            peer: Chain::parse(peer.as_bytes()).hops().next()?.address,
            header: Header::XForwardedFor,
            lines: before.map(str::to_owned).into_iter().collect(),
        })
    }

    /// Whether the case is about what `feeds` a decision names.
    #[must_use]
    pub fn expected_feeds(&self) -> Option<&BTreeSet<String>> {
        self.expect.feeds.as_ref()
    }

    /// What is wrong with `found`, if anything.
    #[must_use]
    pub fn complaint(&self, found: &Found) -> Option<String> {
        let Expected {
            verdict,
            reason,
            client,
            level,
            patterns,
            feeds: _,
        } = &self.expect;
        let right = (*verdict, *reason, *client) == (found.verdict, found.reason, found.client)
            && level.is_none_or(|level| found.level == Some(level))
            && patterns.is_none_or(|patterns| found.patterns == patterns);
        (!right).then(|| format!("{}: {found:?}, expected {:?}", self.name, self.expect))
    }
}

/// Every case of `decisions.jsonl` and `headers.jsonl`.
///
/// # Panics
///
/// When a file or a case does not read.
#[must_use]
pub fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    let mut cases = Vec::new();
    for file in ["decisions.jsonl", "headers.jsonl"] {
        let path = directory.join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (number, line) in text.lines().enumerate() {
            let case = serde_json::from_str(line);
            cases.push(case.unwrap_or_else(|e| panic!("{file}, line {}: {e}", number + 1)));
        }
    }
    cases
}

/// RFC 3339 into seconds since the Unix epoch.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let moment = jiff::Timestamp::deserialize(deserializer)?;
    u64::try_from(moment.as_second()).map_err(D::Error::custom)
}

fn some_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    moment(deserializer).map(Some)
}
