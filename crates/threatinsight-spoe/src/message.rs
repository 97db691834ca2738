//! What HAProxy says about one request, and what it is told.

use std::net::IpAddr;

use spop::frame::Message;
use spop::frames::Ack;
use spop::{TypedData, VarScope};
use threatinsight::{Decision, Kind, Request, Snapshot};

use crate::agent::Agent;

/// How many bytes an answer has beside the names of feeds, at most.
const ROOM: usize = 160;

/// One request that was judged, for the sink.
///
/// Everything is borrowed; a sink that hands it to another thread takes what it needs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The verdict, its reason, the client and what lists it. What is logged or blocked is worth
    /// an event in a log, what is allowed is not.
    pub decision: &'a Decision<'a>,
    /// The chain, which is the client alone, and the kind.
    pub request: &'a Request<'a>,
    /// The snapshot it was judged by, which can explain it.
    pub snapshot: &'a Snapshot,
    messages: &'a [Message],
}

impl<'a> Event<'a> {
    /// The text that HAProxy's configuration gives as the argument `name`, such as `uri`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        text(self.messages, name)
    }
}

/// Completes `answer` to the messages of one frame; without a client, with nothing.
pub(crate) fn judge(agent: &Agent, messages: &[Message], answer: Ack, max_frame_size: u32) -> Ack {
    let client = match client(messages) {
        Ok(client) => client,
        Err(error) => {
            if let Some(unjudged) = &agent.unjudged {
                unjudged(error);
            }
            return answer;
        }
    };
    let kind = match text(messages, "kind") {
        Some(kind) if *kind == *Kind::Other.to_string() => Kind::Other,
        Some(_) | None => Kind::Authentication,
    };
    let request = Request::from(client).with_kind(kind);
    let snapshot = agent.engine.load();
    let decision = snapshot.evaluate(&request);
    if let Some(sink) = &agent.sink {
        sink(&Event {
            decision: &decision,
            request: &request,
            snapshot: &snapshot,
            messages,
        });
    }
    // One transaction: in the session's scope, the verdict on one request would still be there
    // for the next, which nobody may have judged.
    let scope = VarScope::Transaction;
    let mut answer = answer
        .set_var(scope, "verdict", decision.verdict.to_string())
        .set_var(scope, "reason", decision.reason().to_string())
        .set_var(scope, "generation", snapshot.generation());
    if let Some(threat) = &decision.threat {
        let names: Vec<&str> = threat.feeds().collect();
        let names = names.join(", ");
        let room = usize::try_from(max_frame_size).unwrap_or(usize::MAX);
        // An answer that does not fit would be none.
        if names.len() <= room.saturating_sub(ROOM) {
            answer = answer.set_var(scope, "feed", names);
        }
    }
    answer
}

/// The values of the argument `name`, in all messages of the frame.
fn values<'a>(messages: &'a [Message], name: &str) -> impl Iterator<Item = &'a TypedData> {
    let arguments = messages.iter().flat_map(|message| &message.args);
    arguments.filter_map(move |(found, value)| (found == name).then_some(value))
}

/// The one client that the messages name, or what is wrong.
fn client(messages: &[Message]) -> Result<IpAddr, &'static str> {
    let mut addresses = values(messages, "client").map(address);
    let first = addresses.next();
    let first = first.ok_or("argument client: found nothing, expected an address")?;
    let first = first.ok_or("argument client: found another type, expected an address")?;
    if addresses.any(|other| other != Some(first)) {
        return Err("argument client: found several that differ, expected one address");
    }
    Ok(first)
}

fn address(value: &TypedData) -> Option<IpAddr> {
    match value {
        TypedData::IPv4(address) => Some((*address).into()),
        TypedData::IPv6(address) => Some((*address).into()),
        TypedData::Null
        | TypedData::Bool(_)
        | TypedData::Int32(_)
        | TypedData::UInt32(_)
        | TypedData::Int64(_)
        | TypedData::UInt64(_)
        | TypedData::String(_)
        | TypedData::Binary(_) => None,
    }
}

fn text<'a>(messages: &'a [Message], name: &str) -> Option<&'a str> {
    values(messages, name).find_map(|value| match value {
        TypedData::String(text) => Some(text.as_str()),
        TypedData::Null
        | TypedData::Bool(_)
        | TypedData::Int32(_)
        | TypedData::UInt32(_)
        | TypedData::Int64(_)
        | TypedData::UInt64(_)
        | TypedData::IPv4(_)
        | TypedData::IPv6(_)
        | TypedData::Binary(_) => None,
    })
}
