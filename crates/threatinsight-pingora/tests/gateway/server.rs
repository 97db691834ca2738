//! A gateway and its upstream.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::listeners::ConnectionFilter;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use pingora::upstreams::peer::HttpPeer;
use threatinsight::Kind;
use threatinsight_pingora::{Enforce, Facts};

/// A gateway that says what it decided.
pub(crate) struct Gateway {
    list: Enforce,
    forwarded: Enforce,
    upstream: SocketAddr,
    decided: Arc<Mutex<Vec<Facts>>>,
}

/// Where a gateway is, and what its context held at the end of each request.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    decided: Arc<Mutex<Vec<Facts>>>,
}

impl Running {
    /// The facts of the requests since the last time, once there are `count`: the context is read
    /// after the answer was sent.
    pub(crate) fn decided(&self, count: usize) -> Vec<Facts> {
        await_condition(|| self.decided.lock().unwrap().len() >= count);
        std::mem::take(&mut self.decided.lock().unwrap())
    }
}

/// Waits until `condition` holds.
pub(crate) fn await_condition(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "never came true"
        );
        thread::sleep(Duration::from_millis(1));
    }
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
        let path = session.req_header().uri.path();
        let kind = if path.ends_with("/other") {
            Kind::Other
        } else {
            Kind::Authentication
        };
        let enforce = if path.starts_with("/forwarded") {
            &self.forwarded
        } else {
            &self.list
        };
        enforce.request_filter(session, kind, facts).await
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        _: &mut Option<Facts>,
    ) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn logging(
        &self,
        _: &mut Session,
        _: Option<&pingora::Error>,
        facts: &mut Option<Facts>,
    ) {
        self.decided.lock().unwrap().extend(*facts);
    }
}

/// Starts a gateway; it lives as long as the test.
pub(crate) fn serve(
    list: Enforce,
    forwarded: Enforce,
    filter: Option<Arc<dyn ConnectionFilter>>,
) -> Running {
    let decided = Arc::default();
    let gateway = Gateway {
        list,
        forwarded,
        upstream: upstream(),
        decided: Arc::clone(&decided),
    };
    // Pingora does not say which port it took, so one is found for it.
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    thread::spawn(move || {
        let mut server = Server::new(None).unwrap();
        server.bootstrap();
        let mut service = http_proxy_service(&server.configuration, gateway);
        if let Some(filter) = filter {
            service.set_connection_filter(filter);
        }
        service.add_tcp(&address.to_string());
        server.add_service(service);
        server.run(RunArgs {
            shutdown_signal: Box::new(Never),
        });
    });
    await_condition(|| TcpStream::connect(address).is_ok());
    Running { address, decided }
}

/// The gateway ends with the process.
struct Never;

#[async_trait]
impl ShutdownSignalWatch for Never {
    async fn recv(&self) -> ShutdownSignal {
        std::future::pending().await
    }
}

/// A server that answers everything with 200 and `in`.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nin";
            let _ = stream.write_all(answer);
        }
    });
    address
}
