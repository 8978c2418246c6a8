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
        Hook::Feature(Of::Account, "urn:xmpp:message-retract:1#tombstone"),
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
const RETRACT: Name = Name::new(NS, "retract");
/// The tombstone.
const TOMBSTONE: Name = Name::new(NS, "retracted");

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
        let Some(wanted) = Wanted::by(retraction, world.account) else { return Ok(Reply::Empty) };
        let changes = match wanted.find(world).await? {
            Some((pos, message)) => {
                let left = tombstone(&message, retraction, world.unix_ms);
                vec![Change::Redact(world.account.clone(), pos, left.to_text())]
            }
            None => Vec::new(),
        };
        Ok(Reply::Write(changes, None))
    })
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
        let Head { from, to, id, .. } = &retraction.head;
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
        let Head { id, from, .. } = &message.head;
        let is_authors = from.as_ref().is_some_and(|from| from.bare() == self.author);
        let is_it = id.as_deref() == Some(&*self.id) && message.child(RETRACT).is_none();
        (is_authors && is_it).then_some((logged.pos, message))
    }
}

/// Section 5: of the message its head stays.
fn tombstone(message: &Stanza, retraction: &Stanza, unix_ms: u64) -> Stanza {
    let left = Draft::new(TOMBSTONE).attribute("stamp", date_time(unix_ms));
    let left = left.attribute("id", retraction.head.id.as_deref().unwrap_or_default());
    Stanza::new(message.head.clone()).with(left.finish())
}
