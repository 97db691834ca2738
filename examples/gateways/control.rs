//! What both gateways have beside them: the ThreatInsight API, in the same process.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use threatinsight::{Admission, Extensions, ParseOptions, Verdict};
use threatinsight_server::{AdministratorToken, Location, Options};

/// The command line: where to listen, the application behind, where the API listens, a folder for
/// its data, and perhaps `--unfiltered` to let everything through.
pub(crate) struct Arguments {
    pub(crate) listen: SocketAddr,
    pub(crate) application: SocketAddr,
    pub(crate) filtered: bool,
    pub(crate) options: Options,
}

impl Arguments {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let (listen, application, api, data, filtered) = match arguments.as_slice() {
            [listen, application, api, data] => (listen, application, api, data, true),
            [listen, application, api, data, flag] if flag == "--unfiltered" => {
                (listen, application, api, data, false)
            }
            _ => return Err("expected LISTEN APPLICATION API DATA [--unfiltered]".into()),
        };
        let token = std::env::var("THREATINSIGHT_ADMIN_TOKEN")?;
        let options = Options {
            administrator: Some(AdministratorToken::new(&token)?),
            rate_limit: u32::MAX,
            // The example is tried on loopback, which a guarded list may not have.
            parse: ParseOptions {
                admission: Admission::Open,
                ..ParseOptions::default()
            },
            extensions: Extensions {
                on_unknown_client: Verdict::Block,
                ..Extensions::default()
            },
            ..Options::new(api.parse()?, Location::Directory(PathBuf::from(data)))
        };
        Ok(Self {
            listen: listen.parse()?,
            application: application.parse()?,
            filtered,
            options,
        })
    }
}
