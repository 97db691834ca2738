//! HAProxy's side of the protocol, and an agent to talk to. Written from HAProxy's description of
//! the protocol, for the crate that the agent uses reads what HAProxy sends and does not write it.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use spop::{TypedData, decode_varint, encode_varint_into, types::typed_data};
use threatinsight_spoe::Agent;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const NOTIFY: u8 = 3;
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
const ACK: u8 = 103;

/// An agent that serves; it ends when it is dropped.
pub(crate) struct Running {
    runtime: Runtime,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(agent: Agent) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(agent.serve(listener, async {
            let _ = stopped.await;
        }));
        Self {
            runtime,
            address,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Tells the agent to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) fn join(&mut self) {
        let served = self.served.take().unwrap();
        self.runtime.block_on(served).unwrap();
    }

    /// A connection that has said hello.
    pub(crate) fn connect(&self) -> Connection {
        let mut connection = self.connect_only();
        connection.send(&hello("2.0", 16_380, false));
        assert_eq!(connection.receive().kind, AGENT_HELLO);
        connection
    }

    pub(crate) fn connect_only(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        stream.set_write_timeout(limit).unwrap();
        Connection(stream)
    }
}

/// A connection to the agent.
pub(crate) struct Connection(TcpStream);

/// A frame of the agent.
#[derive(Debug)]
pub(crate) struct Received {
    kind: u8,
    pub(crate) stream: u64,
    pub(crate) frame: u64,
    payload: Vec<u8>,
}

impl Connection {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Another handle, to write from another thread.
    pub(crate) fn writer(&self) -> TcpStream {
        self.0.try_clone().unwrap()
    }

    /// Sends as much as the peer takes before it closes; whether it closed.
    pub(crate) fn send_until_closed(&mut self, bytes: &[u8], times: usize) -> bool {
        (0..times).any(|_| match self.0.write_all(bytes) {
            Ok(()) => false,
            Err(error) => {
                assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "still open");
                true
            }
        })
    }

    pub(crate) fn receive(&mut self) -> Received {
        self.try_receive().unwrap()
    }

    pub(crate) fn try_receive(&mut self) -> io::Result<Received> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
        self.0.read_exact(&mut bytes)?;
        let (kind, rest) = bytes.split_first().unwrap();
        let (flags, rest) = rest.split_at(4);
        assert_eq!(flags, [0, 0, 0, 1], "only whole frames");
        let (rest, stream) = decode_varint(rest).unwrap();
        let (rest, frame) = decode_varint(rest).unwrap();
        Ok(Received {
            kind: *kind,
            stream,
            frame,
            payload: rest.to_vec(),
        })
    }

    /// Asks for one decision: the variables that come back.
    pub(crate) fn ask(&mut self, arguments: &[(&str, TypedData)]) -> BTreeMap<String, TypedData> {
        self.send(&notify(7, 1, &[arguments]));
        let received = self.receive();
        assert_eq!((received.stream, received.frame), (7, 1));
        received.variables()
    }

    /// Whether the agent has closed, after at most what it was still to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

impl Received {
    /// The items of a hello or a disconnect.
    fn items(&self) -> BTreeMap<String, TypedData> {
        let (mut items, mut rest) = (BTreeMap::new(), &self.payload[..]);
        while !rest.is_empty() {
            let (name, value);
            (rest, name) = string(rest);
            (rest, value) = typed_data(rest).unwrap();
            items.insert(name, value);
        }
        items
    }

    pub(crate) fn hello(&self) -> BTreeMap<String, TypedData> {
        assert_eq!(self.kind, AGENT_HELLO, "{self:?}");
        self.items()
    }

    /// The status that the agent ends the connection with.
    pub(crate) fn disconnect(&self) -> TypedData {
        assert_eq!(self.kind, AGENT_DISCONNECT, "{self:?}");
        self.items()["status-code"].clone()
    }

    /// The variables that an acknowledgement sets, all in the scope of the transaction.
    pub(crate) fn variables(&self) -> BTreeMap<String, TypedData> {
        assert_eq!(self.kind, ACK, "{self:?}");
        let (mut variables, mut rest) = (BTreeMap::new(), &self.payload[..]);
        while !rest.is_empty() {
            let (head, name, value);
            (head, rest) = rest.split_at(3);
            assert_eq!(head, [1, 3, 2], "set-var, three arguments, transaction");
            (rest, name) = string(rest);
            (rest, value) = typed_data(rest).unwrap();
            assert_eq!(variables.insert(name, value), None);
        }
        variables
    }
}

fn string(bytes: &[u8]) -> (&[u8], String) {
    let (rest, length) = decode_varint(bytes).unwrap();
    let (text, rest) = rest.split_at(length.try_into().unwrap());
    (rest, String::from_utf8(text.to_vec()).unwrap())
}

pub(crate) fn hello(versions: &str, max_frame_size: u32, is_health_check: bool) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in [
        ("supported-versions", versions.to_owned().into()),
        ("max-frame-size", max_frame_size.into()),
        ("capabilities", "pipelining".to_owned().into()),
        ("healthcheck", is_health_check.into()),
    ] {
        item(name, &value, &mut payload);
    }
    frame(1, 0, 0, &payload)
}

pub(crate) fn disconnect() -> Vec<u8> {
    let mut payload = Vec::new();
    item("status-code", &0_u32.into(), &mut payload);
    item("message", &"normal".to_owned().into(), &mut payload);
    frame(2, 0, 0, &payload)
}

/// One frame with one message for each of `messages`, which are their arguments.
pub(crate) fn notify(stream: u64, number: u64, messages: &[&[(&str, TypedData)]]) -> Vec<u8> {
    let mut payload = Vec::new();
    for arguments in messages {
        name("check", &mut payload);
        payload.push(arguments.len().try_into().unwrap());
        for (argument, value) in *arguments {
            item(argument, value, &mut payload);
        }
    }
    frame(NOTIFY, stream, number, &payload)
}

/// The typed value that HAProxy's `src` has.
pub(crate) fn src(address: IpAddr) -> TypedData {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn frame(kind: u8, stream: u64, number: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 0, 0, 1];
    encode_varint_into(stream, &mut frame);
    encode_varint_into(number, &mut frame);
    frame.extend_from_slice(payload);
    let length = u32::try_from(frame.len()).unwrap();
    [&length.to_be_bytes()[..], &frame].concat()
}

fn item(key: &str, value: &TypedData, payload: &mut Vec<u8>) {
    name(key, payload);
    value.to_bytes(payload);
}

fn name(text: &str, payload: &mut Vec<u8>) {
    encode_varint_into(text.len().try_into().unwrap(), payload);
    payload.extend_from_slice(text.as_bytes());
}
