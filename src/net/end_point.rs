//! The channel binding `tls-server-end-point`: a hash of the server's certificate (RFC 5929 §4).

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::sync::Arc;
use x509_parser::{
    oid_registry::{
        OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512,
        OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA,
        OID_PKCS1_SHA224WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA,
        OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA224, OID_SIG_ECDSA_WITH_SHA256,
        OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512,
    },
    prelude::{FromDer, X509Certificate},
    signature_algorithm::SignatureAlgorithm,
    x509::AlgorithmIdentifier,
};

/// What binds a channel to this certificate. None when its signature names no hash function, as
/// Ed25519 does not: then RFC 5929 §4.1 leaves it undefined.
pub(crate) fn end_point(der: &[u8]) -> Option<Arc<[u8]>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let signed = &certificate.signature_algorithm;
    Some(match hash(signed)? {
        Hash::Sha224 => Sha224::digest(der).as_slice().into(),
        Hash::Sha256 => Sha256::digest(der).as_slice().into(),
        Hash::Sha384 => Sha384::digest(der).as_slice().into(),
        Hash::Sha512 => Sha512::digest(der).as_slice().into(),
    })
}

#[derive(Clone, Copy)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The hash function of a signature. In the place of MD5 and SHA-1 stands SHA-256 (§4.1).
fn hash(signed: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    let of = &signed.algorithm;
    if *of == OID_PKCS1_RSASSAPSS {
        let Ok(SignatureAlgorithm::RSASSA_PSS(params)) = SignatureAlgorithm::try_from(signed)
        else {
            return None;
        };
        let by = params.hash_algorithm_oid();
        return [
            (OID_HASH_SHA1, Hash::Sha256),
            (OID_NIST_HASH_SHA256, Hash::Sha256),
            (OID_NIST_HASH_SHA384, Hash::Sha384),
            (OID_NIST_HASH_SHA512, Hash::Sha512),
        ]
        .into_iter()
        .find_map(|(oid, hash)| (*by == oid).then_some(hash));
    }
    [
        (OID_PKCS1_SHA256WITHRSA, Hash::Sha256),
        (OID_SIG_ECDSA_WITH_SHA256, Hash::Sha256),
        (OID_SIG_ECDSA_WITH_SHA384, Hash::Sha384),
        (OID_PKCS1_SHA384WITHRSA, Hash::Sha384),
        (OID_PKCS1_SHA512WITHRSA, Hash::Sha512),
        (OID_SIG_ECDSA_WITH_SHA512, Hash::Sha512),
        (OID_PKCS1_SHA224WITHRSA, Hash::Sha224),
        (OID_SIG_ECDSA_WITH_SHA224, Hash::Sha224),
        (OID_PKCS1_SHA1WITHRSA, Hash::Sha256),
        (OID_PKCS1_MD5WITHRSAENC, Hash::Sha256),
    ]
    .into_iter()
    .find_map(|(oid, hash)| (*of == oid).then_some(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use rcgen::{PKCS_ED25519, SignatureAlgorithm};

    fn signed(by: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(by).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature_rfc5929_4_1() {
        let short = signed(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(*end_point(&short).unwrap(), *Sha256::digest(&short));
        let long = signed(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(*end_point(&long).unwrap(), *Sha384::digest(&long));
    }

    #[test]
    fn a_signature_without_a_hash_binds_nothing_rfc5929_4_1() {
        assert_eq!(end_point(&signed(&PKCS_ED25519)), None);
        assert_eq!(end_point(b"no certificate"), None);
    }
}
