//! What was said before, for who enters (XEP-0045 §7.2.13, §7.2.14).

use super::{
    names::{HISTORY, JOIN, MUC, X, delay, stanza_id},
    subject::is_subject,
    xep_0333_markers::is_marker,
};
use crate::xep_0082_dates as dates;
use engine::{
    archive::{Found, Search},
    hook::{Replied, Reply, World},
    port::Pending,
    settings::Settings,
    unit::{Flags, Pos},
    wire::*,
};

/// Up to which place; said by the room to itself.
const UNTIL: Name = Name::new(MUC, "until");

/// Behind which place; said likewise.
const AFTER: Name = Name::new(MUC, "after");
/// There is more.
const MORE: Name = Name::new(MUC, "more");
/// Messages that a session which comes back is told at once.
const MISSED_ENTRIES: usize = 100;
/// The same in bytes, but for a message that is larger alone: many rooms may tell it at once, and
/// all of that waits for its socket.
const MISSED_BYTES_MAX: usize = 128 << 10;
/// Bytes of all messages that who enters is told (§7.2.14), but for a newest one that is larger
/// alone. With who is here, and the subject, it has room in a mailbox.
const HISTORY_BYTES_MAX: usize = 256 << 10;

/// Pages that are read at most for what is told, and the entries of one of them behind the first:
/// subjects and markers stand in the log, too, and are not told.
const PAGES_MAX: usize = 4;
const PAGE_ENTRIES: usize = 50;

/// What of it somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Messages.
    pub max: usize,
    /// Characters of them together.
    pub chars_max: usize,
    /// Since then, in milliseconds of the Unix clock.
    pub since_ms: u64,
}

impl Asked {
    /// The least of what is asked for and what the room gives (§7.2.14). A number that is none is
    /// as if it were not there.
    pub fn read(join: &Stanza, entries_max: usize, now_ms: u64) -> Self {
        let mut all = Self { max: entries_max, chars_max: usize::MAX, since_ms: 0 };
        let asked = join.child(JOIN).and_then(|join| join.child(HISTORY));
        let Some(asked) = asked else { return all };
        let number = |name| asked.attribute(name)?.trim().parse::<u64>().ok();
        let size = |name| number(name).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        if let Some(max) = size("maxstanzas") {
            all.max = all.max.min(max);
        }
        if let Some(max) = size("maxchars") {
            all.chars_max = max;
        }
        if let Some(seconds) = number("seconds") {
            all.since_ms = now_ms.saturating_sub(seconds.saturating_mul(1_000));
        }
        if let Some((ms, _)) = asked.attribute("since").and_then(|since| dates::read(&since)) {
            all.since_ms = all.since_ms.max(u64::try_from(ms).unwrap_or_default());
        }
        all
    }

    /// The question, as it goes to the store.
    pub fn stanza(&self, room: &Bare, to: &Jid) -> Stanza {
        let head = Head::new(Kind::Iq).with_from(to.clone()).with_to(room.clone());
        let asked = Draft::new(HISTORY)
            .attribute("maxstanzas", self.max.to_string())
            .attribute("maxchars", self.chars_max.to_string())
            .attribute("since", self.since_ms.to_string());
        Stanza::new(head).with(asked.finish())
    }
}

/// The same question, of what the log has up to there.
pub fn until(asked: Stanza, pos: Pos) -> Stanza {
    asked.with(Draft::new(UNTIL).text(pos.0.to_string()).finish())
}

/// What may still be told.
struct Left {
    /// As who enters wants it.
    entries: usize,
    chars: usize,
    /// As a mailbox has room for it.
    bytes: usize,
}

impl Left {
    /// `None`: it may not, and nothing that is older.
    fn take(&mut self, said: Stanza) -> Option<Stanza> {
        let size = said.wire_len();
        let is_newest = self.bytes == HISTORY_BYTES_MAX;
        let fits = is_newest || size <= self.bytes;
        let left = self.entries.checked_sub(1).zip(self.chars.checked_sub(size));
        let left = left.filter(|_| fits);
        (self.entries, self.chars) = left.unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(size);
        left.map(|_| said)
    }
}

/// The newest that it allows, oldest first. What cannot be read is not told: who enters asks the
/// archive for it.
pub fn read<'a>(asked: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let until = asked.child(UNTIL).and_then(|until| until.text().parse::<i64>().ok());
        let (Some(until), Some(history)) = (until, asked.child(HISTORY)) else {
            return Err(StanzaCondition::BadRequest.into());
        };
        let number = |name| history.attribute(name)?.parse::<u64>().ok();
        let size = |name| usize::try_from(number(name).unwrap_or_default()).unwrap_or(usize::MAX);
        let since = i64::try_from(number("since").unwrap_or_default()).unwrap_or(i64::MAX >> 20);
        let mut search = Search {
            after: Pos(since.saturating_mul(1 << 20).saturating_sub(1).max(0)),
            before: Some(Pos(until.saturating_add(1))),
            flags: Flags::ARCHIVE,
            newest: true,
            max: size("maxstanzas"),
            ..Search::default()
        };
        let (entries, chars) = (search.max, size("maxchars"));
        let mut left = Left { entries, chars, bytes: HISTORY_BYTES_MAX };
        let mut told = Vec::new();
        for _ in 0..PAGES_MAX {
            let found = world.store.search(world.account, &search).await?;
            (search.before, search.max) = (found.entries.first().map(|one| one.pos), PAGE_ENTRIES);
            // Each message may have been marked by everybody: of what is older, what begins unread.
            search.flags = Flags::ARCHIVE.and(Flags::SPEAKS);
            let said = found.entries.into_iter().rev().filter_map(|logged| {
                let said = Stanza::parse_one(&logged.entry.stanza).ok()?;
                // §7.2.13: what was discussed, not who has read it; nor are subjects history.
                let is_told = !is_subject(&said) && !is_marker(&said);
                let mut said =
                    is_told.then(|| stamped(said, world.account, logged.pos, world.settings))?;
                said.head.to.clone_from(&asked.head.from);
                Some(said)
            });
            told.extend(said.map_while(|said| left.take(said)));
            if left.entries == 0 || !found.more {
                break;
            }
        }
        told.reverse();
        Ok(Reply::After(told, None))
    })
}

