//! The layer in real servers on loopback, and what it costs.
#![expect(clippy::unwrap_used, reason = "what a test cannot set up fails it")]

mod axum_server;
mod client;
mod costs;
mod hyper_server;
mod proxy_listener;
mod tonic_server;

use threatinsight::{Action, Engine, Feed, ParseOptions, Policy, Snapshot, Timestamp};
use threatinsight_heap::Counting;

#[global_allocator]
static HEAP: Counting = Counting;

/// Serves a policy of `action` that trusts loopback as a proxy and lists 203.0.113.0/24.
fn engine(action: Action) -> Engine {
    Engine::new(snapshot(action))
}

fn snapshot(action: Action) -> Snapshot {
    let policy = r#"{"action": "none", "zones": [{"type": "IP", "name": "proxies", "proxies": [
        {"type": "CIDR", "value": "127.0.0.0/8"}, {"type": "CIDR", "value": "192.0.2.0/24"}]}]}"#;
    let mut policy: Policy = serde_json::from_str(policy).unwrap();
    policy.configuration.action = action;
    let text = b"203.0.113.0/24\n2001:db8:bad::/48\n";
    let feed = Feed::parse("scanners", text, &ParseOptions::default()).unwrap();
    policy.compile(&[feed.feed], Timestamp(0)).unwrap()
}
