//! Allow, log or block in front of a tower service: [`EnforceLayer`] judges every request by an
//! [`Engine`](threatinsight::Engine)'s current snapshot before the service behind it sees it.
//!
//! Works wherever a service takes an [`http::Request`]: in axum, hyper and tonic servers.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::{Router, extract::ConnectInfo, routing::{get, post}};
//! use threatinsight::{Action, Engine, Kind, Policy, Timestamp};
//! use threatinsight_tower::{EnforceLayer, Peer};
//!
//! let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
//! let peer = Peer::extension(|ConnectInfo(address): &ConnectInfo<SocketAddr>| Some(address.ip()));
//! let enforce = EnforceLayer::new(engine.clone(), peer)
//!     .on_event(|event| eprintln!("{} {:?}", event.decision.verdict, event.decision.client));
//!
//! let app: Router = Router::new()
//!     .route("/sign-in", post(async || "welcome").layer(enforce.clone()))
//!     .route("/prices", get(async || "1.50").layer(enforce.kind(Kind::Other)));
//! let service = app.into_make_service_with_connect_info::<SocketAddr>();
//! # drop(service);
//! ```
//!
//! # What happens to a request
//!
//! | verdict | event | request | facts |
//! |---|---|---|---|
//! | allow | none | goes to the service | see [`Attach`] |
//! | log | one | goes to the service | in its extensions |
//! | block | one | answered by [`Refuse`], by default [`AccessDenied`] | in the answer's extensions |
//!
//! Every request is judged by one snapshot, loaded when the service is called: after a swap has
//! returned, the next request obeys it, on connections that were open before too.
//!
//! # Whose address counts
//!
//! [`Peer`] says who opened the connection, [`ChainSource`] which header names the hops before it.
//! Header lines are trusted as far as the zones' proxies vouch for them, never because they are
//! there. A request without a peer has an unknown client, whatever its header says.
//!
//! # Cost
//!
//! What [`Snapshot::evaluate`](threatinsight::Snapshot::evaluate) costs, and finding the peer and
//! the header lines. An allowed request allocates nothing unless [`Attach::Always`] asks for its
//! facts; `http` allocates for whatever is put in a request's extensions.
#![forbid(unsafe_code)]

mod chain_source;
mod event;
mod future;
mod layer;
mod peer;
mod refusal;
mod service;

pub use self::chain_source::ChainSource;
pub use self::event::{Event, Facts};
pub use self::future::ResponseFuture;
pub use self::layer::{Attach, EnforceLayer};
pub use self::peer::Peer;
pub use self::refusal::{AccessDenied, Refuse};
pub use self::service::Enforce;
