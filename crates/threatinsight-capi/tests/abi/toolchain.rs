//! The libraries that were built, and the compiler that links against them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library file that was built with this test.
pub(crate) fn library(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let path = test.parent().unwrap().join(name);
    assert!(path.exists(), "{} was not built", path.display());
    path
}

/// Compiles `source`, with flags as pkg-config gives them for the package installed in `directory`,
/// against the static library and under the sanitizers.
pub(crate) fn compile(source: &str, directory: &Path) -> PathBuf {
    let program = directory.join("program");
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler
        .args([
            "-std=gnu11",
            "-g",
            "-Wall",
            "-Wextra",
            "-Wconversion",
            "-Werror",
            "-pedantic",
        ])
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(source))
        .arg("-o")
        .arg(&program)
        .args(flags(directory));
    run(&mut compiler);
    program
}

/// What pkg-config says about the package, with nothing but the static library to be found.
fn flags(directory: &Path) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(
        library("libthreatinsight_capi.a"),
        directory.join("libthreatinsight_capi.a"),
    )
    .unwrap();
    let template = fs::read_to_string(manifest.join("threatinsight.pc.in")).unwrap();
    let package = template
        .replace("@prefix@", directory.to_str().unwrap())
        .replace("@libdir@", directory.to_str().unwrap())
        .replace("@includedir@", manifest.join("include").to_str().unwrap())
        .replace("@version@", env!("CARGO_PKG_VERSION"));
    assert!(!package.contains('@'), "{package}");
    fs::write(directory.join("threatinsight.pc"), package).unwrap();
    let flags = run(Command::new("pkg-config")
        .args(["--static", "--cflags", "--libs", "threatinsight"])
        .env("PKG_CONFIG_PATH", directory));
    flags.split_whitespace().map(str::to_owned).collect()
}

/// What `command` writes when it succeeds; a command that is not there is a failure too.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{error}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}
