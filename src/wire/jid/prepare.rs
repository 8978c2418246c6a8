//! Preparation of the parts of an address (RFC 7622 §3.2 to §3.4). ASCII, which nearly all
//! addresses are, is checked in one pass and borrowed when it is prepared already.
//!
//! What is prepared is stable: preparing it again changes nothing.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use memchr::memchr;
use precis_core::profile::Profile;
use precis_core::{DerivedPropertyValue, FreeformClass, StringClass};
use precis_profiles::UsernameCaseMapped;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::JidError;

/// The most octets that a part may have after preparation (RFC 7622 §3.1).
const PART_BYTES_MAX: usize = 1023;
/// The most octets worth preparing: no mapping or composition shrinks a text to a fourth.
const RAW_BYTES_MAX: usize = 4 * PART_BYTES_MAX;
/// Octets of a DNS label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Finds the separators (0 for none) of an address that is ASCII and prepared already, which
/// nearly all are. `None` means that it needs a closer look.
pub(super) fn already(text: &str) -> Option<(u16, u16)> {
    let bytes = text.as_bytes();
    let slash = memchr(b'/', bytes);
    let bare = &bytes[..slash.unwrap_or(bytes.len())];
    let resource = slash.map_or(&b"-"[..], |slash| &bytes[slash + 1..]);
    let at = memchr(b'@', bare);
    let local = &bare[..at.unwrap_or_default()];
    let domain = &bare[at.map_or(0, |at| at + 1)..];
    let short = |part: &[u8], max: usize| (1..=max).contains(&part.len());
    let lengths = short(domain, LABEL_BYTES_MAX)
        && short(resource, PART_BYTES_MAX)
        && (at.is_none() || short(local, PART_BYTES_MAX));
    let prepared = lengths
        && local.iter().fold(true, |all, &byte| all & is_plain_local(byte))
        && resource.iter().fold(true, |all, &byte| all & matches!(byte, b' '..=b'~'))
        && is_plain_domain(domain);
    prepared.then_some((at.unwrap_or_default() as u16, slash.unwrap_or_default() as u16))
}

/// ASCII that UsernameCaseMapped leaves as it is and RFC 7622 §3.3.1 allows.
fn is_plain_local(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~')
        && !matches!(byte, b'A'..=b'Z' | b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@')
}

/// Labels of letters and digits, and of hyphens that stand alone between these.
fn is_plain_domain(domain: &[u8]) -> bool {
    let mut alone = true;
    for &byte in domain {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => alone = false,
            b'-' | b'.' if !alone => alone = true,
            _ => return false,
        }
    }
    !alone
}

/// The localpart: UsernameCaseMapped without the characters of RFC 7622 §3.3.1.
pub(super) fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.is_empty() {
        return Err(JidError::LocalEmpty);
    }
    if text.len() > RAW_BYTES_MAX {
        return Err(JidError::LocalTooLong);
    }
    let prepared = match text.is_ascii() {
        true if !text.bytes().all(|byte| byte.is_ascii_graphic()) => None,
        true => Some(lower_case(text)),
        false => username(text),
    };
    let prepared = prepared.ok_or(JidError::LocalForbidden)?;
    if prepared.contains(['"', '&', '\'', '/', ':', '<', '>', '@']) {
        return Err(JidError::LocalForbidden);
    }
    if prepared.len() > PART_BYTES_MAX {
        return Err(JidError::LocalTooLong);
    }
    Ok(prepared)
}

/// The resourcepart: OpaqueString.
pub(super) fn resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.is_empty() {
        return Err(JidError::ResourceEmpty);
    }
    if text.len() > RAW_BYTES_MAX {
        return Err(JidError::ResourceTooLong);
    }
    let prepared = match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_control()) => None,
        true => Some(Cow::Borrowed(text)),
        false => opaque(text),
    };
    let prepared = prepared.ok_or(JidError::ResourceForbidden)?;
    if prepared.len() > PART_BYTES_MAX {
        return Err(JidError::ResourceTooLong);
    }
    Ok(prepared)
}

