//! What owners do (XEP-0045 §10): configure a room, and end it.

use super::{
    aliases::translated,
    config::Config,
    fields::LAYOUT,
    line::{Asker, Effect, Step},
    lists::LISTS,
    names::*,
    rank::{Affiliation, Role},
    room::{ROOM, Room, Turn},
    show::Word,
};
use crate::xep_0004_forms::{self as forms, Wrong};
use engine::{ctx::Ctx, unit::Change, wire::*};

impl Room {
    /// The configuration as it is (§10.2).
    ///
    /// # Errors
    /// `forbidden` for who is no owner.
    pub fn owner_get(&self, from: &Jid, ctx: &Ctx<'_>) -> Result<Payload, StanzaError> {
        self.is_owner(from, ctx)?;
        let form = self.lists().into_iter().fold(self.config.form(), Draft::child);
        Ok(Draft::new(OWNER_QUERY).child(form).finish())
    }

    /// A new configuration, or the end.
    ///
    /// # Errors
    /// `forbidden` for who is no owner; `bad-request`, `not-acceptable` for what nobody can make
    /// anything of.
    pub fn owner_set(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        query: Element<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        self.is_owner(from, turn.ctx)?;
        let was_empty = self.occupants.is_empty();
        if let Some(destroy) = query.child(DESTROY) {
            self.end(iq.clone(), Some(destroyed(destroy)?), turn);
            return Ok(());
        }
        let mut step = self.step(Asker::Sender(iq.clone()));
        let form = query.child(forms::X).ok_or(StanzaCondition::BadRequest)?;
        self.configure(from, form, &mut step, turn.ctx)?;
        step.send(iq.result());
        if !was_empty {
            self.close_if_empty(&mut step, turn.ctx);
        }
        self.take(step, turn);
        Ok(())
    }

    fn is_owner(&self, from: &Jid, ctx: &Ctx<'_>) -> Result<(), StanzaError> {
        match self.ruler(from, ctx).affiliation {
            Affiliation::Owner => Ok(()),
            _ => Err(StanzaCondition::Forbidden.into()),
        }
    }

