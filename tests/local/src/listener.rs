//! Listening on an address, and how a client gets there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::Error;

/// Listens on `host`:`port`; port 0 takes a free one.
pub(crate) async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address: format!("{host}:{port}"), source };
    let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// An address a client on this machine can connect to.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}
