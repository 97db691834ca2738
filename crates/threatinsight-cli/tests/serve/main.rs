//! `threatinsight serve` and `threatinsight token`: the real command on a loopback port.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crash;
mod readme;
mod server;
mod start;
mod stop;
mod tls;
