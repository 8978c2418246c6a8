//! `waxwing check`: what is wrong, and how to mend it.

mod acme;
mod browser;
mod caa;
mod certificate;
mod create;
mod domain;
mod finding;
mod host_meta;
mod machine;
mod probe;
mod reach;
mod records;
mod resolver;
mod served;
mod srv;
mod trust;
mod web;
mod zone;

use crate::{command::Check, settings::Settings, user};
use browser::Link;
use caa::Acme;
use certificate::{Certificates, Shown};
use create::Known;
use domain::Domain;
use finding::{Finding, Level};
use futures_util::future::join_all;
use net::certificates::Origin;
use resolver::Dns;
use served::{Served, Service};
use std::{
    collections::BTreeSet,
    fmt::Display,
    io::{Write, stdout},
    net::SocketAddr,
};
use tokio_rustls::rustls::pki_types::CertificateDer;
use trust::Trust;
use web::Ask;
use zone::Zone;

/// Looks at everything and prints a line for each, then the records to create. Returns whether
/// nothing is a problem.
pub async fn run(settings: &Settings, check: &Check) -> bool {
    let mut report = Report { json: check.json, well: true };
    report.add(machine::settings(settings));
    let runs = match user::serves(settings).await {
        Ok(runs) => runs,
        Err(error) => {
            let mend = "run this as the user that serves";
            report.add([Finding::problem("server", format!("{error:#}"), mend)]);
            false
        }
    };
    let (certificates, troubles) = certificate::load(settings);
    report.add(troubles);
    report.add(machine::store(settings, runs).await);
    report.add(machine::ports(settings, runs));
    let mut trust = Trust::system();
    report.add(certificate::authorities(&trust));
    let own = certificates.values().map(|found| &found.certificate);
    for own in own.filter(|own| own.self_signed) {
        own.chain().first().into_iter().for_each(|own| trust.add(own));
    }
    let dns = dns(check, &mut report);
    let acme = match &settings.tls.acme {
        Some(chosen) => {
            let (known, found) = acme::look(chosen, dns.as_ref().map(|dns| dns as _)).await;
            report.add(found);
            known.map(|known| (known, chosen.wanted(&settings.certificates().domains)))
        }
        None => None,
    };
    let seen = Seen {
        served: Served::of(&settings.listen),
        trust,
        certificates,
        acme,
        runs,
        dns,
        named: check.resolver.is_some(),
        public: settings.pages.public_url.is_some(),
    };
    for domain in &settings.domains {
        seen.domain(&Domain::of(domain.domain()), &mut report).await;
    }
    report.well
}

/// Where findings go.
struct Report {
    json: bool,
    well: bool,
}

impl Report {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.well &= finding.level != Level::Problem;
            match self.json {
                true => say(finding.json()),
                false => say(finding),
            }
        }
    }

    /// The records of a domain, to paste.
    fn records(&self, domain: &Domain, records: &[String]) {
        if self.json {
            return say(serde_json::json!({ "domain": domain.name, "records": records }));
        }
        say(format_args!("\n; DNS records for {}, to paste into its zone", domain.name));
        records.iter().for_each(say);
    }
}

/// A line, if somebody reads it.
fn say(line: impl Display) {
    drop(writeln!(stdout(), "{line}"));
}

fn dns(check: &Check, report: &mut Report) -> Option<Dns> {
    if check.no_network {
        return None;
    }
    match Dns::new(check.resolver) {
        Ok(dns) => Some(dns),
        Err(error) => {
            let mend = "name a name server with --resolver, or say --no-network";
            report.add([Finding::warning("dns", format!("{error:#}"), mend)]);
            None
        }
    }
}

/// What is known before the domains are looked at.
struct Seen {
    served: Served,
    trust: Trust,
    certificates: Certificates,
    /// Who issues certificates, and for which names.
    acme: Option<(Acme, Vec<String>)>,
    runs: bool,
    dns: Option<Dns>,
    /// The operator has named the name server, so DNS is asked also for what is not on the
    /// internet.
    named: bool,
    /// A web server passes on to this one what browsers ask.
    public: bool,
}

