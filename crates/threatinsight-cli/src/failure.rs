//! Why the command stops before it is done, and with which exit status.

use std::fmt;
use std::io;
use std::process::ExitCode;

use threatinsight::CompileError;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other.
    Usage(String),
    /// A file or standard input cannot be read, or what it says is refused.
    Input {
        /// The file as the arguments name it.
        place: String,
        reason: String,
    },
    /// Every input is well-formed, but together they do not compile.
    Compile(CompileError),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Nor can it be here, where somebody has to read it: a token is shown once.
    Unread(io::Error),
}

impl Failure {
    pub(crate) fn input(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Input {
            place: place.to_string(),
            reason: reason.to_string(),
        }
    }

    /// Whether the reader of the output has seen enough, as `head` has; that is no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Self::Input { .. } | Self::Compile(_) | Self::Output(_) | Self::Unread(_) => {
                ExitCode::from(1)
            }
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => f.write_str(reason),
            Self::Input { place, reason } => write!(f, "{place}: {reason}"),
            Self::Compile(error) => error.fmt(f),
            Self::Output(error) | Self::Unread(error) => {
                write!(f, "standard output: {}", SystemReason(error))
            }
        }
    }
}

/// The system's words in the house's form: `No such file or directory (os error 2)` without the
/// number and the capital.
pub(crate) struct SystemReason<'a>(pub(crate) &'a io::Error);

impl fmt::Display for SystemReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let words = text.split(" (os error").next().unwrap_or(&text);
        let mut characters = words.chars();
        match characters.next() {
            Some(first) => write!(f, "{}{}", first.to_lowercase(), characters.as_str()),
            None => Ok(()),
        }
    }
}

/// What is wrong with a JSON text, without the ` at line 3 column 7` that other messages have first.
pub(crate) struct JsonReason<'a>(pub(crate) &'a serde_json::Error);

impl fmt::Display for JsonReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        f.write_str(text.strip_suffix(&place).unwrap_or(&text))
    }
}
