//! What a service is started with.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::FORWARDED;
use threatinsight::{Extensions, ParseOptions};

use crate::jwt::BearerOptions;
use crate::store::Location;
use crate::token::AdministratorToken;

/// What a service is started with. [`Options::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the API listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/v1/decisions` and `/v1/authorize` listen; `None` is beside the API. They are never
    /// at both.
    pub decisions_listen: Option<SocketAddr>,
    /// Where Envoy's `ext_authz` is answered over gRPC; `None` is nowhere.
    pub ext_authz_listen: Option<SocketAddr>,
    /// The certificates and the key that the listeners above use; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where HAProxy's SPOE is answered, never over TLS; `None` is nowhere.
    pub spoe_listen: Option<SocketAddr>,
    /// Where everything is kept.
    pub store: Location,
    /// How often the store is asked for changes of other instances. Default: two seconds.
    pub poll: Duration,
    /// Feeds to put in place at the start, as if they had been uploaded.
    pub feeds: Vec<FeedFile>,
    /// What feeds may be.
    pub parse: ParseOptions,
    /// What we add to Okta's configuration. The exempt zone is [`Options::exempt_zone`].
    pub extensions: Extensions,
    /// Whether there is a `DefaultExemptIpZone`, and what is in it is exempt. Without it, one that
    /// is stored exempts nothing.
    pub exempt_zone: bool,
    /// Whether there is a `DefaultEnhancedDynamicZone`.
    pub enhanced_zone: bool,
    /// From where the forward-auth endpoint learns the client. Default: `X-Forwarded-For`.
    pub client_source: ClientSource,
    /// How many requests a caller may make in each bucket in a minute. Default: 100.
    pub rate_limit: u32,
    /// How long a request may take to arrive and be answered, and a head to arrive. Default: 30 s.
    pub request_timeout: Duration,
    /// How many bytes a feed may have. Default: 256 MiB.
    pub feed_bytes: usize,
    /// For how long log events are kept. Default: 90 days.
    pub log_age: Duration,
    /// How many bytes of log events are kept, as the API answers with them; the store takes
    /// more, for finding them. Default: 1,000,000,000.
    pub log_bytes: u64,
    /// How many log events wait to be written before further ones are dropped. Default: 16,384.
    pub log_queue: usize,
    /// Within which time events of one client with one verdict are folded into one. Default: none.
    pub log_fold: Duration,
    /// An administrator token for this run. With it, no token is made at the first start.
    pub administrator: Option<AdministratorToken>,
    /// Which bearer tokens are accepted; `None` accepts none.
    pub bearers: Option<BearerOptions>,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the service's certificate first.
    pub certificates: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A feed from a file.
#[derive(Clone, Debug)]
pub struct FeedFile {
    /// The feed's name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// From where the forward-auth endpoint learns who the client is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientSource {
    /// The `X-Forwarded-For` lines and the peer.
    #[default]
    ForwardedFor,
    /// The `Forwarded` lines (RFC 7239) and the peer.
    Forwarded,
    /// A header in which a gateway states the client it has resolved, such as `X-Real-IP`. When it
    /// is missing, or is not one address, the client is unknown.
    Header(HeaderName),
}

impl FromStr for ClientSource {
    type Err = ClientSourceError;

    /// Reads the name of a header, in whatever case.
    fn from_str(name: &str) -> Result<Self, ClientSourceError> {
        match name.parse::<HeaderName>() {
            Ok(name) if name == "x-forwarded-for" => Ok(Self::ForwardedFor),
            Ok(name) if name == FORWARDED => Ok(Self::Forwarded),
            Ok(name) => Ok(Self::Header(name)),
            Err(_) => Err(ClientSourceError(name.to_owned())),
        }
    }
}

/// A text that cannot name a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSourceError(String);

impl fmt::Display for ClientSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(found) = self;
        write!(
            f,
            "no header can be called `{found}`, expected a name such as `x-real-ip`"
        )
    }
}

impl Error for ClientSourceError {}

impl Options {
    /// The defaults for a service that listens at `listen` and keeps its data in `store`.
    #[must_use]
    pub fn new(listen: SocketAddr, store: Location) -> Self {
        Self {
            listen,
            decisions_listen: None,
            ext_authz_listen: None,
            tls: None,
            spoe_listen: None,
            store,
            poll: Duration::from_secs(2),
            feeds: Vec::new(),
            parse: ParseOptions::default(),
            extensions: Extensions::default(),
            exempt_zone: false,
            enhanced_zone: false,
            client_source: ClientSource::default(),
            rate_limit: 100,
            request_timeout: Duration::from_secs(30),
            feed_bytes: 256 << 20,
            log_age: Duration::from_secs(90 * 24 * 60 * 60),
            log_bytes: 1_000_000_000,
            log_queue: 16_384,
            log_fold: Duration::ZERO,
            administrator: None,
            bearers: None,
        }
    }
}
