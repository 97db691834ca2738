//! The C ABI of `threatinsight`: the header is `include/threatinsight.h`, the library
//! `libthreatinsight_capi`, shared and static.
//!
//! | to | call |
//! |---|---|
//! | collect feeds and a policy | `ti_inputs_new`, `ti_inputs_feed_file`, `ti_inputs_feed_text`, `ti_inputs_entry`, `ti_inputs_policy_file`, `ti_inputs_policy_text` |
//! | compile and serve them | `ti_engine_new` |
//! | replace what is served | `ti_engine_swap`, `ti_engine_swap_list`, `ti_engine_swap_policy` |
//! | judge | `ti_evaluate_address`, `ti_evaluate_chain`, `ti_evaluate`, `ti_evaluate_many` |
//! | see why | `ti_explain` |
//! | learn what went wrong | `ti_last_error` |
//!
//! # Rules
//!
//! * **Threads.** An engine may be used by any number of threads at once, swaps included. Inputs
//!   belong to one thread at a time. An error text belongs to the thread that failed.
//! * **Failure.** A function that can fail returns a status, `TI_OK` or another, or a pointer that
//!   is null. A decision that was not made has verdict 0, which is no verdict: whoever calls
//!   decides between failing open and failing closed. A refused input never changes what is served.
//! * **Memory.** What `ti_inputs_new`, `ti_engine_new` and `ti_explain` return is freed by
//!   `ti_inputs_free`, `ti_engine_free` and `ti_string_free`. An engine keeps nothing of its
//!   inputs.
//! * **Panics** end at the boundary, as status `TI_PANICKED`.
//! * **Forks.** The library has no threads of its own and takes no lock but in a swap, so a server
//!   may compile first and fork afterwards, if no swap is under way.
//!
//! Feeds are read in the text formats; JSON lines are not read here.

mod constants;
mod engine;
mod evaluate;
mod failure;
mod inputs;
mod layout;
mod pointer;

pub use self::constants::*;
pub use self::engine::{
    TiEngine, ti_engine_free, ti_engine_generation, ti_engine_new, ti_engine_swap,
    ti_engine_swap_list, ti_engine_swap_policy,
};
pub use self::evaluate::{
    ti_evaluate, ti_evaluate_address, ti_evaluate_chain, ti_evaluate_many, ti_explain,
    ti_string_free,
};
pub use self::failure::ti_last_error;
pub use self::inputs::{
    TiInputs, ti_inputs_admission, ti_inputs_entry, ti_inputs_feed_file, ti_inputs_feed_text,
    ti_inputs_free, ti_inputs_new, ti_inputs_policy_file, ti_inputs_policy_text,
    ti_inputs_rejected,
};
pub use self::layout::{TiAddress, TiDecision, TiRequest, TiText};
