//! Allow, log or block in a Pingora gateway: [`Enforce`] judges every request in Pingora's request
//! phase, [`PeerFilter`] drops connections before TLS that could carry no request worth judging.
//!
//! ```
//! use async_trait::async_trait;
//! use pingora::proxy::{ProxyHttp, Session};
//! use pingora::upstreams::peer::HttpPeer;
//! use threatinsight::Kind;
//! use threatinsight_pingora::{Enforce, Facts};
//!
//! struct Gateway {
//!     enforce: Enforce,
//! }
//!
//! #[async_trait]
//! impl ProxyHttp for Gateway {
//!     type CTX = Option<Facts>;
//!
//!     fn new_ctx(&self) -> Option<Facts> {
//!         None
//!     }
//!
//!     async fn request_filter(
//!         &self,
//!         session: &mut Session,
//!         facts: &mut Option<Facts>,
//!     ) -> pingora::Result<bool> {
//!         let kind = match session.req_header().uri.path() {
//!             "/sign-in" => Kind::Authentication,
//!             _ => Kind::Other,
//!         };
//!         self.enforce.request_filter(session, kind, facts).await
//!     }
//!
//!     async fn upstream_peer(
//!         &self,
//!         _: &mut Session,
//!         _: &mut Option<Facts>,
//!     ) -> pingora::Result<Box<HttpPeer>> {
//!         Ok(Box::new(HttpPeer::new("127.0.0.1:8000", false, String::new())))
//!     }
//! }
//! ```
//!
//! `examples/gateway.rs` is a whole gateway. Pingora appends nothing to `X-Forwarded-For`: a
//! gateway in front of another adds its peer in `upstream_request_filter`, as the example does.
//!
//! # What happens to a request
//!
//! | verdict | event | request |
//! |---|---|---|
//! | allow | none | goes on |
//! | log | one | goes on |
//! | block | one | is answered with 403 and Okta's body, and its connection is closed |
//!
//! The facts are in the proxy's context for every request. Nothing in it can fail, so there is
//! nothing to fail open; a client that goes away while it is refused is refused all the same.
//!
//! # Whose address counts
//!
//! The hops of `X-Forwarded-For`, or of what [`ChainSource`] names, and the peer, as far as the
//! policy's proxies vouch for them. Where the peer of the connection is not the one that counts,
//! as behind the PROXY protocol, [`Enforce::peer`] hands it over.
//!
//! # Before TLS
//!
//! Of a connection only the peer is known: not what its requests are for, nor what a trusted
//! proxy will say about them. So [`PeerFilter`] drops only those all of whose requests would be
//! blocked: the peer is no proxy of the policy, and it is blocked whatever the request is for.
//! Everything else is for the request phase, which must be there too. It has no place where
//! [`Enforce::peer`] names another peer than the connection's.
#![forbid(unsafe_code)]

mod event;
mod peer_filter;
mod request;

pub use self::event::Event;
pub use self::peer_filter::PeerFilter;
pub use self::request::Enforce;
pub use threatinsight_tower::{ChainSource, Facts};
