//! A session as it is kept while nobody holds it in memory.
//!
//! A list of fields, each a number, its length and its bytes; of an unknown number it is not
//! known what it means for the rest, and nothing of it is read.

use crate::{
    behind::Behind,
    ctx::Moment,
    managed::{Managed, Resumption},
    session::Session,
    unacked::{Sent, Unacked},
    unit::Pos,
};
use wire::{Bare, Jid, Kind, Stanza};

/// The first byte.
const VERSION: u8 = 1;
/// The longest state that is read, in bytes.
const STATE_BYTES_MAX: usize = 8 << 20;

const PRESENCE: u8 = 1;
const PRIORITY: u8 = 2;
const INTERESTED: u8 = 3;
const DIRECTED: u8 = 4;
const SLOT: u8 = 5;
const RESUMABLE_MS: u8 = 6;
/// One that has been sent: where the log has it, and the stanza where it has not.
const LOGGED: u8 = 7;
const UNLOGGED: u8 = 8;
/// One that has been sent: where the log of a room has it, and the room.
const LOGGED_BY_ROOM: u8 = 10;
/// Up to where a session has been told what the log of a room has, and the room.
const HEARING: u8 = 11;
/// What contacts saw before it was away for too long.
const HIDDEN: u8 = 9;
/// One that has not been sent and no log has: behind which place it waits, and the stanza.
const WAITING: u8 = 12;
/// The request before it has been answered.
const ANSWERED: u8 = 13;

/// What is kept of a session.
pub(crate) fn save(session: &Session, managed: &Managed) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut put = |field: u8, bytes: &[u8]| {
        out.push(field);
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    if let Some(presence) = &session.presence {
        put(PRESENCE, presence.to_text().as_bytes());
    }
    if let Some(hidden) = &managed.hidden {
        put(HIDDEN, hidden.to_text().as_bytes());
    }
    put(PRIORITY, &session.priority.to_be_bytes());
    if session.interested {
        put(INTERESTED, &[]);
    }
    for to in &session.directed {
        put(DIRECTED, to.as_str().as_bytes());
    }
    for (key, bytes) in session.save() {
        let mut slot = key.as_bytes().to_vec();
        slot.push(0);
        slot.extend_from_slice(&bytes);
        put(SLOT, &slot);
    }
    if let Some(resumption) = &managed.resumption {
        put(RESUMABLE_MS, &resumption.ms.to_be_bytes());
    }
    for sent in managed.unacked.iter() {
        match (sent.pos, &sent.room, &sent.stanza) {
            (Some(pos), ..) => put(LOGGED, &pos.0.to_be_bytes()),
            (None, Some((room, pos)), _) => put(LOGGED_BY_ROOM, &at_room(room, *pos)),
            (None, None, Some(stanza)) => put(UNLOGGED, stanza.to_text().as_bytes()),
            (None, None, None) => continue,
        }
        if sent.answered {
            put(ANSWERED, &[]);
        }
    }
    let waiting = session.replay.iter().flat_map(|replay| replay.behind.unlogged());
    for (stanza, behind) in waiting {
        let mut waits = behind.0.to_be_bytes().to_vec();
        waits.extend_from_slice(stanza.to_text().as_bytes());
        put(WAITING, &waits);
    }
    // What waits for a room's log waits for nothing after a kill: out of its place, but not lost.
    // Presence a room shows again; told twice it would say what is no more, when this row is old.
    let is_kept = |stanza: &&Stanza| stanza.kind() == Kind::Message || !session.is_attached();
    for stanza in session.hearings.unlogged().filter(is_kept) {
        let mut waits = Pos::default().0.to_be_bytes().to_vec();
        waits.extend_from_slice(stanza.to_text().as_bytes());
        put(WAITING, &waits);
    }
    for (room, pos) in session.hearings.kept() {
        put(HEARING, &at_room(room, pos));
    }
    out
}

fn at_room(room: &Bare, pos: Pos) -> Vec<u8> {
    let mut bytes = pos.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(room.as_str().as_bytes());
    bytes
}

fn read_at_room(bytes: &[u8]) -> Option<(Bare, Pos)> {
    let (pos, room) = bytes.split_first_chunk()?;
    let room = Bare::parse(std::str::from_utf8(room).ok()?).ok()?;
    Some((room, Pos(i64::from_be_bytes(*pos))))
}