/// The question of a session, what it has missed behind this place.
pub fn missed_by(room: &Bare, to: &Jid, after: Pos) -> Stanza {
    let head = Head::new(Kind::Iq).with_from(to.clone()).with_to(room.clone());
    Stanza::new(head).with(Draft::new(AFTER).text(after.0.to_string()).finish())
}

/// The first of it, oldest first; with something behind them when there is more.
pub fn missed<'a>(asked: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let search = missing(asked)?;
        let found = world.store.search(world.account, &search).await?;
        Ok(first_of(found, asked, world.account, world.settings))
    })
}

/// What of the log that is.
///
/// # Errors
/// `bad-request` for a question that is not the room's own.
pub fn missing(asked: &Stanza) -> Result<Search, StanzaError> {
    let place = |name| Some(Pos(asked.child(name)?.text().parse::<i64>().ok()?));
    let (Some(after), Some(until)) = (place(AFTER), place(UNTIL)) else {
        return Err(StanzaCondition::BadRequest.into());
    };
    Ok(Search {
        after,
        before: Some(Pos(until.0.saturating_add(1))),
        flags: Flags::ARCHIVE,
        max: MISSED_ENTRIES,
        ..Search::default()
    })
}

/// Of what was found as much as is told at once. What it leaves is read again, from where it ends.
pub fn first_of(found: Found, asked: &Stanza, room: &Bare, settings: &Settings) -> Reply {
    let (mut told, mut more) = (Vec::new(), found.more);
    let mut left = MISSED_BYTES_MAX;
    for logged in found.entries {
        let Ok(said) = Stanza::parse_one(&logged.entry.stanza) else { continue };
        let mut said = stamped(said, room, logged.pos, settings);
        said.head.to.clone_from(&asked.head.from);
        let size = said.wire_len();
        if size > left && !told.is_empty() {
            more = true;
            break;
        }
        left = left.saturating_sub(size);
        told.push(said);
    }
    Reply::After(told, more.then(|| Draft::new(MORE).finish()))
}

/// With its name in the archive, and when it was said.
fn stamped(said: Stanza, room: &Bare, pos: Pos, settings: &Settings) -> Stanza {
    let delay = delay(room, dates::date_time_ms(pos.unix_ms()));
    said.without(X).with(stanza_id(room, pos, settings)).with(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn asked(attributes: &str) -> Asked {
        let join = format!(
            "<presence><x xmlns='http://jabber.org/protocol/muc'><history {attributes}/></x>\
             </presence>"
        );
        Asked::read(&Stanza::parse_one(&join).unwrap(), 20, NOW)
    }

    #[test]
    fn the_least_of_what_is_asked_for_section_7_2_14() {
        let all = Asked { max: 20, chars_max: usize::MAX, since_ms: 0 };
        assert_eq!(asked(""), all);
        assert_eq!(asked("maxstanzas='7'").max, 7);
        assert_eq!(asked("maxstanzas='700'").max, 20);
        assert_eq!(asked("maxchars='0'").chars_max, 0);
        assert_eq!(asked("seconds='60'").since_ms, NOW - 60_000);
        assert_eq!(asked("since='1970-01-01T00:00:01Z'").since_ms, 1_000);
        assert_eq!(asked("seconds='60' since='1970-01-01T00:00:01Z'").since_ms, NOW - 60_000);
        for nonsense in ["maxstanzas='-1'", "maxchars='x'", "seconds=''", "since='yesterday'"] {
            assert_eq!(asked(nonsense), all, "{nonsense}");
        }
        assert_eq!(asked("seconds='18446744073709551615'").since_ms, 0);
    }

    #[test]
    fn the_newest_that_have_room_in_a_mailbox_are_told_section_7_2_14() {
        let all = || Left { entries: 20, chars: usize::MAX, bytes: HISTORY_BYTES_MAX };
        let said = |bytes: usize| {
            let body = "x".repeat(bytes);
            Stanza::parse_one(&format!("<message><body>{body}</body></message>")).unwrap()
        };
        let told = |left: &mut Left, sizes: &[usize]| {
            sizes.iter().map_while(|bytes| left.take(said(*bytes))).count()
        };
        assert_eq!(told(&mut all(), &[100; 30]), 20);
        assert_eq!(told(&mut all(), &[HISTORY_BYTES_MAX / 4; 20]), 3, "and what is around each");
        assert_eq!(told(&mut all(), &[1, 1, HISTORY_BYTES_MAX, 1]), 2, "nothing is left out");
        let alone = [2 * HISTORY_BYTES_MAX, 1];
        assert_eq!(told(&mut all(), &alone), 1, "the newest is told, however large");
        assert_eq!(told(&mut Left { chars: 9, ..all() }, &alone), 0, "unless it is not wanted");
    }
}
