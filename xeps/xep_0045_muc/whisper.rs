//! Private messages of occupants (XEP-0045 §7.5). A room keeps none of them: each is in the logs
//! of both who write, in one unit, and the room only stands between.

use super::{
    line::{Asker, Effect},
    names::X,
    occupants::Occupant,
    rank::Role,
    room::{Room, Turn, send},
};
use crate::xep_0334_hints::{NO_COPY, NO_STORE};
use engine::{
    account::Output,
    parcel::{Owed, Parcel},
    port::Fault,
    unit::Committed,
    wire::*,
};
use std::collections::BTreeMap;

/// Messages that may be on their way between two occupants.
const WHISPERED_MAX: usize = 1_024;

/// Who may be sent to, or may send, privately (§16.5.3).
pub const WHOM: &[&str] = &["anyone", "participants", "moderators", "none"];

/// Who may send private messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whispers {
    Anyone,
    Participants,
    Moderators,
    Nobody,
}

/// What is on its way: the sender's unit is not committed yet. Whose account gives the other half.
#[derive(Debug, Default)]
pub struct Whispered(BTreeMap<Owed, Bare>);

impl Whispered {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Room {
    /// §7.5.
    ///
    /// # Errors
    /// `not-acceptable` for who is not an occupant, `item-not-found` for whom nobody is,
    /// `forbidden` where the room does not want it.
    pub fn whisper(
        &mut self,
        from: &Jid,
        nick: &str,
        stanza: Stanza,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some((own, sender)) = self.occupants.by(from) else {
            return Err(StanzaCondition::NotAcceptable.into());
        };
        let Some(other) = self.occupants.get(nick) else {
            return Err(StanzaCondition::ItemNotFound.into());
        };
        if !self.config.whispers.allow(sender, other) {
            return Err(StanzaCondition::Forbidden.into());
        }
        let said = self.said(&stanza, own, turn.ctx).with(Draft::new(X).finish());
        let to = other.who.clone();
        let mut seats = other.seats.iter().rev();
        let Some(first) = seats.next() else { return Ok(()) };
        let mut first_said = said.clone();
        first_said.head.to = Some(first.jid.clone());
        // The one account keeps it once, whichever of its sessions get it.
        let copy = |jid: &Jid| {
            let hints = [NO_STORE, NO_COPY].map(|hint| Draft::new(hint).finish());
            let mut copy = hints.into_iter().fold(said.clone(), Stanza::with);
            copy.head.to = Some(jid.clone());
            copy
        };
        let copies: Vec<_> = seats.map(|seat| copy(&seat.jid)).collect();
        // Behind what its author has said to all, and has not been told yet.
        let mut step = self.step(Asker::Nobody);
        let Asker::Owed(owed) = asker else {
            step.send(first_said);
            copies.into_iter().for_each(|copy| step.send(copy));
            self.take(step, turn);
            return Ok(());
        };
        if self.whispered.0.len() >= WHISPERED_MAX {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        self.whispered.0.insert(owed.clone(), to.clone());
        step.effects.push(Effect::Whisper(to.clone(), first_said, owed.clone()));
        // Right behind it, and told when it is: what is said next is for all of them behind both.
        let copied = |copy| Effect::Copy(to.clone(), copy, owed.clone());
        step.effects.extend(copies.into_iter().map(copied));
        self.take(step, turn);
        Ok(())
    }

    /// That something private did not arrive is told to who wrote it: what is wrong, and not who
    /// says so (§17.4).
    pub fn pass_error(&self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_, '_>) {
        let nick = stanza.head.to.as_ref().and_then(Jid::resource);
        let (Some((own, _)), Some(nick)) = (self.occupants.by(from), nick) else { return };
        let Some(other) = self.occupants.get(nick) else { return };
        let mut head = Head::new(Kind::Message).with_type("error").with_from(self.occupant(own));
        head.id.clone_from(&stanza.head.id);
        let told = Stanza::new(head).with(error_of(stanza).to_payload());
        for seat in &other.seats {
            send(super::show::addressed(&told, &seat.jid), turn.out);
        }
    }

    /// The units of both are committed, or not.
    pub fn release(
        &mut self,
        owed: Owed,
        outcome: Result<Committed, Fault>,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(to) = self.whispered.0.remove(&owed) else { return };
        turn.out.push(Output::Parcel(Parcel::Release { to, owed, outcome }));
    }
}

/// What an error says, without what could tell whose it is: the address of who generated it, and
/// any words.
pub fn error_of(stanza: &Stanza) -> StanzaError {
    let error = stanza.child(Name::new(ns::CLIENT, "error"));
    let mut conditions = error.into_iter().flat_map(Element::children);
    let condition = conditions.find_map(|child| {
        StanzaCondition::from_name(child.local()).filter(|_| child.ns() == ns::STANZA_ERRORS)
    });
    let condition = condition.unwrap_or(StanzaCondition::UndefinedCondition);
    let kind = error.and_then(|error| error.attribute("type"));
    let kind = kind.and_then(|kind| ErrorType::from_name(&kind));
    StanzaError::new(kind.unwrap_or_else(|| condition.default_type()), condition)
}

impl Whispers {
    const ALL: [Self; 4] = [Self::Anyone, Self::Participants, Self::Moderators, Self::Nobody];

    pub fn as_str(self) -> &'static str {
        WHOM[Self::ALL.iter().position(|one| *one == self).unwrap_or_default()]
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether one may write to the other. Moderators are heard, and may be written to, always.
    fn allow(self, from: &Occupant, to: &Occupant) -> bool {
        match self {
            Self::Anyone => true,
            _ if from.role == Role::Moderator => true,
            Self::Participants => from.role >= Role::Participant,
            Self::Moderators => to.role == Role::Moderator,
            Self::Nobody => false,
        }
    }
}
