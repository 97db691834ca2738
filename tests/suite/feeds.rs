//! Text into feeds.

use std::collections::BTreeMap;

use serde::Deserialize;
use threatinsight::{
    Admission, Feed, FeedError, FeedParser, Level, ParseOptions, ParsedFeed, Pattern, Patterns,
};

use crate::corpus::{read, report};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedCase {
    name: String,
    text: String,
    #[serde(default)]
    options: Options,
    expect: Expected,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    admission: Option<String>,
    max_rejected: Option<usize>,
    max_entries: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    entries: Vec<ExpectedEntry>,
    #[serde(default)]
    rejected: Vec<(u64, String)>,
    refused: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedEntry {
    prefix: String,
    level: Option<Level>,
    patterns: Option<Patterns>,
}

impl Options {
    fn options(&self) -> ParseOptions {
        let default = ParseOptions::default();
        ParseOptions {
            max_rejected: self.max_rejected.unwrap_or(default.max_rejected),
            max_entries: self.max_entries.unwrap_or(default.max_entries),
            admission: match self.admission.as_deref() {
                None | Some("guarded") => Admission::Guarded,
                Some("open") => Admission::Open,
                Some(other) => panic!("admission `{other}`"),
            },
        }
    }
}

impl Expected {
    /// What is wrong with `parsed`, if anything.
    fn complaint(&self, parsed: &Result<ParsedFeed, FeedError>) -> Option<String> {
        let parsed = match (parsed, &self.refused) {
            (Ok(parsed), None) => parsed,
            (Err(error), Some(refused)) if error.to_string().contains(refused) => return None,
            (Err(error), _) => return Some(format!("refused: {error}")),
            (Ok(_), Some(_)) => return Some("not refused".to_owned()),
        };
        let entries = parsed
            .feed
            .entries()
            .map(|e| (e.prefix.to_string(), e.level, e.patterns));
        let wanted = self.entries.iter().cloned().map(|entry| {
            let patterns = entry
                .patterns
                .unwrap_or(Pattern::NegativeIpReputation.into());
            (entry.prefix, entry.level.unwrap_or(Level::High), patterns)
        });
        if counted(entries) != counted(wanted) {
            let entries: Vec<_> = parsed.feed.entries().collect();
            return Some(format!("entries {entries:?}"));
        }
        let rejected = &parsed.report.rejected;
        let as_written = rejected.len() == self.rejected.len()
            && rejected
                .iter()
                .zip(&self.rejected)
                .all(|(found, (line, reason))| {
                    found.line == *line && found.reason.to_string().contains(reason)
                });
        (!as_written).then(|| {
            let found: Vec<_> = rejected.iter().map(ToString::to_string).collect();
            format!("rejected {found:#?}")
        })
    }
}

/// How often each item occurs.
fn counted<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn parse_in_pieces(
    text: &[u8],
    size: usize,
    options: ParseOptions,
) -> Result<ParsedFeed, FeedError> {
    let mut parser = FeedParser::new("feed", options);
    for piece in text.chunks(size) {
        parser.push(piece)?;
    }
    parser.finish()
}

#[test]
fn texts_are_read_as_written() {
    let mut complaints = Vec::new();
    for FeedCase {
        name,
        text,
        options,
        expect,
    } in read("feeds.jsonl")
    {
        let options = options.options();
        let whole = Feed::parse("feed", text.as_bytes(), &options);
        complaints.extend(
            expect
                .complaint(&whole)
                .map(|found| format!("{name}: {found}")),
        );
        for size in [1, 7] {
            let pieces = parse_in_pieces(text.as_bytes(), size, options);
            let found = expect.complaint(&pieces);
            complaints.extend(found.map(|found| format!("{name}, {size} at a time: {found}")));
        }
    }
    report(&complaints);
}

#[test]
fn bytes_that_are_not_utf_8_are_rejected_by_their_line() {
    let text = b"198.51.100.7\n\xff\xfe\n203.0.113.7 \xc3\n192.0.2.7 # \xff\n";
    let parsed = Feed::parse("feed", text, &ParseOptions::default()).unwrap();
    let lines: Vec<u64> = parsed
        .report
        .rejected
        .iter()
        .map(|rejected| rejected.line)
        .collect();
    assert_eq!(lines, [2, 3]);
    assert_eq!(parsed.feed.len(), 2);
}

#[test]
fn utf_16_is_refused_as_what_it_is() {
    for text in [&b"\xff\xfe\x31\x00.\x00"[..], b"\xfe\xff\x00\x31\x00."] {
        let error = Feed::parse("feed", text, &ParseOptions::default()).unwrap_err();
        assert!(error.to_string().contains("UTF-16"), "{error}");
    }
}

#[test]
fn a_rejected_line_is_quoted_cut_and_harmless() {
    let text = format!("198.51.100.7\n\x1b[31m{}\n", "x".repeat(500));
    let parsed = Feed::parse("feed", text.as_bytes(), &ParseOptions::default()).unwrap();
    let message = parsed.report.rejected[0].to_string();
    assert!(message.starts_with("line 2: "), "{message}");
    assert!(message.contains("xxx") && message.len() < 200, "{message}");
    assert!(!message.contains('\x1b'), "{message:?}");
}

#[test]
fn a_page_is_refused_before_the_rest_of_it_comes() {
    let mut parser = FeedParser::new("feed", ParseOptions::default());
    assert!(parser.push(b"<!doctype html>\n<p>").is_err());
}

#[test]
fn too_many_rejected_lines_are_refused_before_the_rest_comes() {
    let options = ParseOptions {
        max_rejected: 2,
        ..ParseOptions::default()
    };
    let mut parser = FeedParser::new("feed", options);
    parser.push(b"198.51.100.7\na\nb\n").unwrap();
    assert!(parser.push(b"c\n").is_err());
}
