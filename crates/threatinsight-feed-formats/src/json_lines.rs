//! Feeds as JSON lines: ours, with everything an entry can say, and Spamhaus's.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use threatinsight::{
    EntryText, FeedError, FeedParser, Level, ParsedFeed, Pattern, Patterns, Timestamp, strict,
};

use crate::time::rfc3339;

/// The longest line that is read, in bytes; a longer one is rejected.
const LINE_LIMIT: usize = 4096;

#[derive(Debug)]
pub(crate) struct JsonLines {
    parser: FeedParser,
    /// The line of which the end has not come yet, without what exceeds the limit.
    pending: Vec<u8>,
}

impl JsonLines {
    pub(crate) const fn new(parser: FeedParser) -> Self {
        Self {
            parser,
            pending: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if self.pending.is_empty() => read(&mut self.parser, line)?,
                Some(end) => {
                    self.hold(end);
                    read(&mut self.parser, &self.pending)?;
                    self.pending.clear();
                }
                None => self.hold(piece),
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<ParsedFeed, FeedError> {
        if !self.pending.is_empty() {
            read(&mut self.parser, &self.pending)?;
        }
        self.parser.finish()
    }

    fn hold(&mut self, piece: &[u8]) {
        // One byte more, to see that the line was longer.
        let room = (LINE_LIMIT + 1).saturating_sub(self.pending.len());
        self.pending.extend(piece.iter().take(room));
    }
}

/// One line of our own format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct Line<'a> {
    #[serde(borrow)]
    prefix: Cow<'a, str>,
    level: Option<Level>,
    patterns: Option<Patterns>,
    #[serde(borrow)]
    expires: Option<Cow<'a, str>>,
}

/// One line of a Spamhaus DROP list. Members that they add are theirs to define.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spamhaus {
    Entry(#[serde(deserialize_with = "strict")] SpamhausEntry),
    Metadata(#[serde(deserialize_with = "strict")] SpamhausMetadata),
}

#[derive(Deserialize)]
struct SpamhausEntry {
    cidr: String,
    #[expect(
        dead_code,
        reason = "required, so that no other format is taken for theirs"
    )]
    sblid: IgnoredAny,
}

#[derive(Deserialize)]
struct SpamhausMetadata {
    #[serde(rename = "type")]
    _type: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Metadata {
    Metadata,
}

fn read(parser: &mut FeedParser, line: &[u8]) -> Result<(), FeedError> {
    // As much as `hold` keeps, so that where the text was cut into pieces changes nothing.
    let line = line.get(..=LINE_LIMIT).unwrap_or(line);
    let too_long = line.len() > LINE_LIMIT;
    let line = line.trim_ascii();
    let text = String::from_utf8_lossy(line);
    if too_long {
        return parser.entry(&text, Err(format!("line longer than {LINE_LIMIT} bytes")));
    }
    if line.is_empty() {
        parser.skip(&text);
        return Ok(());
    }
    let error = match from_json(line) {
        Ok(ours) => return parser.entry(&text, entry(&ours)),
        Err(error) => error,
    };
    match serde_json::from_slice(line) {
        Ok(Spamhaus::Entry(entry)) => parser.entry(&text, Ok(stated(&entry.cidr))),
        // Not an entry and no mistake: to the parser, what a comment is.
        Ok(Spamhaus::Metadata(_)) => {
            parser.skip(&text);
            Ok(())
        }
        Err(_) => parser.entry(&text, Err(reason(&error))),
    }
}

/// Reads a text of JSON with [`strict`]: every struct from an object, every enum from a string.
///
/// # Errors
///
/// When it is not JSON, or not that of a `T`.
pub fn from_json<'t, T: Deserialize<'t>>(text: &'t [u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(text);
    let value = strict(&mut text)?;
    text.end()?;
    Ok(value)
}

fn entry<'a>(line: &'a Line<'_>) -> Result<EntryText<'a>, String> {
    let stated = stated(&line.prefix);
    let expires = match &line.expires {
        Some(expires) => Some(timestamp(expires).map_err(|error| format!("expires: {error}"))?),
        None => None,
    };
    Ok(EntryText {
        level: line.level.unwrap_or(stated.level),
        patterns: line.patterns.unwrap_or(stated.patterns),
        expires,
        ..stated
    })
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let time =
        rfc3339(text).ok_or("expected a time as in RFC 3339, such as 2026-01-31T12:00:00Z")?;
    // An entry lives until then, so for the rest of a second that was begun as well.
    let second = time.as_second() + i64::from(time.subsec_nanosecond() > 0);
    match u64::try_from(second) {
        Ok(seconds) => Ok(Timestamp(seconds)),
        Err(_) => Err("expected a time from 1970 on".to_owned()),
    }
}

/// What an entry means that states nothing but its addresses.
fn stated(addresses: &str) -> EntryText<'_> {
    EntryText {
        addresses,
        level: Level::High,
        patterns: Pattern::NegativeIpReputation.into(),
        expires: None::<Timestamp>,
    }
}

/// The line is the parser's to name; the column stays.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(reason) => format!("column {}: {reason}", error.column()),
        None => text,
    }
}
