//! What the crate means, as cases and laws, in one binary.
//!
//! | module | what it holds the crate to |
//! |---|---|
//! | `conformance` | the cases of `tests/data`, through the library and through the oracle |
//! | `properties` | laws over random policies, lists and chains; agreement with the oracle |
//! | `feeds` | the texts of `tests/data/feeds.jsonl`, and what is not text |
//! | `hot_swap` | one request, one snapshot, under a storm of swaps |
//! | `public_api` | what may be sent, shared and relied on; no allocation |
//! | `updates` | a list that was updated is the list that would have been compiled |
//! | `regressions` | inputs that once crashed a fuzz target |
#![cfg(feature = "serde")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot set up fails it; what it draws at random may be cut"
)]

mod conformance;
mod corpus;
mod feeds;
mod generate;
mod hot_swap;
mod properties;
mod public_api;
mod regressions;
mod updates;

#[global_allocator]
static HEAP: threatinsight_heap::Counting = threatinsight_heap::Counting;
