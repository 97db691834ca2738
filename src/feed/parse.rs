//! Text into a feed: bounded, streaming, and unable to panic.
//!
//! The caller hands over bytes as they come; at most one line is held back. Every line is counted
//! once, as blank, comment, accepted or rejected.

use std::error::Error;
use std::fmt;

use super::admission::{Admission, Refusal};
use super::{Entry, Feed, Timestamp};
use crate::prefix::{Addresses, Prefix, PrefixError, distinct_addresses, parse_addresses};
use crate::threat::{Level, Pattern, Patterns};

/// The longest line that is read; a longer one is rejected.
const LINE_LIMIT: usize = 1024;

/// How much of a rejected line is kept, in characters.
const TEXT_LIMIT: usize = 80;

/// What a feed's text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParseOptions {
    /// How many lines may be rejected before the whole feed is refused. Default: 1,000.
    pub max_rejected: usize,
    /// How many entries a feed may have before it is refused; a range counts as the prefixes it
    /// becomes. Default: 2²⁵ (33,554,432).
    pub max_entries: usize,
    /// Which prefixes are refused. Default: [`Admission::Guarded`].
    pub admission: Admission,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            max_rejected: 1_000,
            max_entries: 1 << 25,
            admission: Admission::default(),
        }
    }
}

/// A feed read from text, and what was read.
#[derive(Clone, Debug)]
pub struct ParsedFeed {
    /// The accepted entries.
    pub feed: Feed,
    /// What became of every line.
    pub report: FeedReport,
}

/// What became of every line: `lines` is the sum of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedReport {
    /// Lines read.
    pub lines: u64,
    /// Lines of white space.
    pub blank: u64,
    /// Lines of nothing but a comment.
    pub comments: u64,
    /// Lines that became one entry or, for a range, several.
    pub accepted: u64,
    /// Lines that became nothing, in order.
    pub rejected: Vec<RejectedLine>,
}

/// A line that is not in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedLine {
    /// The line's number, from 1.
    pub line: u64,
    /// The line, cut to 80 characters, what is not UTF-8 replaced.
    pub text: String,
    /// Why it was rejected.
    pub reason: RejectReason,
}

impl fmt::Display for RejectedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} in `{}`", self.line, self.reason, self.text)
    }
}

/// Why a line was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// Not an address, prefix or range.
    NotAddresses(PrefixError),
    /// Something follows the address that is neither a comment nor a count.
    TrailingText,
    /// The count is not a number from 1 on.
    Count,
    /// The prefix is shorter than any that is admitted.
    TooShort {
        /// The prefix's length.
        length: u8,
        /// The shortest that is admitted.
        shortest: u8,
    },
    /// The prefix overlaps space that no client on the Internet has.
    Reserved {
        /// The reserved prefix and its name.
        space: &'static str,
    },
    /// The line is longer than 1,024 bytes.
    TooLong,
    /// The line is not UTF-8.
    NotUtf8,
    /// What a reader of another format says about the line.
    Format(String),
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAddresses(error) => error.fmt(f),
            Self::TrailingText => {
                f.write_str("text after the address, expected a comment or a count after a tab")
            }
            Self::Count => f.write_str("count after the address is not a number from 1 on"),
            Self::TooShort { length, shortest } => write!(
                f,
                "prefix length {length} is shorter than {shortest}, the shortest that is admitted"
            ),
            Self::Reserved { space } => write!(f, "overlaps reserved space {space},"),
            Self::TooLong => write!(f, "line longer than {LINE_LIMIT} bytes"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Format(reason) => f.write_str(reason),
        }
    }
}

/// Why a whole feed is refused. What is being served does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedError(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Html,
    Utf16,
    Empty,
    NoEntry {
        lines: u64,
        first: Option<RejectedLine>,
    },
    TooManyRejected {
        limit: usize,
        first: Option<RejectedLine>,
    },
    TooManyEntries {
        line: u64,
        limit: usize,
    },
    Declared {
        line: u64,
        what: &'static str,
        declared: u128,
        found: u128,
    },
}

impl FeedError {
    /// Whether the text is a page, not a list: the source answered with HTML.
    #[must_use]
    pub const fn is_html(&self) -> bool {
        matches!(self.0, Kind::Html)
    }

