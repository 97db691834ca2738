//! Feeds as JSON lines: ours, with everything an entry can say, and Spamhaus's.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use threatinsight::{
    EntryText, FeedError, FeedParser, Level, ParsedFeed, Pattern, Patterns, Timestamp,
};

use crate::failure::JsonReason;
use crate::lines::Lines;
use crate::time;

/// The longest line that is read, in bytes; a longer one is rejected.
const LINE_LIMIT: usize = 4096;

pub(crate) struct JsonLines {
    parser: FeedParser,
    lines: Lines,
}

impl JsonLines {
    pub(crate) fn new(parser: FeedParser) -> Self {
        Self {
            parser,
            // One byte more, to see that the line was longer.
            lines: Lines::bounded(LINE_LIMIT + 1),
        }
    }

    pub(crate) fn push(&mut self, block: &[u8]) -> Result<(), FeedError> {
        self.lines.push(block, |line| read(&mut self.parser, line))
    }

    pub(crate) fn finish(mut self) -> Result<ParsedFeed, FeedError> {
        self.lines.finish(|line| read(&mut self.parser, line))?;
        self.parser.finish()
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
    Entry {
        cidr: String,
        #[expect(
            dead_code,
            reason = "required, so that no other format is taken for theirs"
        )]
        sblid: IgnoredAny,
    },
    Metadata {
        #[serde(rename = "type")]
        _type: Metadata,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Metadata {
    Metadata,
}

fn read(parser: &mut FeedParser, line: &[u8]) -> Result<(), FeedError> {
    let too_long = line.len() > LINE_LIMIT;
    let line = line.trim_ascii();
    let text = String::from_utf8_lossy(line);
    if too_long {
        return parser.entry(&text, Err(format!("line longer than {LINE_LIMIT} bytes")));
    }
    if line.is_empty() {
        return parser.push(b"\n");
    }
    let error = match serde_json::from_slice(line) {
        Ok(ours) => return parser.entry(&text, entry(&ours)),
        Err(error) => error,
    };
    match serde_json::from_slice(line) {
        Ok(Spamhaus::Entry { cidr, .. }) => parser.entry(&text, Ok(stated(&cidr))),
        // Not an entry and no mistake: to the parser, what a comment is.
        Ok(Spamhaus::Metadata { .. }) => parser.push(b"#\n"),
        Err(_) => {
            // The line is the parser's to name.
            let reason = format!("column {}: {}", error.column(), JsonReason(&error));
            parser.entry(&text, Err(reason))
        }
    }
}

fn entry<'a>(line: &'a Line<'_>) -> Result<EntryText<'a>, String> {
    let stated = stated(&line.prefix);
    let expires = match &line.expires {
        Some(expires) => Some(time::parse(expires).map_err(|error| format!("expires: {error}"))?),
        None => None,
    };
    Ok(EntryText {
        level: line.level.unwrap_or(stated.level),
        patterns: line.patterns.unwrap_or(stated.patterns),
        expires,
        ..stated
    })
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
