//! The rows of credentials: one per hash.

use engine::unit::{Credentials, ScramKeys};

const SHA1: &str = "SCRAM-SHA-1";
const SHA256: &str = "SCRAM-SHA-256";
const SHA512: &str = "SCRAM-SHA-512";

/// The mechanisms that are there, with their keys.
pub(crate) fn rows(of: &Credentials) -> impl Iterator<Item = (&'static str, &ScramKeys)> {
    [(SHA1, &of.sha1), (SHA256, &of.sha256), (SHA512, &of.sha512)]
        .into_iter()
        .filter_map(|(mechanism, keys)| Some((mechanism, keys.as_ref()?)))
}

/// Puts a row in its place. One of a mechanism that this program does not know is left alone.
pub(crate) fn put(into: &mut Credentials, mechanism: &str, keys: ScramKeys) {
    match mechanism {
        SHA1 => into.sha1 = Some(keys),
        SHA256 => into.sha256 = Some(keys),
        SHA512 => into.sha512 = Some(keys),
        _ => {}
    }
}
