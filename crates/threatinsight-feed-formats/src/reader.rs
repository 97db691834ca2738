//! The format is known at the first byte that is not white space; until then bytes are held back.

use std::mem;

use threatinsight::{FeedError, FeedParser, ParseOptions, ParsedFeed, RejectedLine};

use crate::json_lines::JsonLines;

/// How much white space is held back before the feed is taken for text.
const HEAD: usize = 4096;

/// What editors on Windows put before a text; not part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a feed piece by piece, cut anywhere, in whichever format it is.
///
/// # Complexity
///
/// That of [`FeedParser`]; at most one line is held back.
#[derive(Debug)]
pub struct FeedReader(State);

#[derive(Debug)]
enum State {
    Undecided { head: Vec<u8>, parser: FeedParser },
    Text(FeedParser),
    JsonLines(JsonLines),
}

impl FeedReader {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new(name: impl Into<String>, options: ParseOptions) -> Self {
        Self(State::Undecided {
            head: Vec::new(),
            parser: FeedParser::new(name, options),
        })
    }

    /// Reads the next bytes.
    ///
    /// # Errors
    ///
    /// When the feed is refused; nothing more can be read then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        match &mut self.0 {
            State::Text(parser) => parser.push(bytes),
            State::JsonLines(lines) => lines.push(bytes),
            State::Undecided { head, .. } => {
                let room = HEAD.saturating_sub(head.len());
                let (start, rest) = bytes.split_at(room.min(bytes.len()));
                head.extend_from_slice(start);
                let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
                let says_nothing =
                    BYTE_ORDER_MARK.starts_with(head) || text.trim_ascii_start().is_empty();
                if says_nothing && head.len() < HEAD {
                    return Ok(());
                }
                self.decide()?;
                self.push(rest)
            }
        }
    }

    /// Ends the feed.
    ///
    /// # Errors
    ///
    /// When the feed is refused as a whole.
    pub fn finish(mut self) -> Result<ParsedFeed, FeedError> {
        self.decide()?;
        match self.0 {
            State::Text(parser) | State::Undecided { parser, .. } => parser.finish(),
            State::JsonLines(lines) => lines.finish(),
        }
    }

    fn decide(&mut self) -> Result<(), FeedError> {
        let State::Undecided { head, parser } = &mut self.0 else {
            return Ok(());
        };
        let head = mem::take(head);
        let parser = mem::replace(parser, FeedParser::new("", ParseOptions::default()));
        let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head);
        self.0 = if text.trim_ascii_start().starts_with(b"{") {
            State::JsonLines(JsonLines::new(parser))
        } else {
            State::Text(parser)
        };
        match &mut self.0 {
            State::Text(parser) | State::Undecided { parser, .. } => parser.push(text),
            State::JsonLines(lines) => lines.push(text),
        }
    }
}

/// What there is to say of the lines of a feed that were rejected: the only one, or how many and the
/// first; `None` where none was.
///
/// ```
/// use threatinsight::{Feed, ParseOptions};
/// use threatinsight_feed_formats::rejection;
///
/// let read = |text: &[u8]| Feed::parse("tor", text, &ParseOptions::default()).unwrap().report;
/// assert_eq!(rejection(&read(b"203.0.113.7").rejected), None);
/// let two = rejection(&read(b"203.0.113.7\nnobody\nnothing").rejected).unwrap();
/// assert!(two.starts_with("2 lines rejected, the first: line 2: "), "{two}");
/// ```
#[must_use]
pub fn rejection(rejected: &[RejectedLine]) -> Option<String> {
    match rejected {
        [] => None,
        [only] => Some(only.to_string()),
        [first, ..] => Some(format!(
            "{} lines rejected, the first: {first}",
            rejected.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<ParsedFeed, FeedError> {
        let mut reader = FeedReader::new("scanners", ParseOptions::default());
        for piece in pieces {
            reader.push(piece)?;
        }
        reader.finish()
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let json = "{\"prefix\": \"203.0.113.7\"}";
        let blank = " ".repeat(4_095);
        for (text, entries) in [
            ("\u{feff} \n198.51.100.0/24\r\n203.0.113.7".to_owned(), 2),
            (
                format!("\n {{\"prefix\": \"198.51.100.0/24\"}}\r\nnonsense\n{json}"),
                2,
            ),
            (format!("\u{feff}{json}\n"), 1),
            // The last byte that is looked at, and the first that is not.
            (format!("{}\n{json}\n", &blank[1..]), 1),
            (format!("{blank}\n{json}\n203.0.113.7\n"), 1),
            // More than a line may have, before what it says.
            (format!("{json}\n{blank}{json}\n"), 1),
        ] {
            let whole = read(&[text.as_bytes()]).unwrap();
            assert_eq!(whole.feed.len(), entries, "{:?}", whole.report);
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            let cuts = (0..text.len()).map(|at| text.as_bytes().split_at(at));
            let cuts = cuts.map(|(left, right)| vec![left, right]);
            for pieces in cuts.chain([single]) {
                let cut = read(&pieces).unwrap();
                let at = pieces[0].len();
                assert_eq!(cut.report, whole.report, "cut at {at}");
                assert!(cut.feed.entries().eq(whole.feed.entries()), "cut at {at}");
            }
        }
    }

    #[test]
    fn nothing_is_no_feed() {
        assert!(read(&[]).unwrap_err().is_empty());
        assert!(read(&[b" \n"]).unwrap_err().is_empty());
    }

    #[test]
    fn a_line_without_end_is_rejected_and_not_kept() {
        let endless = [
            b"{".as_slice(),
            &vec![b'x'; 100_000],
            b"\n{\"prefix\": \"203.0.113.7\"}",
        ];
        let parsed = read(&endless).unwrap();
        assert!(
            parsed.report.rejected[0]
                .reason
                .to_string()
                .contains("longer than 4096 bytes")
        );
        assert_eq!(parsed.feed.len(), 1);
    }
}
