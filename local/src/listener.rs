//! Listens on an address, and finds the addresses that clients use.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use tokio::net::TcpListener;

use crate::error::Error;

/// Listens on `host`:`port`. Port 0 chooses a free port.
pub(crate) async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address: format!("{host}:{port}"), source };
    let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// An address that a client on this machine can connect to.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}

/// The origins of pages served on `address`. `host` is the name or address that was configured.
pub(crate) fn origins(host: &str, address: SocketAddr) -> Vec<String> {
    let ip = address.ip();
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    if ip.is_loopback() || ip.is_unspecified() {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    if ip.is_unspecified() {
        hosts.extend(address_in_network().map(in_url));
    } else {
        hosts.insert(in_url(ip));
        // A configured name is a further origin; a configured address is not.
        hosts.extend(host.parse::<IpAddr>().is_err().then(|| host.to_ascii_lowercase()));
    }
    let port = if address.port() == 80 { String::new() } else { format!(":{}", address.port()) };
    hosts.into_iter().map(|host| format!("http://{host}{port}")).collect()
}

/// The address of this machine in its network. Connecting a UDP socket sends no packet.
fn address_in_network() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

fn in_url(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::origins;

    #[test]
    fn every_name_of_an_address_is_an_origin() {
        let of = |host: &str, address: &str| origins(host, address.parse().unwrap());
        let loopback = ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"];
        assert_eq!(of("127.0.0.1", "127.0.0.1:8000"), loopback);
        assert_eq!(of("localhost", "[::1]:8000"), loopback);
        assert!(loopback.iter().all(|origin| of("0.0.0.0", "0.0.0.0:8000").contains(&(*origin).to_owned())));
        assert_eq!(of("Studio.example", "192.0.2.7:80"), ["http://192.0.2.7", "http://studio.example"]);
    }
}
