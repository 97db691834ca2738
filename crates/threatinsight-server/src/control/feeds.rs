//! Changes of feeds: read whole, compared, compiled with all the others, stored, served.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use threatinsight::{
    Feed, FeedReport, List, ParseOptions, ParsedFeed, Prefix, RejectedLine, Timestamp,
};
use threatinsight_feed_formats::{FeedReader, rejection};

use super::state::{LoadedFeed, State, second_of};
use super::{ATTEMPTS, CompiledList, Control};
use crate::clock::Moment;
use crate::error::StoreError;
use crate::refusal::{Code, Refusal};
use crate::store::{Change, StoredFeed};

type Feeds = BTreeMap<String, Arc<LoadedFeed>>;

/// An uploaded text that is a feed.
#[derive(Clone, Debug)]
pub(crate) struct ParsedUpload {
    body: Vec<u8>,
    parsed: ParsedFeed,
}

impl ParsedUpload {
    /// Reads `body` whole; the error says why it is not a feed.
    pub(crate) async fn read(
        name: String,
        body: Vec<u8>,
        options: ParseOptions,
    ) -> Result<Self, Refusal> {
        blocking(move || {
            let parsed = parse(&name, &body, options)
                .map_err(|error| Refusal::validation("feed", [error.to_string()]))?;
            Ok(Self { body, parsed })
        })
        .await?
    }
}

/// What an upload changed.
#[derive(Clone, Debug)]
pub(crate) struct FeedUpdate {
    pub(crate) feed: Arc<LoadedFeed>,
    pub(crate) rejected: Vec<RejectedLine>,
    /// Distinct addresses listed now and not before, IPv4 and IPv6.
    pub(crate) added: (u128, u128),
    pub(crate) removed: (u128, u128),
}

impl Control {
    /// Puts a feed in place of what has its name.
    pub(crate) async fn put_feed(
        self: &Arc<Self>,
        upload: ParsedUpload,
    ) -> Result<FeedUpdate, Refusal> {
        let control = Arc::clone(self);
        let task = tokio::spawn(async move { control.put_feed_now(upload).await });
        task.await
            .unwrap_or_else(|_| Err(Refusal::new(Code::Internal)))
    }

    async fn put_feed_now(&self, upload: ParsedUpload) -> Result<FeedUpdate, Refusal> {
        let _compiling = self.compiling.lock().await;
        let upload = Arc::new(upload);
        for _ in 0..ATTEMPTS {
            let before = self.read(|state| state.feeds.clone()).await;
            let feeds = before.clone();
            let now = Moment::now();
            let compared = Arc::clone(&upload);
            let (mut update, list) = blocking(move || compare(&compared, feeds, now)).await??;
            self.metrics.compile_seconds.observe(list.1);
            let stored = StoredFeed {
                name: update.feed.feed.name().to_owned(),
                body: upload.body.clone(),
                since: since_bytes(&update.feed.since),
                revision: 0,
                created: update.feed.created,
                updated: update.feed.updated,
            };
            let mut state = self.changing().await?;
            if !state.has_feeds(&before) {
                continue;
            }
            match self
                .store
                .commit(state.revision, &[Change::PutFeed(stored)], &[])
                .await
            {
                Ok(revision) => {
                    state.revision = revision;
                    if let Some(feed) = Arc::get_mut(&mut update.feed) {
                        feed.revision = revision;
                    }
                    let name = update.feed.feed.name().to_owned();
                    state.feeds.insert(name, Arc::clone(&update.feed));
                    self.serve_list(list.0).await;
                    return Ok(update);
                }
                Err(error) => self.recover(&mut state, &error).await?,
            }
        }
        Err(Refusal::new(Code::Unavailable))
    }

    /// Removes a feed; whether there was one.
    pub(crate) async fn delete_feed(self: &Arc<Self>, name: String) -> Result<bool, Refusal> {
        let control = Arc::clone(self);
        let task = tokio::spawn(async move { control.delete_feed_now(name).await });
        task.await
            .unwrap_or_else(|_| Err(Refusal::new(Code::Internal)))
    }

