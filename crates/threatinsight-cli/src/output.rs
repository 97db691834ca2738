//! What is written, and where.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// One line on standard error. Nothing is left to do when that is closed as well.
pub(crate) fn warn(message: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "threatinsight: {message}");
}

/// One JSON value on a line of its own.
pub(crate) fn json_line(output: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(output).map_err(Failure::Output)
}
