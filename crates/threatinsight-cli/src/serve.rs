//! `threatinsight serve`: the service, until it is told to stop.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use threatinsight::{Edition, Extensions, Level, ParseOptions, Verdict};
use threatinsight_server::{
    AdministratorToken, BearerOptions, ClientSource, FeedFile, JwksSource, Location, Options,
    Service, TlsFiles,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::feed_argument::{self, FeedArgument};
use crate::inputs::AdmissionName;
use crate::output::is_coloured;
use crate::source::Source;

/// Names an administrator token for this run.
const ADMINISTRATOR_TOKEN: &str = "THREATINSIGHT_ADMIN_TOKEN";

/// What a process gets that writes beyond the limit of a file's size, on Linux and the BSDs.
const SIGXFSZ: i32 = 25;

/// Run the ThreatInsight API, and decisions for gateways
///
/// The first start prints one administrator token, once. With `THREATINSIGHT_ADMIN_TOKEN` in the
/// environment, 20 to 8,192 characters of printable ASCII, that is an administrator token for this
/// run, and none is printed. The log is on standard error: warnings, and with `RUST_LOG=info` a line
/// for every request.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where the API listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Where /v1/decisions and /v1/authorize listen, in place of the API's address
    #[arg(long, value_name = "ADDRESS")]
    decisions_listen: Option<SocketAddr>,

    /// Where Envoy's `ext_authz` is answered over gRPC, with TLS when the API has it
    #[arg(long, value_name = "ADDRESS")]
    ext_authz: Option<SocketAddr>,

    /// Where HAProxy's SPOE is answered, never over TLS
    #[arg(long, value_name = "ADDRESS")]
    spoe: Option<SocketAddr>,

    /// Where everything is kept
    #[command(flatten)]
    store: StoreArguments,

    /// A feed to put in place, as if it had been uploaded
    #[arg(long = "feed", value_name = "[NAME=]FILE", value_parser = OsStringValueParser::new().try_map(FeedArgument::parse))]
    feeds: Vec<FeedArgument>,

    /// How many rejected lines a feed may have
    #[arg(long, value_name = "N", default_value_t = ParseOptions::default().max_rejected)]
    max_rejected: usize,

    /// Which prefixes feeds may list
    #[arg(long, value_enum, default_value_t = AdmissionName::Guarded)]
    admission: AdmissionName,

    /// The certificate chain for TLS, as a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's key, as a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// From where the forward-auth endpoint learns the client: x-forwarded-for, forwarded, or the
    /// name of a header that the gateway sets to the address it has resolved
    #[arg(long, value_name = "HEADER", default_value = "x-forwarded-for")]
    client_from: ClientSource,

    /// The verdict on a request whose client cannot be known
    #[arg(long, value_enum, default_value_t = VerdictName::Log)]
    on_unknown_client: VerdictName,

    /// The lowest level that the action block blocks
    #[arg(long, value_enum, default_value_t = LevelName::Low)]
    enforce_from: LevelName,

    /// Do not judge an IPv6 address by the IPv4 address it embeds
    #[arg(long)]
    ignore_embedded_ipv4: bool,

    /// Enforce only what a trial does: level high, authentication requests
    #[arg(long)]
    trial: bool,

    /// Have `DefaultExemptIpZone`, whose gateways override feeds and blocklist zones
    ///
    /// Without it, one that is stored from an earlier start exempts nothing.
    #[arg(long)]
    exempt_zone: bool,

    /// Have `DefaultEnhancedDynamicZone`, which is stored and not enforced
    #[arg(long)]
    enhanced_zone: bool,

    /// Requests a minute for each caller and kind of request
    #[arg(long, value_name = "N", default_value_t = 100)]
    rate_limit: u32,

    /// Days for which log events are kept
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    log_days: u32,

    /// Megabytes of log events that are kept, about a thousand events each
    #[arg(long, value_name = "MB", default_value_t = 1_000)]
    log_megabytes: u32,

    /// Seconds within which log events of one client are folded; 0 writes each
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    log_fold: u32,

    /// The keys of bearer tokens, a JWKS: a file, an https address, or an http address on loopback
    ///
    /// Keys are read every ten minutes, and when a token names one that is not known, but at most
    /// every ten seconds. An address that does not answer leaves the keys as they are; at the start,
    /// bearer tokens are refused until it does.
    #[arg(
        long,
        value_name = "FILE|URL",
        requires = "issuer",
        requires = "audience"
    )]
    jwks: Option<OsString>,

    /// What a bearer token's iss must be
    #[arg(long, requires = "jwks")]
    issuer: Option<String>,

    /// What a bearer token's aud must hold
    #[arg(long, requires = "jwks")]
    audience: Option<String>,
}

/// Where everything is kept.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct StoreArguments {
    /// The directory where everything is kept; `serve` and `token create` make it
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// The database where everything is kept, shared by several instances
    #[arg(long, value_name = "postgres://…")]
    database: Option<String>,
}

