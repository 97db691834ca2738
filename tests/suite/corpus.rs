//! The cases of `tests/data`, as `tests/data/README.md` describes them.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use threatinsight::{
    Chain, Decision, Entry, Feed, Kind, Level, Pattern, Patterns, Policy, Reason, Request,
    Timestamp, Verdict,
};
use threatinsight_oracle::chain::Hop;
use threatinsight_oracle::{Judgement, Listing, Oracle, address, chain};

/// A case of `decisions.jsonl` or `headers.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    entries: Vec<EntryText>,
    #[serde(deserialize_with = "moment")]
    now: u64,
    chain: Option<String>,
    peer: Option<String>,
    header: Option<Header>,
    #[serde(default)]
    lines: Vec<String>,
    kind: Kind,
    expect: Expected,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Header {
    XForwardedFor,
    Forwarded,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    feed: String,
    prefix: String,
    level: Option<Level>,
    patterns: Option<Patterns>,
    #[serde(default, deserialize_with = "some_moment")]
    expires: Option<u64>,
}

#[derive(Deserialize)]
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
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// The entries by feed, feeds and entries in the order they are written.
    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let mut feeds: Vec<Feed> = Vec::new();
        for text in &self.entries {
            let place = feeds.iter().position(|feed| feed.name() == text.feed);
            let place = place.unwrap_or_else(|| {
                feeds.push(Feed::new(&text.feed));
                feeds.len() - 1
            });
            let stated = Entry::new(text.prefix.parse().expect("a prefix"));
            feeds[place].push(Entry {
                level: text.level.unwrap_or(stated.level),
                patterns: text.patterns.unwrap_or(stated.patterns),
                expires: text.expires.map(Timestamp),
                ..stated
            });
        }
        feeds
    }

    pub(crate) fn oracle(&self) -> Oracle {
        let entries = self.entries.iter().map(|text| Listing {
            feed: text.feed.clone(),
            prefix: address::prefixes(&text.prefix)[0],
            level: text.level.unwrap_or(Level::High),
            patterns: text
                .patterns
                .unwrap_or(Pattern::NegativeIpReputation.into()),
            expires: text.expires,
            asserted_until: None,
        });
        Oracle {
            entries: entries.collect(),
            policy: self.policy.clone(),
            now: self.now,
        }
    }

    /// The request, as the library takes it.
    pub(crate) fn with_request<T>(&self, f: impl FnOnce(&Request<'_>) -> T) -> T {
        let lines: Vec<&[u8]> = self.lines.iter().map(String::as_bytes).collect();
        let peer = self
            .peer
            .as_ref()
            .map(|peer| peer.parse().expect("an address"));
        let chain = match (&self.chain, self.header) {
            (Some(chain), _) => Chain::parse(chain.as_bytes()),
            (None, Some(Header::Forwarded)) => Chain::forwarded(peer, &lines),
            (None, Some(Header::XForwardedFor)) => Chain::x_forwarded_for(peer, &lines),
            (None, None) => panic!("neither chain nor header in {}", self.name),
        };
        f(&Request::new(chain).with_kind(self.kind))
    }

    /// The request's chain, as the oracle takes it.
    pub(crate) fn hops(&self) -> Vec<Hop> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let peer = self.peer.as_deref().unwrap_or("unknown");
        match (&self.chain, self.header) {
            (Some(text), _) => chain::text(text),
            (None, Some(Header::Forwarded)) => chain::forwarded(peer, &lines),
            (None, _) => chain::x_forwarded_for(peer, &lines),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong with `found`, if anything.
    pub(crate) fn complaint(&self, found: &Judgement) -> Option<String> {
        let Expected {
            verdict,
            reason,
            client,
            level,
            patterns,
            feeds,
        } = &self.expect;
        let right = (*verdict, *reason, *client) == (found.verdict, found.reason, found.client)
            && level.is_none_or(|level| found.level == Some(level))
            && patterns.is_none_or(|patterns| found.patterns == patterns)
            && feeds.as_ref().is_none_or(|feeds| found.feeds == *feeds);
        (!right).then(|| format!("{}: {found:?}", self.name))
    }
}

/// What the library decided, in the oracle's terms.
pub(crate) fn judgement(decision: &Decision<'_>) -> Judgement {
    let threat = decision.threat;
    Judgement {
        verdict: decision.verdict,
        reason: decision.reason(),
        stage: decision.stage,
        client: decision.client,
        level: threat.map(|threat| threat.level()),
        patterns: threat.map_or(Patterns::NONE, |threat| threat.patterns()),
        feeds: threat
            .iter()
            .flat_map(threatinsight::Threat::feeds)
            .map(str::to_owned)
            .collect(),
    }
}

/// The lines of a file of `tests/data`, each a case.
pub(crate) fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    let text = fs::read_to_string(&path).expect("a file of tests/data");
    let case = |(number, line)| {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}, line {}: {e}", number + 1))
    };
    text.lines().enumerate().map(case).collect()
}

/// Panics with everything that went wrong.
pub(crate) fn report(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} wrong\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// RFC 3339 into seconds since the Unix epoch.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let moment = jiff::Timestamp::deserialize(deserializer)?;
    u64::try_from(moment.as_second()).map_err(D::Error::custom)
}

fn some_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    moment(deserializer).map(Some)
}
