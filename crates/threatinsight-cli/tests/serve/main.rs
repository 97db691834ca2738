//! `threatinsight serve` and `threatinsight token`: the real command on a loopback port.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crash;
mod ext_authz;
mod readme;
mod server;
mod spoe;
mod start;
mod stop;
mod tls;
