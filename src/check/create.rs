//! The records that a domain wants, as lines of a zone file (RFC 1035 §5).

use super::{
    caa::Acme,
    domain::Domain,
    served::{Served, Service, hears},
    srv::is_private,
    zone::Zone,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// How long others may keep a record.
const KEPT_SECONDS: u32 = 3600;
/// For examples (RFC 5737, RFC 3849): to be replaced by whoever pastes.
const ANY_FOUR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ANY_SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// What is known beside the settings.
pub struct Known<'a> {
    /// What DNS says already.
    pub zone: Option<&'a Zone>,
    /// Addresses of this machine that others may be able to call.
    pub own: &'a [IpAddr],
    /// When certificates are ordered.
    pub acme: Option<&'a Acme>,
}

/// The lines for one domain.
pub fn records(domain: &Domain, served: &Served, known: &Known<'_>) -> Vec<String> {
    let host = host(domain, known);
    let mut lines = Vec::new();
    let line = |owner: &str, rest: String| format!("{owner}. {KEPT_SECONDS} IN {rest}");
    for service in Service::ALL {
        for (priority, port, target) in srv(service, served, &host) {
            let owner = format!("{}.{}", service.label(), domain.ascii);
            lines.push(line(&owner, format!("SRV {priority} 0 {port} {target}.")));
        }
    }
    for (address, word) in addresses(&host, served, known) {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        lines.push(line(&host, format!("{kind} {address}{word}")));
    }
    if let Some(acme) = known.acme {
        lines.push(line(&domain.ascii, format!("CAA 0 issue \"{}\"", acme.value())));
    }
    lines
}

/// The host that DNS leads to already, else the domain itself. A name that is only another name
/// for a host must not be a target (RFC 2782).
fn host(domain: &Domain, known: &Known<'_>) -> String {
    let led = known.zone.and_then(|zone| {
        let mut hosts = zone.targets().map(|(_, srv)| &srv.target);
        hosts.find(|host| matches!(zone.hosts.get(*host), Some(Ok(host)) if host.alias.is_none()))
    });
    led.unwrap_or(&domain.ascii).clone()
}

