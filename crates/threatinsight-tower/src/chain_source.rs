//! Which header names the hops before the peer.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use threatinsight::{Chain, HOP_LIMIT};

/// Which header names the hops before the peer.
///
/// One header, never several: a gateway that reads two lets the client choose which one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainSource {
    /// A list of addresses in a header of this name, as `X-Forwarded-For` has it. The default is
    /// that header.
    List(HeaderName),
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// No header: the peer is the client, because nothing stands in front of this server or
    /// because [`Peer`](crate::Peer) hands over an address that the host has already resolved.
    Resolved,
}

impl Default for ChainSource {
    fn default() -> Self {
        Self::List(HeaderName::from_static("x-forwarded-for"))
    }
}

impl ChainSource {
    /// Calls `judge` with the chain that `headers` and the peer make: what the layer does, for
    /// hosts that are no tower service.
    pub fn judge<T>(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
        judge: impl FnOnce(Chain<'_>) -> T,
    ) -> T {
        let mut room = [&b""[..]; HOP_LIMIT];
        match self {
            Self::List(name) => {
                let lines = rightmost(headers, name, &mut room);
                judge(Chain::x_forwarded_for(peer, lines))
            }
            Self::Forwarded => {
                let lines = rightmost(headers, &FORWARDED, &mut room);
                judge(Chain::forwarded(peer, lines))
            }
            Self::Resolved => judge(Chain::x_forwarded_for(peer, &[])),
        }
    }
}

/// The header's lines, in order, as many from the right as can have hops that are read.
///
/// A line that is not blank has at least one hop, so what does not fit in the room lies beyond the
/// hop limit; a blank line has none and must not take the place of one that has.
fn rightmost<'r, 'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    room: &'r mut [&'h [u8]; HOP_LIMIT],
) -> &'r [&'h [u8]] {
    let lines = headers.get_all(name).iter().rev();
    let lines = lines.map(http::HeaderValue::as_bytes);
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let mut start = HOP_LIMIT;
    for (place, line) in room.iter_mut().rev().zip(lines) {
        *place = line;
        start -= 1;
    }
    room.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn blank_lines_take_no_room() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-forwarded-for");
        headers.append(&name, HeaderValue::from_static("203.0.113.7"));
        for _ in 0..2 * HOP_LIMIT {
            headers.append(&name, HeaderValue::from_static(" "));
        }
        headers.append(&name, HeaderValue::from_static("192.0.2.1"));
        let mut room = [&b""[..]; HOP_LIMIT];
        let lines = rightmost(&headers, &name, &mut room);
        assert_eq!(lines, [&b"203.0.113.7"[..], b"192.0.2.1"]);
    }

    #[test]
    fn lines_beyond_the_limit_are_the_leftmost() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-forwarded-for");
        for line in 0..HOP_LIMIT + 3 {
            headers.append(&name, HeaderValue::from(line));
        }
        let mut room = [&b""[..]; HOP_LIMIT];
        let lines = rightmost(&headers, &name, &mut room);
        assert_eq!(lines.len(), HOP_LIMIT);
        assert_eq!((lines[0], lines[HOP_LIMIT - 1]), (&b"3"[..], &b"34"[..]));
    }
}
