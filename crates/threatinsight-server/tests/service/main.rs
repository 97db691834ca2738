//! The service on a loopback port, asked by an HTTP client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it left out"
)]

mod authentication;
mod configuration;
mod conformance;
mod decisions;
mod dropped;
mod feeds;
mod hostile;
mod locked;
mod logs;
mod openapi;
mod postgres;
mod running;
mod tokens;
mod zones;