/// Priority, port and target of each record. Direct TLS comes first, for it saves round trips;
/// both services are one list to clients (XEP-0368 §3).
fn srv(service: Service, served: &Served, host: &str) -> Vec<(u16, u16, String)> {
    let ports = |addresses: &[SocketAddr]| {
        let mut ports: Vec<_> = addresses.iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    let to = |priority: u16| move |port: u16| (priority, port, host.to_owned());
    match service {
        Service::ClientTls => {
            // What needs ALPN does not get through everywhere: last (XEP-0368 §3).
            let (own, shared) = (ports(&served.c2s_tls), ports(&served.https));
            let shared = shared.into_iter().filter(|port| !own.contains(port)).map(to(20));
            own.iter().copied().map(to(0)).chain(shared).collect()
        }
        Service::Client if served.c2s.is_empty() => vec![(0, 0, String::new())],
        Service::Client => ports(&served.c2s).into_iter().map(to(10)).collect(),
        Service::Server => ports(&served.s2s).into_iter().map(to(10)).collect(),
        Service::ServerTls => ports(&served.s2s_tls).into_iter().map(to(0)).collect(),
    }
}

/// The addresses of the host, and a word behind those that are guessed.
fn addresses(host: &str, served: &Served, known: &Known<'_>) -> Vec<(IpAddr, &'static str)> {
    if let Some(zone) = known.zone
        && !zone.addresses(host).is_empty()
    {
        return zone.addresses(host).iter().map(|&address| (address, " ; is there")).collect();
    }
    let all = served.all();
    let mut named: Vec<_> = all.clone().map(SocketAddr::ip).collect();
    named.retain(|ip| !ip.is_unspecified() && !is_private(*ip));
    named.sort_unstable();
    named.dedup();
    if !named.is_empty() {
        return named.into_iter().map(|ip| (ip, "")).collect();
    }
    let family = |any: IpAddr| {
        if !all.clone().any(|listener| hears(*listener, any)) {
            return Vec::new();
        }
        let own = known.own.iter().filter(|own| own.is_ipv4() == any.is_ipv4());
        let own: Vec<_> = own.map(|own| (*own, " ; as this machine knows itself")).collect();
        match own.is_empty() {
            true => vec![(any, " ; put the address of this machine here")],
            false => own,
        }
    };
    [family(ANY_FOUR.into()), family(ANY_SIX.into())].concat()
}

/// The addresses by which this machine would speak to the internet, where they are its own there.
/// Nothing is sent.
pub fn own() -> Vec<IpAddr> {
    let own = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        socket.local_addr().ok().map(|own| own.ip()).filter(|own| !is_private(*own))
    };
    // Addresses of root name servers, so that the route is that to the internet.
    let four = own(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(198, 41, 0, 4).into());
    let root = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30);
    let six = own(Ipv6Addr::UNSPECIFIED.into(), root.into());
    four.into_iter().chain(six).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::records::fake::Fake;

    fn all(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn lines(served: &Served, known: &Known<'_>) -> String {
        records(&Domain::of("example.org"), served, known).join("\n")
    }

    const NOTHING: Known<'static> = Known { zone: None, own: &[], acme: None };

    #[test]
    fn each_way_in_has_its_record_and_unknown_addresses_a_place() {
        let served = Served {
            c2s: all(&["0.0.0.0:5222", "[::]:5222"]),
            c2s_tls: all(&["0.0.0.0:5223"]),
            https: all(&["0.0.0.0:443"]),
            s2s: all(&["0.0.0.0:5269"]),
            ..Served::default()
        };
        let expected = "\
_xmpp-client._tcp.example.org. 3600 IN SRV 10 0 5222 example.org.
_xmpps-client._tcp.example.org. 3600 IN SRV 0 0 5223 example.org.
_xmpps-client._tcp.example.org. 3600 IN SRV 20 0 443 example.org.
_xmpp-server._tcp.example.org. 3600 IN SRV 10 0 5269 example.org.
example.org. 3600 IN A 192.0.2.1 ; put the address of this machine here
example.org. 3600 IN AAAA 2001:db8::1 ; put the address of this machine here";
        assert_eq!(lines(&served, &NOTHING), expected);
    }

    #[test]
    fn where_443_is_all_starttls_is_said_not_to_be_there_rfc2782() {
        let served = Served { https: all(&["198.51.100.7:443"]), ..Served::default() };
        let methods = vec!["tls-alpn-01".to_owned()];
        let account = Some("https://ca.example/acct/1".to_owned());
        let acme = Acme { authority: "ca.example".to_owned(), account, methods };
        let expected = "\
_xmpp-client._tcp.example.org. 3600 IN SRV 0 0 0 .
_xmpps-client._tcp.example.org. 3600 IN SRV 20 0 443 example.org.
example.org. 3600 IN A 198.51.100.7
example.org. 3600 IN CAA 0 issue \"ca.example; accounturi=https://ca.example/acct/1; \
validationmethods=tls-alpn-01\"";
        assert_eq!(lines(&served, &Known { acme: Some(&acme), ..NOTHING }), expected);
    }

    #[tokio::test]
    async fn what_dns_has_already_is_kept() {
        let fake = Fake::default()
            .srv("_xmpp-client._tcp.example.org", 5222, "x.example.org")
            .address("x.example.org", &["198.51.100.1"]);
        let domain = Domain::of("example.org");
        let zone = Zone::read(&fake, &domain, &[Service::Client]).await;
        let served = Served { c2s: all(&["[::]:5222"]), ..Served::default() };
        let expected = "\
_xmpp-client._tcp.example.org. 3600 IN SRV 10 0 5222 x.example.org.
x.example.org. 3600 IN A 198.51.100.1 ; is there";
        assert_eq!(lines(&served, &Known { zone: Some(&zone), ..NOTHING }), expected);
    }
}
