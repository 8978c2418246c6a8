//! What DNS says about one domain, all of it asked before anything is judged.

use super::{
    domain::Domain,
    records::{Answer, Caa, Kind, Record, Records, Srv, Unanswered},
    served::Service,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Labels of a name that are climbed for CAA; a name has at most 127 (RFC 1035 §2.3.4).
const CLIMB_LABELS_MAX: usize = 127;

/// What DNS says about one domain.
#[derive(Debug)]
pub struct Zone {
    /// The domain.
    pub domain: Domain,
    /// The SRV records of the services that were asked for.
    pub services: BTreeMap<Service, Result<Vec<Srv>, Unanswered>>,
    /// The hosts that they name, and the bare domain.
    pub hosts: BTreeMap<String, Result<Host, Unanswered>>,
    /// How many TXT records `_xmppconnect` has.
    pub xmppconnect: usize,
    /// Who may issue certificates for the domain.
    pub caa: Result<Vec<Caa>, Unanswered>,
    /// Where TLSA records pin certificates, as `host:port`.
    pub pinned: Vec<String>,
}

/// Where a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// It is another name for this one.
    pub alias: Option<String>,
}

impl Zone {
    /// Asks.
    pub async fn read(records: &dyn Records, domain: &Domain, services: &[Service]) -> Self {
        let mut zone = Self {
            domain: domain.clone(),
            services: BTreeMap::new(),
            hosts: BTreeMap::new(),
            xmppconnect: 0,
            caa: Ok(Vec::new()),
            pinned: Vec::new(),
        };
        for &service in services {
            let name = format!("{}.{}", service.label(), domain.ascii);
            let found = records.ask(&name, Kind::Srv).await;
            let silent = matches!(found, Err(Unanswered::Silent(_)));
            zone.services.insert(service, found.map(srv));
            if silent {
                // Who waits for an answer once need not wait for ten.
                return zone;
            }
        }
        let mut hosts: BTreeSet<_> = zone.targets().map(|(_, srv)| srv.target.clone()).collect();
        hosts.insert(domain.ascii.clone());
        for name in hosts {
            let found = host(records.ask(&name, Kind::Address).await);
            zone.hosts.insert(name, found);
        }
        let connect = format!("_xmppconnect.{}", domain.ascii);
        zone.xmppconnect = records.ask(&connect, Kind::Txt).await.unwrap_or_default().len();
        zone.caa = caa(records, &domain.ascii).await;
        zone.pinned = pinned(records, &zone).await;
        zone
    }

    /// Where the SRV records lead, `.` left out.
    pub fn targets(&self) -> impl Iterator<Item = (Service, &Srv)> {
        let all = self
            .services
            .iter()
            .flat_map(|(service, found)| found.iter().flatten().map(move |srv| (*service, srv)));
        all.filter(|(_, srv)| !srv.target.is_empty())
    }

    /// Addresses of a host; none where DNS did not answer.
    pub fn addresses(&self, host: &str) -> &[IpAddr] {
        match self.hosts.get(host) {
            Some(Ok(host)) => &host.addresses,
            _ => &[],
        }
    }
}

fn srv(found: Vec<Record>) -> Vec<Srv> {
    let srv = |record| match record {
        Record::Srv(srv) => Some(srv),
        _ => None,
    };
    let mut found: Vec<Srv> = found.into_iter().filter_map(srv).collect();
    found.sort_by(|one, other| (one.priority, &one.target).cmp(&(other.priority, &other.target)));
    found
}

fn host(found: Answer) -> Result<Host, Unanswered> {
    let mut host = Host::default();
    for record in found? {
        match record {
            Record::Address(address) => host.addresses.push(address),
            Record::Alias(name) => host.alias = Some(name),
            _ => {}
        }
    }
    Ok(host)
}

/// The records of the closest name that has some (RFC 8659 §3).
async fn caa(records: &dyn Records, domain: &str) -> Result<Vec<Caa>, Unanswered> {
    let mut name = domain;
    for _ in 0..CLIMB_LABELS_MAX {
        let found = records.ask(name, Kind::Caa).await?;
        let caa = |record| match record {
            Record::Caa(caa) => Some(caa),
            _ => None,
        };
        let found: Vec<Caa> = found.into_iter().filter_map(caa).collect();
        match name.split_once('.') {
            Some((_, parent)) if found.is_empty() => name = parent,
            _ => return Ok(found),
        }
    }
    Ok(Vec::new())
}

async fn pinned(records: &dyn Records, zone: &Zone) -> Vec<String> {
    let mut pinned = Vec::new();
    for (_, srv) in zone.targets() {
        let name = format!("_{}._tcp.{}", srv.port, srv.target);
        let found = records.ask(&name, Kind::Tlsa).await.unwrap_or_default();
        if found.contains(&Record::Tlsa) {
            pinned.push(format!("{}:{}", srv.target, srv.port));
        }
    }
    pinned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::records::fake::Fake;

    #[tokio::test]
    async fn caa_of_the_closest_parent_counts_rfc8659_3() {
        let issue = Caa { tag: "issue".to_owned(), value: "ca.example".to_owned() };
        let fake = Fake::default().with("example.org", Kind::Caa, &[Record::Caa(issue.clone())]);
        assert_eq!(caa(&fake, "a.b.example.org").await, Ok(vec![issue]));
        assert_eq!(caa(&fake, "example.com").await, Ok(vec![]));
    }

    #[tokio::test]
    async fn every_target_and_the_domain_are_looked_up_once() {
        let fake = Fake::default()
            .srv("_xmpp-client._tcp.example.org", 5222, "x.example.org")
            .srv("_xmpps-client._tcp.example.org", 5223, "")
            .address("x.example.org", &["192.0.2.1", "2001:db8::1"])
            .with("_5222._tcp.x.example.org", Kind::Tlsa, &[Record::Tlsa]);
        let zone = Zone::read(&fake, &Domain::of("example.org"), &Service::ALL).await;
        assert_eq!(zone.hosts.keys().collect::<Vec<_>>(), ["example.org", "x.example.org"]);
        assert_eq!(zone.addresses("x.example.org").len(), 2);
        assert_eq!(zone.pinned, ["x.example.org:5222"]);
    }

    #[tokio::test]
    async fn a_name_server_that_is_silent_is_asked_once() {
        let silent = Unanswered::Silent("timed out".to_owned());
        let fake = Fake::default()
            .unanswered("_xmpp-client._tcp.example.org", Kind::Srv, silent)
            .address("example.org", &["192.0.2.1"]);
        let zone = Zone::read(&fake, &Domain::of("example.org"), &Service::ALL).await;
        assert_eq!((zone.services.len(), zone.hosts.len()), (1, 0));
    }
}
