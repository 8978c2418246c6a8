//! Where a server is that is reached by HTTP.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS comes first.
    pub secure: bool,
    /// Where it listens.
    pub address: SocketAddr,
    /// What is asked for there.
    pub path: String,
}

impl Endpoint {
    /// `https://host:port/path` with this scheme, or this and an `s`.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn parse(url: &str, scheme: &str) -> Result<Self, String> {
        let wrong = || format!("{url}: {scheme}://host:port/path or {scheme}s://… expected");
        let rest = url.strip_prefix(scheme).ok_or_else(wrong)?;
        let secure = rest.starts_with('s');
        let rest = rest.trim_start_matches('s').strip_prefix("://").ok_or_else(wrong)?;
        let (place, path) = rest.split_once('/').ok_or_else(wrong)?;
        let resolved = place.to_socket_addrs().map_err(|error| format!("{place}: {error}"))?;
        let address = resolved.into_iter().next().ok_or_else(wrong)?;
        Ok(Self { secure, address, path: format!("/{path}") })
    }
}

/// A server, and how long we wait for it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where.
    pub endpoint: Endpoint,
    /// The domain it serves.
    pub domain: String,
    /// For an answer.
    pub answer: Duration,
    /// Before we believe that nothing comes.
    pub quiet: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_named_by_its_url() {
        let endpoint = Endpoint::parse("wss://127.0.0.1:443/ws", "ws").unwrap();
        let address = "127.0.0.1:443".parse().unwrap();
        assert_eq!(endpoint, Endpoint { secure: true, address, path: "/ws".into() });
        assert!(!Endpoint::parse("http://[::1]:80/bosh", "http").unwrap().secure);
        for wrong in ["http://127.0.0.1:80/ws", "ws://127.0.0.1:80", "ws:/127.0.0.1:80/"] {
            assert!(Endpoint::parse(wrong, "ws").is_err(), "{wrong}");
        }
    }
}