    async fn delete_feed_now(&self, name: String) -> Result<bool, Refusal> {
        let _compiling = self.compiling.lock().await;
        for _ in 0..ATTEMPTS {
            let before = self.read(|state| state.feeds.clone()).await;
            let mut feeds = before.clone();
            if feeds.remove(&name).is_none() {
                return Ok(false);
            }
            let list = blocking(move || compile(&feeds, Moment::now().into())).await??;
            let mut state = self.changing().await?;
            if !state.has_feeds(&before) {
                continue;
            }
            let change = [Change::DeleteFeed(name.clone())];
            match self.store.commit(state.revision, &change, &[]).await {
                Ok(revision) => {
                    state.revision = revision;
                    state.feeds.remove(&name);
                    self.serve_list(list).await;
                    return Ok(true);
                }
                Err(error) => self.recover(&mut state, &error).await?,
            }
        }
        Err(Refusal::new(Code::Unavailable))
    }
}

/// Runs what would hold up the requests of a whole worker elsewhere.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work on a feed ended early");
        Refusal::new(Code::Internal)
    })
}

fn parse(
    name: &str,
    body: &[u8],
    options: ParseOptions,
) -> Result<ParsedFeed, threatinsight::FeedError> {
    let mut reader = FeedReader::new(name, options);
    reader.push(body)?;
    reader.finish()
}

/// A stored feed, read again. It was accepted under the options of its day: what today's refuse is
/// left out, and no reason to refuse the rest.
pub(super) fn load(stored: &StoredFeed, options: ParseOptions) -> Result<LoadedFeed, StoreError> {
    let options = ParseOptions {
        max_rejected: usize::MAX,
        ..options
    };
    let parsed = parse(&stored.name, &stored.body, options).unwrap_or_else(|error| {
        tracing::warn!(feed = stored.name, %error, "nothing of a stored feed is served");
        ParsedFeed {
            feed: Feed::new(stored.name.as_str()),
            report: FeedReport::default(),
        }
    });
    let place = || format!("feed `{}`", stored.name);
    warn_of_rejected(place(), &parsed.report.rejected);
    let known: Vec<(Prefix, u32)> = read_since(&stored.since).collect();
    let updated = second(stored.updated);
    let mut refused = known.len();
    let since = distinct_prefixes(&parsed.feed).into_iter().map(|prefix| {
        let second = second_of(&known, prefix);
        refused = refused.saturating_sub(usize::from(second.is_some()));
        (prefix, second.unwrap_or(updated))
    });
    let since: Vec<(Prefix, u32)> = since.collect();
    if refused > 0 {
        tracing::warn!(
            feed = stored.name,
            refused,
            "prefixes of a stored feed are not admitted any more and not served"
        );
    }
    let (distinct_ipv4, distinct_ipv6) = distinct(&parsed.feed, stored.updated)
        .map_err(|error| StoreError::content(place(), error))?;
    Ok(LoadedFeed {
        revision: stored.revision,
        created: stored.created,
        updated: stored.updated,
        lines: parsed.report.lines,
        accepted: parsed.report.accepted,
        rejected: parsed.report.rejected.len(),
        feed: parsed.feed,
        distinct_ipv4,
        distinct_ipv6,
        since,
    })
}

/// Says which lines of a feed were not taken.
pub(crate) fn warn_of_rejected(place: impl Display, rejected: &[RejectedLine]) {
    if let Some(rejection) = rejection(rejected) {
        tracing::warn!("{place}: {rejection}");
    }
}

/// The list of all feeds, as far as they live at `now`.
pub(super) fn compile(feeds: &Feeds, now: Timestamp) -> Result<CompiledList, Refusal> {
    let parts: Vec<Feed> = feeds.values().map(|feed| feed.feed.clone()).collect();
    let list = List::compile(&parts, now)
        .map_err(|error| Refusal::validation("feed", [error.to_string()]))?;
    Ok(CompiledList::new(list))
}

type Compared = (FeedUpdate, (CompiledList, f64));