    fn configure(
        &mut self,
        from: &Jid,
        form: Element<'_>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        match form.attribute("type").as_deref() {
            // §10.1.3: of a room that has just been made there is nothing to keep.
            Some("cancel") if self.is_locked => {
                self.destroy_for(Draft::new(DESTROYED).finish(), step, ctx);
                return Ok(());
            }
            Some("cancel") => return Ok(()),
            Some("submit") => {}
            _ => return Err(StanzaCondition::BadRequest.into()),
        }
        let translated = translated(form);
        let form = translated.element();
        let given = LAYOUT.read(form).map_err(cannot_be)?;
        let new = self.config.changed(&given).map_err(|field| {
            let error = StanzaError::from(StanzaCondition::NotAcceptable);
            error.with_text(format!("nothing can be made of {field}"))
        })?;
        let become_other = self.listed_anew(&LISTS.read(form).map_err(cannot_be)?)?;
        let old = std::mem::replace(&mut self.config, new);
        if !old.is_non_anonymous {
            self.open_since = step.number;
        }
        self.unlock(step);
        self.keep_config(step);
        self.list(step);
        self.tell_changes(&old, step);
        let actor = self.occupants.nick_of(from).cloned();
        for (who, to) in become_other {
            let word = Word { actor: actor.clone(), ..Word::default() };
            self.affiliate(&who, to, None, word, step, ctx)?;
        }
        self.apply(&old, step, ctx);
        Ok(())
    }

    /// §10.1.1: others may come now.
    pub fn unlock(&mut self, step: &mut Step) {
        if std::mem::take(&mut self.is_locked) {
            step.write(Change::Cut(ROOM, self.jid.clone(), "locked".into()));
            self.list(step);
        }
    }

    /// §10.2.1: what has changed of what everybody may know.
    fn tell_changes(&self, old: &Config, step: &mut Step) {
        let new = &self.config;
        if *old == *new {
            return;
        }
        let either = |was: bool, is: bool, on: u16, off: u16| {
            (was != is).then_some(if is { on } else { off })
        };
        let seen = either(
            old.is_non_anonymous,
            new.is_non_anonymous,
            status::NOW_NON_ANONYMOUS,
            status::NOW_SEMI_ANONYMOUS,
        );
        let logged = either(old.is_logged(), new.is_logged(), status::LOGGED, status::NOT_LOGGED);
        let codes = [Some(status::CONFIGURED), logged, seen];
        let codes: Vec<_> = codes.into_iter().flatten().collect();
        self.tell_statuses(&codes, step);
    }

    /// §10.2.1: everybody who is here hears that this has become of the room.
    pub fn tell_statuses(&self, codes: &[u16], step: &mut Step) {
        let codes = codes.iter();
        let codes = codes.map(|code| Draft::new(STATUS).attribute("code", code.to_string()));
        let x = codes.fold(Draft::new(X), Draft::child).finish();
        let head = Head::new(Kind::Message).with_type("groupchat").with_from(self.jid.clone());
        let told = Stanza::new(head).with(x);
        step.effects.push(Effect::Tell(told, self.jid.clone().into()));
    }

    /// §10.2: who may not be here any more goes; who may speak now does.
    fn apply(&mut self, old: &Config, step: &mut Step, ctx: &Ctx<'_>) {
        let closes = self.config.is_members_only && !old.is_members_only;
        let moderates = self.config.is_moderated && !old.is_moderated;
        let opens = !self.config.is_moderated && old.is_moderated;
        if opens {
            self.forget_roles(step);
        }
        let ranks = self
            .occupants
            .iter()
            .map(|(nick, occupant)| (nick.clone(), self.members.of(&occupant.who), occupant.role));
        let ranks: Vec<_> = ranks.collect();
        for (nick, affiliation, role) in ranks {
            let is_none = affiliation < Affiliation::Member;
            if closes && is_none {
                let code = [status::MEMBERS_ONLY];
                self.remove(&nick, &code, Word::default(), step, ctx);
            } else if moderates && is_none && role == Role::Participant {
                self.give_role(&nick, Role::Visitor, Word::default(), step, ctx);
            } else if opens && role == Role::Visitor {
                self.give_role(&nick, Role::Participant, Word::default(), step, ctx);
            }
        }
    }

    /// Everybody goes, and nothing of it stays.
    pub fn destroy_for(&mut self, told: Payload, step: &mut Step, ctx: &Ctx<'_>) {
        let nicks: Vec<Text> = self.occupants.iter().map(|(nick, _)| nick.clone()).collect();
        // Each hears of its own end: of the others there is nobody to tell.
        let mut shows = Vec::new();
        for nick in &nicks {
            let Some(mut show) = self.show(nick, ctx) else { continue };
            (show.is_gone, show.role, show.affiliation) = (true, Role::None, Affiliation::None);
            show.shown = Stanza::new(Head::new(Kind::Presence));
            show.destroyed = Some(told.clone());
            shows.push(show);
        }
        for show in &shows {
            for jid in &show.own {
                if let Some((.., seat, _)) = self.occupants.rise(jid) {
                    step.risen.push(seat.since);
                    self.removed.goes(seat, step.number);
                }
            }
        }
        shows.into_iter().for_each(|show| step.show(show));
        self.unmake(step);
    }
}

/// §10.9: what everybody is told of it.
fn destroyed(destroy: Element<'_>) -> Result<Payload, StanzaError> {
    let mut told = Draft::new(DESTROYED);
    if let Some(jid) = destroy.attribute("jid") {
        let jid = Jid::parse(&jid).map_err(|_| StanzaCondition::JidMalformed)?;
        told = told.attribute("jid", jid.as_str());
    }
    for (asked, name) in [(DESTROY_PASSWORD, KEY), (DESTROY_REASON, REASON)] {
        if let Some(word) = destroy.child(asked) {
            told = told.child(Draft::new(name).text(word.text()));
        }
    }
    Ok(told.finish())
}

fn cannot_be(wrong: Wrong) -> StanzaCondition {
    match wrong {
        Wrong::Malformed(_) => StanzaCondition::BadRequest,
        Wrong::Missing(_) | Wrong::Invalid(_) => StanzaCondition::NotAcceptable,
    }
}
