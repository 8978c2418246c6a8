//! Messages that come to a room (XEP-0045 §7.4, §7.5, §7.8, §7.13).

use super::{
    line::{Asker, Effect, Step},
    names::*,
    rank::{Affiliation, Role},
    register::is_approval,
    room::{Room, Turn, give_half, refuse_asker},
    subject::is_subject,
    whisper::error_of,
    xep_0421_occupant_id as occupant_id,
};
use crate::xep_0004_forms as forms;
use engine::{
    account::Output,
    ctx::Ctx,
    parcel::Owed,
    unit::{Entry, Flags, Once, Unit},
    wire::*,
};

impl Room {
    /// A message for the room or for an occupant of it.
    pub fn message(&mut self, stanza: Stanza, owed: Option<Owed>, turn: &mut Turn<'_, '_>) {
        let asker = match owed {
            Some(owed) => Asker::Owed(owed),
            None => Asker::Sender(stanza.clone()),
        };
        if let Err(error) = self.handle_message(stanza, asker.clone(), turn) {
            refuse_asker(asker, &error, turn.out);
        }
    }

    fn handle_message(
        &mut self,
        stanza: Stanza,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let from = stanza.head.from.clone().ok_or(StanzaCondition::BadRequest)?;
        if stanza.head.type_str() == "error" {
            // §18.1.2: who cannot be reached is not there.
            self.pass_error(&from, &stanza, turn);
            if is_unreachable(&stanza) {
                self.drop_lost(&from, turn);
            }
            // Nobody else waits for anything.
            if matches!(asker, Asker::Owed(_)) {
                self.done(asker, turn);
            }
            return Ok(());
        }
        if !self.is_made {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        // §17.2: to others it is not there before it is configured.
        if self.is_locked && self.members.of(&from.bare()) != Affiliation::Owner {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        if self.line.is_full() {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        let nick = stanza.head.to.as_ref().and_then(|to| to.resource().map(Text::from));
        match (nick, stanza.head.type_str()) {
            // §7.5: what is for all is not for one.
            (Some(_), "groupchat") => Err(StanzaCondition::BadRequest.into()),
            (Some(nick), _) => self.whisper(&from, &nick, stanza, asker, turn),
            (None, "groupchat") => self.speak(&from, stanza, asker, turn),
            (None, _) => self.ask(&from, stanza, asker, turn),
        }
    }

    /// Nothing waits for anything.
    pub fn done(&mut self, asker: Asker, turn: &mut Turn<'_, '_>) {
        let mut step = self.step(asker);
        Self::settle(&mut step);
        self.take(step, turn);
    }

    /// §7.4: to everybody.
    fn speak(
        &mut self,
        from: &Jid,
        stanza: Stanza,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some((nick, occupant)) = self.occupants.by(from) else {
            let error = StanzaCondition::NotAcceptable.into();
            return self.refuse_unless_said(from, &stanza, error, asker, turn);
        };
        let (nick, role) = (nick.clone(), occupant.role);
        let voice = occupant.seat(from).map_or(0, |seat| seat.voice);
        let said = self.said(&stanza, &nick, turn.ctx);
        if is_subject(&stanza) {
            return self.change_subject(said, from, asker, turn);
        }
        if role < Role::Participant {
            let error = StanzaCondition::Forbidden.into();
            return self.refuse_unless_said(from, &stanza, error, asker, turn);
        }
        self.hear_marker(&stanza, &from.bare(), turn);
        if self.is_marker_alone(&stanza, turn.ctx) {
            self.take_marker(&said, from, asker, turn);
            return Ok(());
        }
        self.keeps_pace(&said, &from.bare(), turn.ctx)?;
        let mut step = self.step(asker);
        let kept = turn.ctx.hooks.keeps(&stanza, &from.bare(), turn.ctx);
        if let Some(kept) = kept.filter(|_| self.config.is_archived) {
            let mut entry = self.entry(&self.with_author(&said, from, role));
            entry.flags = entry.flags.and(kept.flags);
            if let Some((key, since, repeatable)) = kept.once {
                entry.key = Some(key);
                let log = self.jid.clone();
                let besides = repeatable.then_some(voice);
                step.unit.once = Some(Once { log, key, since, besides });
            }
            entry.settles = Some((voice, 0));
            if kept.flags.has(Flags::SPEAKS) {
                step.effects.push(Effect::Seen(from.bare()));
            }
            step.unit.entries.push(entry);
        }
        let amends = turn.ctx.hooks.amends(&said).filter(|_| !step.unit.is_empty());
        step.effects.push(Effect::Tell(said.clone(), from.clone()));
        Self::settle(&mut step);
        match amends {
            Some(amends) => self.take_amended(step, said, amends, turn),
            None => self.take(step, turn),
        }
        Ok(())
    }

    /// Who may not speak may have been able to: what it says again since it does not know whether
    /// that was heard (XEP-0198 §5) is in the log, and not refused.
    fn refuse_unless_said(
        &mut self,
        from: &Jid,
        stanza: &Stanza,
        error: StanzaError,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let kept = turn.ctx.hooks.keeps(stanza, &from.bare(), turn.ctx);
        // Without an id of its own the same may be meant twice.
        let Some((key, since, false)) = kept.and_then(|kept| kept.once) else {
            return Err(error);
        };
        let mut step = self.step(asker);
        step.unit.once = Some(Once { log: self.jid.clone(), key, since, besides: None });
        step.effects.push(Effect::Refuse(error));
        self.take(step, turn);
        Ok(())
    }

    /// As the occupants hear it, and the log has it: from the occupant, with its id, and without
    /// what only the room may say (AT-34).
    pub fn said(&self, stanza: &Stanza, nick: &str, ctx: &Ctx<'_>) -> Stanza {
        let is_forged = |child: Element<'_>| {
            let is_ours = child.ns() == USER || occupant_id::is_one(child);
            // That something was taken back, the archive says (XEP-0424, XEP-0425).
            let is_ours =
                is_ours || [RETRACTED, MODERATED, MODERATED_0].iter().any(|it| child.is(*it));
            is_ours || self.is_named_by_us(child) || self.is_delayed_by_us(child)
        };
        let mut said = stanza.clone().retain(|child| !is_forged(child));
        said.head.from = Some(self.occupant(nick));
        said.head.to = None;
        let who = stanza.head.from.as_ref().map(Jid::bare);
        match who {
            Some(who) => said.with(occupant_id::of(&self.jid, &who, ctx)),
            None => said,
        }
    }

    /// Nobody but the room says what a message is called in its archive (XEP-0359 §3).
    fn is_named_by_us(&self, child: Element<'_>) -> bool {
        let by = child.is(STANZA_ID).then(|| child.attribute("by")).flatten();
        by.and_then(|by| Jid::parse(&by).ok()).is_some_and(|by| by.bare() == self.jid)
    }

    /// Nobody but the room, or its service, says when it kept something (§7.2.13); that nobody is
    /// named would be taken for the room. What somebody else has kept may be told (§7.9).
    fn is_delayed_by_us(&self, child: Element<'_>) -> bool {
        if child.ns() == "jabber:x:delay" {
            return true; // what came before XEP-0203
        }
        let by = child.attribute("from").and_then(|by| Jid::parse(&by).ok());
        let is_ours = by.is_none_or(|by| {
            by.bare() == self.jid || by.domain() == self.jid.domain() && by.local().is_none()
        });
        child.is(DELAY) && is_ours
    }

    /// What everybody knew who heard it stays known (XEP-0313 §6.1.2): the archive tells it to who
    /// may see addresses when it is asked.
    fn with_author(&self, said: &Stanza, by: &Jid, role: Role) -> Stanza {
        if !self.config.is_non_anonymous {
            return said.clone();
        }
        let item = Draft::new(ITEM)
            .attribute("affiliation", self.members.of(&by.bare()).as_str())
            .attribute("role", role.as_str())
            .attribute("jid", by.as_str());
        said.clone().with(Draft::new(X).child(item).finish())
    }

    /// The entry of the room's log for what is said in it.
    pub fn entry(&self, said: &Stanza) -> Entry {
        Entry {
            log: self.jid.clone(),
            flags: Flags::RECEIVED.and(Flags::ARCHIVE),
            // Of whom it really was, the archive tells nobody.
            peer: self.jid.clone(),
            key: None,
            settles: None,
            foreign_id: None,
            stanza: said.to_text(),
        }
    }

    /// Not for everybody: an invitation, a decline, a form.
    fn ask(
        &mut self,
        from: &Jid,
        stanza: Stanza,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        if let Some(x) = stanza.child(X) {
            if x.child(INVITE).is_some() {
                return self.invite(from, &stanza, asker, turn);
            }
            if let Some(decline) = x.child(DECLINE) {
                return self.decline(from, decline, asker, turn);
            }
        }
        if let Some(form) = stanza.child(forms::X) {
            if is_approval(form) {
                return self.approve(from, form, asker, turn);
            }
            return self.voice_form(from, form, asker, turn);
        }
        // §7.4: what is for everybody says so.
        Err(match self.occupants.by(from) {
            Some(_) => StanzaCondition::BadRequest.into(),
            None => StanzaCondition::NotAcceptable.into(),
        })
    }
}

/// Whether an error says that who sends it is not there. Some say no more than that this one thing
/// was not wanted (§18.1.2).
pub fn is_unreachable(error: &Stanza) -> bool {
    const GONE: [StanzaCondition; 8] = [
        StanzaCondition::Gone,
        StanzaCondition::ItemNotFound,
        StanzaCondition::RecipientUnavailable,
        StanzaCondition::Redirect,
        StanzaCondition::RemoteServerNotFound,
        StanzaCondition::RemoteServerTimeout,
        StanzaCondition::JidMalformed,
        StanzaCondition::ServiceUnavailable,
    ];
    GONE.contains(&error_of(error).condition)
}

/// Who asked is refused, unless the log has it.
pub fn refuse_unsaid(error: &StanzaError, step: &Step, out: &mut Vec<Output>) {
    match (&step.asker, step.committed.repeated) {
        (asker, false) => refuse_asker(asker.clone(), error, out),
        (Asker::Owed(owed), true) => give_half(owed.clone(), Ok(Unit::default()), out),
        (Asker::Sender(_) | Asker::Nobody, true) => {}
    }
}
