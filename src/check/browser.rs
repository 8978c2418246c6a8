//! The ways in that browsers have: whether they are where this server has them, and where host-meta
//! leads.

use super::{
    domain::Domain,
    finding::Finding,
    host_meta,
    probe::Failure,
    records::{Kind, Record, Records},
    served::{Served, called},
    trust::Trust,
    web::{Ask, Page, parts, why},
};
use futures_util::future::join_all;
use std::net::SocketAddr;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// A way in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// RFC 7395.
    WebSocket,
    /// XEP-0124.
    Bosh,
}

/// Where host-meta leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// What should be there.
    pub way: Way,
    /// Its address.
    pub href: String,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::WebSocket, Self::Bosh];

    /// Its relation in host-meta (XEP-0156 §3.2).
    pub fn rel(self) -> &'static str {
        match self {
            Self::WebSocket => "urn:xmpp:alt-connections:websocket",
            Self::Bosh => "urn:xmpp:alt-connections:xbosh",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Bosh => "BOSH",
        }
    }

    /// Where this server has it.
    fn path(self) -> &'static str {
        match self {
            Self::WebSocket => "/ws",
            Self::Bosh => "/bosh",
        }
    }

    async fn walk(self, ask: &Ask<'_>, domain: &str, trust: &Trust) -> Result<Page, Failure> {
        match self {
            Self::WebSocket => ask.upgrade(trust).await,
            Self::Bosh => ask.session(domain, trust).await,
        }
    }
}

/// Tries both at each listener, and whether host-meta is there; returns also where that leads.
pub async fn own(domain: &Domain, served: &Served, trust: &Trust) -> (Vec<Finding>, Vec<Link>) {
    let listener = async |listener: &SocketAddr| {
        let address = called(*listener);
        let as_balancer = served.takes_for_balancer(address);
        let ask = Ask { address, host: &domain.ascii, path: "/", as_balancer };
        let at = format!("{} at {address}", domain.name);
        let (websocket, bosh, (told, links)) = tokio::join!(
            own_way(Way::WebSocket, &ask, &at, trust),
            own_way(Way::Bosh, &ask, &at, trust),
            host_meta::check(&ask, &at, trust),
        );
        ([vec![websocket, bosh], told].concat(), links)
    };
    let all: (Vec<_>, Vec<_>) =
        join_all(served.https.iter().map(listener)).await.into_iter().unzip();
    (all.0.concat(), all.1.concat())
}

async fn own_way(way: Way, ask: &Ask<'_>, at: &str, trust: &Trust) -> Finding {
    let at = format!("{} for {at}{}", way.name(), way.path());
    match way.walk(&Ask { path: way.path(), ..*ask }, ask.host, trust).await {
        Ok(_) => Finding::ok("https", format!("{at} answers")),
        Err(failure) => {
            let mend = "look into the server's log, and at what is said of certificates";
            Finding::problem("https", format!("{at}: {}", why(&failure)), mend)
        }
    }
}

/// Follows a link as a browser would, and says who answers.
pub async fn follow(
    records: &dyn Records,
    domain: &Domain,
    link: &Link,
    served: &Served,
    (trust, own): (&Trust, Option<&CertificateDer<'_>>),
) -> Finding {
    let Link { way, href } = link;
    let mend = "let the web server pass it on to listen.http or listen.https";
    let wrong = |why: &str| Finding::warning(host_meta::WHAT, format!("{href}: {why}"), mend);
    let Some((host, port, path)) = parts(href) else { return wrong("no address of https or wss") };
    let Some(address) = address(records, &host, port).await else {
        return wrong("its host has no address");
    };
    let as_balancer = served.takes_for_balancer(address);
    let ask = Ask { address, host: &host, path: &path, as_balancer };
    match way.walk(&ask, &domain.ascii, trust).await {
        Ok(page) => {
            let ours = own.is_some() && page.certificate.as_ref() == own;
            let whose = if ours { "this server's" } else { "another than this server's" };
            let found = format!("{href}: {} answers, its certificate is {whose}", way.name());
            Finding::ok(host_meta::WHAT, found)
        }
        Err(failure) => wrong(&why(&failure)),
    }
}

/// The first address of a host, which may be one itself.
pub async fn address(records: &dyn Records, host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
        return Some(SocketAddr::new(ip, port));
    }
    let found = records.ask(host, Kind::Address).await.unwrap_or_default();
    found.iter().find_map(|record| match record {
        Record::Address(ip) => Some(SocketAddr::new(*ip, port)),
        _ => None,
    })
}
