//! `--feed FILE`, `--feed NAME=FILE` and `--feed FILE FILE…`.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{MAIN_SEPARATOR, Path};

use crate::failure::Failure;
use crate::source::Source;

/// One feed as the arguments name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedArgument {
    pub(crate) name: String,
    pub(crate) source: Source,
}

impl FeedArgument {
    pub(crate) fn parse(argument: OsString) -> Result<Self, FeedArgumentError> {
        if let Some((name, file)) = split_name(&argument) {
            if name.is_empty() {
                return Err(FeedArgumentError::EmptyName);
            }
            if file.is_empty() {
                return Err(FeedArgumentError::EmptyFile);
            }
            return Ok(Self {
                name: name.to_owned(),
                source: file.into(),
            });
        }
        let source = Source::from(argument);
        let name = match &source {
            Source::File(path) => match path.file_stem() {
                Some(stem) => stem.to_string_lossy().into_owned(),
                None => return Err(FeedArgumentError::Stemless),
            },
            Source::StandardInput => "stdin".to_owned(),
        };
        Ok(Self { name, source })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedArgumentError {
    EmptyName,
    EmptyFile,
    Stemless,
}

impl fmt::Display for FeedArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyName => "nothing before the `=`, expected NAME=FILE",
            Self::EmptyFile => "nothing after the `=`, expected NAME=FILE",
            Self::Stemless => "no file name, expected FILE or NAME=FILE",
        })
    }
}

impl Error for FeedArgumentError {}

/// Refuses two feeds of one name, of which one would silently take the other's place.
pub(crate) fn check_names(feeds: &[FeedArgument]) -> Result<(), Failure> {
    let mut named = HashMap::new();
    for FeedArgument { name, source } in feeds {
        if let Some(first) = named.insert(name, source) {
            return Err(Failure::Usage(format!(
                "two feeds are called `{name}`: {first} and {source}; \
                 write NAME=FILE to tell them apart",
            )));
        }
    }
    Ok(())
}

/// Writes `--feed` before every further value of one, so that a shell's glob names several feeds
/// while the CHAINs after them stay CHAINs. A further value is `-` or names an existing file.
pub(crate) fn repeat_flag(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const FLAG: &str = "--feed";

    enum Before {
        Flag,
        Feed,
        Other,
        End,
    }

    let mut repeated = Vec::new();
    let mut before = Before::Other;
    for argument in arguments {
        before = match before {
            Before::Flag => Before::Feed,
            Before::Feed if is_further_feed(&argument) => {
                repeated.push(FLAG.into());
                Before::Feed
            }
            Before::Feed | Before::Other => match argument.to_str() {
                Some("--") => Before::End,
                Some(FLAG) => Before::Flag,
                Some(text) if text.starts_with("--feed=") => Before::Feed,
                _ => Before::Other,
            },
            Before::End => Before::End,
        };
        repeated.push(argument);
    }
    repeated
}

fn is_further_feed(argument: &OsStr) -> bool {
    if argument == "-" {
        return true;
    }
    if argument.as_encoded_bytes().starts_with(b"-") {
        return false;
    }
    let file = split_name(argument).map_or(argument, |(_, file)| file);
    file == "-" || Path::new(file).exists()
}

/// The two sides of NAME=FILE. A path may hold a `=` too; what has a separator before it is one.
fn split_name(argument: &OsStr) -> Option<(&str, &OsStr)> {
    // A path that is not Unicode can be a FILE, only not one with a NAME.
    let text = argument.to_str()?;
    let (name, file) = text.split_once('=')?;
    (!name.contains(['/', MAIN_SEPARATOR])).then_some((name, OsStr::new(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(arguments: &[&str]) -> Vec<OsString> {
        repeat_flag(arguments.iter().map(OsString::from))
    }

    #[test]
    fn existing_files_after_a_feed_are_feeds_and_the_rest_are_chains() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let named = format!("second={manifest}");
        assert_eq!(
            repeated(&[
                "evaluate",
                "--feed",
                manifest,
                &named,
                "-",
                "192.0.2.7",
                manifest
            ]),
            [
                "evaluate",
                "--feed",
                manifest,
                "--feed",
                &named,
                "--feed",
                "-",
                "192.0.2.7",
                manifest,
            ],
        );
    }

    #[test]
    fn nothing_after_two_dashes_is_a_feed() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let arguments = ["evaluate", "--feed=a", "--", "--feed", "a", manifest];
        assert_eq!(repeated(&arguments), arguments);
    }

    #[test]
    fn a_missing_file_right_after_the_flag_stays_its_value() {
        let arguments = [
            "evaluate",
            "--feed",
            "missing.txt",
            "--feed",
            "too.txt",
            "192.0.2.7",
        ];
        assert_eq!(repeated(&arguments), arguments);
    }

    #[test]
    fn the_name_is_given_or_the_stem() {
        let cases = [
            ("lists/ipsum.txt", "ipsum", "lists/ipsum.txt"),
            ("drop=lists/a.txt", "drop", "lists/a.txt"),
            ("lists/day=1/a.txt", "a", "lists/day=1/a.txt"),
            ("a=b=c.txt", "a", "b=c.txt"),
        ];
        for (argument, name, file) in cases {
            let feed = FeedArgument::parse(argument.into()).unwrap();
            assert_eq!(feed.name, name, "{argument}");
            assert_eq!(feed.source, Source::File(file.into()), "{argument}");
        }
    }
}