impl StoreArguments {
    pub(crate) fn location(&self) -> Result<Location, Failure> {
        match (&self.data, &self.database) {
            (Some(directory), _) => Ok(Location::Directory(directory.clone())),
            (None, Some(url))
                if url.starts_with("postgres://") || url.starts_with("postgresql://") =>
            {
                Ok(Location::Postgres(url.clone()))
            }
            (None, _) => Err(Failure::Usage(
                "--database: expected an address that begins with postgres://".to_owned(),
            )),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum VerdictName {
    Allow,
    Log,
    Block,
}

impl From<VerdictName> for Verdict {
    fn from(name: VerdictName) -> Self {
        match name {
            VerdictName::Allow => Self::Allow,
            VerdictName::Log => Self::Log,
            VerdictName::Block => Self::Block,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LevelName {
    Low,
    Medium,
    High,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Low => Self::Low,
            LevelName::Medium => Self::Medium,
            LevelName::High => Self::High,
        }
    }
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(is_coloured(&io::stderr()))
            .init();
        let options = self.options()?;
        let runtime = runtime()?;
        let ended = runtime.block_on(serve(options));
        // What is being read may never end, such as a named pipe that nobody writes to.
        runtime.shutdown_background();
        ended
    }

    fn options(&self) -> Result<Options, Failure> {
        feed_argument::check_names(&self.feeds)?;
        let administrator = match env::var(ADMINISTRATOR_TOKEN) {
            Ok(token) => Some(
                AdministratorToken::new(&token)
                    .map_err(|error| Failure::input(ADMINISTRATOR_TOKEN, error))?,
            ),
            Err(env::VarError::NotPresent) => None,
            // The error itself would show the token.
            Err(env::VarError::NotUnicode(_)) => {
                let found = "not Unicode, expected printable ASCII";
                return Err(Failure::input(ADMINISTRATOR_TOKEN, found));
            }
        };
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        let issuer = self.issuer.clone().zip(self.audience.clone());
        Ok(Options {
            decisions_listen: self.decisions_listen,
            ext_authz_listen: self.ext_authz,
            spoe_listen: self.spoe,
            tls: tls.map(|(certificates, key)| TlsFiles { certificates, key }),
            feeds: self.feeds.iter().map(feed_file).collect::<Result<_, _>>()?,
            parse: ParseOptions {
                admission: self.admission.into(),
                max_rejected: self.max_rejected,
                ..ParseOptions::default()
            },
            extensions: Extensions {
                on_unknown_client: self.on_unknown_client.into(),
                enforce_from: self.enforce_from.into(),
                embedded_ipv4: !self.ignore_embedded_ipv4,
                edition: if self.trial {
                    Edition::Trial
                } else {
                    Edition::Full
                },
                ..Extensions::default()
            },
            exempt_zone: self.exempt_zone,
            enhanced_zone: self.enhanced_zone,
            client_source: self.client_from.clone(),
            rate_limit: self.rate_limit,
            log_age: Duration::from_secs(u64::from(self.log_days) * 24 * 60 * 60),
            log_bytes: u64::from(self.log_megabytes) * 1_000_000,
            log_fold: Duration::from_secs(self.log_fold.into()),
            administrator,
            bearers: self
                .jwks
                .clone()
                .zip(issuer)
                .map(|(jwks, (issuer, audience))| {
                    BearerOptions::new(jwks_source(jwks), issuer, audience)
                }),
            ..Options::new(self.listen, self.store.location()?)
        })
    }
}

/// Serves until a signal says that it is enough.
async fn serve(options: Options) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Output)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Output)?;
    // A store that may not grow is an error of the store, of which the service need not die.
    signal(SignalKind::from_raw(SIGXFSZ))
        .map(drop)
        .map_err(Failure::Output)?;
    let start = Service::start(options);
    let mut service = tokio::select! {
        service = start => service.map_err(|error| Failure::input("serve", error))?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    if let Err(error) = announce(&service) {
        let revoked = service.revoke_administrator_token().await;
        service.stop().await;
        revoked.map_err(|error| Failure::input("serve", error))?;
        return Err(Failure::Unread(error));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    service.stop().await;
    Ok(())
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(Failure::Output)
}

fn jwks_source(argument: OsString) -> JwksSource {
    match argument.to_str() {
        Some(url) if url.contains("://") => JwksSource::Url(url.to_owned()),
        Some(_) | None => JwksSource::File(argument.into()),
    }
}

fn feed_file(argument: &FeedArgument) -> Result<FeedFile, Failure> {
    match &argument.source {
        Source::File(path) => Ok(FeedFile {
            name: argument.name.clone(),
            path: path.clone(),
        }),
        Source::StandardInput => Err(Failure::Usage(
            "--feed: expected a file, not standard input".to_owned(),
        )),
    }
}

/// Says where the service is, and shows the token that was made, on standard output.
fn announce(service: &Service) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {}", service.address)?;
    if let Some(address) = service.decisions_address {
        writeln!(output, "decisions on {address}")?;
    }
    if let Some(address) = service.ext_authz_address {
        writeln!(output, "ext_authz on {address}")?;
    }
    if let Some(address) = service.spoe_address {
        writeln!(output, "spoe on {address}")?;
    }
    if let Some(token) = &service.administrator_token {
        writeln!(output, "administrator token, shown this once: {token}")?;
    }
    output.flush()
}
