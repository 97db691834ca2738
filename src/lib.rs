#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod address;
mod bits;
mod chain;
mod configuration;
mod decision;
mod digest;
mod engine;
mod error;
mod explain;
mod feed;
mod list;
mod prefix;
mod request;
mod row;
mod snapshot;
#[cfg(feature = "serde")]
mod strict;
mod threat;
mod trie;
mod zone;

pub use self::chain::{Chain, HOP_LIMIT, Hop, Hops};
pub use self::configuration::{Action, Configuration, Edition, Extensions, Policy};
pub use self::decision::{Decision, Reason, Stage, Verdict};
pub use self::digest::Digest;
pub use self::engine::{Engine, Loaded, Reader};
pub use self::error::{CompileError, Warning};
pub use self::explain::{Change, CoveringEntry, ExplainedHop, ExplainedZone, Explanation, HopRole};
pub use self::feed::{
    Admission, Entry, EntryText, Feed, FeedError, FeedParser, FeedReport, ParseOptions, ParsedFeed,
    RejectReason, RejectedLine, Timestamp,
};
pub use self::list::{Delta, List, Listing, Threat};
pub use self::prefix::{AddressRange, Prefix, PrefixError};
pub use self::request::{Kind, Request};
pub use self::snapshot::Snapshot;
#[cfg(feature = "serde")]
pub use self::strict::strict;
pub use self::threat::{Level, Pattern, Patterns};
pub use self::zone::{
    DynamicV2Zone, DynamicZone, Hints, IpZone, Link, Links, Location, NetworkZone, Selection,
    ZoneAddress, ZoneHead, ZoneStatus, ZoneUsage, Zones,
};
