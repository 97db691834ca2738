default:
    @just --list

test *arguments:
    cargo test {{ arguments }}

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

bench *arguments:
    cargo bench {{ arguments }}

# The list beside its peers, and the charts of what came out.
peers *arguments:
    cargo bench -p threatinsight-peers -- {{ arguments }}
    cargo run -p threatinsight-peers --bin charts

# The service under load, beside CrowdSec's local API; downloads Debian's package of it.
load:
    crates/threatinsight-load/run

# One fuzz target for a while: `just fuzz feed_parser 60`.
fuzz target seconds="60":
    mkdir -p fuzz/corpus/{{ target }}
    cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- -max_total_time={{ seconds }}

# The oldest compiler that Cargo.toml promises; the peers that we measure against want a newer one.
msrv:
    cargo +1.88 check --workspace --exclude threatinsight-peers --all-targets

deny:
    cargo deny check

# Everything that a change must pass.
ci:
    .ci/run
