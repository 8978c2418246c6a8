//! The life of an iq: who answers, and what is at hand.

use crate::{
    cells::Cells,
    ctx::Ctx,
    hook::{Answer, IqKind, Of, Replied, Reply},
    passage::put,
    roster::Roster,
    session::Session,
    unit::{Change, Pos, Table, Unit},
};
use wire::{Bare, Kind, Stanza, StanzaCondition, StanzaError};

/// Who is asked, and what answering has caused.
pub struct Line<'a> {
    /// The account, room or host that is asked.
    pub asked: &'a Bare,
    /// Its sessions; a host has none.
    pub sessions: &'a mut [Session],
    /// The account; none for a host.
    pub home: Option<Home<'a>>,
    /// Written with the answer: the reply waits for the commit.
    pub unit: Unit,
}

/// What an account knows without asking the store.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    /// Its contacts.
    pub roster: &'a Roster,
    /// Its cells at hand.
    pub cells: &'a Cells,
    /// Everything that its log has up to here has passed.
    pub released: Pos,
}

impl<'a> Line<'a> {
    /// An account is asked.
    pub fn of(asked: &'a Bare, sessions: &'a mut [Session], home: Home<'a>) -> Self {
        Self { asked, sessions, home: Some(home), unit: Unit::default() }
    }

    /// A host is asked.
    pub fn of_host(host: &'a Bare) -> Self {
        Self { asked: host, sessions: &mut [], home: None, unit: Unit::default() }
    }

    /// The asker's session; none for a stranger.
    pub fn asker(&mut self, iq: &Stanza) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| Some(&session.jid) == iq.head.from.as_ref())
    }

    /// Writes a cell of a table of the account that is asked.
    ///
    /// # Errors
    /// `not-acceptable` when the key is longer than `KEY_BYTES_MAX`.
    pub fn put(&mut self, table: Table, key: &str, value: Vec<u8>) -> Result<(), StanzaError> {
        put(&mut self.unit, self.asked, table, key, value)
    }

    /// Nobody who comes is to be told what came while nobody was there.
    pub fn purge(&mut self) {
        let upto = self.home.map(|home| home.released);
        let delivered = |pos| Change::Delivered(self.asked.clone(), pos);
        self.unit.changes.extend(upto.map(delivered));
    }

    /// Removes a cell of a table of the account that is asked.
    pub fn cut(&mut self, table: Table, key: &str) {
        self.unit.changes.push(Change::Cut(table, self.asked.clone(), key.into()));
    }
}

/// Requests of one account to another, or to a host, that the store may be being read for.
pub(crate) const QUESTIONS_OF_ONE_MAX: usize = 32;

/// Whether two requests come from the same account.
pub(crate) fn have_one_asker(one: &Stanza, other: &Stanza) -> bool {
    match (&one.head.from, &other.head.from) {
        (Some(one), Some(other)) => (one.local(), one.domain()) == (other.local(), other.domain()),
        (one, other) => one == other,
    }
}

/// What an iq stanza is (RFC 6120 §8.2.3).
pub enum Asks {
    /// A request with exactly one child.
    Request(IqKind),
    /// An answer to somebody's request. Never answered.
    Response,
}

/// Reads the outside of an iq.
///
/// # Errors
/// `bad-request` without an id, for a type that there is not, for a request without exactly one
/// child, for a result with more than one (RFC 6120 §8.1.3, §8.2.3).
pub fn asks(iq: &Stanza) -> Result<Asks, StanzaError> {
    let asks = match iq.head.type_str() {
        "get" => Asks::Request(IqKind::Get),
        "set" => Asks::Request(IqKind::Set),
        "result" | "error" => Asks::Response,
        _ => return Err(StanzaCondition::BadRequest.into()),
    };
    let bad = match asks {
        Asks::Request(_) => iq.child_count() != 1,
        Asks::Response => iq.head.type_str() == "result" && iq.child_count() > 1,
    };
    if bad || iq.head.id.is_none() {
        return Err(StanzaCondition::BadRequest.into());
    }
    Ok(asks)
}

/// What came of looking for an answer.
pub enum Found {
    /// It was thought out at once; `Unit` is what it wrote.
    Now(Replied, Unit),
    /// It reads the store, beside the line.
    Beside(crate::shard::WorldAnswer),
}

/// Finds the hook that answers for `of`, and asks it when it only thinks.
/// Nobody: `service-unavailable` (RFC 6120 §8.4).
pub fn answer(of: Of, kind: IqKind, iq: &Stanza, mut line: Line<'_>, ctx: &Ctx<'_>) -> Found {
    let payload = iq.children().next();
    match payload.and_then(|payload| ctx.hooks.answer(of, kind, payload)) {
        Some((_, Answer::Pure(think))) => {
            let replied = think(iq, &mut line, ctx);
            Found::Now(replied, line.unit)
        }
        Some((_, Answer::World(read))) => Found::Beside(read),
        None => Found::Now(Err(StanzaCondition::ServiceUnavailable.into()), Unit::default()),
    }
}

/// Of a host, or of a stream that has not logged in: there is nothing that could be written to. An
/// answer that wants to write is a mistake of ours.
pub fn unwritten(replied: Replied) -> Replied {
    let writes = matches!(replied, Ok(Reply::Noting(..) | Reply::Write(..) | Reply::Told(_)));
    debug_assert!(!writes, "only accounts write what their answers want written");
    if writes { Err(StanzaCondition::InternalServerError.into()) } else { replied }
}

/// The stanzas that answer `iq`, in order.
pub fn stanzas(iq: &Stanza, replied: Replied) -> Vec<Stanza> {
    match replied {
        // Presence (`Hook::Comes`) has no result.
        Ok(Reply::After(stanzas, _)) if iq.kind() == Kind::Presence => stanzas,
        _ if iq.kind() == Kind::Presence => Vec::new(),
        Ok(Reply::Empty | Reply::Write(_, None) | Reply::Told(_)) => vec![iq.result()],
        Ok(Reply::Payload(payload) | Reply::Write(_, Some(payload))) => {
            vec![iq.result().with(payload)]
        }
        Ok(Reply::After(mut stanzas, last)) => {
            stanzas.push(match last {
                Some(payload) => iq.result().with(payload),
                None => iq.result(),
            });
            stanzas
        }
        Ok(Reply::Noting(_, replied)) => stanzas(iq, *replied),
        Err(error) => iq.refused(&error).into_iter().collect(),
    }
}
