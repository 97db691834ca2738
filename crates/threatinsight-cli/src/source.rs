//! Where an input comes from: a file, or standard input.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, SystemReason};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    StandardInput,
}

impl Source {
    /// Opens the input; the second part is its length where that is known.
    pub(crate) fn open(&self) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
        match self {
            Self::File(path) => {
                let refused = |error: io::Error| Failure::input(self, SystemReason(&error));
                let file = File::open(path).map_err(refused)?;
                let metadata = file.metadata().map_err(refused)?;
                if metadata.is_dir() {
                    return Err(Failure::input(self, "is a directory, expected a file"));
                }
                Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
            }
            Self::StandardInput => Ok((Box::new(io::stdin()), standard_input_length())),
        }
    }

    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::input(self, SystemReason(error))
    }
}

impl From<OsString> for Source {
    fn from(argument: OsString) -> Self {
        if argument == "-" {
            Self::StandardInput
        } else {
            Self::File(argument.into())
        }
    }
}

impl From<&OsStr> for Source {
    fn from(argument: &OsStr) -> Self {
        argument.to_owned().into()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

/// How many bytes standard input has, when a regular file was redirected to it.
pub(crate) fn standard_input_length() -> Option<u64> {
    let metadata = fs::metadata(Path::new("/dev/stdin")).ok()?;
    metadata.is_file().then_some(metadata.len())
}

/// What editors on Windows put before a text is not part of it.
pub(crate) fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
