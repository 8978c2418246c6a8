//! What a room on the stage writes, and reads of what was written, as by the writer and the store:
//! in memory.

use crate::{
    stage_room::House,
    xep_0045_muc::{history, making},
};
use engine::{
    archive::Found,
    hook::{Replied, Reply},
    port::{Fault, Logged},
    unit::{AFFILIATIONS, Change, Committed, Entry, MARKS, OUTCAST, OWN_KEYS, Pos, ROOM, Unit},
    wire::*,
};

/// 2006-12-19T17:58:35.999Z.
pub const NOW: u64 = 1_166_551_115_999;
const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";

impl House {
    /// All of a unit, or nothing.
    pub fn write(&mut self, unit: Unit) -> Result<Committed, Fault> {
        if let Some(place) = unit.once.as_ref().and_then(|once| {
            let is_it = |(pos, entry): &&(Pos, Entry)| {
                let by = entry.settles.map(|(session, _)| session);
                let is_other = once.besides.is_none() || by != once.besides;
                entry.key == Some(once.key) && *pos > once.since && is_other
            };
            self.log.iter().find(is_it).map(|(pos, entry)| (entry.log.clone(), *pos))
        }) {
            return Ok(Committed { places: vec![place], repeated: true });
        }
        let (mut is_made, mut cells, mut is_deleted) = (self.is_made, self.cells.clone(), false);
        for change in unit.changes {
            match change {
                Change::Room(jid) if jid == self.jid => is_made = true,
                Change::Delete(jid) if jid == self.jid => {
                    (is_made, is_deleted) = (false, true);
                    cells.retain(|(_, of, _), _| *of != self.jid);
                }
                Change::Put(_, of, ..) | Change::Cut(_, of, _) if of == self.jid && !is_made => {
                    return Err(Fault::Refused("there is no such log".into()));
                }
                Change::Swap(table, of, key, before, now) => {
                    let at = (table.name(), of, key);
                    if cells.get(&at) != before.as_ref() {
                        return Err(Fault::Refused("it is something else".into()));
                    }
                    match now {
                        Some(now) => drop(cells.insert(at, now)),
                        None => drop(cells.remove(&at)),
                    }
                }
                Change::Put(table, of, key, value) => {
                    cells.insert((table.name(), of, key), value);
                }
                Change::Cut(table, of, key) => {
                    cells.remove(&(table.name(), of, key));
                }
                other => panic!("a room does not write {other:?}"),
            }
        }
        if !is_made && !unit.entries.is_empty() {
            return Err(Fault::Refused("there is no such log".into()));
        }
        if is_deleted {
            self.log.clear();
        }
        (self.is_made, self.cells) = (is_made, cells);
        let mut committed = Committed::default();
        for entry in unit.entries {
            let last = self.log.last().map_or_else(Pos::default, |(pos, _)| *pos);
            let pos = Pos::next(last, self.unix_ms);
            committed.places.push((entry.log.clone(), pos));
            self.log.push((pos, entry));
        }
        Ok(committed)
    }

    /// An account is removed: what the store has of it goes, as far as it goes with it.
    pub fn removes(&mut self, who: &str) {
        self.cells.retain(|(table, _, key), value| {
            let is_own = OWN_KEYS.iter().any(|of| key.strip_prefix(of) == Some(who));
            let is_banned = value.starts_with(OUTCAST);
            !(*table == AFFILIATIONS.name() && key == who && !is_banned
                || *table == MARKS.name() && key == who
                || *table == ROOM.name() && is_own)
        });
    }

    /// What was said up to there, to who has entered, or comes back; of an archive, that it is
    /// empty.
    pub fn read(&self, asked: &Stanza) -> Replied {
        if asked.kind() == Kind::Presence {
            let who = asked.head.from.as_ref().expect("somebody").bare();
            let taken = self.cells.keys().filter(|(table, ..)| *table == making::PLACES.name());
            let taken: Vec<_> = taken.map(|(_, _, key)| key.clone()).collect();
            return making::take_place(&self.jid, &who, &taken, 200);
        }
        let place = |name| asked.child(Name::new(MUC, name))?.text().parse::<i64>().ok();
        let Some(until) = place("until") else { return Ok(Reply::Empty) };
        if place("after").is_some() {
            return self.missed(asked);
        }
        let before = |(pos, _): &&(Pos, Entry)| pos.0 <= until;
        let said = self.log.iter().filter(before).map(|(pos, entry)| {
            let mut said = Stanza::parse_one(&entry.stanza).expect("what was said");
            said.head.to.clone_from(&asked.head.from);
            let delay = Draft::new(Name::new("urn:xmpp:delay", "delay"));
            let said = said.without(Name::new(USER, "x"));
            let said = said.with(delay.attribute("from", self.jid.as_str()).finish());
            let id = Draft::new(Name::new("urn:xmpp:sid:0", "stanza-id"));
            let id = id.attribute("by", self.jid.as_str());
            said.with(id.attribute("id", self.settings.names.name(&self.jid, *pos)).finish())
        });
        let says_more = |said: &Stanza| said.child(Name::new(ns::CLIENT, "body")).is_some();
        Ok(Reply::After(said.filter(says_more).collect(), None))
    }

    /// As the room reads it of the store.
    fn missed(&self, asked: &Stanza) -> Replied {
        let search = history::missing(asked)?;
        let is_it = |pos: Pos| pos > search.after && search.before.is_none_or(|end| pos < end);
        let all =
            self.log.iter().filter(|(pos, entry)| is_it(*pos) && entry.flags.has(search.flags));
        let logged = |(pos, entry): &(Pos, Entry)| Logged { pos: *pos, entry: entry.clone() };
        let mut entries: Vec<_> = all.map(logged).collect();
        let more = entries.len() > search.max;
        entries.truncate(search.max);
        let found = Found { entries, more, ..Found::default() };
        Ok(history::first_of(found, asked, &self.jid, &self.settings))
    }
}