    /// Whether there was nothing to list: no text, or no accepted line.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, Kind::Empty | Kind::NoEntry { .. })
    }

    /// Whether the list is not what its own header declares, as when a download was cut short.
    #[must_use]
    pub const fn is_incomplete(&self) -> bool {
        matches!(self.0, Kind::Declared { .. })
    }

    /// Whether a limit of [`ParseOptions`] was passed.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(
            self.0,
            Kind::TooManyRejected { .. } | Kind::TooManyEntries { .. }
        )
    }
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = match &self.0 {
            Kind::Html => return f.write_str("found an HTML or XML page, expected a list"),
            Kind::Utf16 => return f.write_str("found UTF-16, expected UTF-8"),
            Kind::Empty => return f.write_str("nothing to read, expected a list"),
            Kind::TooManyEntries { line, limit } => {
                return write!(f, "line {line}: more than {limit} entries");
            }
            Kind::Declared {
                line,
                what,
                declared,
                found,
            } => {
                return write!(
                    f,
                    "line {line}: header declares {declared} {what}, found {found}"
                );
            }
            Kind::NoEntry { lines, first } => {
                write!(f, "found no entry in {lines} line{}", plural(*lines))?;
                first
            }
            Kind::TooManyRejected { limit, first } => {
                write!(
                    f,
                    "rejected more than {limit} line{}",
                    plural(*limit as u64)
                )?;
                first
            }
        };
        match first {
            Some(first) => write!(f, "; the first is {first}"),
            None => Ok(()),
        }
    }
}

const fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl Error for FeedError {}

/// What one line of another format says, for [`FeedParser::entry`].
#[derive(Clone, Copy, Debug)]
pub struct EntryText<'a> {
    /// An address, prefix or range, in any form a text feed may use.
    pub addresses: &'a str,
    /// The level of every prefix it becomes.
    pub level: Level,
    /// The patterns of every prefix it becomes.
    pub patterns: Patterns,
    /// The expiry of every prefix it becomes.
    pub expires: Option<Timestamp>,
}

/// Reads a feed piece by piece.
///
/// | form | meaning |
/// |---|---|
/// | `192.0.2.7`, `192.0.2.0/24`, `192.0.2.0/255.255.255.0` | an address or prefix; host bits are cleared |
/// | `192.0.2.1-192.0.2.9`, `2001:db8:: - 2001:db8::9` | a range, both ends included |
/// | `# …`, `; …` | a comment, on its own or after an address |
/// | `192.0.2.7<TAB>4` | a count of lists: 1 and 2 are low, 3 and 4 medium, 5 and more high |
/// | `# Entries : 2 subnets, 512 unique IPs` | checked against what was read, admitted or not |
///
/// A byte order mark, CR LF, and white space around anything are accepted. Addresses with leading
/// zeros, host names and numbers are rejected.
///
/// # Complexity
///
/// Linear in the text; memory for the accepted entries, the rejected lines (bounded by
/// [`ParseOptions::max_rejected`]) and one line.
///
/// ```
/// use threatinsight::{FeedParser, ParseOptions};
///
/// let mut parser = FeedParser::new("scanners", ParseOptions::default());
/// parser.push(b"198.51.100.0/24\n203.0.").unwrap();
/// parser.push(b"113.7\n").unwrap();
/// assert_eq!(parser.finish().unwrap().feed.len(), 2);
///
/// let mut parser = FeedParser::new("scanners", ParseOptions::default());
/// assert!(parser.push(b"<!doctype html>\n").unwrap_err().is_html());
/// ```
#[derive(Debug)]
pub struct FeedParser {
    options: ParseOptions,
    feed: Feed,
    report: FeedReport,
    /// The line of which the end has not come yet, without what exceeds [`LINE_LIMIT`] + 1.
    pending: Vec<u8>,
    /// Whether something else than white space has been seen.
    started: bool,
    declared: Vec<Declared>,
    /// Prefixes read but not admitted, which a header's declaration counts.
    not_admitted: Vec<Prefix>,
    /// Why the feed is refused, once it is.
    refusal: Option<FeedError>,
}

/// What a FireHOL header says the list holds.
#[derive(Clone, Copy, Debug)]
struct Declared {
    line: u64,
    subnets: Option<u128>,
    addresses: u128,
}

impl FeedParser {
    /// A parser that has read nothing.
    #[must_use]
    pub fn new(name: impl Into<String>, options: ParseOptions) -> Self {
        Self {
            options,
            feed: Feed::new(name),
            report: FeedReport::default(),
            pending: Vec::new(),
            started: false,
            declared: Vec::new(),
            not_admitted: Vec::new(),
            refusal: None,
        }
    }

