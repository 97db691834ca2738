//! What the fuzz targets check, and what they make of their input.
//!
//! `checks` is compiled into the core's tests as well, which replay what once crashed a target:
//! bytes from `tests/data/crashes/<target>/`, questions from `tests/data/crashes/questions.jsonl`.

pub mod checks;
pub mod scenario;
