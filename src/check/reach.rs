//! Who answers where this server listens, and where DNS sends people.

use super::{
    domain::Domain,
    finding::Finding,
    probe::{Call, Failure, Heard},
    served::{Served, Service, called, is_here},
    trust::Trust,
    zone::Zone,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};
use tokio_rustls::rustls::pki_types::CertificateDer;

const WHAT: &str = "reach";

/// Where a service is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What should be there.
    pub service: Service,
    /// Where.
    pub address: SocketAddr,
    /// The host that DNS names; none: this server listens there.
    pub host: Option<String>,
    /// This server takes who calls it there for a load balancer.
    pub as_balancer: bool,
}

/// Where this server listens.
pub fn listened(served: &Served) -> BTreeSet<Place> {
    let places = Service::ALL.into_iter().flat_map(|service| {
        let all = served.addresses(service).into_iter();
        all.map(move |address| {
            let address = called(address);
            let as_balancer = served.takes_for_balancer(address);
            Place { service, address, host: None, as_balancer }
        })
    });
    places.collect()
}

/// Where DNS sends people for what is served here.
pub fn named(zone: &Zone, served: &Served) -> BTreeSet<Place> {
    let place = |service: Service, host: &str, port: u16| {
        let host = host.to_owned();
        let address = |ip: &IpAddr| {
            let address = SocketAddr::new(*ip, port);
            let as_balancer = served.takes_for_balancer(address);
            Place { service, address, host: Some(host.clone()), as_balancer }
        };
        zone.addresses(&host).iter().map(address).collect::<Vec<_>>()
    };
    let mut places = BTreeSet::new();
    for (&service, found) in &zone.services {
        let Ok(found) = found else { continue };
        if served.addresses(service).is_empty() {
            continue;
        }
        match service.fallback() {
            // RFC 6120 §3.2.2.
            Some(port) if found.is_empty() => {
                places.extend(place(service, &zone.domain.ascii, port));
            }
            _ => found.iter().for_each(|srv| {
                places.extend(place(service, &srv.target, srv.port));
            }),
        }
    }
    places
}

/// Calls there, and says who answers.
pub async fn call(
    domain: &Domain,
    place: &Place,
    trust: &Trust,
    own: Option<&CertificateDer<'_>>,
) -> Finding {
    let Place { service, address, as_balancer, .. } = *place;
    let call = Call { domain: &domain.ascii, service, address, as_balancer };
    let heard = call.make(trust).await;
    judge(domain, place, &heard, own, is_here(address.ip()))
}

/// What it means.
fn judge(
    domain: &Domain,
    place: &Place,
    heard: &Result<Heard, Failure>,
    own: Option<&CertificateDer<'_>>,
    here: bool,
) -> Finding {
    let Place { service, address, host, .. } = place;
    let host = host.as_ref().map_or_else(String::new, |host| format!(" ({host})"));
    let at = format!("{} for {} at {address}{host}", service.label(), domain.name);
    match heard {
        Ok(heard) => answered(&at, *service, heard, own),
        Err(failure) => failed(&at, place, failure, here),
    }
}

fn answered(
    at: &str,
    service: Service,
    heard: &Heard,
    own: Option<&CertificateDer<'_>>,
) -> Finding {
    let direct = matches!(service, Service::ClientTls | Service::ServerTls);
    let client = matches!(service, Service::Client | Service::ClientTls);
    if own.is_some() && heard.certificate.as_ref() != own {
        let found = format!("{at}: who answers shows another certificate than this server's");
        let mend = "something stands before it, or it has not read its certificate again (SIGHUP)";
        return Finding::warning(WHAT, found, mend);
    }
    if direct && !heard.alpn {
        let found = format!("{at}: TLS does not know xmpp-client by ALPN");
        return Finding::warning(WHAT, found, "something stands before this server; let ALPN pass");
    }
    if client && !["<mechanisms", "<authentication"].iter().any(|it| heard.features.contains(it)) {
        let found = format!("{at}: the stream offers no login");
        return Finding::problem(WHAT, found, "another server may answer there");
    }
    Finding::ok(WHAT, format!("{at}: this server answers, with TLS and features"))
}

fn failed(at: &str, place: &Place, failure: &Failure, here: bool) -> Finding {
    let setting = place.service.setting();
    let unheard = |why: &str| {
        let found = format!("{at}: {why}");
        match (&place.host, here) {
            (None, _) => Finding::problem(WHAT, found, "look into the server's log"),
            (Some(_), true) => {
                let mend = format!("let {setting} listen there, or correct the record");
                Finding::problem(WHAT, found, mend)
            }
            (Some(_), false) => {
                let mend = "from inside this may be a router that leads nobody back in (hairpin \
                            NAT): try from outside; else open the firewall or correct the record";
                Finding::warning(WHAT, found, mend)
            }
        }
    };
    let wrong = |what: &str, mend: &str| Finding::problem(WHAT, format!("{at}: {what}"), mend);
    let passing = "pass the port on as it is (TCP), not as HTTP";
    match failure {
        Failure::Unreachable(why) => unheard(why),
        Failure::Mute => unheard("a connection, and then silence"),
        Failure::Closed => unheard("a connection that is closed at once"),
        Failure::Web => wrong("a web server answers", passing),
        Failure::OnlyTls => {
            wrong("TLS from the first byte", "DNS wants _xmpps-… for it, or another port")
        }
        Failure::NoTls => wrong("no TLS from the first byte", "DNS wants _xmpp-… for that port"),
        Failure::NoAlpn => wrong("TLS that does not serve XMPP", passing),
        Failure::NoStarttls => {
            wrong("XMPP without STARTTLS", "something stands before this server")
        }
        Failure::Certificate(why) => {
            wrong(&format!("the certificate is refused: {why}"), "see what is said of certificates")
        }
        Failure::Refused(condition) => {
            wrong(&format!("the stream is refused: {condition}"), "another server may answer there")
        }
        Failure::Strange(why) => wrong(why, "something else answers there"),
    }
}

#[cfg(test)]
#[path = "reach/tests.rs"]
mod tests;