impl Seen {
    async fn domain(&self, domain: &Domain, report: &mut Report) {
        if let Some(own) = self.certificates.get(&domain.name) {
            let shown = Shown::of(domain, &own.certificate, &self.trust);
            report.add(certificate::judge(domain, &shown));
        }
        let mut links = Vec::new();
        if self.runs {
            self.call(domain, reach::listened(&self.served), report).await;
            let (found, named) = browser::own(domain, &self.served, &self.trust).await;
            report.add(found);
            links = named;
        }
        if let Some(local) = self.local(domain) {
            report.add([local]);
            return;
        }
        let mut zone = None;
        if let Some(dns) = &self.dns {
            let services: &[Service] = match self.served.s2s() {
                true => &Service::ALL,
                false => &[Service::Client, Service::ClientTls],
            };
            let read = Zone::read(dns, domain, services).await;
            self.zone(domain, &read, report).await;
            if self.runs {
                self.browse(domain, dns, &read, links, report).await;
            }
            let found = format!(
                "{}: all this is seen from inside; whether others get in can only be guessed here",
                domain.name
            );
            report.add([Finding::ok("reach", found)]);
            zone = Some(read);
        }
        let own = create::own();
        let known = Known { zone: zone.as_ref(), own: &own, acme: self.acme(domain) };
        report.records(domain, &create::records(domain, &self.served, &known));
    }

    /// Nobody elsewhere has business with it.
    fn local(&self, domain: &Domain) -> Option<Finding> {
        let name = &domain.name;
        if domain.is_address() || (domain.is_reserved() && !self.named) {
            let found = format!("{name} is for this machine only: DNS is not asked");
            return Some(Finding::ok("dns", found));
        }
        let found = format!("{name}: everything listens on loopback only, so DNS is not asked");
        let mend = "set listen.c2s = [\"[::]:5222\"] to let others in; if something here passes \
                    them on, name a name server with --resolver";
        let lonely = self.served.is_loopback() && !self.named;
        lonely.then(|| Finding::warning("dns", found, mend))
    }

    async fn zone(&self, domain: &Domain, zone: &Zone, report: &mut Report) {
        report.add(srv::judge(zone, &self.served));
        report.add(caa::judge(zone, self.acme(domain)));
        if self.runs {
            self.call(domain, reach::named(zone, &self.served), report).await;
        }
    }

    /// Goes where browsers go: to the host-meta of the domain, and where it leads, and where that
    /// of each listener leads.
    async fn browse(
        &self,
        domain: &Domain,
        dns: &Dns,
        zone: &Zone,
        mut links: Vec<Link>,
        report: &mut Report,
    ) {
        let address = zone.addresses(&domain.ascii).first();
        let wanted = self.public || !self.served.https.is_empty();
        if let Some(address) = address.filter(|_| wanted) {
            let address = SocketAddr::new(*address, host_meta::PORT);
            let as_balancer = self.served.takes_for_balancer(address);
            let ask = Ask { address, host: &domain.ascii, path: "/", as_balancer };
            let (found, named) = host_meta::check(&ask, &domain.name, &self.trust).await;
            report.add(found);
            links.extend(named);
        }
        let links = BTreeSet::from_iter(links);
        let believed = (&self.trust, self.own(domain));
        let follow = async |link| browser::follow(dns, domain, link, &self.served, believed).await;
        report.add(join_all(links.iter().map(follow)).await);
    }

    /// Who issues its certificates, unless the operator puts them there.
    fn acme(&self, domain: &Domain) -> Option<&Acme> {
        let given = self
            .certificates
            .get(&domain.name)
            .is_some_and(|own| own.origin == Origin::Files && own.certificate.is_current());
        let (acme, names) = self.acme.as_ref().filter(|_| !given)?;
        names.contains(&domain.ascii).then_some(acme)
    }

    /// The certificate that this server shows for it.
    fn own(&self, domain: &Domain) -> Option<&CertificateDer<'static>> {
        self.certificates.get(&domain.name).and_then(|own| own.certificate.chain().first())
    }

    /// All at once: who does not answer costs the time of one.
    async fn call(
        &self,
        domain: &Domain,
        places: impl IntoIterator<Item = reach::Place>,
        report: &mut Report,
    ) {
        let own = self.own(domain);
        let call = async |place| reach::call(domain, &place, &self.trust, own).await;
        report.add(join_all(places.into_iter().map(call)).await);
    }
}
