//! What Envoy says about a request.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use threatinsight::{Chain, Kind};
use tonic::Status;

/// The client, as Envoy has resolved it.
pub(crate) fn client(attributes: &AttributeContext) -> Result<IpAddr, Status> {
    let source = attributes.source.as_ref();
    let address = source.and_then(|source| source.address.as_ref()?.address.as_ref());
    let text = match address {
        Some(Address::SocketAddress(address)) => address.address.as_str(),
        Some(Address::Pipe(_)) => return Err(refused("a pipe")),
        Some(Address::EnvoyInternalAddress(_)) => return Err(refused("an internal address")),
        None => return Err(refused("nothing")),
    };
    // The only hop: a list of them is nothing that Envoy resolves to.
    let mut hops = Chain::parse(text.as_bytes()).hops();
    match (hops.next().and_then(|hop| hop.address), hops.next()) {
        (Some(client), None) => Ok(client),
        (Some(_) | None, _) => Err(refused(&format!("`{}`", text.escape_debug()))),
    }
}

fn refused(found: &str) -> Status {
    Status::invalid_argument(format!(
        "attributes.source.address: {found}, expected an address"
    ))
}

/// What the request is for, as its route says.
pub(crate) fn kind(attributes: &AttributeContext) -> Kind {
    match attributes.context_extensions.get("kind") {
        Some(kind) if *kind == Kind::Other.to_string() => Kind::Other,
        Some(_) | None => Kind::Authentication,
    }
}
