//! An HTTP/1.1 client that sends header lines as they are given.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(server).await.unwrap()))
    }

    /// Connects as a PROXY protocol v1 sender does on behalf of `peer`.
    pub(crate) async fn connect_for(peer: Option<IpAddr>, server: SocketAddr) -> Self {
        let mut client = Self::connect(server).await;
        let line = match peer {
            Some(IpAddr::V4(peer)) => format!("PROXY TCP4 {peer} 192.0.2.9 4711 80\r\n"),
            Some(IpAddr::V6(peer)) => format!("PROXY TCP6 {peer} 2001:db8::9 4711 80\r\n"),
            None => "PROXY UNKNOWN\r\n".to_owned(),
        };
        client.0.write_all(line.as_bytes()).await.unwrap();
        client
    }

    pub(crate) async fn ask(&mut self, path: &str, name: &str, lines: &[&str]) -> Answer {
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        for line in lines {
            head.push_str(&format!("{name}: {line}\r\n"));
        }
        head.push_str("\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.0.read_line(&mut head).await.unwrap(),
                0,
                "cut off: {head}"
            );
        }
        head.make_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }
}
