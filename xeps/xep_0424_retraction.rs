//! XEP-0424: Message Retraction. <https://xmpp.org/extensions/xep-0424.html>
//!
//! The archives of both sides keep that there was a message, and not what it said. Of what is too
//! long ago the retraction alone tells, which is archived, too (section 6).

use crate::xep_0082_dates::date_time;
use engine::{
    archive::Search,
    hook::*,
    port::{Logged, Pending},
    setting::{self, Setting},
    unit::{Change, Flags, Pos},
    wire::*,
};

/// What was said and should not have been.
pub const XEP: Xep = Xep {
    number: 424,
    name: "Message Retraction",
    version: "0.4.2",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&RETRACTED),
        Hook::Feature(Of::Account, NS),
        Hook::Feature(Of::Account, TOMBSTONES),
        Hook::Feature(Of::Room, NS),
        Hook::Feature(Of::Room, TOMBSTONES),
        Hook::Amend(RETRACT, retract),
    ],
};

/// What becomes of messages that were retracted.
const RETRACTED: Setting = Setting {
    xep: 424,
    key: "retracted",
    kind: setting::Kind::Choice(&["erased", "kept"]),
    doc: "What becomes in archives of a message that its author retracts.",
};

const NS: &str = "urn:xmpp:message-retract:1";
const TOMBSTONES: &str = "urn:xmpp:message-retract:1#tombstone";
const RETRACT: Name = Name::new(NS, "retract");
/// The tombstone.
const TOMBSTONE: Name = Name::new(NS, "retracted");
/// Who is who in a room (XEP-0421).
const OCCUPANT_ID: Name = Name::new("urn:xmpp:occupant-id:0", "occupant-id");

/// Messages with the same contact that are gone through, from the newest on, for the retracted one.
const LOOKED_AT_ENTRIES_MAX: usize = 1_000;
/// Of them so many are in memory at once.
const READ_ENTRIES_MAX: usize = 50;

/// Section 5. In a log of its author's the message was sent to the same contact, in the contact's
/// it was received from its author: nobody else can retract it.
fn retract<'a>(retraction: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        if world.settings.choice(&RETRACTED) != "erased" {
            return Ok(Reply::Empty);
        }
        let found = match (Wanted::by(retraction, world.account), is_in_room(retraction)) {
            (_, true) => find_in_room(retraction, world).await?,
            (Some(wanted), false) => wanted.find(world).await?,
            (None, false) => return Ok(Reply::Empty),
        };
        let changes = match found {
            Some((pos, message)) => {
                let left = tombstone(&message, retraction, world.unix_ms);
                vec![Change::Redact(world.account.clone(), pos, left.to_text())]
            }
            None => Vec::new(),
        };
        Ok(Reply::Write(changes, None))
    })
}

fn is_in_room(retraction: &Stanza) -> bool {
    retraction.head.type_str() == "groupchat"
}

/// Section 5.1: it has the name by which the room knows it. Section 5: its author is the occupant
/// who retracts it, under whichever nick.
async fn find_in_room(
    retraction: &Stanza,
    world: &World<'_>,
) -> Result<Option<(Pos, Stanza)>, StanzaError> {
    let id = retraction.child(RETRACT).and_then(|retract| retract.attribute("id"));
    let id = id.filter(|_| retraction.head.id.is_some());
    let pos = id.and_then(|id| world.settings.names.pos(world.account, &id));
    let Some(pos) = pos else { return Ok(None) };
    let found = world.store.entries(world.account, &[pos]).await?.pop();
    let message = found.and_then(|logged| Stanza::parse_one(&logged.entry.stanza).ok());
    let author = |said: &Stanza| said.child(OCCUPANT_ID)?.attribute("id").map(String::from);
    let is_it = |message: &Stanza| {
        let is_authors = author(message).is_some() && author(message) == author(retraction);
        let is_none = [RETRACT, TOMBSTONE].iter().any(|name| message.child(*name).is_some());
        is_authors && !is_none
    };
    Ok(message.filter(is_it).map(|message| (pos, message)))
}

/// The message that is retracted.
struct Wanted {
    id: String,
    author: Bare,
    /// With whom the log has it.
    peer: Bare,
    flags: Flags,
}

impl Wanted {
    /// `None`: no message can be meant, or no client would find by the tombstone who has left it.
    fn by(retraction: &Stanza, account: &Bare) -> Option<Self> {
        let Head { from, to, id, .. } = &*retraction.head;
        id.as_ref()?;
        let (author, to) = (from.as_ref()?.bare(), to.as_ref()?.bare());
        let wanted = retraction.child(RETRACT)?.attribute("id")?.into_owned();
        let (peer, flags) = match author == *account {
            true => (to, Flags::SENT),
            false => (author.clone(), Flags::RECEIVED),
        };
        Some(Self { id: wanted, author, peer, flags })
    }

    /// The newest of this id, where it stands.
    async fn find(&self, world: &World<'_>) -> Result<Option<(Pos, Stanza)>, StanzaError> {
        let mut search = Search {
            with: Some(self.peer.clone()),
            flags: self.flags,
            newest: true,
            max: READ_ENTRIES_MAX,
            ..Search::default()
        };
        for _ in 0..LOOKED_AT_ENTRIES_MAX / READ_ENTRIES_MAX {
            let found = world.store.search(world.account, &search).await?;
            if let Some(found) = found.entries.iter().rev().find_map(|logged| self.is_it(logged)) {
                return Ok(Some(found));
            }
            match found.entries.first() {
                Some(first) if found.more => search.before = Some(first.pos),
                _ => break,
            }
        }
        Ok(None)
    }

    /// What retracts is no message to be retracted: the wanted one came before it.
    fn is_it(&self, logged: &Logged) -> Option<(Pos, Stanza)> {
        let message = Stanza::parse_one(&logged.entry.stanza).ok()?;
        let Head { id, from, .. } = &*message.head;
        let is_authors = from.as_ref().is_some_and(|from| from.bare() == self.author);
        let is_it = id.as_deref() == Some(&*self.id) && message.child(RETRACT).is_none();
        (is_authors && is_it).then_some((logged.pos, message))
    }
}

/// Section 4: of the message its head stays, and in a room whose it was.
fn tombstone(message: &Stanza, retraction: &Stanza, unix_ms: u64) -> Stanza {
    let left = Draft::new(TOMBSTONE).attribute("stamp", date_time(unix_ms));
    let left = left.attribute("id", retraction.head.id.as_deref().unwrap_or_default());
    let author = message.child(OCCUPANT_ID).filter(|_| is_in_room(message));
    let head = Stanza::new(message.head.clone());
    author.into_iter().map(Element::to_payload).fold(head, Stanza::with).with(left.finish())
}
