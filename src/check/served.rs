//! What this server serves, in the words that DNS has for it.

use crate::settings::Listen;
use net::Network;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// A way in that DNS names by SRV records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Clients, STARTTLS (RFC 6120 §3.2.1).
    Client,
    /// Clients, TLS from the first byte (XEP-0368).
    ClientTls,
    /// Other servers, STARTTLS.
    Server,
    /// Other servers, TLS from the first byte (XEP-0368).
    ServerTls,
}

/// Where it listens, port 0 left out: nobody can be sent there by a record.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Clients, STARTTLS.
    pub c2s: Vec<SocketAddr>,
    /// Clients, direct TLS.
    pub c2s_tls: Vec<SocketAddr>,
    /// Other servers, STARTTLS.
    pub s2s: Vec<SocketAddr>,
    /// Other servers, direct TLS.
    pub s2s_tls: Vec<SocketAddr>,
    /// HTTP over TLS; by ALPN also direct TLS for clients.
    pub https: Vec<SocketAddr>,
    /// Load balancers.
    pub proxies: Vec<Network>,
}

impl Service {
    /// The four, in the order in which they are told about.
    pub const ALL: [Self; 4] = [Self::Client, Self::ClientTls, Self::Server, Self::ServerTls];

    /// What stands before the domain in the name of its record.
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "_xmpp-client._tcp",
            Self::ClientTls => "_xmpps-client._tcp",
            Self::Server => "_xmpp-server._tcp",
            Self::ServerTls => "_xmpps-server._tcp",
        }
    }

    /// The setting that serves it.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Client => "listen.c2s",
            Self::ClientTls => "listen.c2s_tls",
            Self::Server => "listen.s2s",
            Self::ServerTls => "listen.s2s_tls",
        }
    }

    /// Who comes in.
    pub fn whom(self) -> &'static str {
        match self {
            Self::Client | Self::ClientTls => "clients",
            Self::Server | Self::ServerTls => "other servers",
        }
    }

    /// The port of the bare domain that is tried where there is no record (RFC 6120 §3.2.2).
    pub fn fallback(self) -> Option<u16> {
        match self {
            Self::Client => Some(5222),
            Self::Server => Some(5269),
            Self::ClientTls | Self::ServerTls => None,
        }
    }

    /// The same for the same party, the other way into TLS.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::ClientTls,
            Self::ClientTls => Self::Client,
            Self::Server => Self::ServerTls,
            Self::ServerTls => Self::Server,
        }
    }
}

impl Served {
    /// What the settings say.
    pub fn of(listen: &Listen) -> Self {
        let findable = |all: &[SocketAddr]| {
            all.iter().copied().filter(|address| address.port() != 0).collect::<Vec<_>>()
        };
        let (c2s, c2s_tls) = (findable(&listen.c2s), findable(&listen.c2s_tls));
        let (https, proxies) = (findable(&listen.https), listen.proxies.clone());
        Self { c2s, c2s_tls, https, proxies, ..Self::default() }
    }

    /// Where it listens for this service.
    pub fn addresses(&self, service: Service) -> Vec<SocketAddr> {
        match service {
            Service::Client => self.c2s.clone(),
            Service::ClientTls => [self.c2s_tls.as_slice(), &self.https].concat(),
            Service::Server => self.s2s.clone(),
            Service::ServerTls => self.s2s_tls.clone(),
        }
    }

    /// Whether it listens for other servers.
    pub fn s2s(&self) -> bool {
        !self.s2s.is_empty() || !self.s2s_tls.is_empty()
    }

    /// Whether nobody but this machine can reach anything.
    pub fn is_loopback(&self) -> bool {
        self.all().all(|address| address.ip().is_loopback())
    }

    /// All addresses.
    pub fn all(&self) -> impl Iterator<Item = &SocketAddr> + Clone {
        let Self { c2s, c2s_tls, s2s, s2s_tls, https, .. } = self;
        [c2s, c2s_tls, s2s, s2s_tls, https].into_iter().flatten()
    }

    /// Whether who calls this address from here meets this server, and is taken for a load
    /// balancer: a call within one machine comes from the address that it goes to.
    pub fn takes_for_balancer(&self, called: SocketAddr) -> bool {
        let listens = |own: &SocketAddr| {
            let any = own.ip().is_unspecified() && is_here(called.ip());
            own.port() == called.port() && (any || own.ip() == called.ip())
        };
        self.proxies.iter().any(|proxy| proxy.holds(called.ip())) && self.all().any(listens)
    }
}

/// Whether what listens here hears who calls this address. On the unspecified IPv6 address both
/// families are heard.
pub fn hears(listener: SocketAddr, called: IpAddr) -> bool {
    match listener.ip() {
        IpAddr::V4(_) => called.is_ipv4(),
        IpAddr::V6(six) => called.is_ipv6() || six.is_unspecified(),
    }
}

/// Whether this machine has the address.
pub fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// How a listener's address is called from this machine.
pub fn called(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(four) if four.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(six) if six.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_from_a_balancer_s_own_address_is_taken_for_one_where_we_listen() {
        let served = Served {
            c2s: vec!["0.0.0.0:5222".parse().unwrap()],
            c2s_tls: vec!["203.0.113.1:5223".parse().unwrap()],
            proxies: vec!["127.0.0.0/8".parse().unwrap(), "203.0.113.0/24".parse().unwrap()],
            ..Served::default()
        };
        let taken = |called: &str| served.takes_for_balancer(called.parse().unwrap());
        assert!(taken("127.0.0.1:5222") && taken("203.0.113.1:5223"));
        assert!(!taken("127.0.0.1:5223") && !taken("[::1]:5222"));
        assert!(!taken("203.0.113.2:5222"), "the balancer itself, elsewhere");
    }
}
