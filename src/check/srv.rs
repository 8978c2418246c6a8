//! Whether DNS leads to what is served here. It decides; who asked DNS is not its business.

use super::{
    finding::Finding,
    records::{Srv, Unanswered},
    served::{Served, Service, hears},
    zone::{Host, Zone},
};
use std::net::{IpAddr, SocketAddr};

const WHAT: &str = "dns";
const CREATE: &str = "create the record below";

/// What is wrong with the records of a domain, and what is right.
pub fn judge(zone: &Zone, served: &Served) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (&service, found) in &zone.services {
        let judged = Judge { zone, served, service, here: served.addresses(service) };
        match found {
            Err(why) => findings.push(unanswered(&judged.name(), why)),
            Ok(found) if found.is_empty() => findings.extend(judged.absent()),
            Ok(found) => findings.extend(judged.records(found)),
        }
    }
    for (name, host) in &zone.hosts {
        match host {
            Err(why) => findings.push(unanswered(name, why)),
            Ok(host) => findings.extend(suspect(name, host)),
        }
    }
    findings.extend(connect(zone));
    findings.extend(pinned(zone));
    findings
}

/// What cannot be known, because name servers do not say.
pub fn unanswered(name: &str, why: &Unanswered) -> Finding {
    match why {
        Unanswered::Failed(why) => {
            let found = format!("{name}: the name server fails with {why}");
            Finding::problem(WHAT, found, "look at the zone and its DNSSEC signatures")
        }
        Unanswered::Silent(why) => {
            let found = format!("{name}: nobody answers ({why})");
            let mend = "check the system's resolver, or name one with --resolver, or say \
                        --no-network";
            Finding::warning(WHAT, found, mend)
        }
    }
}

/// A previous version of XEP-0156 looked for connection methods there; it was insecure.
fn connect(zone: &Zone) -> Option<Finding> {
    let found = format!("_xmppconnect.{} has TXT records", zone.domain.ascii);
    let mend = "remove them: XEP-0156 has given them up as insecure, host-meta stands for them";
    (zone.xmppconnect > 0).then(|| Finding::warning(WHAT, found, mend))
}

fn pinned(zone: &Zone) -> impl Iterator<Item = Finding> {
    zone.pinned.iter().map(|place| {
        let found = format!("{place} has TLSA records, not judged here");
        Finding::ok(WHAT, format!("{found}: renew them with each key of the certificate"))
    })
}

/// Addresses that only some can reach.
fn suspect(name: &str, host: &Host) -> Vec<Finding> {
    let suspect = |address: &&IpAddr| is_private(**address);
    let finding = |address: &IpAddr| {
        let found = format!("{name} has the private address {address}");
        Finding::warning(WHAT, found, "right only when everybody is in that network")
    };
    host.addresses.iter().filter(suspect).map(finding).collect()
}

/// Loopback and what RFC 1918, RFC 3927, RFC 6598, RFC 4193 and RFC 4291 §2.5.6 keep for one
/// network.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let shared = four.to_bits() >> 22 == u32::from_be_bytes([100, 64, 0, 0]) >> 22;
            four.is_private() || four.is_loopback() || four.is_link_local() || shared
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local()
        }
    }
}

/// One service of one domain.
struct Judge<'a> {
    zone: &'a Zone,
    served: &'a Served,
    service: Service,
    here: Vec<SocketAddr>,
}

