//! An agent for HAProxy's Stream Processing Offload Engine: [`Agent`] judges what HAProxy's
//! messages say about a request by an [`Engine`](threatinsight::Engine)'s current snapshot, and
//! sets variables that HAProxy's rules act on. `threatinsight serve --spoe` runs one.
//!
//! ```no_run
//! use threatinsight::{Action, Engine, Policy, Timestamp};
//! use threatinsight_spoe::Agent;
//!
//! # async fn run() -> std::io::Result<()> {
//! let engine = Engine::new(Policy::new(Action::Block).compile(&[], Timestamp(0)).unwrap());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9004").await?;
//! let agent = Agent::new(engine.clone())
//!     .on_decision(|event| eprintln!("{} {:?}", event.decision.verdict, event.decision.client));
//! agent.serve(listener, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # In HAProxy
//!
//! ```text
//! # spoe.conf
//! [threatinsight]
//! spoe-agent threatinsight
//!   groups decide
//!   option var-prefix threatinsight
//!   timeout hello 100ms
//!   timeout idle 30s
//!   timeout processing 250ms
//!   use-backend agents
//! spoe-message check
//!   args client=src kind=str(authentication) uri=pathq user-agent=req.hdr(user-agent)
//! spoe-group decide
//!   messages check
//!
//! # haproxy.cfg, in the frontend
//!   filter spoe engine threatinsight config spoe.conf
//!   # Behind a proxy. A hop that does not parse would leave the proxy's own address.
//!   acl proxied src 192.0.2.1
//!   acl forwarded req.hdr(x-forwarded-for) -m found
//!   acl parsed hdr_ip(x-forwarded-for,-1) -m found
//!   http-request deny deny_status 400 if proxied forwarded !parsed
//!   http-request set-src hdr_ip(x-forwarded-for,-1) if proxied forwarded
//!   http-request send-spoe-group threatinsight decide
//!   http-request deny deny_status 503 unless { var(txn.threatinsight.verdict) -m found }
//!   http-request deny deny_status 403 if { var(txn.threatinsight.verdict) -m str block }
//!
//! # its backend
//! backend agents
//!   mode tcp
//!   option spop-check
//!   server a1 127.0.0.1:9004 check inter 1s
//! ```
//!
//! A group, because an event `on-frontend-http-request` comes before every `http-request` rule,
//! and so before `set-src`.
//!
//! # Whose address counts
//!
//! The argument `client`, an IPv4 or IPv6 address, as HAProxy has resolved it: the policy's
//! proxies are not asked again. An IPv4-mapped address is the IPv4 address. The argument `kind`
//! makes a request another than a sign-in when it is `other`; anything else is an authentication
//! request, the strictest. `uri` and `user-agent` are for the log.
//!
//! # What HAProxy is told
//!
//! | variable, in `txn` | value |
//! |---|---|
//! | `verdict` | `allow`, `log` or `block` |
//! | `reason` | why |
//! | `generation` | the number of the snapshot that decided |
//! | `feed` | the feeds that list the client, between commas; not set when there are none |
//!
//! A message without a `client`, two that disagree on it, or a client that is no address set
//! nothing, and neither does an agent that is late, full or down: whether the request then passes
//! is what HAProxy's rule about `-m found` says. [`Agent::on_unjudged`] hears of such messages.
//!
//! # What a peer can cost
//!
//! [`Limits`] bounds connections and their idleness; a frame has at most 16 KiB. The protocol has
//! no authentication: whoever reaches the port may ask.
#![forbid(unsafe_code)]

mod agent;
mod connection;
mod message;

pub use self::agent::{Agent, Limits};
pub use self::message::Event;
