use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An authority, one between, and the certificate that the latter has signed.
pub struct Issued {
    pub root: CertificateDer<'static>,
    pub between: CertificateDer<'static>,
    pub first: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A certificate for a domain.
pub fn issued(domain: &str) -> Issued {
    let key = || KeyPair::generate().unwrap();
    let root =
        CertifiedIssuer::self_signed(authority(&format!("root of {domain}")), key()).unwrap();
    let between = CertifiedIssuer::signed_by(authority("between"), key(), &root).unwrap();
    let own = key();
    let mut params = CertificateParams::new(vec![domain.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, domain);
    let first = params.signed_by(&own, &between).unwrap();
    Issued {
        root: root.der().clone(),
        between: between.der().clone(),
        first: first.der().clone(),
        key: PrivateKeyDer::try_from(own.serialize_der()).unwrap(),
    }
}

/// Believes this authority and nobody else.
pub fn trust(root: &CertificateDer<'static>) -> Trust {
    let mut system = RootCertStore::empty();
    system.add(root.clone()).unwrap();
    Trust { all: Arc::new(system.clone()), system }
}

#[test]
fn a_chain_is_complete_when_it_leads_to_a_known_authority() {
    let Issued { root, between, first, .. } = issued("example.org");
    let known = trust(&root);
    let whole = [first.clone(), between.clone()];
    assert_eq!(known.chain(&whole, "example.org"), Chain::Complete);
    assert_eq!(known.chain(&whole, "example.com"), Chain::Complete, "names are told elsewhere");
    assert_eq!(known.chain(&whole[..1], "example.org"), Chain::Unknown);
    assert_eq!(trust(&issued("other").root).chain(&whole, "example.org"), Chain::Unknown);
    assert!(matches!(known.chain(&[], "example.org"), Chain::Wrong(_)));
    let authority = known.chain(&[between], "example.org");
    assert!(matches!(authority, Chain::Wrong(_)), "{authority:?}");
}
