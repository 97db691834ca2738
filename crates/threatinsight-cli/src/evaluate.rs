//! `threatinsight evaluate`: one verdict per chain, in order.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};

use clap::Args;
use serde::Serialize;
use threatinsight::{Chain, Decision, Kind, Request, Snapshot};

use crate::failure::Failure;
use crate::inputs::{ActionName, Inputs, KindName};
use crate::lines::{LINE_LIMIT, Lines, each_block};
use crate::output::json_line;
use crate::progress;
use crate::source::{Source, standard_input_length};

/// Judge request chains, one line of output for each
///
/// A line is CHAIN, verdict (allow, log, block), reason (exempt, blocklisted, disabled, not-listed,
/// excluded, listed, unknown-client) and client, with tabs between them. A client that cannot be
/// known is `-`. Control characters of a CHAIN are written as `?`, and a CHAIN of more than 16 MiB is
/// cut and judged as a request of an unknown client.
#[derive(Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    inputs: Inputs,

    /// The response to listed clients, in place of the policy's
    #[arg(long, value_enum)]
    action: Option<ActionName>,

    /// What the requests ask for
    #[arg(long, value_enum, default_value_t = KindName::Authentication)]
    kind: KindName,

    /// Write one JSON object per line
    ///
    /// Members: chain, verdict, reason, client (null when unknown), generation, and where the
    /// client is listed level, patterns and feeds.
    #[arg(long)]
    json: bool,

    /// The hops of a request with commas between them, the client's side first, the peer last
    ///
    /// Without a CHAIN, each line of standard input is one. A chain that does not parse, such as a
    /// blank line, is judged as a request of an unknown client.
    #[arg(value_name = "CHAIN")]
    chains: Vec<OsString>,
}

impl Evaluate {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let from_standard_input = self.chains.is_empty();
        if from_standard_input && self.inputs.uses_standard_input() {
            return Err(Failure::Usage(
                "standard input is already read for `-`, expected CHAINs as arguments".to_owned(),
            ));
        }
        let snapshot = self.inputs.read()?.enforce(self.action)?;
        let judge = Judge {
            snapshot: &snapshot,
            kind: self.kind.into(),
            form: if self.json { Form::Json } else { Form::Plain },
        };
        let mut output = io::stdout().lock();
        if from_standard_input {
            judge.stream(io::stdin().lock(), &mut output)
        } else {
            let mut answers = Vec::new();
            for chain in &self.chains {
                judge.answer(chain.as_encoded_bytes(), &mut answers)?;
            }
            deliver(&mut answers, &mut output)
        }
    }
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Json,
}

struct Judge<'s> {
    snapshot: &'s Snapshot,
    kind: Kind,
    form: Form,
}

impl Judge<'_> {
    /// Judges line by line. Every line that has arrived is answered before more input is waited
    /// for, so that a program can write one line and read its verdict.
    fn stream(&self, input: impl Read, output: &mut impl Write) -> Result<(), Failure> {
        let length = standard_input_length().filter(|_| !io::stdout().is_terminal());
        let bar = progress::bar("chains", length);
        let mut lines = Lines::new();
        let mut answers = Vec::new();
        each_block(
            input,
            |error| Source::StandardInput.failed(&error),
            |block| {
                lines.push(block, |line| self.answer(line, &mut answers))?;
                bar.inc(block.len() as u64);
                deliver(&mut answers, output)
            },
        )?;
        lines.finish(|line| self.answer(line, &mut answers))?;
        bar.finish_and_clear();
        deliver(&mut answers, output)
    }

    /// Appends the answer to one chain, which is echoed.
    fn answer(&self, chain: &[u8], answers: &mut Vec<u8>) -> Result<(), Failure> {
        // The hops that count are at the end, and the end of a longer line is not here.
        let whole = if chain.len() > LINE_LIMIT { b"" } else { chain };
        let request = Request::new(Chain::parse(whole)).with_kind(self.kind);
        let decision = self.snapshot.evaluate(&request);
        match self.form {
            Form::Plain => {
                // A chain comes from clients: it must not write columns, nor to a terminal.
                for chunk in chain.utf8_chunks() {
                    let shown = chunk.valid().replace(char::is_control, "?");
                    answers.extend(shown.as_bytes());
                    answers.extend(chunk.invalid());
                }
                write!(answers, "\t{}\t{}\t", decision.verdict, decision.reason())
                    .and_then(|()| match decision.client {
                        Some(client) => writeln!(answers, "{client}"),
                        None => writeln!(answers, "-"),
                    })
                    .map_err(Failure::Output)
            }
            Form::Json => {
                let answer = Answer {
                    chain: &String::from_utf8_lossy(chain),
                    decision,
                    generation: self.snapshot.generation(),
                };
                json_line(answers, &answer)
            }
        }
    }
}

/// One line of `--json`.
#[derive(Serialize)]
struct Answer<'a> {
    chain: &'a str,
    #[serde(flatten)]
    decision: Decision<'a>,
    generation: u64,
}

fn deliver(answers: &mut Vec<u8>, output: &mut impl Write) -> Result<(), Failure> {
    output.write_all(answers).map_err(Failure::Output)?;
    output.flush().map_err(Failure::Output)?;
    answers.clear();
    Ok(())
}
