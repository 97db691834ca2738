//! A listener behind a load balancer that speaks the PROXY protocol, version 1: how a test has any
//! peer on loopback.

use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct ProxyListener(pub(crate) TcpListener);

/// Whom the connection is for; unknown after `PROXY UNKNOWN`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProxiedPeer(pub(crate) Option<IpAddr>);

impl Listener for ProxyListener {
    type Io = TcpStream;
    type Addr = ProxiedPeer;

    async fn accept(&mut self) -> (TcpStream, ProxiedPeer) {
        loop {
            let (mut stream, _) = self.0.accept().await.unwrap();
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                line.push(stream.read_u8().await.unwrap());
            }
            let line = String::from_utf8(line).unwrap();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let peer = match words[..] {
                ["PROXY", "TCP4" | "TCP6", source, ..] => Some(source.parse().unwrap()),
                ["PROXY", "UNKNOWN"] => None,
                _ => continue,
            };
            return (stream, ProxiedPeer(peer));
        }
    }

    fn local_addr(&self) -> std::io::Result<ProxiedPeer> {
        self.0
            .local_addr()
            .map(|address: SocketAddr| ProxiedPeer(Some(address.ip())))
    }
}

impl Connected<IncomingStream<'_, ProxyListener>> for ProxiedPeer {
    fn connect_info(stream: IncomingStream<'_, ProxyListener>) -> Self {
        *stream.remote_addr()
    }
}
