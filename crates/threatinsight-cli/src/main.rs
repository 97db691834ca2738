//! The `threatinsight` command.
//!
//! Exit status: 0 done, 1 an input was refused, 2 wrong usage.

use std::env;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod evaluate;
mod explain;
mod failure;
mod feed_argument;
mod feed_file;
mod inputs;
mod inspect;
mod lines;
mod output;
mod overlap;
mod policy_file;
mod progress;
mod serve;
mod source;
mod time;
mod token;

use failure::Failure;

/// Decides allow, log or block for requests from suspicious addresses.
#[derive(Parser)]
#[command(name = "threatinsight", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 an input was refused, 2 wrong usage.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Evaluate(evaluate::Evaluate),
    Explain(explain::Explain),
    Inspect(inspect::Inspect),
    Serve(Box<serve::Serve>),
    Token(token::Token),
}

impl Command {
    fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Evaluate(evaluate) => evaluate.run(),
            Self::Explain(explain) => explain.run(),
            Self::Inspect(inspect) => inspect.run(),
            Self::Serve(serve) => serve.run(),
            Self::Token(token) => token.run(),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(feed_argument::repeat_flag(env::args_os()));
    match arguments.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            output::warn(&failure);
            failure.status()
        }
    }
}
