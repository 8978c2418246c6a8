use super::*;
use rcgen::{CertificateParams, KeyPair};
use std::path::Path;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// Puts a pair there that is valid for so many days from now on.
fn put(certificate: &Path, key: &Path, names: &[&str], days: i64) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = OffsetDateTime::now_utc() - Duration::days(30);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
    let pair = KeyPair::generate().unwrap();
    fs::create_dir_all(certificate.parent().unwrap()).unwrap();
    fs::write(certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    fs::write(key, pair.serialize_pem()).unwrap();
}

/// A folder with a folder of certificates.
struct Bed(TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        fs::create_dir(bed.path("tls")).unwrap();
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sources(&self, domains: &[&str]) -> Sources {
        let domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        let (folder, data) = (Some(self.path("tls")), self.path(""));
        Sources { domains, pair: None, acme: None, folder, data }
    }

    fn put(&self, name: &str, names: &[&str], days: i64) {
        let key = self.path(&format!("tls/{name}.key"));
        put(&key.with_extension("crt"), &key, names, days);
    }
}

/// The files that the domains are served from.
fn files(certificates: &Certificates) -> Vec<String> {
    let name = |it: &'_ Path| it.file_name().unwrap().to_str().unwrap().to_owned();
    certificates.served.iter().map(|(_, it)| name(&it.file)).collect()
}

#[test]
fn both_layouts_of_a_folder_are_found_and_what_is_no_pair_is_left_alone() {
    let bed = Bed::new();
    bed.put("one", &["a.example"], 30);
    put(&bed.path("tls/two.pem"), &bed.path("tls/two.key"), &["b.example"], 30);
    let certbot = bed.path("tls/c.example");
    put(&certbot.join("fullchain.pem"), &certbot.join("privkey.pem"), &["*.c.example"], 30);
    fs::write(bed.path("tls/README"), "as certbot writes it").unwrap();
    fs::write(bed.path("tls/dhparams.pem"), "whatever").unwrap();
    fs::create_dir(bed.path("tls/archive")).unwrap();
    let sources = bed.sources(&["a.example", "b.example", "chat.c.example"]);
    let loaded = sources.load(None).unwrap();
    assert_eq!(files(&loaded), ["one.crt", "two.pem", "fullchain.pem"]);
    assert!(loaded.troubles.is_empty(), "{:?}", loaded.troubles);
    assert!(!bed.path("self-signed.pem").exists(), "nobody needs it");
}

#[test]
fn a_missing_name_in_one_domain_never_blocks_the_others() {
    let bed = Bed::new();
    bed.put("good", &["a.example"], 30);
    bed.put("bad", &["b.example"], 30);
    fs::write(bed.path("tls/bad.crt"), "no certificate").unwrap();
    fs::write(bed.path("tls/lonely.key"), "no certificate either").unwrap();
    let loaded = bed.sources(&["a.example", "b.example", "c.example"]).load(None).unwrap();
    assert_eq!(files(&loaded), ["good.crt", "self-signed.pem", "self-signed.pem"]);
    assert!(loaded.served[2].1.certificate.covers("b.example"), "one for all that are left");
    let troubles: Vec<_> = loaded.troubles.iter().map(ToString::to_string).collect();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(troubles[0].contains("lonely.key: there is no certificate"), "{troubles:?}");
    assert!(troubles[1].contains("bad.crt: has no certificate in it"), "{troubles:?}");
}

#[test]
fn what_is_valid_is_served_before_what_is_not_and_the_younger_before_the_older() {
    let bed = Bed::new();
    bed.put("expired", &["a.example"], -1);
    let sources = bed.sources(&["a.example"]);
    assert_eq!(files(&sources.load(None).unwrap()), ["expired.crt"], "it is the operator's");
    bed.put("short", &["*.example"], 3);
    bed.put("long", &["a.example"], 30);
    assert_eq!(files(&sources.load(None).unwrap()), ["long.crt"]);
    fs::remove_file(bed.path("tls/long.key")).unwrap();
    assert_eq!(files(&sources.load(None).unwrap()), ["short.crt"]);
}

#[test]
fn a_bad_new_file_leaves_the_old_certificate_in_place() {
    let bed = Bed::new();
    bed.put("one", &["a.example"], 30);
    bed.put("two", &["b.example"], 30);
    let sources = bed.sources(&["a.example", "b.example"]);
    let first = sources.load(None).unwrap();
    // The new certificate is there, its key not yet.
    let other = Bed::new();
    other.put("one", &["a.example"], 60);
    fs::copy(other.path("tls/one.crt"), bed.path("tls/one.crt")).unwrap();
    bed.put("two", &["b.example"], 60);
    let second = sources.load(Some(&first)).unwrap();
    assert!(second.troubles[0].to_string().contains("is not the key of"));
    let served = |it: &Certificates, of: usize| it.served[of].1.certificate.expires;
    assert_eq!(served(&second, 0), served(&first, 0));
    assert!(served(&second, 1) > served(&first, 1), "the other is new");
    fs::copy(other.path("tls/one.key"), bed.path("tls/one.key")).unwrap();
    let third = sources.load(Some(&second)).unwrap();
    assert!(third.troubles.is_empty() && served(&third, 0) > served(&first, 0));
    // Another folder, which is not there.
    let elsewhere = Sources { folder: Some(bed.path("none")), ..sources.clone() };
    let fourth = elsewhere.load(Some(&third)).unwrap();
    assert_eq!(files(&fourth), ["one.crt", "two.crt"]);
    assert!(elsewhere.load(None).unwrap_err().to_string().contains("none: No such file"));
}

#[test]
fn a_file_that_changes_is_noticed() {
    let bed = Bed::new();
    bed.put("one", &["a.example"], 30);
    let sources = bed.sources(&["a.example"]);
    let first = sources.stamps();
    assert_eq!(sources.stamps(), first);
    bed.put("one", &["a.example", "b.example"], 30);
    let second = sources.stamps();
    assert_ne!(second, first);
    bed.put("two", &["c.example"], 30);
    assert_ne!(sources.stamps(), second);
}
