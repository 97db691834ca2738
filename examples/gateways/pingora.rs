//! A gateway in Pingora that decides in its own process, behind whichever proxies the zones name.
//!
//! ```sh
//! THREATINSIGHT_ADMIN_TOKEN=change-me-this-is-an-example \
//!     pingora-gateway 127.0.0.1:18601 127.0.0.1:18090 127.0.0.1:18602 ./data
//! ```

mod control;

use std::error::Error;
use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use threatinsight::Kind;
use threatinsight_pingora::{Enforce, Facts};
use threatinsight_server::Service;
use tokio::runtime::Runtime;

use self::control::Arguments;

struct Gateway {
    enforce: Option<Enforce>,
    application: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Option<Facts>;

    fn new_ctx(&self) -> Option<Facts> {
        None
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        facts: &mut Option<Facts>,
    ) -> pingora::Result<bool> {
        match &self.enforce {
            Some(enforce) => {
                let kind = Kind::Authentication;
                enforce.request_filter(session, kind, facts).await
            }
            None => Ok(false),
        }
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        _: &mut Option<Facts>,
    ) -> pingora::Result<Box<HttpPeer>> {
        let peer = HttpPeer::new(self.application, false, String::new());
        Ok(Box::new(peer))
    }

    /// Tells the application who asked, which Pingora does not.
    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut Option<Facts>,
    ) -> pingora::Result<()> {
        let peer = session.client_addr().and_then(|peer| peer.as_inet());
        if let Some(peer) = peer {
            request.append_header("x-forwarded-for", peer.ip().to_string())?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    // Pingora has runtimes of its own.
    let runtime = Runtime::new()?;
    let service = runtime.block_on(Service::start(arguments.options))?;

    let configuration = ServerConf {
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(5),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let gateway = Gateway {
        enforce: arguments.filtered.then(|| Enforce::new(service.engine())),
        application: arguments.application,
    };
    let mut proxy = http_proxy_service(&server.configuration, gateway);
    proxy.add_tcp(&arguments.listen.to_string());
    server.add_service(proxy);
    server.run_forever()
}
