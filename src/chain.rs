//! The chain of addresses a request came through.
//!
//! Hops are read from the right, as they are needed and in place: what a trusted proxy appended is
//! read before, and independently of, whatever a client wrote to the left of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr as _;

use crate::address::canonical;

/// How many hops of a chain are read, from the right, the peer counted.
pub const HOP_LIMIT: usize = 32;

/// The hops of a request, left to right, ending in the peer: the address that opened the
/// connection.
///
/// ```
/// use threatinsight::Chain;
///
/// let peer = "192.0.2.1".parse().unwrap();
/// let lines: [&[u8]; 2] = [b"198.51.100.9, 203.0.113.7:4711", b"[2001:db8::7]:443"];
/// let chain = Chain::x_forwarded_for(Some(peer), &lines);
/// let hops: Vec<String> = chain.hops().map(|hop| hop.to_string()).collect();
/// assert_eq!(hops, ["192.0.2.1", "2001:db8::7", "203.0.113.7", "198.51.100.9"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    peer: Hop<'a>,
    lines: Lines<'a>,
    syntax: Syntax,
}

/// The header lines, in the order they came.
#[derive(Clone, Copy, Debug)]
enum Lines<'a> {
    Many(&'a [&'a [u8]]),
    One(&'a [u8]),
}

/// How a line is written.
#[derive(Clone, Copy, Debug)]
enum Syntax {
    /// `X-Forwarded-For`: addresses between commas.
    List,
    /// `Forwarded`, RFC 7239: elements between commas, of which `for` names the hop.
    Forwarded,
}

/// One address of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop<'a> {
    /// The canonical address; `None` when the hop does not parse.
    pub address: Option<IpAddr>,
    /// The hop as it was written, trimmed; empty when an address was given instead of text.
    pub text: &'a [u8],
}

impl fmt::Display for Hop<'_> {
    /// The address, or else the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => address.fmt(f),
            None => f.write_str(&String::from_utf8_lossy(self.text)),
        }
    }
}

impl From<IpAddr> for Chain<'_> {
    /// A chain of one hop: a peer without a header, or a client that the gateway has already
    /// resolved. That hop is the client, whatever the zones trust.
    fn from(address: IpAddr) -> Self {
        Self::x_forwarded_for(Some(address), &[])
    }
}

impl<'a> Chain<'a> {
    /// The hops of the `X-Forwarded-For` lines, in the order the lines came, and the peer; `None`
    /// for a peer without an address, such as a Unix socket.
    #[must_use]
    pub const fn x_forwarded_for(peer: Option<IpAddr>, lines: &'a [&'a [u8]]) -> Self {
        Self::new(peer, lines, Syntax::List)
    }

    /// The hops of the `Forwarded` lines (RFC 7239), in the order the lines came, and the peer.
    ///
    /// ```
    /// use threatinsight::Chain;
    ///
    /// let lines: [&[u8]; 1] = [br#"for=198.51.100.9;proto=https, for="[2001:db8::7]:443""#];
    /// let chain = Chain::forwarded(Some("192.0.2.1".parse().unwrap()), &lines);
    /// assert_eq!(chain.hops().nth(1).unwrap().to_string(), "2001:db8::7");
    /// ```
    #[must_use]
    pub const fn forwarded(peer: Option<IpAddr>, lines: &'a [&'a [u8]]) -> Self {
        Self::new(peer, lines, Syntax::Forwarded)
    }

    const fn new(peer: Option<IpAddr>, lines: &'a [&'a [u8]], syntax: Syntax) -> Self {
        let address = match peer {
            Some(peer) => Some(canonical(peer)),
            None => None,
        };
        Self {
            peer: Hop { address, text: b"" },
            lines: Lines::Many(lines),
            syntax,
        }
    }

    /// The hops of a text, between commas, the client's side first and the peer last. What does
    /// not parse is a hop without an address, not an error.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let (before, peer) = split_last(text, b',', Syntax::List);
        Self {
            peer: list_hop(peer),
            lines: before.map_or(Lines::Many(&[]), Lines::One),
            syntax: Syntax::List,
        }
    }

    /// The hops from the right: the peer first, then the header's, at most [`HOP_LIMIT`] in all.
    ///
    /// An element between commas that is blank is a hop that does not parse; a line that is blank
    /// has no hops.
    #[must_use]
    #[inline]
    pub fn hops(&self) -> Hops<'a> {
        let (lines, line) = match self.lines {
            Lines::Many(lines) => (lines, None),
            Lines::One(line) => (&[][..], Some(line)),
        };
        Hops {
            peer: Some(self.peer),
            lines,
            line,
            syntax: self.syntax,
            left: HOP_LIMIT,
        }
    }

    /// Whether no hop is written before the peer.
    #[inline]
    pub(crate) fn is_peer_only(&self) -> bool {
        match self.lines {
            Lines::Many(lines) => lines.iter().all(|line| line.trim_ascii().is_empty()),
            Lines::One(_) => false,
        }
    }

    /// The address of a peer that sent no header line at all.
    #[inline]
    pub(crate) const fn lone_peer(&self) -> Option<IpAddr> {
        match self.lines {
            Lines::Many([]) => self.peer.address,
            Lines::Many([_, ..]) | Lines::One(_) => None,
        }
    }

    pub(crate) const fn peer(&self) -> Hop<'a> {
        self.peer
    }
}

