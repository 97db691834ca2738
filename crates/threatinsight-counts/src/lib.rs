//! Nothing but a bench: see `benches/instructions.rs`.