/// What was kept of a session.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    presence: Option<Stanza>,
    hidden: Option<Stanza>,
    priority: i8,
    interested: bool,
    directed: Vec<Jid>,
    slots: Vec<(String, Vec<u8>)>,
    ms: u64,
    sent: Vec<Sent>,
    waiting: Vec<(Stanza, Pos)>,
    hearings: Vec<(Bare, Pos)>,
}

impl Saved {
    /// Reads it; `None`: it is damaged, or of a version that is not known.
    pub(crate) fn read(state: &[u8]) -> Option<Self> {
        let (&version, mut rest) = state.split_first()?;
        if version != VERSION || state.len() > STATE_BYTES_MAX {
            return None;
        }
        let mut saved = Self::default();
        while let Some((&field, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (bytes, after) = after.split_at_checked(length)?;
            saved.field(field, bytes)?;
            rest = after;
        }
        Some(saved)
    }

    fn field(&mut self, field: u8, bytes: &[u8]) -> Option<()> {
        let text = || std::str::from_utf8(bytes).ok();
        let stanza = || Stanza::parse_one(text()?).ok();
        match field {
            PRESENCE => self.presence = Some(stanza()?),
            HIDDEN => self.hidden = Some(stanza()?),
            PRIORITY => self.priority = i8::from_be_bytes(bytes.try_into().ok()?),
            INTERESTED => self.interested = true,
            DIRECTED => self.directed.push(Jid::parse(text()?).ok()?),
            SLOT => {
                let end = bytes.iter().position(|&byte| byte == 0)?;
                let (key, value) = bytes.split_at(end);
                let key = std::str::from_utf8(key).ok()?.to_owned();
                self.slots.push((key, value[1..].to_vec()));
            }
            RESUMABLE_MS => self.ms = u64::from_be_bytes(bytes.try_into().ok()?),
            LOGGED => {
                let pos = Pos(i64::from_be_bytes(bytes.try_into().ok()?));
                self.sent.push(Sent { pos: Some(pos), ..Sent::default() });
            }
            UNLOGGED => self.sent.push(Sent { stanza: Some(stanza()?), ..Sent::default() }),
            ANSWERED => self.sent.last_mut()?.answered = true,
            LOGGED_BY_ROOM => {
                let room = Some(read_at_room(bytes)?);
                self.sent.push(Sent { room, ..Sent::default() });
            }
            WAITING => {
                let (pos, stanza) = bytes.split_first_chunk()?;
                let stanza = Stanza::parse_one(std::str::from_utf8(stanza).ok()?).ok()?;
                self.waiting.push((stanza, Pos(i64::from_be_bytes(*pos))));
            }
            HEARING => self.hearings.push(read_at_room(bytes)?),
            _ => return None,
        }
        Some(())
    }

    /// What waits to be sent to a session of `me` that has been told its log up to `told`: requests
    /// until then.
    pub(crate) fn behind(&mut self, me: &Bare, told: Pos, until: Moment) -> Behind {
        let mut behind = Behind::default();
        for (stanza, pos) in self.waiting.drain(..) {
            behind.again(stanza, me, (pos, told), until);
        }
        behind
    }

    /// Makes `session`, which has just been made, what it was: the client's count `h`, and so many
    /// that it has acknowledged.
    pub(crate) fn load(self, session: &mut Session, token: [u8; 32], h: u32, acked: u32) {
        let slots: Vec<_> = self.slots.iter().map(|(key, value)| (&**key, value.clone())).collect();
        session.load(&slots);
        session.presence = self.presence;
        session.priority = self.priority;
        session.interested = self.interested;
        session.directed = self.directed.into_iter().collect();
        self.hearings.into_iter().for_each(|(room, pos)| session.hearings.load(room, pos));
        let resumption = Resumption { token, ms: self.ms };
        let unacked = Unacked::of(acked, self.sent);
        let mut again = Managed::again(h, unacked, resumption);
        again.hidden = self.hidden;
        session.managed = Some(Box::new(again));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hearing::{Heard, Told},
        hook::Leaving,
        parcel::Link,
        port::Node,
        replay::Replay,
    };
    use std::sync::Arc;

    fn session() -> Session {
        let link = Link { node: Node(1), number: 1 };
        Session::bound(link, Jid::parse("juliet@x/balcony").unwrap(), 7, &Arc::from([]))
    }

    fn stanza(xml: &str) -> Stanza {
        Stanza::parse_one(xml).unwrap()
    }

    #[test]
    fn a_session_comes_back_as_it_was() {
        let mut before = session();
        before.presence = Some(stanza("<presence><show>away</show></presence>"));
        before.priority = -3;
        before.interested = true;
        before.directed = [Jid::parse("room@y/nick").unwrap()].into();
        let resumption = Resumption::by("id", 3_600_000);
        let mut managed = Managed::from_now(&before.handled, Some(resumption.clone()));
        managed.hidden = Some(stanza("<presence><show>xa</show></presence>"));
        managed.unacked.push(&Leaving {
            stanza: stanza("<message id='1'/>"),
            pos: Some(Pos(9)),
            told: None,
        });
        managed.unacked.push(&Leaving {
            stanza: stanza("<iq id='2' type='get'/>"),
            pos: None,
            told: None,
        });
        let state = save(&before, &managed);

        let mut after = session();
        Saved::read(&state).unwrap().load(&mut after, resumption.token, 5, 11);
        let again = after.managed.take().unwrap();
        assert_eq!((again.h(2), again.resumption.clone()), (7, Some(resumption)));
        assert_eq!((again.unacked.acked(), again.unacked.sent()), (11, 13));
        let sent: Vec<_> =
            again.unacked.iter().map(|sent| (sent.pos, sent.stanza.is_some())).collect();
        assert_eq!(sent, [(Some(Pos(9)), false), (None, true)]);
        assert_eq!(save(&after, &again), state);
    }

    #[test]
    fn what_is_damaged_or_unknown_is_not_read() {
        let managed = Managed::from_now(&session().handled, Some(Resumption::by("id", 1)));
        let state = save(&session(), &managed);
        assert!(Saved::read(&state).is_some());
        for end in 1..state.len() {
            let whole = state[..end] == [1] || end == state.len();
            let read = Saved::read(&state[..end]).is_some();
            // A field that is cut is damaged; between two it only says less.
            assert!(!read || whole || Saved::read(&state[..end]).is_some());
        }
        assert!(Saved::read(&[]).is_none() && Saved::read(&[2]).is_none());
        assert!(Saved::read(&[1, 99, 0, 0, 0, 0]).is_none());
        assert!(Saved::read(&[1, PRIORITY, 0, 0, 0, 2, 0, 0]).is_none());
        assert!(Saved::read(&[1, PRESENCE, 0xff, 0xff, 0xff, 0xff]).is_none());
    }

    #[test]
    fn a_request_that_was_answered_is_so_still() {
        let before = session();
        let mut managed = Managed::from_now(&before.handled, Some(Resumption::by("id", 1)));
        for id in 1..=3 {
            let asks = format!("<iq from='romeo@x/r' id='{id}' type='get'/>");
            managed.unacked.push(&stanza(&asks).into());
        }
        managed.unacked.answers(&stanza("<iq to='romeo@x/r' id='2' type='result'/>"));
        let mut after = session();
        Saved::read(&save(&before, &managed)).unwrap().load(&mut after, [0; 32], 5, 11);
        let again = after.managed.unwrap();
        let answered: Vec<_> = again.unacked.iter().map(|sent| sent.answered).collect();
        assert_eq!(answered, [false, true, false]);
        assert!(Saved::read(&[VERSION, ANSWERED, 0, 0, 0, 0]).is_none(), "nothing is before it");
    }

    #[test]
    fn what_waits_behind_the_log_waits_there_still_and_has_not_been_sent() {
        let mut before = session();
        let mut replay = Replay::missed(Pos(5));
        let asks = stanza("<iq from='romeo@x/r' id='1' type='get'/>");
        replay.behind.push(asks.into(), Pos(9), Moment(0)).unwrap();
        before.replay = Some(Box::new(replay));
        let managed = Managed::from_now(&before.handled, Some(Resumption::by("id", 1)));
        let mut saved = Saved::read(&save(&before, &managed)).unwrap();
        let mut behind = saved.behind(&Bare::parse("juliet@x").unwrap(), Pos(5), Moment(7));
        assert_eq!(behind.until(), Some(Moment(7)));
        let next = |behind: &mut Behind, told| Some(behind.next(Pos(told))?.stanza.head.id.clone());
        assert_eq!(next(&mut behind, 8), None);
        assert_eq!(next(&mut behind, 9), Some(Some("1".into())));
        let mut after = session();
        saved.load(&mut after, [0; 32], 5, 11);
        assert_eq!(after.managed.unwrap().unacked.sent(), 11);
    }

    #[test]
    fn what_waits_for_the_log_of_a_room_waits_for_nothing_when_the_process_has_ended() {
        let mut before = session();
        let room = Bare::parse("garden@rooms.x").unwrap();
        let told = Told { pos: Pos(9), after: Pos(8), more: false };
        let by = room.with_resource("romeo").unwrap();
        assert_eq!(before.hearings.hear(&by, told), Heard::Gap(Pos(0)));
        let refused = "<message from='garden@rooms.x' type='error'/>";
        let shown = "<presence from='garden@rooms.x/romeo'/>";
        for waits in [refused, shown] {
            assert_eq!(before.hearings.precedes(stanza(waits).into(), Moment(0)).len(), 0);
        }
        let managed = Managed::from_now(&before.handled, Some(Resumption::by("id", 1)));
        let me = Bare::parse("juliet@x").unwrap();
        let waits = |session: &Session| {
            let mut saved = Saved::read(&save(session, &managed)).unwrap();
            let mut behind = saved.behind(&me, Pos(5), Moment(7));
            let next = std::iter::from_fn(|| behind.next(Pos(5)));
            next.map(|leaving| leaving.stanza.kind()).collect::<Vec<_>>()
        };
        assert_eq!(waits(&before), [Kind::Message], "presence a room shows again");
        let mut detached = Managed::from_now(&before.handled, None);
        detached.detached = Some(Moment(9));
        before.managed = Some(Box::new(detached));
        assert_eq!(waits(&before), [Kind::Message, Kind::Presence], "nothing was shown yet");
    }

    /// Whatever bytes these are, reading them ends, and what is read is no more than they are.
    fn reads(bytes: &[u8]) -> bool {
        let Some(saved) = Saved::read(bytes) else { return false };
        let Saved { directed, slots, sent, hearings, .. } = saved;
        assert!((directed.len() + slots.len() + sent.len() + hearings.len()) * 5 <= bytes.len());
        let told: usize = slots.iter().map(|(key, value)| key.len() + value.len()).sum();
        let stanzas = sent.iter().filter_map(|sent| sent.stanza.as_ref());
        assert!(told + stanzas.map(Stanza::wire_len).sum::<usize>() <= 4 * bytes.len());
        true
    }

    #[test]
    fn whatever_the_store_has_is_read_or_not_but_never_more_than_it_is() {
        let mut before = session();
        before.presence = Some(stanza("<presence><show>away</show></presence>"));
        before.directed = [Jid::parse("room@y/nick").unwrap()].into();
        let mut managed = Managed::from_now(&before.handled, Some(Resumption::by("id", 1)));
        managed.unacked.push(&Leaving {
            stanza: stanza("<message id='1'/>"),
            pos: None,
            told: None,
        });
        managed.unacked.push(&Leaving {
            stanza: stanza("<message id='2'/>"),
            pos: Some(Pos(9)),
            told: None,
        });
        let state = save(&before, &managed);
        let (mut word, mut read) = (1_u64, 0);
        let mut roll = |sides: usize| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (word >> 33) as usize % sides
        };
        for _ in 0..20_000 {
            let mut bytes = state.clone();
            for _ in 0..=roll(3) {
                let at = roll(bytes.len());
                match roll(4) {
                    0 => bytes[at] = roll(256) as u8,
                    1 => bytes[at] ^= 1 << roll(8),
                    2 => drop(bytes.drain(at..(at + 1 + roll(9)).min(bytes.len()))),
                    _ => bytes.extend_from_within(at..),
                }
                bytes.extend(bytes.is_empty().then_some(1));
            }
            read += u32::from(reads(&bytes));
        }
        assert!((100..19_000).contains(&read), "{read}");
    }
}
