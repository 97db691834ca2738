//! The ABI as C and Python see it: the header, the corpus, the laws and the examples, with the
//! static library under `AddressSanitizer` and the shared one as it is.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test cannot set up fails it"
)]

mod conformance;
mod header;
mod programs;
mod toolchain;
