//! Who opened the connection.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

/// How to find the address that opened the connection, or the one that the host has resolved.
///
/// Where there is none, as on a Unix socket, the client is unknown and the policy's
/// `onUnknownClient` says what happens.
///
/// ```
/// use std::net::{IpAddr, SocketAddr};
///
/// use threatinsight_tower::Peer;
///
/// // Whatever the server leaves in the extensions.
/// let hyper = Peer::extension(|address: &SocketAddr| Some(address.ip()));
/// // A header, if and only if a proxy that cannot be bypassed always overwrites it.
/// let resolved = Peer::head(|head| head.headers.get("x-real-ip")?.to_str().ok()?.parse().ok());
/// ```
#[derive(Clone)]
pub struct Peer(Arc<Finder>);

type Finder = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl Peer {
    /// Finds it in an extension of type `T`; without that extension there is no peer.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(
        address: impl Fn(&T) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::head(move |head| head.extensions.get().and_then(&address))
    }

    /// Finds it anywhere in the head of the request.
    #[must_use]
    pub fn head(address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(address))
    }

    pub(crate) fn address(&self, head: &Parts) -> Option<IpAddr> {
        (self.0)(head)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}