    /// Reads the next bytes of the text, cut anywhere.
    ///
    /// # Errors
    ///
    /// When the feed is refused: the text is a page or UTF-16, or a limit is passed. Whatever is
    /// done with the parser then gives the same error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        let read = self.refused().and_then(|()| self.read_bytes(bytes));
        self.remember(read)
    }

    fn read_bytes(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if self.pending.is_empty() {
                self.line(line)?;
            } else {
                self.hold(line);
                let line = std::mem::take(&mut self.pending);
                self.line(&line)?;
                self.pending = line;
                self.pending.clear();
            }
        }
        self.hold(rest);
        Ok(())
    }

    /// Reads one line of another format, already taken apart by the caller: the same admission,
    /// count and report as for text.
    ///
    /// # Errors
    ///
    /// When a limit is passed. Whatever is done with the parser then gives the same error.
    pub fn entry(
        &mut self,
        line: &str,
        entry: Result<EntryText<'_>, String>,
    ) -> Result<(), FeedError> {
        self.refused()?;
        self.report.lines += 1;
        self.started = true;
        let outcome = match entry {
            Ok(entry) => self.admit(&entry),
            Err(reason) => Err(RejectReason::Format(reason).into()),
        };
        let settled = self.settle(line.as_bytes(), outcome);
        self.remember(settled)
    }

    fn refused(&self) -> Result<(), FeedError> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn remember(&mut self, outcome: Result<(), FeedError>) -> Result<(), FeedError> {
        self.refusal = outcome.clone().err();
        outcome
    }

    /// Counts a line of another format that lists nothing, as blank or as a comment.
    pub fn skip(&mut self, line: &str) {
        self.report.lines += 1;
        if line.trim_ascii().is_empty() {
            self.report.blank += 1;
        } else {
            self.started = true;
            self.report.comments += 1;
        }
    }

    /// Reads the last line and closes the feed.
    ///
    /// # Errors
    ///
    /// When the feed is refused: nothing was listed, a limit was passed, or the header declares
    /// something else than what was read.
    pub fn finish(mut self) -> Result<ParsedFeed, FeedError> {
        self.refused()?;
        if !self.pending.is_empty() {
            let line = std::mem::take(&mut self.pending);
            self.line(&line)?;
        }
        if !self.started {
            return Err(FeedError(Kind::Empty));
        }
        // One header speaks for the whole text; several, as in a list pasted together, for none.
        if let [declared] = *self.declared {
            self.check(declared)?;
        }
        if self.feed.is_empty() {
            return Err(FeedError(Kind::NoEntry {
                lines: self.report.lines,
                first: self.report.rejected.into_iter().next(),
            }));
        }
        Ok(ParsedFeed {
            feed: self.feed,
            report: self.report,
        })
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = (LINE_LIMIT + 1).saturating_sub(self.pending.len());
        self.pending.extend(bytes.iter().take(room));
    }

    fn line(&mut self, line: &[u8]) -> Result<(), FeedError> {
        self.report.lines += 1;
        // As much as `hold` keeps, so that where the text was cut into pieces changes nothing.
        let mut line = line.get(..=LINE_LIMIT).unwrap_or(line);
        let too_long = line.len() > LINE_LIMIT;
        if self.report.lines == 1 {
            if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
                return Err(FeedError(Kind::Utf16));
            }
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let line = line.trim_ascii();
        if line.is_empty() && !too_long {
            self.report.blank += 1;
            return Ok(());
        }
        if !self.started && line.starts_with(b"<") {
            return Err(FeedError(Kind::Html));
        }
        self.started = true;
        if line.starts_with(b"#") || line.starts_with(b";") {
            self.report.comments += 1;
            if let Some(declared) = declaration(line, self.report.lines) {
                self.declared.push(declared);
            }
            return Ok(());
        }
        let outcome = if too_long {
            Err(RejectReason::TooLong.into())
        } else {
            self.read(line)
        };
        self.settle(line, outcome)
    }

    fn read(&mut self, line: &[u8]) -> Result<(), Rejection> {
        let comment = line.iter().position(|b| matches!(b, b'#' | b';'));
        let text = comment.and_then(|at| line.get(..at)).unwrap_or(line);
        let text = std::str::from_utf8(text)
            .map_err(|_| RejectReason::NotUtf8)?
            .trim_ascii_end();
        let (addresses, level) = split_count(text)?;
        self.admit(&EntryText {
            addresses,
            level,
            patterns: Pattern::NegativeIpReputation.into(),
            expires: None,
        })
    }

    fn admit(&mut self, entry: &EntryText<'_>) -> Result<(), Rejection> {
        let addresses = parse_addresses(entry.addresses).map_err(RejectReason::NotAddresses)?;
        for prefix in addresses.prefixes() {
            if let Err(refusal) = self.options.admission.admit(prefix) {
                self.not_admitted.extend(addresses.prefixes());
                return Err(RejectReason::from(refusal).into());
            }
        }
        if self.feed.len() + entry_count(addresses) > self.options.max_entries {
            return Err(Rejection::Feed(FeedError(Kind::TooManyEntries {
                line: self.report.lines,
                limit: self.options.max_entries,
            })));
        }
        let &EntryText {
            addresses: _,
            level,
            patterns,
            expires,
        } = entry;
        self.feed.extend(addresses.prefixes().map(|prefix| Entry {
            prefix,
            level,
            patterns,
            expires,
        }));
        Ok(())
    }

    /// Counts a line by its outcome.
    fn settle(&mut self, line: &[u8], outcome: Result<(), Rejection>) -> Result<(), FeedError> {
        match outcome {
            Ok(()) => self.report.accepted += 1,
            Err(Rejection::Feed(error)) => return Err(error),
            Err(Rejection::Line(reason)) => {
                self.report.rejected.push(RejectedLine {
                    line: self.report.lines,
                    text: cut(line),
                    reason,
                });
                if self.report.rejected.len() > self.options.max_rejected {
                    return Err(FeedError(Kind::TooManyRejected {
                        limit: self.options.max_rejected,
                        first: self.report.rejected.first().cloned(),
                    }));
                }
            }
        }
        Ok(())
    }

    /// Compares a header's declaration with everything that was read, admitted or not.
    fn check(&self, declared: Declared) -> Result<(), FeedError> {
        let matches = |what, expected: u128, found: u128| {
            if expected == found {
                return Ok(());
            }
            Err(FeedError(Kind::Declared {
                line: declared.line,
                what,
                declared: expected,
                found,
            }))
        };
        let read = self.feed.entries().map(|entry| entry.prefix);
        let mut read: Vec<Prefix> = read.chain(self.not_admitted.iter().copied()).collect();
        if let Some(subnets) = declared.subnets {
            matches("subnets", subnets, read.len() as u128)?;
        }
        read.sort_unstable();
        matches("unique IPs", declared.addresses, distinct_addresses(read))
    }
}

