//! Reads one feed, whichever format it is in, without ever holding the whole file.

use threatinsight::{ParseOptions, ParsedFeed};
use threatinsight_feed_formats::FeedReader;

use crate::failure::Failure;
use crate::feed_argument::FeedArgument;
use crate::lines::each_block;
use crate::progress;

pub(crate) fn read(argument: &FeedArgument, options: ParseOptions) -> Result<ParsedFeed, Failure> {
    let FeedArgument { name, source } = argument;
    let refused = |error| Failure::input(source, error);
    let (input, length) = source.open()?;
    let bar = progress::bar(source.to_string(), length);
    let mut reader = FeedReader::new(name, options);
    each_block(
        bar.wrap_read(input),
        |error| source.failed(&error),
        |block| reader.push(block).map_err(refused),
    )?;
    bar.finish_and_clear();
    reader.finish().map_err(refused)
}
