//! `threatinsight token`: makes, lists and revokes API tokens.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use threatinsight_server::{Scope, Tokens};

use crate::failure::Failure;
use crate::serve::{StoreArguments, runtime};

/// Make, list and revoke API tokens; the service may be running
#[derive(Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make a token and print it, this once
    Create {
        #[command(flatten)]
        store: StoreArguments,

        /// What the token is for
        #[arg(long)]
        name: String,

        /// What the token may do; without it, everything
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
    /// Print id, name, scopes and date of every token, with tabs between them
    List {
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Revoke a token, from the next request on
    Revoke {
        #[command(flatten)]
        store: StoreArguments,

        /// The token's id, as `list` prints it
        id: String,
    },
}

impl Token {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        runtime()?.block_on(self.command.run())
    }
}

impl TokenCommand {
    async fn run(&self) -> Result<(), Failure> {
        let failed = |error| Failure::input("token", error);
        let tokens = match self {
            Self::Create { store, .. } => Tokens::open(&store.location()?).await,
            // A mistyped directory is not to become a new store.
            Self::List { store } | Self::Revoke { store, .. } => {
                Tokens::open_existing(&store.location()?).await
            }
        };
        let tokens = tokens.map_err(failed)?;
        match self {
            Self::Create { name, scopes, .. } => {
                let scopes = if scopes.is_empty() {
                    &Scope::ALL[..]
                } else {
                    scopes
                };
                let token = tokens.create(name, scopes).await.map_err(failed)?;
                if let Err(error) = writeln!(io::stdout().lock(), "{token}") {
                    tokens.discard(&token).await.map_err(failed)?;
                    return Err(Failure::Unread(error));
                }
                Ok(())
            }
            Self::List { .. } => {
                let mut output = io::stdout().lock();
                for token in tokens.list().await.map_err(failed)? {
                    let (id, name) = (&token.id, &token.name);
                    writeln!(output, "{id}\t{name}\t{}\t{}", token.scopes, token.created)
                        .map_err(Failure::Output)?;
                }
                Ok(())
            }
            Self::Revoke { id, .. } => {
                if tokens.revoke(id).await.map_err(failed)? {
                    return Ok(());
                }
                Err(Failure::input("token", format!("no token has id `{id}`")))
            }
        }
    }
}
