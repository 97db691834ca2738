//! The agent on a loopback port, asked in HAProxy's own protocol.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod conformance;
mod haproxy;
mod limits;
mod protocol;

use threatinsight::{Action, Engine, Feed, ParseOptions, Policy, Timestamp};

fn empty() -> Engine {
    let policy = Policy::new(Action::None);
    Engine::new(policy.compile(&[], Timestamp(0)).unwrap())
}

fn blocking() -> Engine {
    let text = b"203.0.113.0/24\n2001:db8:bad::/48\n";
    let feed = Feed::parse("scanners", text, &ParseOptions::default()).unwrap();
    let policy = Policy::new(Action::Block);
    Engine::new(policy.compile(&[feed.feed], Timestamp(0)).unwrap())
}
