//! An HTTP/1.1 client that sends header lines as they are given, from an address of its choice.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

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
    /// Connects from `source`, any address of loopback.
    pub(crate) async fn connect(source: &str, gateway: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        let source: IpAddr = source.parse().unwrap();
        socket.bind((source, 0).into()).unwrap();
        Self(BufReader::new(socket.connect(gateway).await.unwrap()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.get_ref().local_addr().unwrap().port()
    }

    /// The answer to a request; `None` when the connection is closed.
    pub(crate) async fn ask(&mut self, path: &str, name: &str, lines: &[&str]) -> Option<Answer> {
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        for line in lines {
            head.push_str(&format!("{name}: {line}\r\n"));
        }
        head.push_str("\r\n");
        self.send(&head).await
    }

    pub(crate) async fn send(&mut self, request: &str) -> Option<Answer> {
        self.0.write_all(request.as_bytes()).await.ok()?;
        self.answer().await
    }

    /// What comes next; `None` when the connection is closed.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.0.read_line(&mut head).await {
                Ok(0) | Err(_) if head.is_empty() => return None,
                Ok(0) | Err(_) => panic!("cut off: {head}"),
                Ok(_) => {}
            }
        }
        head.make_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Some(Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }
}
