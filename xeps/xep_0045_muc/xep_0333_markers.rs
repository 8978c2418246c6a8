//! XEP-0333: Displayed Markers. <https://xmpp.org/extensions/xep-0333.html>
//!
//! Up to where each member has read stands with the room, as one place of its log, however many
//! markers said so. It is written within a second, and nobody waits for that: what a crash loses of
//! it is unread once more.

use super::{
    line::{Asker, Step},
    members::Members,
    names::{STANZA_ID, THREAD, stanza_id},
    rank::{Affiliation, Role},
    room::{Room, Turn},
    show::addressed,
    xep_0421_occupant_id as occupant_id,
};
use crate::xep_0059_rsm as rsm;
use engine::{
    account::Output,
    ctx::{Ctx, Moment},
    hook::*,
    parcel::Ticket,
    setting::{self, Setting},
    unit::{Change, Pos, Unit},
    wire::*,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who has read what.
pub const XEP: Xep = Xep {
    number: 333,
    name: "Displayed Markers",
    version: "1.0.0",
    status: Status::Complete,
    hooks: &[Hook::AtHand(MARKS), Hook::Feature(Of::Room, OURS)],
};

/// In how large a room markers are told.
pub const FANOUT_MAX: Setting = Setting {
    xep: 45,
    key: "marker_fanout_occupants_max",
    kind: setting::Kind::Number { default: 50, from: 0, to: 100_000 },
    doc: "In a room with more occupants, what only says that somebody has read is told to nobody; \
          who wants to know asks the room.",
};

pub use engine::unit::MARKS;

const NS: &str = "urn:xmpp:chat-markers:0";
/// `acknowledged` is of earlier versions; XEP-0430 §4 has it, too.
const DISPLAYED: [Name; 2] = [Name::new(NS, "displayed"), Name::new(NS, "acknowledged")];
/// What may stand beside a marker that says nothing: what it is called, what becomes of it, and
/// that its sender is there (XEP-0359, XEP-0334, XEP-0085).
const BESIDE: [&str; 5] = [
    NS,
    STANZA_ID.ns,
    "urn:xmpp:occupant-id:0",
    "urn:xmpp:hints",
    "http://jabber.org/protocol/chatstates",
];

/// The document has no way to ask for marks.
const OURS: &str = "urn:waxwing:room-marks:0";
/// What members ask for.
pub const QUERY: Name = Name::new(OURS, "marks");
const MARK: Name = Name::new(OURS, "mark");

/// How late marks are written, in milliseconds.
const NOTED_MS: u64 = 1_000;
/// Marks that are written at once.
const NOTED_MARKS_MAX: usize = 1_000;
/// Marks of a page when nobody says how many.
const PAGE_MARKS: usize = 100;
/// Marks of a page, whatever is said.
const PAGE_MARKS_MAX: usize = 250;

/// Up to where a member has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Everything up to there has been displayed, as it said.
    pub displayed: Pos,
    /// What was said up to there, was before it became a member.
    pub since: Pos,
    /// What was said up to there, was before it left the last time.
    pub left: Pos,
}

impl Mark {
    fn save(self) -> Vec<u8> {
        format!("{} {} {}", self.displayed.0, self.since.0, self.left.0).into_bytes()
    }

    /// One that was kept; `None`: nobody can read it.
    pub fn load(value: &[u8]) -> Option<Self> {
        let mut places = std::str::from_utf8(value).ok()?.split(' ');
        let mut place = || Some(Pos(places.next()?.parse().ok()?));
        let (displayed, since) = (place()?, place()?);
        Some(Self { displayed, since, left: place().unwrap_or_default() })
    }

    fn change(self, room: &Bare, who: &Bare) -> Change {
        Change::Put(MARKS, room.clone(), who.as_str().to_owned(), self.save())
    }
}

/// The marks of all members.
#[derive(Debug, Default)]
pub struct Marks {
    by_address: BTreeMap<Bare, Mark>,
    /// Whose mark the store does not have yet.
    unwritten: BTreeSet<Bare>,
    /// Whose is being written.
    written: BTreeMap<Ticket, BTreeSet<Bare>>,
    /// When the room comes back to it.
    wakes: Option<Moment>,
}

impl Marks {
    /// One that was kept.
    pub fn load(&mut self, key: &str, value: &[u8]) {
        let (Ok(who), Some(mark)) = (Bare::parse(key), Mark::load(value)) else { return };
        self.by_address.insert(who, mark);
    }

    /// Whether the store has them all, or will.
    pub fn are_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Whether the writer will say of some that it has them: to this room, not to one that comes
    /// after it.
    pub fn are_awaited(&self) -> bool {
        !self.written.is_empty()
    }

