//! `threatinsight explain`: the full account of one verdict.

use std::ffi::OsString;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::Args;
use threatinsight::{Chain, Explanation, Request, Verdict};

use crate::failure::Failure;
use crate::inputs::{ActionName, Inputs, KindName};
use crate::lines::{Lines, each_block};
use crate::output::{is_coloured, json_line};
use crate::source::Source;

/// Explain the verdict on one request chain
///
/// Shows the walk to the client hop by hop, every entry that covers the client, every zone that
/// contains the chain, the stage that decided, and what would change the verdict.
#[derive(Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    inputs: Inputs,

    /// The response to listed clients, in place of the policy's
    #[arg(long, value_enum)]
    action: Option<ActionName>,

    /// What the request asks for
    #[arg(long, value_enum, default_value_t = KindName::Authentication)]
    kind: KindName,

    /// Write one JSON object
    #[arg(long)]
    json: bool,

    /// The hops of the request with commas between them, the client's side first, the peer last
    ///
    /// Without a CHAIN, the one line of standard input is it.
    #[arg(value_name = "CHAIN")]
    chain: Option<OsString>,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if self.chain.is_none() && self.inputs.uses_standard_input() {
            return Err(Failure::Usage(
                "standard input is already read for `-`, expected a CHAIN as argument".to_owned(),
            ));
        }
        let snapshot = self.inputs.read()?.enforce(self.action)?;
        let chain = match &self.chain {
            Some(chain) => chain.as_encoded_bytes().to_vec(),
            None => only_line()?,
        };
        let request = Request::new(Chain::parse(&chain)).with_kind(self.kind.into());
        let explanation = snapshot.explain(&request);
        let mut output = io::stdout().lock();
        if self.json {
            json_line(&mut output, &explanation)?;
        } else if is_coloured(&output) {
            write!(output, "{}", coloured(&explanation)).map_err(Failure::Output)?;
        } else {
            write!(output, "{explanation}").map_err(Failure::Output)?;
        }
        output.flush().map_err(Failure::Output)
    }
}

fn only_line() -> Result<Vec<u8>, Failure> {
    let source = Source::StandardInput;
    let mut only = None;
    let mut lines = Lines::new();
    let mut keep = |line: &[u8]| match only.replace(line.to_vec()) {
        None => Ok(()),
        Some(_) => Err(Failure::input(
            &source,
            "line 2: expected one chain; `evaluate` takes many",
        )),
    };
    each_block(
        io::stdin().lock(),
        |error| source.failed(&error),
        |block| lines.push(block, &mut keep),
    )?;
    lines.finish(&mut keep)?;
    only.ok_or_else(|| Failure::input(&source, "nothing to read, expected one chain"))
}

/// The tree with its first word, the verdict, in colour.
fn coloured(explanation: &Explanation) -> String {
    let verdict = explanation.verdict.to_string();
    let colour = match explanation.verdict {
        Verdict::Allow => AnsiColor::Green,
        Verdict::Log => AnsiColor::Yellow,
        Verdict::Block => AnsiColor::Red,
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let tree = explanation.to_string();
    match tree.strip_prefix(&verdict) {
        Some(rest) => format!("{style}{verdict}{style:#}{rest}"),
        None => tree,
    }
}
