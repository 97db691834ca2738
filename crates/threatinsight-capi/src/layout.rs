//! The structs of the ABI.

use std::ffi::c_char;
use std::net::IpAddr;

use threatinsight::{Chain, Decision, HOP_LIMIT};

use crate::constants::{
    self, TI_FAMILY_IPV4, TI_FAMILY_IPV6, TI_FAMILY_NONE, TI_SYNTAX_CHAIN, TI_SYNTAX_FORWARDED,
    TI_SYNTAX_X_FORWARDED_FOR, kind_of,
};
use crate::failure::Failure;
use crate::pointer;

/// An address, or none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TiAddress {
    /// `TI_FAMILY_NONE`, `TI_FAMILY_IPV4` or `TI_FAMILY_IPV6`.
    pub family: u8,
    /// The address in network order; of IPv4 the first four.
    pub bytes: [u8; 16],
}

impl TiAddress {
    pub(crate) fn address(self) -> Result<Option<IpAddr>, Failure> {
        let [a, b, c, d, ..] = self.bytes;
        match self.family {
            TI_FAMILY_NONE => Ok(None),
            TI_FAMILY_IPV4 => Ok(Some([a, b, c, d].into())),
            TI_FAMILY_IPV6 => Ok(Some(self.bytes.into())),
            family => Err(Failure::out_of_range("family", family)),
        }
    }
}

impl From<Option<IpAddr>> for TiAddress {
    fn from(address: Option<IpAddr>) -> Self {
        let (family, bytes) = match address {
            None => return Self::default(),
            Some(IpAddr::V4(address)) => {
                let mut bytes = [0; 16];
                for (byte, octet) in bytes.iter_mut().zip(address.octets()) {
                    *byte = octet;
                }
                (TI_FAMILY_IPV4, bytes)
            }
            Some(IpAddr::V6(address)) => (TI_FAMILY_IPV6, address.octets()),
        };
        Self { family, bytes }
    }
}

/// A text of known length; it needs no NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TiText {
    /// The first byte; anything when `length` is 0.
    pub data: *const c_char,
    /// How many bytes there are.
    pub length: usize,
}

/// A request: the connection's peer, and the header lines that name the hops before it.
///
/// For a client that the gateway has already resolved: `peer` alone, and no lines.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TiRequest {
    /// The address that opened the connection, or none, as on a Unix socket.
    pub peer: TiAddress,
    /// `TI_KIND_AUTHENTICATION` or `TI_KIND_OTHER`.
    pub kind: u8,
    /// `TI_SYNTAX_X_FORWARDED_FOR`, `TI_SYNTAX_FORWARDED` or `TI_SYNTAX_CHAIN`.
    pub syntax: u8,
    /// The lines, in the order they came, each on its own: a repeated header has several.
    pub lines: *const TiText,
    /// How many lines there are.
    pub line_count: usize,
}

impl TiRequest {
    /// Judges what the lines say.
    ///
    /// # Safety
    ///
    /// The promise of [`pointer`] for `lines` and the text of each.
    pub(crate) unsafe fn judge<T>(
        &self,
        judge: impl FnOnce(&threatinsight::Request<'_>) -> T,
    ) -> Result<T, Failure> {
        let kind = kind_of(self.kind)?;
        let judge = |chain| judge(&threatinsight::Request::new(chain).with_kind(kind));
        // SAFETY: the caller's promise.
        let lines = unsafe { pointer::values(self.lines, self.line_count, "lines") }?;
        if self.syntax == TI_SYNTAX_CHAIN {
            let [line] = lines else {
                return Err(Failure::Length {
                    name: "line_count",
                    found: lines.len(),
                    expected: "1, the chain",
                });
            };
            // SAFETY: the caller's promise.
            return Ok(judge(Chain::parse(unsafe { line.bytes() }?)));
        }
        let peer = self.peer.address()?;
        let mut room = [&b""[..]; HOP_LIMIT];
        // SAFETY: the caller's promise.
        let lines = unsafe { rightmost(lines, &mut room) }?;
        match self.syntax {
            TI_SYNTAX_X_FORWARDED_FOR => Ok(judge(Chain::x_forwarded_for(peer, lines))),
            TI_SYNTAX_FORWARDED => Ok(judge(Chain::forwarded(peer, lines))),
            syntax => Err(Failure::out_of_range("syntax", syntax)),
        }
    }
}

impl TiText {
    /// # Safety
    ///
    /// The promise of [`pointer`] for the text.
    unsafe fn bytes<'a>(&self) -> Result<&'a [u8], Failure> {
        // SAFETY: the caller's promise.
        unsafe { pointer::values(self.data.cast::<u8>(), self.length, "data") }
    }
}

/// The lines, in order, as many from the right as can have hops that are read.
///
/// A line that is not blank has at least one hop, so what does not fit in the room lies beyond the
/// hop limit; a blank line has none and must not take the place of one that has.
///
/// # Safety
///
/// The promise of [`pointer`] for the text of each line.
unsafe fn rightmost<'r, 'h>(
    lines: &[TiText],
    room: &'r mut [&'h [u8]; HOP_LIMIT],
) -> Result<&'r [&'h [u8]], Failure> {
    let mut places = room.iter_mut().rev();
    let mut start = HOP_LIMIT;
    for line in lines.iter().rev() {
        // SAFETY: the caller's promise.
        let line = unsafe { line.bytes() }?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Some(place) = places.next() else { break };
        *place = line;
        start -= 1;
    }
    Ok(room.get(start..).unwrap_or_default())
}

/// What was decided about a request.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TiDecision {
    /// The generation of what was served: one more with every swap.
    pub generation: u64,
    /// Who the client is, canonical; none when unknown.
    pub client: TiAddress,
    /// `TI_VERDICT_ALLOW`, `TI_VERDICT_LOG` or `TI_VERDICT_BLOCK`; 0 when nothing was decided.
    pub verdict: u8,
    /// Why: a `TI_REASON_`.
    pub reason: u8,
    /// The highest level of the entries that list the client: a `TI_LEVEL_`.
    pub level: u8,
    /// The patterns of those entries: a sum of `TI_PATTERN_`.
    pub patterns: u8,
}

const _: () = assert!(size_of::<TiDecision>() == 32);

impl TiDecision {
    pub(crate) fn new(decision: &Decision<'_>, generation: u64) -> Self {
        let threat = decision.threat;
        Self {
            generation,
            client: decision.client.into(),
            verdict: constants::verdict(decision.verdict),
            reason: constants::reason(decision.reason()),
            level: threat.map_or(constants::TI_LEVEL_NONE, |threat| {
                constants::level(threat.level())
            }),
            patterns: threat.map_or(0, |threat| constants::patterns(threat.patterns())),
        }
    }
}
