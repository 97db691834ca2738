//! Progress bars: on standard error, for long inputs, when somebody is there to see them.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Inputs up to this many bytes are read before a bar would be noticed.
const LONG: u64 = 8 * 1024 * 1024;

/// A bar over `length` bytes, hidden unless the input is long and standard error is a terminal.
pub(crate) fn bar(name: impl Into<String>, length: Option<u64>) -> ProgressBar {
    match length {
        Some(length) if length > LONG && io::stderr().is_terminal() => {
            let bar = ProgressBar::new(length).with_message(name.into());
            match ProgressStyle::with_template(
                "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            ) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        }
        Some(_) | None => ProgressBar::hidden(),
    }
}