/// The hops of a [`Chain`], from the right.
#[derive(Clone, Debug)]
pub struct Hops<'a> {
    peer: Option<Hop<'a>>,
    /// Lines not begun.
    lines: &'a [&'a [u8]],
    /// What is left of the line begun last.
    line: Option<&'a [u8]>,
    syntax: Syntax,
    left: usize,
}

impl<'a> Iterator for Hops<'a> {
    type Item = Hop<'a>;

    fn next(&mut self) -> Option<Hop<'a>> {
        self.left = self.left.checked_sub(1)?;
        if let Some(peer) = self.peer.take() {
            return Some(peer);
        }
        while self.line.is_none() {
            let (line, before) = self.lines.split_last()?;
            self.lines = before;
            self.line = Some(*line).filter(|line| !line.trim_ascii().is_empty());
        }
        let (before, element) = split_last(self.line?, b',', self.syntax);
        self.line = before;
        Some(match self.syntax {
            Syntax::List => list_hop(element),
            Syntax::Forwarded => forwarded_hop(element),
        })
    }
}

/// Splits a line at its last separator: what is before it, if there is one, and what is after it.
///
/// Quotes are followed from the right, so that a stray one further left cannot swallow an element
/// that a trusted proxy appended.
fn split_last(line: &[u8], separator: u8, syntax: Syntax) -> (Option<&[u8]>, &[u8]) {
    let at = match syntax {
        Syntax::List => line.iter().rposition(|b| *b == separator),
        Syntax::Forwarded => last_unquoted(line, separator),
    };
    match at.and_then(|at| line.split_at_checked(at)) {
        Some((before, after)) => (Some(before), after.get(1..).unwrap_or_default()),
        None => (None, line),
    }
}

/// Where `wanted` last occurs outside quotes, quotes being followed from the right.
fn last_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    text.iter().enumerate().rev().find_map(|(at, byte)| {
        if *byte == b'"' && !(quoted && is_escaped(text, at)) {
            quoted = !quoted;
        }
        (*byte == wanted && !quoted).then_some(at)
    })
}

/// Whether an odd number of backslashes stands before `at`.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

fn list_hop(element: &[u8]) -> Hop<'_> {
    let text = element.trim_ascii();
    Hop {
        address: node_address(text),
        text,
    }
}

