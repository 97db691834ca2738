//! Standard input to standard output: order, immediacy, and readers that leave.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::sandbox::Sandbox;

#[test]
fn each_line_is_answered_before_the_next_is_written() {
    let sandbox = Sandbox::with_scanners();
    let mut child = sandbox
        .command("evaluate --feed scanners.txt")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut requests = child.stdin.take().unwrap();
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            answers
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        for (chain, verdict) in [
            ("198.51.100.1", "block\tlisted"),
            ("192.0.2.1", "allow\tnot-listed"),
            ("198.51.100.2", "block\tlisted"),
        ] {
            // In two pieces: a line counts when it ends.
            let (start, end) = chain.split_at(5);
            requests.write_all(start.as_bytes()).unwrap();
            writeln!(requests, "{end}").unwrap();
            let answer = receiver.recv_timeout(Duration::from_secs(20));
            if answer.is_err() {
                child.kill().unwrap();
            }
            assert_eq!(answer, Ok(format!("{chain}\t{verdict}\t{chain}")));
        }
        drop(requests);
    });
    assert!(child.wait().unwrap().success());
}

#[test]
fn order_is_kept_over_many_blocks() {
    let chains: Vec<String> = (0..50_000_u32)
        .map(|n| format!("{}.51.{}.{}", 150 + n % 50, n / 256, n % 256))
        .collect();
    let output = Sandbox::with_scanners()
        .pipe(
            "evaluate --feed scanners.txt",
            (chains.join("\n") + "\n").as_bytes(),
        )
        .done();
    let echoed: Vec<&str> = output
        .lines()
        .map(|l| l.split('\t').next().unwrap())
        .collect();
    assert_eq!(echoed, chains);
    let blocked = output
        .lines()
        .filter(|line| line.contains("\tblock\t"))
        .count();
    let listed = chains
        .iter()
        .filter(|chain| chain.starts_with("198.51.100."))
        .count();
    assert_eq!(blocked, listed);
    assert!(listed > 0, "no chain of the generated ones is listed");
}

#[test]
fn no_input_is_no_output() {
    let output = Sandbox::with_scanners().pipe("evaluate --feed scanners.txt", b"");
    assert_eq!(output.done(), "");
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let sandbox = Sandbox::with_scanners();
    let mut child = sandbox
        .command("evaluate --feed scanners.txt")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut requests = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // Written until the command has noticed and is gone; more than any pipe holds.
    let broken = (0..100_000).any(|_| requests.write_all(b"198.51.100.1\n").is_err());
    assert!(
        broken,
        "the command read everything although nobody reads its answers"
    );
    let mut message = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut message)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), message.as_str()),
        (Some(0), "")
    );
}

#[test]
fn no_progress_bar_without_a_terminal() {
    // Past the length from which a terminal would get one.
    let requests = "192.0.2.1\n".repeat(1 << 20);
    let sandbox = Sandbox::with_scanners();
    let path = sandbox.write("requests", requests.as_bytes());
    let output = sandbox
        .command("evaluate --feed scanners.txt")
        .stdin(std::fs::File::open(path).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.stderr, b"");
    assert_eq!(
        output.stdout.iter().filter(|byte| **byte == b'\n').count(),
        1 << 20
    );
}
