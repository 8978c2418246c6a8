//! What is found out in the middle of a TLS handshake, when rustls calls back without saying for
//! which connection: the certificate that it serves, and the secret that keys are exported from.
//! The unbuffered side of rustls exports none itself.

use rustls::{KeyLog, SupportedCipherSuite, Tls13CipherSuite, crypto::tls13::OkmBlock};
use std::{cell::RefCell, fmt, sync::Arc};

/// What rustls calls the secret of RFC 8446 §7.5, as the format of key logs does.
const EXPORTER_SECRET: &str = "EXPORTER_SECRET";
/// RFC 9266 §2.
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// RFC 9266 §2.
const EXPORTER_BYTES: usize = 32;

thread_local! {
    /// Of the connection whose records this thread goes through; of none, nothing is kept.
    static UNDER_WAY: RefCell<Option<Found>> = const { RefCell::new(None) };
}

/// What a handshake tells.
#[derive(Default)]
pub(crate) struct Found {
    /// TLS 1.3: what keys are exported from.
    secret: Option<OkmBlock>,
    /// RFC 5929 §4.1, of the certificate that was served.
    end_point: Option<Arc<[u8]>>,
}

/// What binds a channel (RFC 5056), as far as the handshake has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bindings {
    /// RFC 9266.
    pub(crate) exporter: Option<[u8; EXPORTER_BYTES]>,
    /// RFC 5929 §4.1.
    pub(crate) end_point: Option<Arc<[u8]>>,
}

/// Calls what goes through a connection's records. Returns also what rustls has told meanwhile.
pub(crate) fn gather<T>(advance: impl FnOnce() -> T) -> (T, Found) {
    UNDER_WAY.set(Some(Found::default()));
    let done = advance();
    (done, UNDER_WAY.take().unwrap_or_default())
}

/// The certificate of this end point is served to the connection under way.
pub(crate) fn serve(end_point: Option<&Arc<[u8]>>) {
    tell(|found| found.end_point = end_point.cloned());
}

fn tell(what: impl FnOnce(&mut Found)) {
    UNDER_WAY.with_borrow_mut(|under_way| under_way.as_mut().map(what));
}

/// Hears the one secret that is asked for.
pub(crate) struct Exporter;

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

impl KeyLog for Exporter {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == EXPORTER_SECRET && secret.len() <= OkmBlock::MAX_LEN {
            tell(|found| found.secret = Some(OkmBlock::new(secret)));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER_SECRET
    }
}

impl Bindings {
    /// Takes in what was found, and forgets the secret. Both come with the flight that answers
    /// the client's hello.
    pub(crate) fn add(&mut self, found: Found, suite: Option<SupportedCipherSuite>) {
        if let (Some(secret), Some(SupportedCipherSuite::Tls13(suite))) = (found.secret, suite) {
            self.exporter = exported(suite, &secret);
        }
        if found.end_point.is_some() {
            self.end_point = found.end_point;
        }
    }
}

/// RFC 8446 §7.5, with the label and the empty context of RFC 9266 §2.
fn exported(suite: &Tls13CipherSuite, secret: &OkmBlock) -> Option<[u8; EXPORTER_BYTES]> {
    let (hash, hkdf) = (suite.common.hash_provider, suite.hkdf_provider);
    let nothing = hash.hash(b"");
    let nothing = nothing.as_ref();
    let derived = with_label(hash.output_len(), LABEL, nothing, |info| {
        hkdf.expander_for_okm(secret).expand_block(info)
    })?;
    let mut value = [0; EXPORTER_BYTES];
    let expanded = with_label(value.len(), b"exporter", nothing, |info| {
        hkdf.expander_for_okm(&derived).expand_slice(info, &mut value)
    })?;
    expanded.ok().map(|()| value)
}

/// HKDF-Expand-Label (RFC 8446 §7.1): expands so many bytes by this label.
fn with_label<T>(
    length: usize,
    label: &[u8],
    context: &[u8],
    expand: impl FnOnce(&[&[u8]]) -> T,
) -> Option<T> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(length).ok()?.to_be_bytes();
    let labels = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    let contexts = [u8::try_from(context.len()).ok()?];
    Some(expand(&[&length, &labels, PREFIX, label, &contexts, context]))
}
