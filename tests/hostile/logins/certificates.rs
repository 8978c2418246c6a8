//! AT-18, and AT-10 by EXTERNAL: certificates of clients that name others, or are worth nothing.
//!
//! Who comes by a port of HTTPS is not asked for one: a browser would ask its user which to show.
//! So over WebSocket and BOSH there is nobody whom a certificate could name, and a good one is as
//! little use there as a bad one.

use super::{Doors, Intruder, Profile, SETTINGS, encoded, plain, siege::Siege};
use crate::{
    server::{Server, folder},
    watch::{log, until},
};
use conformance::{
    actor::Next,
    driver::{Patience, Transport},
    tls,
    tree::Tree,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, OtherNameValue, SanType, date_time_ymd,
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_rustls::rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

type Authority = CertifiedIssuer<'static, KeyPair>;
type Change = fn(&mut CertificateParams);

const ROMEO: &str = "romeo@localhost";
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];
const NOT_OFFERED: (&str, &str) = ("none", "invalid-mechanism");
const NOT_ONESELF: (&str, &str) = ("EXTERNAL", "invalid-authzid");
/// More than anybody needs, and less than a record of TLS.
const NAMES: usize = 300;

/// What a client shows, and how often it was asked for it.
#[derive(Debug)]
struct Own {
    shown: Arc<CertifiedKey>,
    asked: AtomicUsize,
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Some(self.shown.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn address(name: &str) -> SanType {
    SanType::OtherName((XMPP_ADDR.into(), OtherNameValue::from(name.to_owned())))
}

/// A certificate that names these addresses, but for what is changed.
fn params(addresses: &[&str], change: Change) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = addresses.iter().map(|name| address(name)).collect();
    change(&mut params);
    params
}

fn own(mut chain: Vec<CertificateDer<'static>>, key: &KeyPair, others: &[&Authority]) -> Own {
    chain.extend(others.iter().map(|other| other.der().clone()));
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let shown = Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap()));
    Own { shown, asked: AtomicUsize::new(0) }
}

fn signed(params: &CertificateParams, by: &Authority) -> Own {
    let key = KeyPair::generate().unwrap();
    own(vec![params.signed_by(&key, by).unwrap().der().clone()], &key, &[])
}