impl Judge<'_> {
    fn name(&self) -> String {
        format!("{}.{}", self.service.label(), self.zone.domain.ascii)
    }

    /// Whether whoever is let in here can come by the other way into TLS.
    fn has_other_way(&self) -> bool {
        let other = self.service.other();
        let found = self.zone.services.get(&other);
        let leads =
            found.is_some_and(|found| found.iter().flatten().any(|srv| !srv.target.is_empty()));
        leads && !self.served.addresses(other).is_empty()
    }

    /// DNS has no such records.
    fn absent(&self) -> Option<Finding> {
        if self.here.is_empty() {
            return None;
        }
        let (name, whom) = (self.name(), self.service.whom());
        let domain = &self.zone.domain.ascii;
        let addressed = !self.zone.addresses(domain).is_empty();
        let fallback = self.service.fallback().filter(|_| addressed);
        let served = |port: &u16| self.here.iter().any(|here| here.port() == *port);
        let finding = match fallback {
            // RFC 6120 §3.2.2.
            Some(port) if served(&port) => {
                let found = format!("{name} is not there: {whom} fall back to {domain}:{port}");
                Finding::warning(WHAT, found, CREATE)
            }
            _ if self.has_other_way() => {
                let label = self.service.label();
                let found = format!("{name} is not there: who looks for {label} finds nobody");
                Finding::warning(WHAT, found, CREATE)
            }
            Some(port) => {
                let setting = self.service.setting();
                let found = format!(
                    "{name} is not there: {whom} try {domain}:{port}, not a port of {setting}"
                );
                Finding::problem(WHAT, found, CREATE)
            }
            None if self.service.fallback().is_none()
                && !self.served.addresses(self.service.other()).is_empty() =>
            {
                let found = format!("{name} is not there: {whom} do not find direct TLS");
                Finding::warning(WHAT, found, CREATE)
            }
            None => {
                let found = format!("{name} is not there: {whom} do not find the way here");
                Finding::problem(WHAT, found, CREATE)
            }
        };
        Some(finding)
    }

    fn records(&self, found: &[Srv]) -> Vec<Finding> {
        let (name, setting) = (self.name(), self.service.setting());
        let away = found.iter().any(|srv| srv.target.is_empty());
        match (away, found.len(), self.here.is_empty()) {
            (true, 1, true) => {
                vec![Finding::ok(WHAT, format!("{name}: not offered, and not served"))]
            }
            (true, 1, false) => vec![self.denied()],
            (true, ..) => {
                let found = format!("{name}: the target . stands beside others");
                let mend = "remove it: it says that the service is not there (RFC 2782)";
                vec![Finding::problem(WHAT, found, mend)]
            }
            (false, _, true) => {
                let found = format!("{name} is there, but {setting} is empty");
                vec![Finding::problem(WHAT, found, format!("remove it, or set {setting}"))]
            }
            (false, _, false) => found.iter().flat_map(|srv| self.record(srv)).collect(),
        }
    }

    /// The target is `.` although it is served.
    fn denied(&self) -> Finding {
        let setting = self.service.setting();
        let found = format!("{}: the target . says that {setting} is not there", self.name());
        match self.has_other_way() {
            true => Finding::warning(WHAT, found, CREATE),
            false => Finding::problem(WHAT, found, CREATE),
        }
    }

    /// One record that leads somewhere.
    fn record(&self, srv: &Srv) -> Vec<Finding> {
        let (name, setting) = (self.name(), self.service.setting());
        let Srv { priority, port, target } = srv;
        let Some(Ok(host)) = self.zone.hosts.get(target) else { return Vec::new() };
        if host.addresses.is_empty() {
            let found = format!("{name} leads to {target}, which has no address");
            return vec![Finding::problem(WHAT, found, format!("create A or AAAA of {target}"))];
        }
        let mut findings = Vec::new();
        if let Some(alias) = &host.alias {
            let found = format!("{name} leads to {target}, another name for {alias} (CNAME)");
            let mend = "name a host that has A or AAAA itself (RFC 2782)";
            findings.push(Finding::warning(WHAT, found, mend));
        }
        let here: Vec<_> = self.here.iter().filter(|here| here.port() == *port).collect();
        if here.is_empty() {
            let found = format!("{name} leads to port {port}, which {setting} does not name");
            let mend = format!("right only if something passes it on to {}", ports(&self.here));
            findings.push(Finding::warning(WHAT, found, mend));
        }
        let deaf = |address: &&IpAddr| !here.iter().any(|here| hears(**here, **address));
        if let Some(address) = host.addresses.iter().find(deaf).filter(|_| !here.is_empty()) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let found = format!("{target} has {address}, but {setting} hears no {family} there");
            let mend = format!("set {setting} = [\"[::]:{port}\"], or remove that address");
            findings.push(Finding::warning(WHAT, found, mend));
        }
        if findings.is_empty() {
            let led = format!("{} go to {target}:{port}", self.service.whom());
            findings.push(Finding::ok(WHAT, format!("{name}: {led}, priority {priority}")));
        }
        findings
    }
}

fn ports(addresses: &[SocketAddr]) -> String {
    let mut ports: Vec<_> = addresses.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    format!("port {}", ports.join(" or "))
}

#[cfg(test)]
#[path = "srv/tests.rs"]
mod tests;
