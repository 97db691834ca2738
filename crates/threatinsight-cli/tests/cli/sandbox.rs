//! A directory with input files, and the command run in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

pub(crate) struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    pub(crate) fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        let sandbox = Self {
            directory: TempDir::new().unwrap(),
        };
        for (name, text) in files {
            sandbox.write(name, text.as_bytes());
        }
        sandbox
    }

    /// One feed, `scanners.txt`, that lists 198.51.100.0/24.
    pub(crate) fn with_scanners() -> Self {
        Self::new([("scanners.txt", "198.51.100.0/24\n")])
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The command with `arguments`, divided by white space.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threatinsight"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn pipe(&self, arguments: &str, input: &[u8]) -> Outcome {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            // A command that refuses its arguments does not read its input.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap().into()
        })
    }
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The output of a run that was to succeed and had nothing to remark.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(
            (self.status, self.stderr.as_str()),
            (Some(0), ""),
            "{self:?}"
        );
        self.stdout
    }

    /// The message of a run that was to refuse an input.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(
            (self.status, self.stdout.as_str()),
            (Some(1), ""),
            "{self:?}"
        );
        self.stderr
    }

    /// The message of a run that was to refuse its arguments.
    #[track_caller]
    pub(crate) fn misused(self) -> String {
        assert_eq!(
            (self.status, self.stdout.as_str()),
            (Some(2), ""),
            "{self:?}"
        );
        self.stderr
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
