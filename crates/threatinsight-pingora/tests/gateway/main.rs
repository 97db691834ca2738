//! Real Pingora gateways on loopback, in front of a real upstream.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod client;
mod conformance;
mod connections;
mod requests;
mod server;

use threatinsight::{Action, Engine, Entry, Feed, Pattern, Policy, Timestamp};

/// Serves a policy of `action` that trusts `proxies` and lists `prefixes` for `pattern`.
fn engine(action: Action, proxies: &[&str], prefixes: &[&str], pattern: Pattern) -> Engine {
    let proxies: Vec<String> = proxies
        .iter()
        .map(|proxy| format!(r#"{{"type": "CIDR", "value": "{proxy}"}}"#))
        .collect();
    let policy = format!(
        r#"{{"action": "{action}", "zones": [{{"type": "IP", "name": "proxies", "proxies": [{}]}}]}}"#,
        proxies.join(",")
    );
    let policy: Policy = serde_json::from_str(&policy).unwrap();
    let mut feed = Feed::new("scanners");
    for prefix in prefixes {
        let mut entry = Entry::new(prefix.parse().unwrap());
        entry.patterns = pattern.into();
        feed.push(entry);
    }
    Engine::new(policy.compile(&[feed], Timestamp(0)).unwrap())
}