/// The domainpart: U-labels, lower case, without the final dot; or an IP address.
pub(super) fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    if text.len() > RAW_BYTES_MAX {
        return Err(JidError::DomainTooLong);
    }
    if text.starts_with('[') {
        return ipv6(text).map(Cow::Owned);
    }
    let prepared = if text.is_ascii() && !has_a_label(text) {
        lower_case(text.strip_suffix('.').unwrap_or(text))
    } else {
        Cow::Owned(u_labels(text)?)
    };
    if prepared.is_empty() {
        return Err(JidError::DomainEmpty);
    }
    if prepared.len() > PART_BYTES_MAX {
        return Err(JidError::DomainTooLong);
    }
    prepared.split('.').try_for_each(check_label)?;
    Ok(prepared)
}

/// A name that precis and its Unicode 6.3 know, and that the mapping of later versions leaves so.
fn username(text: &str) -> Option<Cow<'_, str>> {
    let profile = UsernameCaseMapped::new();
    let prepared = profile.enforce(text).ok()?;
    let stable = profile.enforce(&*prepared).is_ok_and(|again| again == prepared);
    stable.then_some(prepared)
}

/// OpaqueString of RFC 8265 §4.2, with the characters that Unicode has got since.
fn opaque(text: &str) -> Option<Cow<'_, str>> {
    Freeform(FreeformClass::default()).allows(text).ok()?;
    let spaced = match text.contains(is_wide_space) {
        true => Cow::Owned(text.replace(is_wide_space, " ")),
        false => Cow::Borrowed(text),
    };
    if is_nfc(&spaced) {
        return Some(spaced);
    }
    let composed: String = spaced.nfc().collect();
    Freeform(FreeformClass::default()).allows(&composed).ok()?;
    Some(Cow::Owned(composed))
}

/// The FreeformClass. precis-core knows Unicode 6.3 and calls all later characters unassigned;
/// those are looked up in a newer table, or else nobody could take the name of a new emoji.
struct Freeform(FreeformClass);

impl StringClass for Freeform {
    fn get_value_from_char(&self, c: char) -> DerivedPropertyValue {
        use GeneralCategoryGroup::{Letter, Mark, Number, Punctuation, Symbol};
        let value = self.0.get_value_from_char(c);
        if value != DerivedPropertyValue::Unassigned || c == '\u{180f}' {
            return value; // U+180F, a variation selector, is to be ignored (RFC 8264 §9.13)
        }
        match c.general_category_group() {
            Letter | Mark | Number | Punctuation | Symbol => DerivedPropertyValue::SpecClassPval,
            _ => value,
        }
    }

    fn get_value_from_codepoint(&self, code: u32) -> DerivedPropertyValue {
        char::from_u32(code)
            .map_or(DerivedPropertyValue::Disallowed, |c| self.get_value_from_char(c))
    }
}

/// A space other than that of ASCII: category Zs.
fn is_wide_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Maps and checks as UTS 46 says; A-labels become U-labels (RFC 7622 §3.2.1).
fn u_labels(text: &str) -> Result<String, JidError> {
    let uts46 = Uts46::new();
    let (name, valid) = uts46.to_unicode(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    valid.map_err(|_| JidError::DomainForbidden)?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    let ascii = uts46
        .to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| JidError::DomainForbidden)?;
    if ascii.split('.').any(|label| label.len() > LABEL_BYTES_MAX) {
        return Err(JidError::DomainTooLong);
    }
    Ok(name.to_owned())
}

fn check_label(label: &str) -> Result<(), JidError> {
    let ldh = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if label.is_empty() || !label.bytes().all(|byte| !byte.is_ascii() || ldh(byte)) {
        return Err(JidError::DomainForbidden);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(JidError::DomainForbidden);
    }
    if label.is_ascii() && label.len() > LABEL_BYTES_MAX {
        return Err(JidError::DomainTooLong);
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<String, JidError> {
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = address.and_then(|text| text.parse::<Ipv6Addr>().ok());
    address.map(|address| format!("[{address}]")).ok_or(JidError::DomainForbidden)
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Borrowed(text)
}

/// Whether a label starts with `xn--`, in any case.
fn has_a_label(text: &str) -> bool {
    text.as_bytes().windows(4).any(|four| four.eq_ignore_ascii_case(b"xn--"))
}
