//! What follows for who is in a room when roles and affiliations change, or when it is removed
//! (XEP-0045 §5.1.3, §5.2.2, §8.2, §9.1).

use super::{
    line::Step,
    members::Member,
    names::*,
    occupants,
    rank::{Affiliation, Role},
    room::Room,
    show::{Show, Word},
    xep_0463_versions::Versions,
};
use engine::{ctx::Ctx, wire::*};

impl Room {
    /// Somebody becomes this to the room, and what follows from it for who is in it.
    ///
    /// # Errors
    /// An address that cannot be kept.
    pub fn affiliate(
        &mut self,
        who: &Bare,
        to: Affiliation,
        nick: Option<Text>,
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let before: Vec<(Text, Affiliation)> = self.theirs(who);
        let (was, since) = (self.members.of(who), self.version(ctx));
        // §9.1: who is cast out has no nick here. Else it stays until another is given; "" is none.
        let kept = self.members.get(who).and_then(|member| member.nick.clone());
        let nick = nick.or(kept).filter(|nick| !nick.is_empty() && to > Affiliation::None);
        let reason = word.reason.clone();
        let kept = self.members.get(who);
        let has_come = !before.is_empty() || kept.is_some_and(|member| member.has_come);
        let called = before.first().map(|(nick, _)| nick.clone());
        let called = called.or_else(|| kept.and_then(|member| member.called.clone()));
        let called = called.filter(|_| to > Affiliation::None);
        let member = Member { affiliation: to, nick, has_come, reason, called };
        step.write(self.members.change(&self.jid, who, member)?);
        self.begin_mark(who, (was, to), step);
        if was != to {
            self.forget_role(who, step);
            self.forget_request(who, step);
        }
        let versions = Versions { since: Some(since), until: self.version(ctx) };
        let (begins, told) = (step.effects.len(), (was != to).then_some(versions));
        let word = Word { versions: told.clone(), ..word };
        for (nick, before) in before {
            let Some(occupant) = self.occupants.get(&nick) else { continue };
            let (now, role) = (self.members.of(&occupant.who), occupant.role);
            let word = word.clone();
            if now == Affiliation::Outcast {
                self.remove(&nick, &[status::BANNED], word, step, ctx);
            } else if self.config.is_members_only && now < Affiliation::Member {
                self.remove(&nick, &[status::REMOVED], word, step, ctx); // §9.4
            } else if now != before {
                let role = role_after(before, now, role, self.config.is_moderated);
                self.give_role(&nick, role, word, step, ctx);
            }
        }
        if let Some(versions) = told {
            self.tell_unseen(who, (was, to), &versions, begins, step);
        }
        Ok(())
    }

    /// A member is here, for the first time or under another nick.
    ///
    /// # Errors
    /// An address that cannot be kept.
    pub fn has_come(
        &mut self,
        who: &Bare,
        nick: &Text,
        step: &mut Step,
    ) -> Result<(), StanzaError> {
        let is_new = |member: &&Member| !member.has_come || member.called.as_ref() != Some(nick);
        let member = self.members.get(who).filter(is_new).cloned();
        if let Some(member) = member {
            let member = Member { has_come: true, called: Some(nick.clone()), ..member };
            step.write(self.members.change(&self.jid, who, member)?);
        }
        Ok(())
    }

    /// The nicks of somebody, or of everybody of a domain, and what each is.
    fn theirs(&self, who: &Bare) -> Vec<(Text, Affiliation)> {
        let is_theirs = |occupant: &occupants::Occupant| match who.local() {
            None => occupant.who.domain() == who.domain(),
            Some(_) => occupant.who == *who,
        };
        let theirs = self.occupants.iter().filter(|(_, occupant)| is_theirs(occupant));
        theirs.map(|(nick, one)| (nick.clone(), self.members.of(&one.who))).collect()
    }

    /// All sessions of a nick go, for these reasons.
    pub fn remove(
        &mut self,
        nick: &str,
        codes: &[u16],
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let seats: Vec<Jid> = occupant.seats.iter().map(|seat| seat.jid.clone()).collect();
        let Some(mut show) = self.show(nick, ctx) else { return };
        for jid in &seats {
            if let Some((.., seat, _)) = self.occupants.rise(jid) {
                step.rise(&self.jid, seat.since);
                self.removed.goes(seat, step.number);
            }
        }
        (show.is_gone, show.role, show.word) = (true, Role::None, word);
        show.shown = Stanza::new(Head::new(Kind::Presence));
        show.statuses = codes.to_vec();
        step.show(show);
    }

    /// An occupant has this role now.
    pub fn give_role(
        &mut self,
        nick: &str,
        role: Role,
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) {
        let (seen, is_open) = (self.seen(role, ctx), self.config.is_non_anonymous);
        let Some(occupant) = self.occupants.get_mut(nick) else { return };
        let mut see_more = Vec::new();
        if occupant.role != role {
            (occupant.role, occupant.role_since) = (role, step.number);
            for seat in &mut occupant.seats {
                seat.seen = seat.seen.max(seen);
                if role == Role::Moderator {
                    let saw_few = std::mem::take(&mut seat.sees_few);
                    // §8: it knows whose each nick is.
                    see_more.extend((saw_few || !is_open).then(|| seat.jid.clone()));
                }
                step.write(occupants::kept(&self.jid, nick, role, seat));
            }
        }
        if let Some(show) = self.show(nick, ctx) {
            step.show(Show { word, ..show });
        }
        see_more.iter().for_each(|jid| self.tell_others(jid, step, ctx));
    }
}

/// §5.1.3: what comes with an affiliation comes and goes with it; what was given stays.
fn role_after(before: Affiliation, now: Affiliation, role: Role, is_moderated: bool) -> Role {
    let at_first = Role::at_first(now, is_moderated);
    let lost_power = before >= Affiliation::Admin && now < Affiliation::Admin;
    if lost_power { at_first } else { role.max(at_first) }
}
