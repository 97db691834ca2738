//! What is asked of the engine.

use std::fmt;
use std::net::IpAddr;

use crate::chain::Chain;

/// What a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Kind {
    /// A sign-in or another credential check: every entry covers it.
    #[default]
    Authentication,
    /// Anything else: covered by entries with a pattern of
    /// [`Extensions::patterns_beyond_authentication`](crate::Extensions::patterns_beyond_authentication).
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Authentication => "authentication",
            Self::Other => "other",
        })
    }
}

/// One request to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The addresses it came through.
    pub chain: Chain<'a>,
    /// What it is for.
    pub kind: Kind,
}

impl<'a> Request<'a> {
    /// An authentication request that came through `chain`.
    #[must_use]
    pub const fn new(chain: Chain<'a>) -> Self {
        Self {
            chain,
            kind: Kind::Authentication,
        }
    }

    /// The same request, of `kind`.
    #[must_use]
    pub const fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

impl From<IpAddr> for Request<'_> {
    /// An authentication request from a peer that sent no header, or from a client that the
    /// gateway has already resolved.
    fn from(address: IpAddr) -> Self {
        Self::new(address.into())
    }
}
