use super::*;
use crate::check::{
    domain::Domain,
    finding::Level::{self, Ok as Fine, Problem, Warning},
    records::{Kind, Record, fake::Fake},
};

const C2S: &str = "_xmpp-client._tcp.example.org";
const C2S_TLS: &str = "_xmpps-client._tcp.example.org";

fn served() -> Served {
    Served {
        c2s: vec!["[::]:5222".parse().unwrap()],
        c2s_tls: vec!["[::]:5223".parse().unwrap()],
        ..Served::default()
    }
}

fn only_direct() -> Served {
    Served { https: vec!["0.0.0.0:443".parse().unwrap()], ..Served::default() }
}

/// A zone in which all is well.
fn zone() -> Fake {
    Fake::default()
        .srv(C2S, 5222, "x.example.org")
        .srv(C2S_TLS, 5223, "x.example.org")
        .address("x.example.org", &["198.51.100.1", "2001:db8::1"])
        .address("example.org", &["198.51.100.1"])
}

async fn judged(fake: Fake, served: &Served) -> Vec<Finding> {
    let services = [Service::Client, Service::ClientTls];
    judge(&Zone::read(&fake, &Domain::of("example.org"), &services).await, served)
}

async fn worst(fake: Fake, served: &Served) -> (Level, String) {
    let worst = judged(fake, served).await.into_iter().max_by_key(|finding| finding.level);
    worst.map(|worst| (worst.level, worst.to_string())).unwrap()
}

#[tokio::test]
async fn a_zone_that_leads_here_is_well() {
    let findings = judged(zone(), &served()).await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.level == Fine), "{findings:?}");
    assert!(findings[0].found.contains("clients go to x.example.org:5222, priority 0"));
}

#[tokio::test]
async fn without_records_clients_fall_back_to_the_domain_rfc6120_3_2_2() {
    let fake = || Fake::default().address("example.org", &["198.51.100.1"]);
    let (level, said) = worst(fake(), &served()).await;
    assert_eq!(level, Warning, "{said}");
    let found = judged(fake(), &served()).await;
    assert!(found[0].found.contains("fall back to example.org:5222"), "{found:?}");
    let moved = Served { c2s: vec!["0.0.0.0:5555".parse().unwrap()], ..Served::default() };
    let (level, said) = worst(fake(), &moved).await;
    assert_eq!(level, Problem, "{said}");
    assert!(said.contains("try example.org:5222, not a port of listen.c2s"), "{said}");
    let (level, said) = worst(Fake::default(), &served()).await;
    assert_eq!(level, Problem, "{said}");
}

#[tokio::test]
async fn direct_tls_alone_wants_its_record_xep_0368() {
    let fake = || Fake::default().address("example.org", &["198.51.100.1"]);
    assert_eq!(worst(fake(), &only_direct()).await.0, Problem);
    let found = fake().srv(C2S_TLS, 443, "example.org").srv(C2S, 0, "");
    assert_eq!(worst(found, &only_direct()).await.0, Fine);
}

#[tokio::test]
async fn a_dot_says_that_the_service_is_not_there_rfc2782() {
    let (level, said) = worst(zone().srv(C2S, 0, ""), &served()).await;
    assert_eq!(level, Warning, "there is direct TLS: {said}");
    let (level, said) = worst(zone().srv(C2S, 0, "").srv(C2S_TLS, 0, ""), &served()).await;
    assert_eq!(level, Problem, "{said}");
    let srv =
        |port, target: &str| Record::Srv(Srv { priority: 0, port, target: target.to_owned() });
    let both = zone().with(C2S, Kind::Srv, &[srv(0, ""), srv(5222, "x.example.org")]);
    assert_eq!(worst(both, &served()).await.0, Problem);
}

#[tokio::test]
async fn records_for_what_is_not_served_lead_nowhere() {
    let served = Served { c2s_tls: Vec::new(), ..served() };
    let (level, said) = worst(zone(), &served).await;
    assert_eq!(level, Problem);
    assert!(said.contains("listen.c2s_tls is empty"), "{said}");
}

#[tokio::test]
async fn a_target_wants_an_address_of_its_own_rfc2782() {
    let (level, said) = worst(zone().address("x.example.org", &[]), &served()).await;
    assert_eq!((level, said.contains("has no address")), (Problem, true), "{said}");
    let alias = Record::Alias("y.example.org".to_owned());
    let address = Record::Address("198.51.100.1".parse().unwrap());
    let alias = zone().with("x.example.org", Kind::Address, &[alias, address]);
    let (level, said) = worst(alias, &served()).await;
    assert_eq!((level, said.contains("CNAME")), (Warning, true), "{said}");
}

#[tokio::test]
async fn ports_and_families_must_be_listened_to() {
    let (level, said) = worst(zone().srv(C2S, 5333, "x.example.org"), &served()).await;
    assert_eq!(level, Warning);
    assert!(said.contains("5333") && said.contains("passes it on to port 5222"), "{said}");
    let four = Served { c2s: vec!["0.0.0.0:5222".parse().unwrap()], ..served() };
    let (level, said) = worst(zone(), &four).await;
    assert_eq!(level, Warning);
    assert!(said.contains("listen.c2s hears no IPv6 there"), "{said}");
}

#[tokio::test]
async fn addresses_of_one_network_are_suspect() {
    for private in ["127.0.0.1", "192.168.1.2", "100.64.0.1", "fe80::1", "fd00::1"] {
        let (level, said) = worst(zone().address("x.example.org", &[private]), &served()).await;
        assert_eq!((level, said.contains(private)), (Warning, true), "{said}");
    }
}

#[tokio::test]
async fn txt_records_of_xmppconnect_are_given_up_xep_0156() {
    let text = Record::Txt("_xmpp-client-xbosh=http://example.org".to_owned());
    let fake = zone().with("_xmppconnect.example.org", Kind::Txt, &[text]);
    let (level, said) = worst(fake, &served()).await;
    assert_eq!((level, said.contains("_xmppconnect")), (Warning, true), "{said}");
}

#[tokio::test]
async fn a_name_server_that_fails_is_not_one_that_is_silent() {
    let failed = Unanswered::Failed("SERVFAIL".to_owned());
    let (level, said) = worst(zone().unanswered(C2S, Kind::Srv, failed), &served()).await;
    assert_eq!((level, said.contains("SERVFAIL")), (Problem, true), "{said}");
    let silent = Unanswered::Silent("timed out".to_owned());
    let (level, said) = worst(zone().unanswered(C2S, Kind::Srv, silent), &served()).await;
    assert_eq!((level, said.contains("--no-network")), (Warning, true), "{said}");
}
