use super::*;

const DAY: i64 = 86_400;
/// RFC 8737 §6.1.
const IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

fn acme(folder: &std::path::Path) -> Acme {
    Acme {
        directory: "https://ca.example/directory".to_owned(),
        contact: None,
        domains: Vec::new(),
        challenges: vec![Challenge::Http, Challenge::Tls],
        root: None,
        folder: folder.into(),
    }
}

/// A certificate that began so many days ago and expires in so many.
fn certificate(age: i64, left: i64) -> Certificate {
    use rcgen::{CertificateParams, KeyPair};
    let folder = tempfile::tempdir().unwrap();
    let (file, key) = (folder.path().join("crt"), folder.path().join("key"));
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::days(age);
    params.not_after = now + time::Duration::days(left);
    let pair = KeyPair::generate().unwrap();
    std::fs::write(&file, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    Certificate::read(&file, &key).unwrap()
}

#[test]
fn who_has_a_name_in_dns_gets_a_certificate_unless_the_operator_says_who() {
    let mut acme = acme("".as_ref());
    let served = ["localhost", "192.0.2.1", "[2001:db8::1]", "a.example", "bücher.example"];
    let served = served.map(ToOwned::to_owned);
    assert_eq!(acme.wanted(&served), ["a.example", "xn--bcher-kva.example"]);
    acme.domains = vec!["upload.bücher.example".to_owned()];
    assert_eq!(acme.wanted(&served), ["upload.xn--bcher-kva.example"]);
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let acme = acme(folder.path());
    assert!(acme.is_due("a.example", None));
    assert!(!acme.is_due("a.example", Some(&certificate(59, 31))));
    assert!(acme.is_due("a.example", Some(&certificate(61, 29))));
    assert!(acme.is_due("a.example", Some(&certificate(90, -1))));
}

#[test]
fn who_fails_waits_longer_each_time_also_after_a_restart_and_never_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let acme = acme(folder.path());
    let mut failure = None;
    let mut pauses = Vec::new();
    for _ in 0..40 {
        let next = Failure::after(failure, 1_000, "why".to_owned());
        pauses.push(next.next - 1_000);
        failure = Some(next);
    }
    assert_eq!(pauses[..4], [120, 240, 480, 960]);
    assert!(pauses[10..].iter().all(|pause| *pause == ACME_BACKOFF_SECONDS_MAX));
    // It was written while the clock was years ahead, and may not count for so long.
    let ahead = Failure { next: now() + 1_000 * DAY, ..failure.unwrap() };
    assert_eq!(ahead.due(1_000), 1_000 + ACME_BACKOFF_SECONDS_MAX);
    acme.shelf().set_failure("a.example", Some(&ahead));
    assert_eq!(acme.failure("a.example"), Some(ahead));
    assert!(!acme.is_due("a.example", None) && acme.is_due("b.example", None));
    acme.shelf().set_failure("a.example", None);
    assert!(acme.is_due("a.example", None));
}

#[test]
fn each_failure_tries_the_next_challenge() {
    let mut acme = acme("".as_ref());
    let ways: Vec<_> = (0..3).map(|failures| acme.challenge(failures)).collect();
    assert_eq!(ways, [Challenge::Http, Challenge::Tls, Challenge::Http]);
    acme.challenges = vec![Challenge::Tls];
    assert_eq!(acme.challenge(7), Challenge::Tls);
}

#[test]
fn what_an_authority_gave_is_kept_apart_from_others_and_read_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let one = acme(folder.path());
    let other = Acme { directory: "https://staging.ca.example/directory".into(), ..one.clone() };
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let (chain, key) = (params.self_signed(&pair).unwrap().pem(), pair.serialize_pem());
    one.shelf().put("a.example", &chain, &key).unwrap();
    let kept = one.shelf().pair("a.example");
    assert!(kept.certificate.exists() && !other.shelf().pair("a.example").certificate.exists());
    let mode = |file: &std::path::Path| file.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&kept.key), mode(&kept.certificate)], [0o600; 2]);
    assert_eq!(mode(kept.key.parent().unwrap()), 0o700);
    // What cannot be served does not take the place of what can.
    let foreign = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert!(one.shelf().put("a.example", &chain, &foreign).is_err());
    assert_eq!(std::fs::read_to_string(&kept.key).unwrap(), key);
}

#[test]
fn a_challenge_is_answered_only_while_it_is_expected() {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let challenges = std::sync::Arc::<Challenges>::default();
    let asked = challenges.expect_request("token", "token.thumb");
    let shaken = challenges.expect_handshake("a.example", &[7; 32]).unwrap();
    assert_eq!(challenges.answer("token").as_deref(), Some("token.thumb"));
    assert_eq!(challenges.answer("other"), None);
    assert!(challenges.certificate("b.example").is_none());
    let key = challenges.certificate("a.example").unwrap();
    let (_, x509) = X509Certificate::from_der(&key.cert[0]).unwrap();
    // RFC 8737 §3: critical, and the digest as an octet string.
    let identifier = x509.extensions().iter().find(|it| it.oid.to_id_string() == IDENTIFIER);
    let identifier = identifier.unwrap();
    assert!(identifier.critical && identifier.value == [&[4, 32][..], &[7; 32]].concat());
    drop((asked, shaken));
    assert!(challenges.answer("token").is_none() && challenges.certificate("a.example").is_none());
}
