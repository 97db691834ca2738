//! The slow, obvious twin of `threatinsight`: its semantics, to be checked by eye.
//!
//! Vectors, loops and single bits. Nothing is compiled, cached or shared with the core except the
//! plain types of its wire; text becomes addresses by the standard library alone. Each module is
//! one part of the semantics:
//!
//! | module | what it says |
//! |---|---|
//! | [`address`] | which addresses are the same, which prefix contains which, what a range is |
//! | [`chain`] | which hops a request came through |
//! | [`Oracle`] | who the client is, which zones contain it, and the verdict |
//!
//! ```
//! use threatinsight::{Action, Kind, Level, Pattern, Policy, Reason, Verdict};
//! use threatinsight_oracle::{Listing, Oracle, address::Prefix, chain};
//!
//! let oracle = Oracle {
//!     entries: vec![Listing {
//!         feed: "feed".into(),
//!         prefix: Prefix { address: "203.0.113.0".parse()?, length: 24 },
//!         level: Level::High,
//!         patterns: Pattern::NegativeIpReputation.into(),
//!         expires: None,
//!         asserted_until: None,
//!     }],
//!     policy: Policy::new(Action::Block),
//!     now: 0,
//! };
//! let listed = oracle.decide(&chain::x_forwarded_for("203.0.113.7", &[]), Kind::Authentication);
//! assert_eq!((listed.verdict, listed.reason), (Verdict::Block, Reason::Listed));
//! let other = oracle.decide(&chain::x_forwarded_for("198.51.100.7", &[]), Kind::Authentication);
//! assert_eq!((other.verdict, other.reason), (Verdict::Allow, Reason::NotListed));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

pub mod address;
pub mod chain;
mod oracle;

pub use oracle::{Judgement, Listing, Oracle, inside};
