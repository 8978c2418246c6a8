//! The header of a client's stream (RFC 6120 §4.7, §4.8).

use crate::{settings::Settings, violation::Violation};
use std::borrow::Cow;
use wire::{Bare, Content, Framing, Open, Text, ns};

/// Bytes of the longest `xml:lang` that is remembered; it goes onto every stanza without one.
/// RFC 5646 §4.4.1 expects no tag over 35.
const LANG_BYTES_MAX: usize = 64;
/// The version of XMPP that we speak (§4.7.5).
pub const OURS: &str = "1.0";

/// The domain of ours that it is for. Without `to` it is the one we serve, if it is but one
/// (RFC 6120 §4.7.2 leaves it open).
pub fn domain(open: &Open, settings: &Settings) -> Result<Bare, Violation> {
    let Some(to) = &open.to else {
        let [only] = &settings.domains[..] else { return Err(Violation::HostMissing) };
        return Ok(only.clone());
    };
    let host = Bare::parse(to).ok().filter(|host| host.local().is_none());
    host.filter(|host| settings.serves(host.domain())).ok_or(Violation::HostUnknown)
}

/// Whether it opens a stream that we can speak.
pub fn check(open: &Open, content: Content, framing: Framing) -> Result<(), Violation> {
    let (namespace, name) = match framing {
        Framing::Stream => (ns::STREAM, "stream"),
        Framing::Framed => (ns::FRAMING, "open"),
    };
    if open.ns != namespace {
        return Err(Violation::StreamNamespace);
    }
    if open.name != name {
        return Err(Violation::RootNotStream);
    }
    // Content may come prefixed, and the stream without prefix (§4.8.5): then the default
    // namespace is absent, or the stream's own.
    let default = open.default_ns.as_deref().unwrap_or(content.ns());
    match &*open.prefix {
        "" => {}
        "stream" if default == content.ns() => {}
        "stream" => return Err(Violation::ContentNamespace),
        _ => return Err(Violation::StreamPrefix),
    }
    (version(open.version.as_deref()).as_deref() == Some(OURS))
        .then_some(())
        .ok_or(Violation::VersionTooLow)
}

/// The version that both speak: the lower one, with numbers compared as numbers; none when the
/// peer says none that is a version (§4.7.5). Below 1.0 there are no features, so neither TLS nor
/// SASL, and nothing is left that could be spoken.
pub fn version(theirs: Option<&str>) -> Option<Cow<'static, str>> {
    let theirs = theirs?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = theirs.split_once('.')?;
    if !digits(major) || !digits(minor) {
        return None;
    }
    if !major.trim_start_matches('0').is_empty() {
        return Some(OURS.into());
    }
    // Leading zeros are never sent.
    let minor = match minor.trim_start_matches('0') {
        "" => "0",
        minor => minor,
    };
    Some(format!("0.{minor}").into())
}

/// The language of stanzas that do not say theirs (§4.7.4).
pub fn lang(open: &Open) -> Option<Text> {
    let tag = |lang: &&Text| {
        let plain = lang.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && (1..=LANG_BYTES_MAX).contains(&lang.len())
    };
    // A slice of its own: what the decoder gave may hold the whole header.
    open.lang.as_ref().filter(tag).map(|lang| Text::from(lang.to_string()))
}

/// Whom it comes from, as it says.
pub fn from(open: &Open) -> Option<Bare> {
    let jid = wire::Jid::parse(open.from.as_deref()?).ok()?;
    Some(jid.bare())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rfc6120_4_7_5() {
        for good in ["1.0", "1.1", "01.00", "2.0", "99999999999999999999.0"] {
            assert_eq!(version(Some(good)).as_deref(), Some("1.0"), "{good}");
        }
        for (low, answer) in [
            ("0.9", "0.9"),
            ("0.0", "0.0"),
            ("0.00", "0.0"),
            ("00.9", "0.9"),
            ("0.09", "0.9"),
            ("0.10", "0.10"),
        ] {
            assert_eq!(version(Some(low)).as_deref(), Some(answer), "{low}");
        }
        for bad in ["", "1", "1.", ".0", "1.0.0", "one", "-1.0", "+1.0"] {
            assert_eq!(version(Some(bad)), None, "{bad}");
        }
        assert_eq!(version(None), None);
    }
}
