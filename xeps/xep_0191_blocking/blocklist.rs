//! The addresses that an account has blocked: how they are kept, and whom they match.

use super::BLOCKED;
use base64::{Engine, engine::general_purpose::STANDARD};
use engine::{cells::Cells, unit::KEY_BYTES_MAX, wire::*};
use sha1::{Digest, Sha1};
use std::borrow::Cow;

/// Whether nobody is blocked.
pub fn is_empty(cells: &Cells) -> bool {
    cells.count(BLOCKED) == 0
}

/// Whether this very address stands in the list.
pub fn has(cells: &Cells, jid: &str) -> bool {
    cells.get(BLOCKED, &key(jid)).is_some()
}

/// The list.
pub fn items(cells: &Cells) -> Vec<&str> {
    let jid = |(key, value)| match std::str::from_utf8(value) {
        Ok(jid) if !jid.is_empty() => jid,
        _ => key,
    };
    cells.of(BLOCKED).map(jid).collect()
}

/// Whether the list of this account forbids to hear of `other`.
pub fn blocks(cells: &Cells, account: &Bare, other: &Jid) -> bool {
    !is_own(account, other) && matches(other, |jid| has(cells, jid))
}

/// Itself with its resources, and its host.
pub fn is_own(account: &Bare, other: &Jid) -> bool {
    let same_local = other.local().is_none() || other.local() == account.local();
    same_local && other.domain() == account.domain()
}

/// Section 6: itself, the account without resource, the domain. Of the forms of an address that
/// are asked for, `domain/resource` is that of such an address only.
pub fn matches(jid: &Jid, has: impl Fn(&str) -> bool) -> bool {
    let text = jid.as_str();
    let bare = text.len() - jid.resource().map_or(0, |resource| resource.len() + 1);
    has(text)
        || (!jid.is_bare() && has(&text[..bare]))
        || (jid.local().is_some() && has(jid.domain()))
}

/// Where and how an address is kept. The value is empty when the key says it all.
pub fn cell(jid: &Jid) -> (Cow<'_, str>, Vec<u8>) {
    match key(jid.as_str()) {
        Cow::Borrowed(key) => (key.into(), Vec::new()),
        hashed => (hashed, jid.as_str().into()),
    }
}

/// The address, or what no address is when that is longer than a key may be.
pub fn key(jid: &str) -> Cow<'_, str> {
    match jid.len() <= KEY_BYTES_MAX {
        true => jid.into(),
        false => format!("sha1 {}", STANDARD.encode(Sha1::digest(jid))).into(),
    }
}
