//! What certificates say, and what it is worth (AT-18).

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, OtherNameValue, SanType,
};
use time::{Duration, OffsetDateTime};

const OID: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn vouches(&self) -> ClientCertificates {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        ClientCertificates::of(roots).unwrap()
    }

    fn signs(&self, params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.0).unwrap().der().clone()
    }
}

fn other(value: OtherNameValue) -> SanType {
    SanType::OtherName((OID.into(), value))
}

fn params(addresses: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let names = addresses.iter().map(|&address| other(address.to_owned().into()));
    params.subject_alt_names = names.collect();
    params
}

fn identities(addresses: &[&str]) -> Vec<String> {
    let authority = Authority::new("a");
    let own = authority.signs(&params(addresses));
    let found = authority.vouches().identities(&[own]);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_addresses_are_those_of_the_alternative_names_rfc6120_13_7_1_4() {
    assert_eq!(identities(&["juliet@capulet.lit"]), ["juliet@capulet.lit"]);
    let several = ["Juliet@capulet.lit", "romeo@montague.lit", "juliet@capulet.lit"];
    assert_eq!(identities(&several), ["juliet@capulet.lit", "romeo@montague.lit"]);
    assert!(identities(&[]).is_empty());
}

#[test]
fn at_18_what_is_no_accounts_address_makes_nothing_of_all() {
    for bad in [
        "capulet.lit",
        "juliet@capulet.lit/balcony",
        "juliet@capulet.lit\0@evil.example",
        "\0",
        "",
        "a@b@capulet.lit",
        "juliet@",
        " juliet@capulet.lit",
    ] {
        assert!(identities(&[bad]).is_empty(), "{bad:?}");
        assert!(identities(&["romeo@capulet.lit", bad]).is_empty(), "{bad:?}");
    }
}

#[test]
fn at_18_common_names_hosts_and_mail_are_no_addresses() {
    let authority = Authority::new("a");
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, "juliet@capulet.lit");
    params.distinguished_name.push(DnType::OrganizationName, "juliet@capulet.lit");
    let host = |name: &str| SanType::DnsName(name.try_into().unwrap());
    params.subject_alt_names = vec![
        host("capulet.lit"),
        host("*.capulet.lit"),
        SanType::Rfc822Name("juliet@capulet.lit".try_into().unwrap()),
        SanType::URI("xmpp:juliet@capulet.lit".try_into().unwrap()),
    ];
    let own = authority.signs(&params);
    assert!(authority.vouches().identities(&[own]).is_empty());
}

/// It names one account, whose name is an asterisk.
#[test]
fn at_18_a_wildcard_is_none() {
    assert_eq!(identities(&["*@capulet.lit"]), ["*@capulet.lit"]);
    assert!(identities(&["juliet@*.capulet.lit"]).is_empty());
}

#[test]
fn at_18_who_is_vouched_for_by_nobody_or_somebody_else_or_no_longer_is_nobody() {
    let (authority, other) = (Authority::new("a"), Authority::new("a"));
    let vouches = authority.vouches();
    let right = params(&["juliet@capulet.lit"]);
    assert_eq!(vouches.identities(&[authority.signs(&right)]).len(), 1);
    assert!(vouches.identities(&[other.signs(&right)]).is_empty(), "somebody of the same name");
    let alone = right.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(vouches.identities(&[alone.der().clone()]).is_empty(), "by itself");
    let (now, mut late, mut early) = (OffsetDateTime::now_utc(), right.clone(), right.clone());
    late.not_before = now - Duration::days(2);
    late.not_after = now - Duration::DAY;
    early.not_before = now + Duration::DAY;
    early.not_after = now + Duration::days(2);
    assert!(vouches.identities(&[authority.signs(&late)]).is_empty(), "expired");
    assert!(vouches.identities(&[authority.signs(&early)]).is_empty(), "not valid yet");
    let mut server = right.clone();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert!(vouches.identities(&[authority.signs(&server)]).is_empty(), "for servers");
    assert!(vouches.identities(&[CertificateDer::from(vec![0x30, 0])]).is_empty());
    assert!(vouches.identities(&[]).is_empty());
}

#[test]
fn at_18_a_value_of_another_type_is_no_address() {
    assert_eq!(address(b"\xa0\x05\x0c\x03a@b").unwrap().to_string(), "a@b");
    for bad in [
        // IA5String, BMPString, no tag around it, another tag, something behind it.
        &b"\xa0\x05\x16\x03a@b"[..],
        b"\xa0\x08\x1e\x06\0a\0@\0b",
        b"\x0c\x03a@b",
        b"\xa1\x05\x0c\x03a@b",
        b"\xa0\x05\x0c\x03a@b\0",
        b"\xa0\x06\x0c\x03a@b\0",
        // Lengths that lie, or are not the shortest; no UTF-8.
        b"\xa0\x05\x0c\x04a@b",
        b"\xa0\x80\x0c\x03a@b\0\0",
        b"\xa0\x05\x0c\x03a@\xff",
        b"\xa0\0",
        b"",
    ] {
        assert_eq!(address(bad), None, "{bad:?}");
    }
}

#[test]
fn at_18_too_many_names_and_chains_that_are_too_long_are_refused() {
    let names: Vec<String> = (0..=CLIENT_IDENTITIES_MAX).map(|n| format!("a{n}@x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(identities(&names[1..]).len(), CLIENT_IDENTITIES_MAX);
    assert!(identities(&names).is_empty());
    let authority = Authority::new("a");
    let (own, asking) = (authority.signs(&params(&["a@x"])), Asking(authority.vouches()));
    let ca = authority.0.der().clone();
    let verify = |others: usize, own: &CertificateDer<'_>| {
        asking.verify_client_cert(own, &vec![ca.clone(); others], UnixTime::now())
    };
    assert!(verify(CLIENT_CHAIN_CERTIFICATES_MAX - 1, &own).is_ok());
    assert!(verify(CLIENT_CHAIN_CERTIFICATES_MAX, &own).is_err());
    assert!(verify(0, &CertificateDer::from(vec![0; CLIENT_CHAIN_BYTES_MAX + 1])).is_err());
}
