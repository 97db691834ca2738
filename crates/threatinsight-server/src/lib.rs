//! The ThreatInsight service.
//!
//! Okta's configuration, zones and System Log APIs, which Okta's own clients can talk to; decisions
//! for gateways; and a store that survives. One process, nothing else to start.
//!
//! | listener | routes |
//! |---|---|
//! | administration | `/api/v1/threats/configuration`, `/api/v1/zones`, `/api/v1/logs`, `/v1/feeds`, `/v1/listed`, `/metrics`, `/openapi.json` |
//! | decisions, the same unless an option names another | `/v1/decisions`, `/v1/authorize` |
//! | gRPC for Envoy, when an option says where | `envoy.service.auth.v3.Authorization` |
//! | SPOP for HAProxy, when an option says where | the agent of `threatinsight-spoe` |
//! | all but the last | `/livez`, `/readyz` |
//!
//! A change is decided, compiled, stored, served and answered, in this order: what is answered
//! survives a crash, what does not compile is not stored, and what is not stored is not served.
//!
//! `/v1/authorize` takes no token, because a gateway forwards the `Authorization` header of its
//! client, and neither do gRPC and SPOP: whoever reaches the listener may ask. Give each a listener
//! that only gateways reach.
//!
//! ```
//! use threatinsight_server::{Location, Options, Service};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let directory = tempfile::tempdir().unwrap();
//! let store = Location::Directory(directory.path().to_owned());
//! let service = Service::start(Options::new("127.0.0.1:0".parse().unwrap(), store)).await.unwrap();
//! assert!(service.administrator_token.is_some(), "the first start makes one");
//! service.stop().await;
//! # });
//! ```
#![forbid(unsafe_code)]

mod api;
mod app;
mod authentication;
mod clock;
mod control;
mod error;
mod event;
mod filter;
mod identifier;
mod jwks;
mod jwt;
mod metrics;
mod options;
mod rate_limit;
mod refusal;
mod scope;
mod service;
mod stop;
mod store;
mod system_zones;
mod tls;
mod token;
mod visit;
mod zone_body;

pub use self::error::{ServiceError, StoreError};
pub use self::jwks::JwksSource;
pub use self::jwt::BearerOptions;
pub use self::options::{ClientSource, ClientSourceError, FeedFile, Options, TlsFiles};
pub use self::scope::{Scope, ScopeError};
pub use self::service::Service;
pub use self::store::Location;
pub use self::token::{AdministratorToken, TokenInfo, Tokens};
