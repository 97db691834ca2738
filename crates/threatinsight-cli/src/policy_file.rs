//! Reads a policy.

use std::io::Read;

use threatinsight::Policy;

use crate::failure::{Failure, JsonReason};
use crate::source::{Source, without_byte_order_mark};

pub(crate) fn read(source: &Source) -> Result<Policy, Failure> {
    let (mut input, _) = source.open()?;
    let mut text = Vec::new();
    input
        .read_to_end(&mut text)
        .map_err(|error| source.failed(&error))?;
    serde_json::from_slice(without_byte_order_mark(&text)).map_err(|error| {
        let reason = format!("line {}: {}", error.line(), JsonReason(&error));
        Failure::input(source, reason)
    })
}
