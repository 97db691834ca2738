//! The hops a request came through: left to right, the peer last.

use std::net::{IpAddr, Ipv6Addr};

use crate::address::canonical;

/// One hop; `None` when it does not parse.
pub type Hop = Option<IpAddr>;

/// How many hops are read, from the right.
const LIMIT: usize = 32;

/// The hops of a text: whatever stands between commas is a hop, the last of them the peer.
pub fn text(text: &str) -> Vec<Hop> {
    rightmost(text.split(',').map(hop).collect())
}

/// The hops of all `X-Forwarded-For` lines in order, then the peer.
pub fn x_forwarded_for(peer: &str, lines: &[&str]) -> Vec<Hop> {
    join(peer, lines, |line| line.split(',').map(hop).collect())
}

/// The hops of all `Forwarded` lines (RFC 7239) in order, then the peer.
pub fn forwarded(peer: &str, lines: &[&str]) -> Vec<Hop> {
    join(peer, lines, |line| {
        let elements = split_outside_quotes(line, ',').into_iter();
        elements.map(|element| forwarded_for(&element)).collect()
    })
}

fn join(peer: &str, lines: &[&str], read: fn(&str) -> Vec<Hop>) -> Vec<Hop> {
    let lines = lines.iter().filter(|line| !line.trim_ascii().is_empty());
    let hops = lines.flat_map(|line| read(line));
    rightmost(hops.chain([hop(peer)]).collect())
}

fn rightmost(mut hops: Vec<Hop>) -> Vec<Hop> {
    hops.split_off(hops.len().saturating_sub(LIMIT))
}

/// An address, with brackets, a port or a zone id that say nothing about who it is.
fn hop(text: &str) -> Hop {
    let text = text.trim_ascii();
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let sound = port.is_empty() || is_port(port.strip_prefix(':')?);
        return ipv6(address).filter(|_| sound);
    }
    if text.matches(':').count() == 1 {
        let (address, port) = text.split_once(':')?;
        return ipv4(address).filter(|_| is_port(port));
    }
    ipv4(text).or_else(|| ipv6(text))
}

fn ipv4(text: &str) -> Hop {
    text.parse().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Hop {
    let (address, zone) = text.split_once('%').unwrap_or((text, "none"));
    let address: Ipv6Addr = address.parse().ok()?;
    let odd = |c: char| !matches!(c, '!'..='~') || matches!(c, ',' | ';' | '"');
    Some(canonical(IpAddr::V6(address))).filter(|_| !zone.is_empty() && !zone.contains(odd))
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The one `for` of an element; its value may be quoted.
fn forwarded_for(element: &str) -> Hop {
    let pairs = split_outside_quotes(element, ';');
    let mut pairs: Vec<_> = pairs
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    pairs.retain(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("for"));
    let [(_, value)] = *pairs else { return None };
    match value.trim_ascii().strip_prefix('"') {
        Some(rest) => hop(rest
            .strip_suffix('"')
            .filter(|node| node.trim_ascii() == *node)?),
        None => hop(value),
    }
}

/// Splits at separators that are not in a quoted string, reading from the right, so that a quote
/// that a client opened and never closed cannot swallow what a proxy wrote after it.
fn split_outside_quotes(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for (place, character) in text.char_indices().rev() {
        let before = text.get(..place).unwrap_or_default();
        let escaped = quoted && before.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        if character == separator && !quoted {
            parts.insert(0, String::new());
        } else if let Some(part) = parts.first_mut() {
            part.insert(0, character);
        }
    }
    parts
}