/// Why a line became nothing: it alone is wrong, or the whole feed is.
enum Rejection {
    Line(RejectReason),
    Feed(FeedError),
}

impl From<RejectReason> for Rejection {
    fn from(reason: RejectReason) -> Self {
        Self::Line(reason)
    }
}

impl From<Refusal> for RejectReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Short { length, shortest } => Self::TooShort { length, shortest },
            Refusal::Reserved(space) => Self::Reserved { space },
        }
    }
}

fn entry_count(addresses: Addresses) -> usize {
    match addresses {
        Addresses::Prefix(_) => 1,
        Addresses::Range(range) => range.prefixes().count(),
    }
}

/// Takes the count off `address<TAB>count`, as the level it stands for.
fn split_count(text: &str) -> Result<(&str, Level), RejectReason> {
    if let Some((addresses, count)) = text.split_once('\t') {
        let count = count.trim();
        if !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) {
            let level = match count.trim_start_matches('0') {
                "" => return Err(RejectReason::Count),
                "1" | "2" => Level::Low,
                "3" | "4" => Level::Medium,
                _ => Level::High,
            };
            return Ok((addresses.trim_ascii_end(), level));
        }
    }
    // White space is only right around the hyphen of a range.
    let mut words = text.split_ascii_whitespace();
    let joined_by_hyphen = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), None, ..) => true,
        (Some(first), Some(second), None, _) => first.ends_with('-') || second.starts_with('-'),
        (Some(_), Some(second), Some(_), None) => second == "-",
        _ => false,
    };
    if joined_by_hyphen {
        Ok((text, Level::High))
    } else {
        Err(RejectReason::TrailingText)
    }
}

/// Reads `# Entries : 12 subnets, 3456 unique IPs` or `# Entries : 3456 unique IPs`.
fn declaration(comment: &[u8], line: u64) -> Option<Declared> {
    let text = std::str::from_utf8(comment).ok()?;
    let text = text.trim_start_matches(['#', ';', ' ', '\t']);
    let (key, value) = text.split_once(':')?;
    if !key.trim().eq_ignore_ascii_case("entries") {
        return None;
    }
    let number = |text: &str, unit: &str| text.trim().strip_suffix(unit)?.trim().parse().ok();
    match value.split_once(',') {
        Some((subnets, addresses)) => Some(Declared {
            line,
            subnets: Some(number(subnets, "subnets")?),
            addresses: number(addresses, "unique IPs")?,
        }),
        None => Some(Declared {
            line,
            subnets: None,
            addresses: number(value, "unique IPs")?,
        }),
    }
}

fn cut(line: &[u8]) -> String {
    // Four bytes a character at most, and one more character to see whether there is a rest.
    let head = line.get(..4 * (TEXT_LIMIT + 1)).unwrap_or(line);
    let text = String::from_utf8_lossy(head);
    let mut characters = text.chars();
    let mut kept: String = characters
        .by_ref()
        .take(TEXT_LIMIT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

impl Feed {
    /// Reads a feed from text that is in memory whole; see [`FeedParser`].
    ///
    /// # Errors
    ///
    /// When the feed is refused; see [`FeedError`].
    pub fn parse(
        name: impl Into<String>,
        text: &[u8],
        options: &ParseOptions,
    ) -> Result<ParsedFeed, FeedError> {
        let mut parser = FeedParser::new(name, *options);
        parser.push(text)?;
        parser.finish()
    }
}
