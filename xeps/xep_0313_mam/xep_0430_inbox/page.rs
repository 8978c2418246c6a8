//! An inbox, told (section 3.1): the newest conversation first, whichever log has it. The places of
//! all logs are of one order (see `engine/writer.rs`).

use super::{FIN, NS, told};
use crate::{
    xep_0059_rsm as rsm,
    xep_0313_mam::{MUC_USER, result, xep_0359_ids::STANZA_ID},
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

/// A conversation, and the log that has it.
#[derive(Clone, Copy)]
struct Talk<'a> {
    log: &'a Bare,
    one: &'a Conversation,
}

impl Talk<'_> {
    /// What a place of it is called in its archive.
    fn name(&self, pos: Pos, world: &World<'_>) -> String {
        world.settings.names.name(self.log, pos)
    }

    fn id(&self, world: &World<'_>) -> String {
        self.name(self.one.upto, world)
    }
}

/// The page that is asked for.
///
/// # Errors
/// `item-not-found` for an id that is none of this archive.
pub(super) async fn answer(
    iq: &Stanza,
    asked: &Asked,
    own: impl Iterator<Item = &Conversation>,
    rooms: &[Conversation],
    world: &World<'_>,
) -> Replied {
    let own = own.map(|one| Talk { log: world.account, one });
    let rooms = rooms.iter().map(|one| Talk { log: &one.peer, one });
    let mut all: Vec<_> = own.chain(rooms).collect();
    all.sort_unstable_by_key(|talk| Reverse(talk.one.upto));
    let place = |id: &Option<String>| id.as_deref().map(|id| place(id, &all, world)).transpose();
    let (after, before) = (place(&asked.page.after)?, place(&asked.page.before)?);
    let fin = totals(&all);
    all.retain(|talk| !asked.unread_only || talk.one.unread > 0);
    let newer = |pos: Pos| all.partition_point(|talk| talk.one.upto > pos);
    // What has moved to the front meanwhile is not missed: it was news.
    let first = after.map_or(0, |after| all.partition_point(|talk| talk.one.upto >= after));
    let end = before.map_or(all.len(), newer);
    let part = all.get(first..end).unwrap_or_default();
    let entries = entries(iq, asked, part, world).await?;
    let ends = entries.first().zip(entries.last());
    let index = ends.map(|((talk, _), _)| newer(talk.one.upto));
    let set = rsm::Page {
        ends: ends.map(|((first, _), (last, _))| (first.id(world), last.id(world))),
        index: index.map(|index| index as u64),
        count: Some(all.len() as u64),
    };
    let stanzas = entries.into_iter().map(|(_, stanza)| stanza).collect();
    Ok(Reply::After(stanzas, Some(fin.child(set.draft()).finish())))
}

/// Of an id of the account's archive, or of one of its rooms'.
fn place(id: &str, all: &[Talk<'_>], world: &World<'_>) -> Result<Pos, StanzaError> {
    let rooms = all.iter().map(|talk| talk.log).filter(|log| *log != world.account);
    let mut logs = std::iter::once(world.account).chain(rooms);
    let place = logs.find_map(|log| world.settings.names.pos(log, id));
    Ok(place.ok_or(StanzaCondition::ItemNotFound)?)
}

fn totals(all: &[Talk<'_>]) -> Draft {
    let unread = all.iter().filter(|talk| talk.one.unread > 0).count();
    let messages: u64 = all.iter().map(|talk| u64::from(talk.one.unread)).sum();
    Draft::new(FIN)
        .attribute("total", all.len().to_string())
        .attribute("unread", unread.to_string())
        .attribute("all-unread", messages.to_string())
}

/// Those of the page, in order.
async fn entries<'a>(
    iq: &Stanza,
    asked: &Asked,
    part: &[Talk<'a>],
    world: &World<'_>,
) -> Result<Vec<(Talk<'a>, Stanza)>, StanzaError> {
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
        for &talk in some {
            let message = messages.remove(&talk.one.last);
            bytes += message.as_ref().map_or(0, Stanza::wire_len);
            if bytes > PAGE_BYTES_MAX && !entries.is_empty() {
                break 'page;
            }
            entries.push((talk, entry(iq, talk, message.as_ref(), world)));
        }
    }
    if asked.page.newest {
        entries.reverse();
    }
    Ok(entries)
}

/// The latest messages, as far as the archives still have them.
async fn messages(
    of: &[Talk<'_>],
    asked: &Asked,
    world: &World<'_>,
) -> Result<BTreeMap<Pos, Stanza>, StanzaError> {
    let mut logs: BTreeMap<&Bare, Vec<Pos>> = BTreeMap::new();
    if asked.messages {
        of.iter().for_each(|talk| logs.entry(talk.log).or_default().push(talk.one.last));
    }
    let mut messages = BTreeMap::new();
    for (log, at) in logs {
        let entries = world.store.entries(log, &at).await?;
        for logged in entries.into_iter().filter(|one| one.entry.flags.has(Flags::ARCHIVE)) {
            let said = Stanza::parse_one(&logged.entry.stanza);
            let said = said.map_err(|_| StanzaCondition::InternalServerError)?;
            // Whose a message in a room really was, its archive says to who may know it.
            let said = if log == world.account { said } else { said.without(MUC_USER) };
            messages.insert(logged.pos, said);
        }
    }
    Ok(messages)
}

fn entry(iq: &Stanza, talk: Talk<'_>, message: Option<&Stanza>, world: &World<'_>) -> Stanza {
    let Talk { log, one } = talk;
    let mut entry = Draft::new(ENTRY)
        .attribute("jid", one.peer.as_str())
        .attribute("unread", one.unread.to_string())
        .attribute("id", talk.id(world));
    if one.displayed > Pos::default() {
        let id = Draft::new(STANZA_ID).attribute("by", log.as_str());
        let id = id.attribute("id", talk.name(one.displayed, world));
        entry = entry.child(Draft::new(DISPLAYED).child(id));
    }
    let stanza = told(iq, world).with(entry.finish());
    let query_id = iq.head.id.as_deref().filter(|id| id.len() <= QUERY_ID_BYTES_MAX);
    match message {
        Some(message) => {
            let id = talk.name(one.last, world);
            stanza.with(result(one.last, id, message, query_id).finish())
        }
        None => stanza,
    }
}
