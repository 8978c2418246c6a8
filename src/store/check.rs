//! What no store takes, whatever its engine would say.

use engine::{
    port::Fault,
    unit::{Change, KEY_BYTES_MAX, Unit},
    wire::Bare,
};

/// The longest address of a roster item, in bytes. Every bare one fits (RFC 7622 §3.1); an index
/// row of PostgreSQL holds 2,704 bytes.
pub const ROSTER_JID_BYTES_MAX: usize = 2_048;

/// A refusal: nothing of it happened.
pub(crate) fn refused(why: impl Into<String>) -> Fault {
    Fault::Refused(why.into())
}

/// The refusal of what only an account can have.
pub(crate) fn no_account() -> Fault {
    refused("there is no such account")
}

/// The refusal of a second account, or one in place of a room.
pub(crate) fn exists() -> Fault {
    refused("the account exists already")
}

/// The refusal of an entry or cell of what has no log.
pub(crate) fn no_log() -> Fault {
    refused("there is no such account or room")
}

/// The refusal of a change that builds on what a cell is, and it is not.
pub(crate) fn other_cell() -> Fault {
    refused("the cell is not what it was")
}

/// The refusal of a change to what is kept of a password that is another one by now.
pub(crate) fn other_password() -> Fault {
    refused("there is no such account, or it has another password by now")
}

/// Whether a log is made when it is first written to: that of a host, which has no local part.
pub(crate) fn is_host(of: &Bare) -> bool {
    of.local().is_none()
}

/// Looks a unit through before the database sees it.
///
/// # Errors
/// `Refused` for what is too long or has a character that a database cannot hold.
pub(crate) fn check(unit: &Unit) -> Result<(), Fault> {
    for entry in &unit.entries {
        check_text(entry.foreign_id.as_deref().unwrap_or(""))?;
    }
    unit.changes.iter().try_for_each(check_change)
}

fn check_change(change: &Change) -> Result<(), Fault> {
    match change {
        Change::Create(account, _) if is_host(account) => {
            Err(refused("an account has a local part"))
        }
        Change::Create(_, given)
        | Change::Password(_, given)
        | Change::Upgrade(_, given)
        | Change::Rehash(_, given) => check_text(given.argon2id.as_deref().unwrap_or("")),
        Change::Roster(_, item) => {
            check_jid(item.jid.as_str())?;
            item.name.iter().chain(&item.groups).try_for_each(|word| check_text(word))
        }
        Change::Unroster(_, jid, _) => check_jid(jid.as_str()),
        Change::Put(_, _, key, _) | Change::Cut(_, _, key) | Change::Swap(_, _, key, ..) => {
            check_key(key)
        }
        Change::Session(_, session) => {
            check_text(&session.resource)?;
            check_text(session.device.as_deref().unwrap_or(""))
        }
        _ => Ok(()),
    }
}

fn check_jid(jid: &str) -> Result<(), Fault> {
    if jid.len() > ROSTER_JID_BYTES_MAX {
        return Err(refused("the address of a roster item is longer than 2,048 bytes"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Fault> {
    if key.len() > KEY_BYTES_MAX {
        return Err(refused("the key of a cell is longer than 1,024 bytes"));
    }
    check_text(key)
}

/// PostgreSQL's text cannot hold U+0000; XML cannot either (XML 1.0 §2.2).
fn check_text(text: &str) -> Result<(), Fault> {
    if text.contains('\0') {
        return Err(refused("a text has the character U+0000"));
    }
    Ok(())
}

/// The secret of the server, as the database gives it.
pub(crate) fn secret(kept: &[u8]) -> Result<[u8; 32], Fault> {
    kept.try_into().map_err(|_| refused("the secret in the database is not of 32 bytes"))
}
