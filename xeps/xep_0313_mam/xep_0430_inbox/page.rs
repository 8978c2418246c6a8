//! An inbox, told (section 3.1): the newest conversation first.

use super::{FIN, NS, told};
use crate::{
    xep_0059_rsm as rsm,
    xep_0313_mam::{result, xep_0359_ids::STANZA_ID},
};
use engine::{
    hook::{Replied, Reply, World},
    inbox::Conversation,
    unit::{Flags, Pos},
    wire::*,
};
use std::{cmp::Reverse, collections::BTreeMap};

const ENTRY: Name = Name::new(NS, "entry");
/// The document has no place for it; XEP-0490 has the words.
const DISPLAYED: Name = Name::new("urn:xmpp:mds:displayed:0", "displayed");

/// Conversations of a page when the client does not say how many.
const PAGE_CONVERSATIONS: usize = 50;
/// Conversations of a page, whatever the client says.
const PAGE_CONVERSATIONS_MAX: usize = 250;
/// What the messages of a page may take, in bytes, unless it is one: a quarter of
/// `mailbox_bytes_max`.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// Messages that are read at once.
const READ_ENTRIES_MAX: usize = 50;
/// The longest id of a request that is said again with each message of the answer, in bytes.
const QUERY_ID_BYTES_MAX: usize = 256;

/// What is asked for.
pub(super) struct Asked {
    unread_only: bool,
    messages: bool,
    page: rsm::Asked,
}

impl Asked {
    /// Reads the payload of a request.
    ///
    /// # Errors
    /// `bad-request`, and what RSM names.
    pub(super) fn read(inbox: Element<'_>) -> Result<Self, StanzaError> {
        let unread_only = boolean(inbox, "unread-only", false)?;
        let messages = boolean(inbox, "messages", true)?;
        Ok(Self { unread_only, messages, page: rsm::Asked::read(inbox)? })
    }
}

fn boolean(of: Element<'_>, name: &str, otherwise: bool) -> Result<bool, StanzaError> {
    match of.attribute(name).as_deref() {
        None => Ok(otherwise),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(StanzaCondition::BadRequest.into()),
    }
}

/// The page that is asked for.
///
/// # Errors
/// `item-not-found` for an id that is none of this archive.
pub(super) async fn answer(
    iq: &Stanza,
    asked: &Asked,
    all: impl Iterator<Item = &Conversation>,
    world: &World<'_>,
) -> Replied {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable_by_key(|one| Reverse(one.upto));
    let fin = totals(&all);
    all.retain(|one| !asked.unread_only || one.unread > 0);
    let place = |id: &Option<String>| id.as_deref().map(|id| place(id, world)).transpose();
    let (after, before) = (place(&asked.page.after)?, place(&asked.page.before)?);
    // What has moved to the front meanwhile is not missed: it was news.
    let first = after.map_or(0, |after| all.partition_point(|one| one.upto >= after));
    let end = before.map_or(all.len(), |before| all.partition_point(|one| one.upto > before));
    let part = all.get(first..end).unwrap_or_default();
    let entries = entries(iq, asked, part, world).await?;
    let id = |one: &Conversation| world.settings.names.name(world.account, one.upto);
    let ends = entries.first().zip(entries.last());
    let index = ends.map(|((one, _), _)| all.partition_point(|other| other.upto > one.upto));
    let set = rsm::Page {
        ends: ends.map(|((first, _), (last, _))| (id(first), id(last))),
        index: index.map(|index| index as u64),
        count: Some(all.len() as u64),
    };
    let stanzas = entries.into_iter().map(|(_, stanza)| stanza).collect();
    Ok(Reply::After(stanzas, Some(fin.child(set.draft()).finish())))
}

fn place(id: &str, world: &World<'_>) -> Result<Pos, StanzaError> {
    let place = world.settings.names.pos(world.account, id);
    Ok(place.ok_or(StanzaCondition::ItemNotFound)?)
}

fn totals(all: &[&Conversation]) -> Draft {
    let unread = all.iter().filter(|one| one.unread > 0).count();
    let messages: u64 = all.iter().map(|one| u64::from(one.unread)).sum();
    Draft::new(FIN)
        .attribute("total", all.len().to_string())
        .attribute("unread", unread.to_string())
        .attribute("all-unread", messages.to_string())
}

/// Those of the page, in order.
async fn entries<'a>(
    iq: &Stanza,
    asked: &Asked,
    part: &[&'a Conversation],
    world: &World<'_>,
) -> Result<Vec<(&'a Conversation, Stanza)>, StanzaError> {
    let max = asked.page.max.and_then(|max| usize::try_from(max).ok());
    let max = max.unwrap_or(PAGE_CONVERSATIONS).min(PAGE_CONVERSATIONS_MAX);
    let mut part = part.to_vec();
    if asked.page.newest {
        part.reverse();
    }
    part.truncate(max);
    let (mut entries, mut bytes) = (Vec::new(), 0);
    'page: for some in part.chunks(READ_ENTRIES_MAX) {
        let mut messages = messages(some, asked, world).await?;
        for &one in some {
            let message = messages.remove(&one.last);
            bytes += message.as_ref().map_or(0, Stanza::wire_len);
            if bytes > PAGE_BYTES_MAX && !entries.is_empty() {
                break 'page;
            }
            entries.push((one, entry(iq, one, message.as_ref(), world)));
        }
    }
    if asked.page.newest {
        entries.reverse();
    }
    Ok(entries)
}

/// The latest messages, as far as the archive still has them.
async fn messages(
    of: &[&Conversation],
    asked: &Asked,
    world: &World<'_>,
) -> Result<BTreeMap<Pos, Stanza>, StanzaError> {
    if !asked.messages {
        return Ok(BTreeMap::new());
    }
    let at: Vec<_> = of.iter().map(|one| one.last).collect();
    let entries = world.store.entries(world.account, &at).await?;
    let shown = entries.into_iter().filter(|logged| logged.entry.flags.has(Flags::ARCHIVE));
    let read = shown.map(|logged| Ok((logged.pos, Stanza::parse_one(&logged.entry.stanza)?)));
    let read: Result<_, Flaw> = read.collect();
    read.map_err(|_| StanzaCondition::InternalServerError.into())
}

fn entry(iq: &Stanza, one: &Conversation, message: Option<&Stanza>, world: &World<'_>) -> Stanza {
    let name = |pos| world.settings.names.name(world.account, pos);
    let mut entry = Draft::new(ENTRY)
        .attribute("jid", one.peer.as_str())
        .attribute("unread", one.unread.to_string())
        .attribute("id", name(one.upto));
    if one.displayed > Pos::default() {
        let id = Draft::new(STANZA_ID).attribute("by", world.account.as_str());
        let id = id.attribute("id", name(one.displayed));
        entry = entry.child(Draft::new(DISPLAYED).child(id));
    }
    let stanza = told(iq, world).with(entry.finish());
    let query_id = iq.head.id.as_deref().filter(|id| id.len() <= QUERY_ID_BYTES_MAX);
    match message {
        Some(message) => stanza.with(result(one.last, message, query_id, world).finish()),
        None => stanza,
    }
}