    /// There are none any more.
    pub fn clear(&mut self) {
        self.by_address.clear();
        self.unwritten.clear();
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.by_address.len() * size_of::<(Bare, Mark)>()
    }

    /// Markers only move on (section 5). Whether this one did.
    fn move_on(&mut self, who: &Bare, upto: Pos) -> bool {
        let mark = self.by_address.entry(who.clone()).or_default();
        let moves = upto > mark.displayed;
        mark.displayed = mark.displayed.max(upto);
        moves && self.unwritten.insert(who.clone())
    }

    /// A member leaves: what was said up to there, it could hear.
    fn leaves(&mut self, who: &Bare, upto: Pos) -> bool {
        let mark = self.by_address.entry(who.clone()).or_default();
        let moves = upto > mark.left;
        mark.left = mark.left.max(upto);
        moves && self.unwritten.insert(who.clone())
    }

    /// What is to be written now.
    fn unwritten(&mut self, room: &Bare) -> (BTreeSet<Bare>, Unit) {
        let rest = self.unwritten.iter().nth(NOTED_MARKS_MAX).cloned();
        let rest = rest.map(|first| self.unwritten.split_off(&first)).unwrap_or_default();
        let whose = std::mem::replace(&mut self.unwritten, rest);
        let marks = whose.iter().filter_map(|who| Some((who, self.by_address.get(who)?)));
        let unit = Unit::of(marks.map(|(who, mark)| mark.change(room, who)).collect());
        (whose, unit)
    }
}

impl Room {
    /// Somebody becomes a member, for whom what was said before is not news, or is none any more.
    pub fn begin_mark(
        &mut self,
        who: &Bare,
        (was, now): (Affiliation, Affiliation),
        step: &mut Step,
    ) {
        match (was >= Affiliation::Member, now >= Affiliation::Member) {
            (false, true) if who.local().is_some() => {
                let mark = Mark { since: self.released, ..Mark::default() };
                self.marks.by_address.insert(who.clone(), mark);
                step.write(mark.change(&self.jid, who));
            }
            (true, false) => {
                self.marks.by_address.remove(who);
                self.marks.unwritten.remove(who);
                step.write(Change::Cut(MARKS, self.jid.clone(), who.as_str().to_owned()));
            }
            _ => {}
        }
    }

    /// Somebody has read everything up to there. Of who is no member nothing is kept.
    pub fn has_read_up_to(&mut self, who: &Bare, upto: Pos, turn: &mut Turn<'_, '_>) {
        let is_kept = self.members.of(who) >= Affiliation::Member && Members::can_keep(who).is_ok();
        if is_kept && self.marks.move_on(who, upto) {
            self.come_back(turn);
        }
    }

    /// No session of a member is here any more (XEP-0437).
    pub fn has_left(&mut self, who: &Bare, turn: &mut Turn<'_, '_>) {
        let is_kept = self.members.of(who) >= Affiliation::Member && Members::can_keep(who).is_ok();
        if is_kept && self.marks.leaves(who, self.released) {
            self.come_back(turn);
        }
    }

    /// Who speaks has read what was said before (XEP-0430 §4).
    pub fn has_spoken(&mut self, who: &Bare, step: &Step, turn: &mut Turn<'_, '_>) {
        if let Some(pos) = step.pos(&self.jid) {
            self.has_read_up_to(who, pos, turn);
        }
    }

    fn come_back(&mut self, turn: &mut Turn<'_, '_>) {
        if self.marks.wakes.is_none() {
            let at = turn.ctx.now.after(NOTED_MS);
            self.marks.wakes = Some(at);
            turn.out.push(Output::Wake(at));
        }
    }

    /// Section 4.3: the id is that by which the room's archive has the message. One that is of no
    /// message here says nothing (section 5).
    pub fn hear_marker(&mut self, message: &Stanza, who: &Bare, turn: &mut Turn<'_, '_>) {
        let marker = DISPLAYED.into_iter().find_map(|name| message.child(name));
        let Some(id) = marker.and_then(|marker| marker.attribute("id")) else { return };
        if let Some(upto) = turn.ctx.settings.names.pos(&self.jid, &id) {
            self.has_read_up_to(who, upto, turn);
        }
    }

    /// Whether a message is not for everybody: in a large room, a marker alone.
    pub fn is_marker_alone(&self, message: &Stanza, ctx: &Ctx<'_>) -> bool {
        self.occupants.len() > ctx.settings.number(&FANOUT_MAX) as usize && is_marker(message)
    }

    /// It has come; who said it hears it, as it would in any room, and nobody else.
    pub fn take_marker(
        &mut self,
        said: &Stanza,
        from: &Jid,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) {
        let mut step = self.step(asker);
        step.send(addressed(said, from));
        Self::settle(&mut step);
        self.take(step, turn);
    }

