//! What Envoy says about a request.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use threatinsight::{Chain, Kind};
use tonic::Status;
use tonic::metadata::MetadataMap;

/// The metadata in which a configuration of Envoy states the client that it has resolved.
const RESOLVED: &str = "x-real-ip";

/// The client, as Envoy has resolved it: in the metadata of the check where that says so, and
/// otherwise the peer of Envoy's connection.
///
/// Envoy puts nothing that its clients send into that metadata.
pub(crate) fn client(
    metadata: &MetadataMap,
    attributes: &AttributeContext,
) -> Result<IpAddr, Status> {
    let mut resolved = metadata.get_all(RESOLVED).iter();
    match (resolved.next(), resolved.next()) {
        (None, _) => peer(attributes),
        (Some(value), None) => address(RESOLVED, &String::from_utf8_lossy(value.as_bytes())),
        (Some(_), Some(_)) => Err(refused(RESOLVED, "several")),
    }
}

fn peer(attributes: &AttributeContext) -> Result<IpAddr, Status> {
    let refused = |found| refused(PEER, found);
    let source = attributes.source.as_ref();
    match source.and_then(|source| source.address.as_ref()?.address.as_ref()) {
        Some(Address::SocketAddress(socket)) => address(PEER, &socket.address),
        Some(Address::Pipe(_)) => Err(refused("a pipe")),
        Some(Address::EnvoyInternalAddress(_)) => Err(refused("an internal address")),
        None => Err(refused("nothing")),
    }
}

const PEER: &str = "attributes.source.address";

fn address(place: &str, text: &str) -> Result<IpAddr, Status> {
    // The only hop: a list of them is nothing that Envoy resolves to.
    let mut hops = Chain::parse(text.as_bytes()).hops();
    match (hops.next().and_then(|hop| hop.address), hops.next()) {
        (Some(client), None) => Ok(client),
        (Some(_) | None, _) => Err(refused(place, &format!("`{}`", text.escape_debug()))),
    }
}

fn refused(place: &str, found: &str) -> Status {
    Status::invalid_argument(format!("{place}: {found}, expected an address"))
}

/// What the request is for, as its route says.
pub(crate) fn kind(attributes: &AttributeContext) -> Kind {
    match attributes.context_extensions.get("kind") {
        Some(kind) if *kind == Kind::Other.to_string() => Kind::Other,
        Some(_) | None => Kind::Authentication,
    }
}
