//! Rows as both databases give them, made into what the engine knows.

use crate::{check::refused, scram};
use engine::{
    inbox::{Conversation, Inbox},
    port::{Fault, Loaded, Logged},
    roster::{Item, State},
    unit::{Credentials, Entry, Flags, Pos, Resumable, ScramKeys},
    wire::{Bare, Jid, JidError, Stanza, Text},
};

/// A row of `log.kind`.
pub(crate) const ACCOUNT: i16 = 1;
/// A row of `log.kind`.
pub(crate) const ROOM: i16 = 2;
/// A row of `log.kind`.
pub(crate) const HOST: i16 = 3;

/// The cells of a table of a log, from a key on, at most so many.
pub(crate) const CELLS_FROM: &str = "
    SELECT key, value FROM cell
    WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key >= $3
    ORDER BY key LIMIT $4";

/// A row of `entry`, without its log.
pub(crate) struct EntryRow {
    pub(crate) pos: i64,
    pub(crate) flags: i16,
    pub(crate) peer: String,
    pub(crate) key: Option<i64>,
    pub(crate) sm: Option<i64>,
    pub(crate) h: Option<i64>,
    pub(crate) ext_id: Option<String>,
    pub(crate) stanza: Vec<u8>,
}

impl EntryRow {
    pub(crate) fn logged(self, log: &Bare) -> Result<Logged, Fault> {
        let entry = Entry {
            log: log.clone(),
            flags: Flags(self.flags),
            peer: Bare::parse(&self.peer).map_err(|error| bad_address(&self.peer, error))?,
            key: self.key,
            settles: self.sm.zip(self.h),
            foreign_id: self.ext_id.map(Text::from),
            stanza: text(self.stanza)?,
        };
        Ok(Logged { pos: Pos(self.pos), entry })
    }
}

/// A row of `credential`.
pub(crate) struct CredentialRow {
    pub(crate) mechanism: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: i64,
    pub(crate) stored_key: Vec<u8>,
    pub(crate) server_key: Vec<u8>,
}

impl CredentialRow {
    pub(crate) fn put(self, into: &mut Credentials) -> Result<(), Fault> {
        let iterations = u32::try_from(self.iterations)
            .map_err(|_| refused("the database holds a count of iterations out of range"))?;
        let Self { mechanism, salt, stored_key, server_key, .. } = self;
        scram::put(into, &mechanism, ScramKeys { salt, iterations, stored_key, server_key });
        Ok(())
    }
}

/// The column `account.changed`.
pub(crate) fn changed(of: &Credentials) -> i64 {
    i64::try_from(of.changed).unwrap_or(i64::MAX)
}

/// The column `session.sm_hash`, which no two sessions have alike.
pub(crate) fn session_token(of: &Resumable) -> Option<&[u8]> {
    Some(&of.token[..]).filter(|token| !token.is_empty())
}

/// The column `session.expires`.
pub(crate) fn session_expires(of: &Resumable) -> i64 {
    i64::try_from(of.expires).unwrap_or(i64::MAX)
}

/// A row of `conversation`, with the column `log.inbox`; without a peer there is none.
pub(crate) struct ConversationRow {
    pub(crate) inbox: i64,
    pub(crate) peer: Option<String>,
    pub(crate) upto: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) unread: Option<i64>,
    pub(crate) displayed: Option<i64>,
}

/// All of one account.
pub(crate) fn inbox(rows: Vec<ConversationRow>) -> Result<Inbox, Fault> {
    let upto = Pos(rows.first().map(|row| row.inbox).unwrap_or_default());
    let conversations = rows.into_iter().filter_map(|row| {
        let peer = row.peer?;
        let pos = |column: Option<i64>| Pos(column.unwrap_or_default());
        let peer = match Bare::parse(&peer) {
            Ok(peer) => peer,
            Err(error) => return Some(Err(bad_address(&peer, error))),
        };
        Some(Ok(Conversation {
            peer,
            upto: pos(row.upto),
            last: pos(row.last),
            unread: row.unread.and_then(|unread| unread.try_into().ok()).unwrap_or_default(),
            displayed: pos(row.displayed),
        }))
    });
    Ok(Inbox { upto, conversations: conversations.collect::<Result<_, _>>()? })
}

/// The column `conversation.unread`.
pub(crate) fn unread(unread: u32) -> i32 {
    i32::try_from(unread).unwrap_or(i32::MAX)
}

/// A row of `roster`.
pub(crate) struct RosterRow {
    pub(crate) jid: String,
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) state: i16,
    pub(crate) approved: bool,
    pub(crate) request: Option<Vec<u8>>,
    pub(crate) ver: i64,
    pub(crate) removed: bool,
}

impl RosterRow {
    pub(crate) fn put(self, into: &mut Loaded) -> Result<(), Fault> {
        let jid = Jid::parse(&self.jid).map_err(|error| bad_address(&self.jid, error))?;
        if self.removed {
            into.unrostered.push((jid, self.ver));
            return Ok(());
        }
        into.roster.push(Item {
            jid,
            name: self.name.map(Text::from),
            groups: self.groups.into_iter().map(Text::from).collect(),
            state: state(self.state),
            approved: self.approved,
            request: self.request.map(request).transpose()?.map(Box::new),
            ver: self.ver,
        });
        Ok(())
    }
}

fn state(bits: i16) -> State {
    State { to: bits & 1 != 0, from: bits & 2 != 0, asked: bits & 4 != 0 }
}

/// The column `roster.state`.
pub(crate) fn state_bits(state: State) -> i16 {
    i16::from(state.to) | i16::from(state.from) << 1 | i16::from(state.asked) << 2
}

fn request(bytes: Vec<u8>) -> Result<Stanza, Fault> {
    let text = text(bytes)?;
    Stanza::parse_one(&text)
        .map_err(|flaw| refused(format!("the database holds a request that is no stanza: {flaw}")))
}

fn text(bytes: Vec<u8>) -> Result<Text, Fault> {
    Text::try_from(bytes).map_err(|_| refused("the database holds a stanza that is not UTF-8"))
}

/// Rooms, and what each has of somebody.
pub(crate) fn rooms(found: Vec<(String, Vec<u8>)>) -> Result<Vec<(Bare, Vec<u8>)>, Fault> {
    let room = |(jid, value): (String, _)| match Bare::parse(&jid) {
        Ok(room) => Ok((room, value)),
        Err(error) => Err(bad_address(&jid, error)),
    };
    found.into_iter().map(room).collect()
}

pub(crate) fn bad_address(text: &str, error: JidError) -> Fault {
    refused(format!("the database holds the address {text:?}: {error}"))
}