/// What names nobody at localhost, though somebody may vouch for it.
fn worthless(ours: &Authority) -> Vec<(&'static str, Own)> {
    let right = params(&[ROMEO], |_| {});
    let key = KeyPair::generate().unwrap();
    let alone = right.self_signed(&key).unwrap().der().clone();
    let named = |name, addresses: &[&str], change| (name, signed(&params(addresses, change), ours));
    vec![
        ("somebody else's", signed(&right, &authority())),
        ("its own", own(vec![alone], &key, &[])),
        named("expired", &[ROMEO], |it| it.not_after = date_time_ymd(2020, 1, 1)),
        named("not valid yet", &[ROMEO], |it| it.not_before = date_time_ymd(2500, 1, 1)),
        named("a server's", &[ROMEO], |it| {
            it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        named("a common name", &[], |it| it.distinguished_name.push(DnType::CommonName, ROMEO)),
        named("two in one", &[], |it| {
            it.distinguished_name.push(DnType::CommonName, "CN=romeo@localhost,CN=x");
        }),
        named("NUL in the common name", &[], |it| {
            it.distinguished_name.push(DnType::CommonName, "romeo@localhost\0.evil.example");
        }),
        named("NUL in the address", &["romeo@localhost\0.evil.example"], |_| {}),
        named("a host, mail and a URI", &[], |it| {
            it.subject_alt_names = vec![
                SanType::DnsName("localhost".try_into().unwrap()),
                SanType::DnsName("*.localhost".try_into().unwrap()),
                SanType::Rfc822Name(ROMEO.try_into().unwrap()),
                SanType::URI("xmpp:romeo@localhost".try_into().unwrap()),
            ];
        }),
        named("another domain", &["romeo@other.localhost", "romeo@evil.example"], |_| {}),
        named("a full JID", &["romeo@localhost/phone"], |_| {}),
        named("the domain itself", &["localhost"], |_| {}),
        named("one of them malformed", &[ROMEO, "a@b@localhost"], |_| {}),
        named("too many names", &[], |it| {
            it.subject_alt_names = (0..NAMES).map(|n| address(&format!("a{n}@x"))).collect();
            it.subject_alt_names.push(address(ROMEO));
        }),
    ]
}

/// The same who shows this.
fn shows(over: Transport, doors: Doors, own: &Arc<Own>) -> Intruder {
    let config = tls::showing(own.clone()).unwrap();
    Intruder::by(over, true, doors.driver_by(over, true, config))
}

fn is_offered(features: &Tree) -> bool {
    super::seen(features).mechanisms.iter().any(|name| name == "EXTERNAL")
}

impl Intruder {
    /// Everything that went on is that one's who came before.
    fn follows(mut self, before: &mut Intruder) {
        before.told.refused.append(&mut self.told.refused);
    }

    fn external(&mut self, profile: Profile, authzid: &str) -> Tree {
        // Only RFC 6120 §6.4.2 has a word for nothing.
        let nothing = profile == Profile::Rfc6120 && authzid.is_empty();
        let message = if nothing { "=".to_owned() } else { encoded(authzid) };
        self.login(profile, "EXTERNAL", &message, "")
    }

    /// EXTERNAL is neither offered nor taken, and a password is as good as ever.
    fn is_nobody(&mut self, name: &str) {
        assert!(!is_offered(&self.connect()), "{:?}: {name}", self.over);
        for (profile, authzid) in [(Profile::Rfc6120, ""), (Profile::Xep0388, ROMEO)] {
            let said = self.external(profile, authzid);
            self.refused(&said, "invalid-mechanism", NOT_OFFERED);
        }
        let said = self.login(Profile::Rfc6120, "PLAIN", &plain("", super::PASSWORD), "");
        self.succeeded(&said);
    }

    /// A good certificate, for the accounts that it names.
    fn is_romeo(&mut self) {
        assert!(is_offered(&self.connect()), "{:?}", self.over);
        for profile in Profile::ALL {
            for own in ["", ROMEO, "ROMEO@LOCALHOST"] {
                let said = self.external(profile, own);
                self.succeeded(&said);
            }
            for other in
                ["juliet@localhost", "romeo@other.localhost", "romeo@localhost/phone", "localhost"]
            {
                let said = self.external(profile, other);
                self.refused(&said, "invalid-authzid", NOT_ONESELF);
            }
        }
        // At another domain it names nobody.
        self.header("to='other.localhost'");
        assert!(!is_offered(&self.features()));
        let said = self.begin(Profile::Rfc6120, "EXTERNAL", "=", "");
        self.refused(&said, "invalid-mechanism", NOT_OFFERED);
    }

    /// Whether the handshake, or the first word behind it, is the end.
    fn is_shaken_off(&mut self) -> bool {
        self.actor.cut(&mut *self.driver);
        if self.actor.connect(&mut *self.driver).is_err() {
            return true;
        }
        if self.over == Transport::Tcp {
            self.actor.open(&mut *self.driver).unwrap();
            if self.actor.start_tls(&mut *self.driver).is_err() {
                return true;
            }
        }
        self.again("to='localhost'");
        self.actor.next(&mut *self.driver, Patience::Answer).unwrap() == Next::End
    }
}

/// Shows all that there is, one after the other; how often a handshake was refused.
fn shows_all(before: &mut Intruder, doors: Doors, ours: &Authority) -> usize {
    let (over, mut refused) = (before.over, 0);
    let romeo = signed(&params(&[ROMEO], |_| {}), ours);
    let asks = before.is_on_tcp();
    for (name, own) in worthless(ours) {
        let own = Arc::new(own);
        let mut intruder = shows(over, doors, &own);
        intruder.is_nobody(name);
        assert_eq!(own.asked.load(Ordering::Relaxed) > 0, asks, "{over:?}");
        intruder.follows(before);
    }
    let mut intruder = shows(over, doors, &Arc::new(romeo));
    match asks {
        true => intruder.is_romeo(),
        false => intruder.is_nobody("a good one, which is not asked for"),
    }
    intruder.follows(before);
    let mut several = shows(
        over,
        doors,
        &Arc::new(signed(&params(&[ROMEO, "juliet@localhost", "*@localhost"], |_| {}), ours)),
    );
    let key = KeyPair::generate().unwrap();
    let leaf = params(&[ROMEO], |_| {}).signed_by(&key, ours).unwrap().der().clone();
    let chain = |others: usize| own(vec![leaf.clone()], &key, &vec![ours; others]);
    let big = params(&[ROMEO], |it| {
        it.subject_alt_names.extend((0..10_000).map(|n| address(&format!("a{n}@x"))));
    });
    if asks {
        for (authzid, own) in [("", false), ("juliet@localhost", true), (ROMEO, true)] {
            let said = several.external(Profile::Xep0388, authzid);
            match own {
                true => several.succeeded(&said),
                false => several.refused(&said, "invalid-authzid", NOT_ONESELF),
            }
        }
        // That account is of nobody, though an authority was so careless.
        let said = several.external(Profile::Rfc6120, "*@localhost");
        several.refused(&said, "not-authorized", ("EXTERNAL", "not-authorized"));
    }
    several.follows(before);
    for own in [chain(8), chain(100), signed(&big, ours)] {
        let mut intruder = shows(over, doors, &Arc::new(own));
        let off = asks && intruder.is_shaken_off();
        assert_eq!(off, asks, "{over:?}");
        refused += usize::from(off);
        intruder.follows(before);
    }
    refused
}

#[tokio::test]
async fn at_18_a_certificate_is_worth_what_it_names_and_who_vouches_for_it_whatever_the_way_in() {
    let more = format!("{SETTINGS}[auth]\nclient_certificates = \"clients.pem\"\n");
    let (ours, folder) = (Arc::new(authority()), folder(&more));
    fs::write(folder.path().join("clients.pem"), ours.pem()).unwrap();
    let mut siege = Siege::of(Server::start_in(folder).await).await;
    let doors = Doors::of(&siege.server);
    let refused = siege.bears(move |before| shows_all(before, doors, &ours)).await;
    assert_eq!(refused, [3, 3, 0, 0]);

    let failed = "waxwing_handshakes_total{outcome=\"failed\"} 6";
    let server = siege.server.clone();
    until(failed, async || server.get("/metrics").await.lines().any(|line| line == failed)).await;
    let told = |line: &&str| {
        line.contains(r#""connection closed","peer":"127.0.0.1:"#)
            && line.contains(r#""kind":"handshake","why":""#)
    };
    until("six are in the log", async || log(&server).lines().filter(told).count() >= 6).await;
    assert_eq!(log(&server).lines().filter(told).count(), 6);
    siege.ends().await;
}
