//! Preparation of the parts of an address (RFC 7622 §3.2 to §3.4). ASCII, which nearly all
//! addresses are, is checked in one pass and borrowed when it is prepared already.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use precis_core::profile::Profile;
use precis_profiles::{OpaqueString, UsernameCaseMapped};

use super::{JidError, PART_BYTES_MAX};

/// Octets of a DNS label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// The localpart: UsernameCaseMapped without the characters of RFC 7622 §3.3.1.
pub(super) fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = match text.is_ascii() {
        true if !text.bytes().all(|byte| byte.is_ascii_graphic()) => None,
        true => Some(lower_case(text)),
        false => UsernameCaseMapped::new().enforce(text).ok(),
    };
    if text.is_empty() {
        return Err(JidError::LocalEmpty);
    }
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
    let prepared = match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_control()) => None,
        true => Some(Cow::Borrowed(text)),
        false => OpaqueString::new().enforce(text).ok(),
    };
    let prepared = prepared.ok_or(JidError::ResourceForbidden)?;
    if prepared.len() > PART_BYTES_MAX {
        return Err(JidError::ResourceTooLong);
    }
    Ok(prepared)
}

/// The domainpart: U-labels, lower case, without the final dot; or an IP address.
pub(super) fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = if text.starts_with('[') {
        Cow::Owned(ipv6(text)?)
    } else if text.is_ascii() && !has_a_label(text) {
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
    if prepared.starts_with('[') {
        return Ok(prepared);
    }
    for label in prepared.split('.') {
        check_label(label)?;
    }
    Ok(prepared)
}

fn check_label(label: &str) -> Result<(), JidError> {
    let ldh = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if label.is_empty() || !label.bytes().all(|byte| !byte.is_ascii() || ldh(byte)) {
        return Err(JidError::DomainForbidden);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(JidError::DomainForbidden);
    }
    if label.len() > LABEL_BYTES_MAX {
        return Err(JidError::DomainTooLong);
    }
    Ok(())
}

/// Maps and checks as UTS 46 says; A-labels become U-labels (RFC 7622 §3.2.1).
fn u_labels(text: &str) -> Result<String, JidError> {
    let (mut name, valid) =
        Uts46::new().to_unicode(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    valid.map_err(|_| JidError::DomainForbidden)?;
    if name.ends_with('.') {
        name.to_mut().pop();
    }
    Ok(name.into_owned())
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
