//! Envoy's `ext_authz` filter over gRPC: [`ExtAuthz`] answers
//! `envoy.service.auth.v3.Authorization` from an [`Engine`](threatinsight::Engine)'s current
//! snapshot. `threatinsight serve --ext-authz` serves it; any tonic or axum server can.
//!
//! ```
//! use threatinsight::{Action, Engine, Policy, Timestamp};
//! use threatinsight_ext_authz::ExtAuthz;
//!
//! let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
//! let service = ExtAuthz::new(engine.clone())
//!     .on_decision(|event| eprintln!("{} {:?}", event.decision.verdict, event.decision.client))
//!     .into_service();
//! let server = tonic::transport::Server::builder().add_service(service);
//! # drop(server);
//! ```
//!
//! # In Envoy
//!
//! ```yaml
//! - name: envoy.filters.http.ext_authz
//!   typed_config:
//!     "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
//!     transport_api_version: V3
//!     grpc_service:
//!       envoy_grpc: {cluster_name: threatinsight}
//!       timeout: 0.25s
//!       initial_metadata: [{key: x-real-ip, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}]
//!     status_on_error: {code: ServiceUnavailable}   # or failure_mode_allow: true
//! ```
//!
//! # Whose address counts
//!
//! `x-real-ip` in the metadata of the check, which only Envoy's configuration writes: the address
//! that Envoy has resolved (`use_remote_address`, `xff_num_trusted_hops`,
//! `original_ip_detection_extensions`). Without it `attributes.source.address`, which is the peer of
//! Envoy's connection whatever those say: behind a load balancer, the load balancer. The policy's
//! proxies are not asked again, and no header of the request is read. An IPv4-mapped address is the
//! IPv4 address. Envoy falls back to its own peer when the hop it trusts does not parse: an RBAC
//! filter before this one has to refuse that.
//!
//! A route whose requests are not sign-ins says so with `context_extensions: {kind: other}`, which
//! no client can. Any other kind is an authentication request, the strictest.
//!
//! # What Envoy is told
//!
//! | verdict | answer |
//! |---|---|
//! | allow, log | OK |
//! | block | denied: 403 with Okta's body |
//! | there is no address, or it is none | the gRPC error `INVALID_ARGUMENT`, never a denial; [`ExtAuthz::on_unjudged`] hears of it |
//!
//! OK and denied carry dynamic metadata in the filter's namespace: `verdict`, `reason`,
//! `generation` and, when the client is listed, `feed`, the names of the feeds between commas.
//! What a request gets when the service fails or cannot be reached is Envoy's to say:
//! `failure_mode_allow`, or `status_on_error`.
#![forbid(unsafe_code)]

mod answer;
mod attributes;
mod service;

pub use self::service::{Event, ExtAuthz};
pub use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
pub use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
