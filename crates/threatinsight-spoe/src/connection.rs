//! One connection: hello, then frames, each answered, in the order they came.

use std::io;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use spop::frames::{Ack, AgentDisconnect, AgentHello, FrameCapabilities, HaproxyHello};
use spop::{FramePayload, FrameType, SpopCodec, SpopFrame, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::codec::Framed;

use crate::agent::Agent;
use crate::message::judge;

/// How many bytes a frame may have: what HAProxy's default buffer holds. Decoded, a hostile one
/// takes under half a megabyte.
const FRAME_LIMIT: u32 = 16 * 1024;

type Frame = Box<dyn SpopFrame>;
type Frames = Framed<TcpStream, SpopCodec>;

/// Why a connection ends.
enum End {
    /// It is gone; there is nobody to tell.
    Gone,
    /// HAProxy is told a status.
    Told(StatusCode),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::Told(StatusCode::Invalid)
        } else {
            Self::Gone
        }
    }
}

/// Talks until either side ends it.
pub(crate) async fn converse(agent: &Agent, stream: TcpStream, stop: watch::Receiver<bool>) {
    // An answer is one small packet, and a request waits for it.
    let _ = stream.set_nodelay(true);
    let mut frames = Framed::new(stream, SpopCodec::new(FRAME_LIMIT));
    if let Err(End::Told(status)) = talk(agent, &mut frames, stop).await {
        let farewell = AgentDisconnect {
            status_code: status.to_u32(),
            message: status.message().to_owned(),
        };
        let _ = timeout(agent.limits.hello, frames.send(Box::new(farewell))).await;
    }
}

async fn talk(
    agent: &Agent,
    frames: &mut Frames,
    mut stop: watch::Receiver<bool>,
) -> Result<(), End> {
    let frame = tokio::select! {
        biased;
        frame = next(frames, agent.limits.hello) => frame?,
        _ = stop.wait_for(|stop| *stop) => return Err(End::Told(StatusCode::None)),
    };
    let (greeting, purpose) = greeting(&*frame)?;
    // From here on the peer is held to what was agreed.
    frames
        .codec_mut()
        .set_max_frame_size(greeting.max_frame_size);
    match timeout(agent.limits.hello, frames.send(Box::new(greeting))).await {
        Ok(sent) => sent?,
        Err(_) => return Err(End::Gone),
    }
    match purpose {
        Purpose::HealthCheck => return Ok(()),
        Purpose::Requests => {}
    }
    loop {
        let mut frame = tokio::select! {
            biased;
            frame = next(frames, agent.limits.idle) => frame?,
            _ = stop.wait_for(|stop| *stop) => return Err(End::Told(StatusCode::None)),
        };
        let answered = async {
            loop {
                let answer = answer(agent, frames, &*frame)?;
                frames.feed(Box::new(answer) as Frame).await?;
                // What has arrived meanwhile is answered in the same packet.
                frame = match frames.next().now_or_never() {
                    Some(Some(frame)) => frame?,
                    Some(None) | None => break,
                };
            }
            frames.flush().await?;
            Ok::<(), End>(())
        };
        match timeout(agent.limits.idle, answered).await {
            Ok(answered) => answered?,
            Err(_) => return Err(End::Gone),
        }
    }
}

/// The next frame, whole, within `limit`.
async fn next(frames: &mut Frames, limit: Duration) -> Result<Frame, End> {
    match timeout(limit, frames.next()).await {
        Ok(Some(frame)) => Ok(frame?),
        Ok(None) => Err(End::Gone),
        Err(_) => Err(End::Told(StatusCode::Timeout)),
    }
}

/// What a connection is for.
enum Purpose {
    Requests,
    HealthCheck,
}

/// What the first frame is answered with.
fn greeting(frame: &dyn SpopFrame) -> Result<(AgentHello, Purpose), End> {
    if *frame.frame_type() != FrameType::HaproxyHello {
        return Err(End::Told(StatusCode::Invalid));
    }
    let hello = HaproxyHello::try_from(frame.payload());
    let hello = hello.map_err(|_| End::Told(StatusCode::Invalid))?;
    let version = hello.negotiate_version();
    let max_frame_size = hello.negotiate_max_frame_size(FRAME_LIMIT);
    let greeting = AgentHello {
        version: version.ok_or(End::Told(StatusCode::BadVersion))?,
        max_frame_size: max_frame_size.map_err(End::Told)?,
        capabilities: vec![FrameCapabilities::Pipelining],
    };
    let purpose = match hello.healthcheck {
        Some(true) => Purpose::HealthCheck,
        Some(false) | None => Purpose::Requests,
    };
    Ok((greeting, purpose))
}

/// What a frame after the hello is answered with; the end, when it is not a request.
fn answer(agent: &Agent, frames: &Frames, frame: &dyn SpopFrame) -> Result<Ack, End> {
    match frame.frame_type() {
        FrameType::Notify => {}
        FrameType::HaproxyDisconnect => return Err(End::Told(StatusCode::None)),
        FrameType::HaproxyHello
        | FrameType::AgentHello
        | FrameType::AgentDisconnect
        | FrameType::Ack => return Err(End::Told(StatusCode::Invalid)),
    }
    let metadata = frame.metadata();
    let answer = Ack::new(metadata.stream_id, metadata.frame_id);
    Ok(match frame.payload() {
        FramePayload::ListOfMessages(messages) => {
            judge(agent, messages, answer, frames.codec().max_frame_size())
        }
        FramePayload::ListOfActions(_) | FramePayload::KVList(_) => answer,
    })
}
