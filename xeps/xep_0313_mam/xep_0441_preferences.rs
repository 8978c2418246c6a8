//! XEP-0441: Message Archive Management Preferences.
//! <https://xmpp.org/extensions/xep-0441.html>
//!
//! What an account does not want in its archive is in its log until it has been delivered, and not
//! shown.

use super::NS;
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    request::{Home, Line},
    setting::{Kind, Setting},
    unit::Table,
    wire::*,
};
use std::collections::BTreeMap;

/// Whose messages are archived.
pub const XEP: Xep = Xep {
    number: 441,
    name: "Message Archive Management Preferences",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&DEFAULT),
        Hook::AtHand(PREFERENCES),
        Hook::get(Of::Account, PREFS, Answer::Pure(tell)),
        Hook::set(Of::Account, PREFS, Answer::Pure(change)),
    ],
};

/// What accounts have that have said nothing.
pub const DEFAULT: Setting = Setting {
    xep: 441,
    key: "archive_default",
    kind: Kind::Choice(&["always", "roster", "never"]),
    doc: "Whose messages are archived for accounts that have not said so themselves.",
};

/// Addresses that one account may list.
const LISTED_JIDS_MAX: usize = 1_000;
/// All of them together, in bytes: they stay in memory with the account.
const LISTED_BYTES_MAX: usize = 64 << 10;

/// At the empty key: the default, and the lists, an address a line behind `+` or `-`.
const PREFERENCES: Table = Table::named("archive-preferences");

const PREFS: Name = Name::new(NS, "prefs");
const ALWAYS: Name = Name::new(NS, "always");
const NEVER: Name = Name::new(NS, "never");
const JID: Name = Name::new(NS, "jid");

/// Whether the archive of the account shows what passes it. Section 2.2: outgoing messages go by
/// whom they are to, incoming ones by whom they are from.
pub(super) fn is_archived(passage: &Passage<'_>, ctx: &Ctx<'_>) -> bool {
    let account = &*passage.account;
    let head = &passage.stanza.head;
    let other = match passage.walk {
        Walk::Sent => head.to.as_ref(),
        Walk::Received => head.from.as_ref(),
    };
    let chosen = account.cells.get(PREFERENCES, "").and_then(Preferences::read);
    let preferences = chosen.unwrap_or_else(|| Preferences::of(ctx));
    let Some(other) = other else { return preferences.default != "never" };
    preferences.listed(other).unwrap_or_else(|| match preferences.default {
        "roster" => account.roster.item(&other.bare().into()).is_some_and(|item| item.is_listed()),
        default => default == "always",
    })
}

/// What an account has chosen.
struct Preferences<'a> {
    default: &'a str,
    /// Whether the messages of an address are archived.
    jids: BTreeMap<&'a str, bool>,
}

impl<'a> Preferences<'a> {
    fn of(ctx: &Ctx<'a>) -> Self {
        Self { default: ctx.settings.choice(&DEFAULT), jids: BTreeMap::new() }
    }

    fn read(cell: &'a [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(cell).ok()?.lines();
        let default = lines.next()?;
        let jid = |line: &'a str| match line.split_at_checked(1)? {
            ("+", jid) => Some((jid, true)),
            ("-", jid) => Some((jid, false)),
            _ => None,
        };
        Some(Self { default, jids: lines.filter_map(jid).collect() })
    }

    fn cell(&self) -> Vec<u8> {
        let line =
            |(jid, always): (&&str, &bool)| format!("\n{}{jid}", if *always { '+' } else { '-' });
        let lines: String = self.jids.iter().map(line).collect();
        format!("{}{lines}", self.default).into_bytes()
    }

    /// Section 2.2: an address with a resource is that resource's, one without is all of theirs.
    fn listed(&self, other: &Jid) -> Option<bool> {
        let bare = other.bare();
        self.jids.get(other.as_str()).or_else(|| self.jids.get(bare.as_str())).copied()
    }

    /// Both lists are there, even when they are empty.
    fn payload(&self) -> Payload {
        let list = |name, always: bool| {
            let jids = self.jids.iter().filter(|(_, of)| **of == always);
            let jids = jids.map(|(jid, _)| Draft::new(JID).text(jid));
            jids.fold(Draft::new(name), Draft::child)
        };
        let prefs = Draft::new(PREFS).attribute("default", self.default);
        prefs.child(list(ALWAYS, true)).child(list(NEVER, false)).finish()
    }
}

/// Section 2.1.
fn tell(iq: &Stanza, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let home = home_of_owner(iq, line)?;
    let chosen = home.cells.get(PREFERENCES, "").and_then(Preferences::read);
    Ok(Reply::Payload(chosen.unwrap_or_else(|| Preferences::of(ctx)).payload()))
}

/// The same: what was chosen before is gone. Who is in both lists is in `never`.
fn change(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    home_of_owner(iq, line)?;
    let prefs = iq.child(PREFS).ok_or(StanzaCondition::BadRequest)?;
    let default = prefs.attribute("default").ok_or(StanzaCondition::BadRequest)?;
    if !["always", "never", "roster"].contains(&&*default) {
        return Err(StanzaCondition::BadRequest.into());
    }
    let (always, never) = (listed(prefs, ALWAYS)?, listed(prefs, NEVER)?);
    let jids = always.iter().map(|jid| (jid.as_str(), true));
    let jids: BTreeMap<_, _> = jids.chain(never.iter().map(|jid| (jid.as_str(), false))).collect();
    let bytes: usize = jids.keys().map(|jid| jid.len()).sum();
    if jids.len() > LISTED_JIDS_MAX || bytes > LISTED_BYTES_MAX {
        return Err(StanzaCondition::ResourceConstraint.into());
    }
    let preferences = Preferences { default: &default, jids };
    line.put(PREFERENCES, "", preferences.cell())?;
    Ok(Reply::Payload(preferences.payload()))
}

/// What the account has at hand. To others it says what one says that does not exist.
fn home_of_owner<'a>(iq: &Stanza, line: &mut Line<'a>) -> Result<Home<'a>, StanzaError> {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    Ok(line.home.ok_or(StanzaCondition::ServiceUnavailable)?)
}

/// The addresses of a list; one that is missing is empty.
fn listed(prefs: Element<'_>, list: Name) -> Result<Vec<Jid>, StanzaError> {
    let lists = prefs.children().filter(|child| child.is(list));
    let jids = lists.flat_map(Element::children).filter(|child| child.is(JID));
    let jids = jids
        .map(|jid| Ok(Jid::parse(jid.text().trim()).map_err(|_| StanzaCondition::JidMalformed)?));
    jids.collect()
}
