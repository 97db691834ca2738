//! Reads a feed in whichever format it comes.
//!
//! | first byte that is not white space | format |
//! |---|---|
//! | `{` | JSON lines: `{"prefix": "192.0.2.0/24", "level": "high", "patterns": […], "expires": "…"}`, or Spamhaus's DROP lists |
//! | any other | text, as [`FeedParser`](threatinsight::FeedParser) reads it |
//!
//! ```
//! use threatinsight::{Level, ParseOptions};
//! use threatinsight_feed_formats::FeedReader;
//!
//! let mut reader = FeedReader::new("scanners", ParseOptions::default());
//! reader.push(b"{\"prefix\": \"203.0.113.0/24\", \"level\": \"low\"}\n{\"prefix\": 7}\n").unwrap();
//! let parsed = reader.finish().unwrap();
//! assert_eq!(parsed.feed.entries().next().unwrap().level, Level::Low);
//! assert_eq!(parsed.report.rejected[0].line, 2);
//! ```
#![forbid(unsafe_code)]

mod json_lines;
mod reader;
mod time;

pub use self::json_lines::from_json;
pub use self::reader::{FeedReader, rejection};
pub use self::time::{iso8601, rfc3339};