/// The feed of `upload` beside the one it replaces, and the list with it.
fn compare(upload: &ParsedUpload, mut feeds: Feeds, now: Moment) -> Result<Compared, Refusal> {
    let refuse =
        |error: threatinsight::CompileError| Refusal::validation("feed", [error.to_string()]);
    let ParsedFeed { feed, report } = &upload.parsed;
    let before = feeds.get(feed.name()).cloned();
    let after = distinct(feed, now).map_err(refuse)?;
    let (old, both) = match &before {
        Some(before) => {
            let mut union = feed.clone();
            union.extend(before.feed.entries());
            (
                distinct(&before.feed, now).map_err(refuse)?,
                distinct(&union, now).map_err(refuse)?,
            )
        }
        None => ((0, 0), after),
    };
    let second = second(now);
    let since = distinct_prefixes(feed).into_iter();
    let since = since.map(|prefix| {
        let known = before.as_ref().and_then(|before| before.since(prefix));
        (prefix, known.unwrap_or(second))
    });
    let loaded = Arc::new(LoadedFeed {
        feed: feed.clone(),
        revision: 0,
        created: before.as_ref().map_or(now, |before| before.created),
        updated: now,
        lines: report.lines,
        accepted: report.accepted,
        rejected: report.rejected.len(),
        distinct_ipv4: after.0,
        distinct_ipv6: after.1,
        since: since.collect(),
    });
    feeds.insert(feed.name().to_owned(), Arc::clone(&loaded));
    let started = Instant::now();
    let list = compile(&feeds, now.into())?;
    let elapsed = started.elapsed().as_secs_f64();
    let update = FeedUpdate {
        feed: loaded,
        rejected: report.rejected.clone(),
        added: (both.0 - old.0, both.1.saturating_sub(old.1)),
        removed: (both.0 - after.0, both.1.saturating_sub(after.1)),
    };
    Ok((update, (list, elapsed)))
}

/// How many distinct addresses of each family live in `feed`.
fn distinct(feed: &Feed, now: Moment) -> Result<(u128, u128), threatinsight::CompileError> {
    let list = List::compile(std::slice::from_ref(feed), now.into())?;
    Ok((list.distinct_ipv4(), list.distinct_ipv6()))
}

fn distinct_prefixes(feed: &Feed) -> Vec<Prefix> {
    let mut prefixes: Vec<Prefix> = feed.entries().map(|entry| entry.prefix).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

/// Since when each prefix is listed, as it is stored: 4 or 6, length, address, little-endian second.
fn since_bytes(since: &[(Prefix, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (prefix, second) in since {
        match prefix.address() {
            IpAddr::V4(address) => {
                bytes.extend([4, prefix.length()]);
                bytes.extend(address.octets());
            }
            IpAddr::V6(address) => {
                bytes.extend([6, prefix.length()]);
                bytes.extend(address.octets());
            }
        }
        bytes.extend(second.to_le_bytes());
    }
    bytes
}

/// What [`since_bytes`] wrote.
fn read_since(mut bytes: &[u8]) -> impl Iterator<Item = (Prefix, u32)> {
    std::iter::from_fn(move || {
        let ([family, length], rest) = bytes.split_first_chunk()?;
        let (address, rest): (IpAddr, _) = if *family == 4 {
            let (octets, rest) = rest.split_first_chunk::<4>()?;
            ((*octets).into(), rest)
        } else {
            let (octets, rest) = rest.split_first_chunk::<16>()?;
            ((*octets).into(), rest)
        };
        let (second, rest) = rest.split_first_chunk()?;
        bytes = rest;
        let prefix = Prefix::new(address, *length).ok()?;
        Some((prefix, u32::from_le_bytes(*second)))
    })
}

fn second(moment: Moment) -> u32 {
    u32::try_from(moment.seconds()).unwrap_or(u32::MAX)
}

impl State {
    /// The feeds with the versions of `revisions` that are here already, and the names of those
    /// that are not.
    pub(super) fn known_feeds(&self, revisions: &[(String, i64)]) -> (Feeds, Vec<String>) {
        let mut known = Feeds::new();
        let mut missing = Vec::new();
        for (name, revision) in revisions {
            match self
                .feeds
                .get(name)
                .filter(|feed| feed.revision == *revision)
            {
                Some(feed) => {
                    known.insert(name.clone(), Arc::clone(feed));
                }
                None => missing.push(name.clone()),
            }
        }
        (known, missing)
    }
}
