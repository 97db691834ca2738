//! The command, run as its users run it: real processes, files and pipes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test cannot set up fails it"
)]

mod conformance;
mod evaluate;
mod explain;
mod feeds;
mod inspect;
mod sandbox;
mod streaming;
mod usage;