/// The hop that the `for` parameter of a `Forwarded` element names. An element with two does not
/// parse: a parameter occurs at most once (RFC 7239 §4), and one of them may be injected.
fn forwarded_hop(element: &[u8]) -> Hop<'_> {
    let text = element.trim_ascii();
    let mut node = None;
    let mut rest = Some(text);
    while let Some(parameters) = rest {
        let (before, parameter) = split_last(parameters, b';', Syntax::Forwarded);
        rest = before;
        let mut halves = parameter.splitn(2, |b| *b == b'=');
        if let (Some(name), Some(value)) = (halves.next(), halves.next())
            && name.trim_ascii().eq_ignore_ascii_case(b"for")
            && node.replace(unquoted(value.trim_ascii())).is_some()
        {
            return Hop {
                address: None,
                text,
            };
        }
    }
    Hop {
        address: node.flatten().and_then(node_address),
        text,
    }
}

/// A value without its quotes; `None` when it has one alone.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value.strip_prefix(b"\"") {
        Some(value) => value.strip_suffix(b"\""),
        None => Some(value),
    }
}

/// The canonical address of `a.b.c.d`, `a.b.c.d:port`, `v6`, `[v6]` or `[v6]:port`, without zone id.
fn node_address(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    let address = if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        parse_v6(address)?
    } else if let Ok(address) = Ipv4Addr::from_str(node) {
        address.into()
    } else if let Some((address, port)) = node.split_once(':')
        && is_port(port)
        && address.contains('.')
    {
        Ipv4Addr::from_str(address).ok()?.into()
    } else {
        parse_v6(node)?
    };
    Some(canonical(address))
}

fn parse_v6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        Some((address, zone)) if is_zone_id(zone) => address,
        Some(_) => return None,
        None => text,
    };
    Ipv6Addr::from_str(address).ok().map(IpAddr::V6)
}

/// Whether it may name an interface: nearly anything does (RFC 4007 §11.2), but what separates hops or parameters, or
/// is blank, shows that more stands there than an address with a zone id.
fn is_zone_id(text: &str) -> bool {
    let is_of_name = |b: u8| b.is_ascii_graphic() && !b",;\"".contains(&b);
    !text.is_empty() && text.bytes().all(is_of_name)
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(chain: Chain<'_>) -> Vec<Option<String>> {
        chain
            .hops()
            .map(|hop| hop.address.map(|address| address.to_string()))
            .collect()
    }

    #[test]
    fn nodes_are_read_with_ports_brackets_and_zone_ids() {
        for (node, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7:4711", Some("203.0.113.7")),
            ("203.0.113.7:", None),
            ("203.0.113.7:70000", None),
            ("203.0.113.7:4711x", None),
            ("203.0.113.07", None),
            ("2001:db8::7", Some("2001:db8::7")),
            ("2001:DB8::7%eth0", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("[2001:db8::7%2]:443", Some("2001:db8::7")),
            ("fe80::7%br-lan.100", Some("fe80::7")),
            ("fe80::7%wg+0@if3", Some("fe80::7")),
            ("2001:db8::7%", None),
            ("2001:db8::7%eth0 ", None),
            ("2001:db8::7%eth0,203.0.113.7", None),
            ("2001:db8::7%\u{e9}th0", None),
            ("[2001:db8::7]443", None),
            ("[203.0.113.7]", None),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("[::ffff:203.0.113.7]:1", Some("203.0.113.7")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
            ("1.2.3", None),
        ] {
            let found = node_address(node.as_bytes()).map(|a| a.to_string());
            assert_eq!(found.as_deref(), expected, "{node}");
        }
    }

    #[test]
    fn a_stray_quote_on_the_left_swallows_nothing() {
        let peer = "192.0.2.1".parse().unwrap();
        for line in [
            r#"for="198.51.100.9, for=203.0.113.7"#,
            r#""", ", for=203.0.113.7"#,
            r#"for="a\", for="203.0.113.7:80""#,
            r#"for=198.51.100.9;x="a,b\"c;d", proto=https;for="203.0.113.7""#,
        ] {
            let lines = [line.as_bytes()];
            let hops = addresses(Chain::forwarded(Some(peer), &lines));
            assert_eq!(hops[1].as_deref(), Some("203.0.113.7"), "{line}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        let line = "198.51.100.9,".repeat(40) + "203.0.113.7";
        assert_eq!(Chain::parse(line.as_bytes()).hops().count(), HOP_LIMIT);
    }
}
