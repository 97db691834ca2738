//! Reads one feed, whichever format it is in, without ever holding the whole file.

use std::io::Read;

use threatinsight::{FeedParser, ParseOptions, ParsedFeed};

use crate::failure::Failure;
use crate::feed_argument::FeedArgument;
use crate::json_lines::JsonLines;
use crate::lines::each_block;
use crate::progress;
use crate::source::without_byte_order_mark;

/// How much of a feed may be white space before its format shows.
const HEAD: u64 = 4096;

/// A feed whose first byte that is not white space is `{` has JSON lines, any other is text.
pub(crate) fn read(argument: &FeedArgument, options: ParseOptions) -> Result<ParsedFeed, Failure> {
    let FeedArgument { name, source } = argument;
    let refused = |error| Failure::input(source, error);
    let (mut input, length) = source.open()?;
    let mut head = Vec::new();
    input
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| source.failed(&error))?;
    let head = without_byte_order_mark(&head);

    let bar = progress::bar(source.to_string(), length);
    let input = bar.wrap_read(head.chain(input));
    let mut parser = FeedParser::new(name, options);
    let parsed = if head.trim_ascii_start().starts_with(b"{") {
        let mut lines = JsonLines::new(parser);
        each_block(
            input,
            |error| source.failed(&error),
            |block| lines.push(block).map_err(refused),
        )?;
        lines.finish()
    } else {
        each_block(
            input,
            |error| source.failed(&error),
            |block| parser.push(block).map_err(refused),
        )?;
        parser.finish()
    };
    bar.finish_and_clear();
    parsed.map_err(refused)
}
