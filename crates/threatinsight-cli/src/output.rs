//! What is written, and where.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// One line on standard error. Nothing is left to do when that is closed as well.
pub(crate) fn warn(message: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "threatinsight: {message}");
}

/// Whether what is written to `output` may be coloured: on a terminal, unless `NO_COLOR` is set and
/// not empty (<https://no-color.org>).
pub(crate) fn is_coloured(output: &impl IsTerminal) -> bool {
    output.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One JSON value on a line of its own.
pub(crate) fn json_line(output: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(output).map_err(Failure::Output)
}
