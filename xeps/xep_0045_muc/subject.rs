//! The subject of a room (XEP-0045 §7.2.15, §8.1).

use super::{
    line::{Asker, Effect},
    names::{BODY, SUBJECT, THREAD, delay},
    rank::Role,
    room::{ROOM, Room, Turn},
};
use crate::xep_0082_dates::date_time;
use engine::{unit::Change, wire::*};

/// What the discussion is about, and since when.
#[derive(Debug, Default)]
pub struct Subject {
    said: Option<(u64, Stanza)>,
}

impl Subject {
    /// That one, said at `unix_ms`, as the occupants heard it.
    pub fn of(unix_ms: u64, said: Stanza) -> Self {
        Self { said: Some((unix_ms, said)) }
    }

    pub fn save(&self) -> Option<String> {
        self.said.as_ref().map(|(unix_ms, said)| format!("{unix_ms}\n{}", said.to_text()))
    }

    pub fn load(kept: &str) -> Option<Self> {
        let (unix_ms, said) = kept.split_once('\n')?;
        Some(Self::of(unix_ms.parse().ok()?, Stanza::parse_one(said).ok()?))
    }

    /// What who enters is told of it; of a room without one that it has none.
    pub fn told(&self, room: &Bare, to: &Jid) -> Stanza {
        let Some((unix_ms, said)) = &self.said else {
            let head = Head::new(Kind::Message).with_type("groupchat").with_from(room.clone());
            let none = Draft::new(SUBJECT).finish();
            return Stanza::new(head.with_to(to.clone())).with(none);
        };
        let mut told = said.clone().with(delay(room, date_time(*unix_ms)));
        told.head.to = Some(to.clone());
        told
    }

    /// In whatever language it is, for who looks at the room from outside.
    pub fn text(&self) -> String {
        let subject = self.said.as_ref().and_then(|(_, said)| said.child(SUBJECT));
        subject.map(|subject| subject.text().into_owned()).unwrap_or_default()
    }

    pub fn weight(&self) -> usize {
        self.said.as_ref().map_or(0, |(_, said)| said.wire_len())
    }
}

/// §7.2.15: a subject and nothing else that is said.
pub fn is_subject(message: &Stanza) -> bool {
    let says = |name| message.child(name).is_some();
    says(SUBJECT) && !says(BODY) && !says(THREAD)
}

impl Room {
    /// §8.1. `said` is as the occupants will hear it.
    ///
    /// # Errors
    /// `forbidden` for who may not.
    pub fn change_subject(
        &mut self,
        said: Stanza,
        by: &Jid,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let role = self.rank(by).role;
        let may = match role {
            Role::Moderator => true,
            Role::Participant => self.config.may_change_subject,
            Role::Visitor | Role::None => false,
        };
        if !may {
            return Err(StanzaCondition::Forbidden.into());
        }
        let mut step = self.step(asker);
        self.subject = Subject::of(turn.ctx.unix_ms, said.clone());
        if let Some(kept) = self.subject.save() {
            let room = self.jid.clone();
            step.write(Change::Put(ROOM, room, "subject".into(), kept.into_bytes()));
        }
        if self.config.is_archived {
            step.unit.entries.push(self.entry(&said));
        }
        step.effects.push(Effect::Tell(said, by.clone()));
        Self::settle(&mut step);
        self.take(step, turn);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_told_with_its_time_and_a_room_without_one_says_so_section_7_2_15() {
        let room = Bare::parse("garden@rooms.x").unwrap();
        let to = Jid::parse("juliet@x/balcony").unwrap();
        let told = Subject::default().told(&room, &to).to_text();
        assert!(told.contains("<subject/>") && !told.contains("delay"), "{told}");
        let said = "<message type='groupchat' from='garden@rooms.x/nurse'>\
            <subject>roses</subject></message>";
        let subject = Subject::of(1_000, Stanza::parse_one(said).unwrap());
        let again = Subject::load(&subject.save().unwrap()).unwrap();
        assert_eq!(again.text(), "roses");
        let told = again.told(&room, &to).to_text();
        assert!(told.contains("stamp='1970-01-01T00:00:01Z'"), "{told}");
        assert!(told.contains("from='garden@rooms.x/nurse'"), "{told}");
        assert!(Subject::load("x").is_none() && Subject::load("1\n<message").is_none());
    }

    #[test]
    fn only_a_subject_without_body_is_a_change_section_7_2_15() {
        let is = |xml: &str| is_subject(&Stanza::parse_one(xml).unwrap());
        assert!(is("<message><subject>a</subject></message>"));
        assert!(is("<message><subject/></message>"));
        assert!(!is("<message><subject>a</subject><body>b</body></message>"));
        assert!(!is("<message><subject>a</subject><thread>b</thread></message>"));
        assert!(!is("<message><body>b</body></message>"));
    }
}
