//! The list beside every structure that one might pick instead.
//!
//! `cargo bench -p threatinsight-peers` checks each of them against an oracle and measures them in
//! one run; `-- --help` lists the options. The `charts` command draws what the bench wrote. Users
//! and `cargo test` build none of this.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

pub mod candidates;
pub mod chart;
mod crates;
pub mod family;
pub mod oracle;
mod ours;
mod plain;
pub mod structure;