    /// A moment has passed: what has been read since is written.
    pub fn note_marks(&mut self, turn: &mut Turn<'_, '_>) {
        // The room may have been woken for something else.
        if self.marks.wakes.is_none_or(|at| at > turn.ctx.now) {
            return;
        }
        self.marks.wakes = None;
        // What is asked of a store that is late is not asked again.
        match self.marks.written.is_empty() {
            true => self.write_marks(turn),
            false => self.come_back(turn),
        }
        if !self.marks.are_written() {
            self.come_back(turn);
        }
    }

    /// Nobody will come back to it: all of it is written.
    pub fn write_all_marks(&mut self, turn: &mut Turn<'_, '_>) {
        while !self.marks.are_written() {
            self.write_marks(turn);
        }
    }

    /// Beside the line: nothing of what the room tells waits for it.
    fn write_marks(&mut self, turn: &mut Turn<'_, '_>) {
        let (whose, unit) = self.marks.unwritten(&self.jid);
        if !unit.is_empty() {
            let ticket = Ticket(self.line.number());
            self.marks.written.insert(ticket, whose);
            turn.out.push(Output::Commit(ticket, unit, None));
        }
    }

    /// Whether the writer's word was of marks. Those that could not be written are written again.
    pub fn marks_written(
        &mut self,
        ticket: Ticket,
        is_done: bool,
        turn: &mut Turn<'_, '_>,
    ) -> bool {
        let Some(whose) = self.marks.written.remove(&ticket) else { return false };
        if !is_done {
            let marks = &mut self.marks;
            let still = whose.into_iter().filter(|who| marks.by_address.contains_key(who));
            marks.unwritten.extend(still);
            if !self.marks.are_written() {
                self.come_back(turn);
            }
        }
        true
    }

    /// Up to where each member has read, for members and who is here. Addresses are for who may see
    /// those of members; in order of their ids, for that of addresses would tell of them.
    ///
    /// # Errors
    /// `forbidden`; `item-not-found` for a page beside an id that has no mark.
    pub fn told_marks(
        &self,
        from: &Jid,
        query: Element<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Payload, StanzaError> {
        let rank = self.rank(from);
        if rank.role == Role::None && rank.affiliation < Affiliation::Member {
            return Err(StanzaCondition::Forbidden.into());
        }
        let sees_addresses = self.may_list(rank, Affiliation::Member).is_ok();
        let asked = rsm::Asked::read(query)?;
        let read = self.marks.by_address.iter().filter(|(_, mark)| mark.displayed > Pos::default());
        let id = |who: &Bare| occupant_id::id(&self.jid, who, ctx.settings);
        let mut all: Vec<_> = read.map(|(who, mark)| (id(who), who, mark.displayed)).collect();
        all.sort_unstable();
        let (first, end) = part(&all, &asked)?;
        let page = &all[first..end];
        let marks = page.iter().map(|(_, who, displayed)| {
            let mark = match sees_addresses {
                true => Draft::new(MARK).attribute("jid", who.as_str()),
                false => Draft::new(MARK),
            };
            let mark = mark.payload(&occupant_id::of(&self.jid, who, ctx));
            mark.payload(&stanza_id(&self.jid, *displayed, ctx.settings))
        });
        let set = rsm::Page {
            ends: page
                .first()
                .zip(page.last())
                .map(|(one, other)| (one.0.clone(), other.0.clone())),
            index: (!page.is_empty()).then_some(first as u64),
            count: Some(all.len() as u64),
        };
        Ok(marks.fold(Draft::new(QUERY), Draft::child).child(set.draft()).finish())
    }
}

/// Of the marks, which are in order of their ids, where the page begins and ends.
fn part(all: &[(String, &Bare, Pos)], asked: &rsm::Asked) -> Result<(usize, usize), StanzaError> {
    let place = |id: &str| {
        let found = all.binary_search_by(|(one, ..)| one.as_str().cmp(id));
        found.map_err(|_| StanzaError::from(StanzaCondition::ItemNotFound))
    };
    let first = asked.after.as_deref().map(place).transpose()?.map_or(0, |place| place + 1);
    let end = asked.before.as_deref().map(place).transpose()?.unwrap_or(all.len()).max(first);
    let max = asked.max.map_or(PAGE_MARKS, |max| PAGE_MARKS_MAX.min(max as usize));
    let max = max.min(end - first);
    Ok(if asked.newest { (end - max, end) } else { (first, first + max) })
}
/// Whether a message says nothing but what has been read.
pub fn is_marker(message: &Stanza) -> bool {
    let marks = |child: Element<'_>| child.ns() == NS;
    let is_beside = |child: Element<'_>| BESIDE.contains(&child.ns()) || child.is(THREAD);
    message.children().any(marks) && message.children().all(is_beside)
}
