//! The header is what the sources say.

use std::env;
use std::fs;
use std::path::Path;

/// `UPDATE_HEADER=1 cargo test -p threatinsight-capi` writes it anew.
#[test]
fn the_header_is_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let configuration = cbindgen::Config::from_root_or_default(directory);
    let bindings = cbindgen::generate_with_config(directory, configuration).unwrap();
    let mut written = Vec::new();
    bindings.write(&mut written);
    let path = directory.join("include/threatinsight.h");
    if env::var_os("UPDATE_HEADER").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let committed = fs::read(&path).unwrap();
    assert!(
        committed == written,
        "include/threatinsight.h is not what the sources say: run this test with UPDATE_HEADER=1"
    );
}
