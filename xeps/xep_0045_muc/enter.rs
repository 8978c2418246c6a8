//! Who enters a room, and who makes one by that (XEP-0045 §7.2, §10.1).

use super::{
    OCCUPANTS_MAX, SHOWN_OCCUPANTS_MAX,
    line::{Asker, Effect, Step},
    making,
    names::*,
    occupants::{self, Seat, SeenBy},
    presence::{for_all, respelled},
    rank::{Affiliation, Role},
    room::{Room, Turn},
    xep_0463_versions as versions,
};
use engine::{ctx::Ctx, unit::Change, wire::*};

/// The room of a full house that is kept for owners and admins (§7.2.9).
const SPARE_OCCUPANTS: usize = 20;

impl Room {
    /// Somebody comes in.
    ///
    /// # Errors
    /// Those of §7.2.17.
    pub fn enter(
        &mut self,
        from: Jid,
        nick: Text,
        stanza: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        match self.is_made {
            true => self.may_enter(&from, &nick, stanza, turn.ctx)?,
            false => self.may_make(&from.bare(), turn.ctx)?,
        }
        self.may_be_called(&nick, &from)?;
        self.has_room_for_a_session(&nick)?;
        match self.is_made {
            true => self.sit_down(from, nick, stanza, None, turn),
            false => self.ask_store(stanza.clone(), stanza.clone(), making::find_place, turn),
        }
    }

    /// Somebody may, and does; with a place among what he has made, he makes the room.
    ///
    /// # Errors
    /// An address that cannot be kept.
    pub fn sit_down(
        &mut self,
        from: Jid,
        nick: Text,
        stanza: &Stanza,
        makes: Option<Vec<Change>>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let (who, creates) = (from.bare(), makes.is_some());
        let mut step = self.step(Asker::Sender(stanza.clone()));
        if let Some(place) = makes {
            self.make(&who, &nick, place, &mut step, turn.ctx)?;
        }
        let (affiliation, there) = (self.members.of(&who), self.occupants.get(&nick));
        let on_entry = self.role_on_entry(&who, affiliation);
        let role = there.map_or(on_entry, |occupant| occupant.role);
        let (voice, shown_ms) = (turn.ctx.number(), turn.ctx.unix_ms);
        let wants_versions = versions::is_wanted(stanza);
        let there = self.occupants.get(&nick);
        let seen = there.map_or_else(|| self.seen(role, turn.ctx), |occupant| occupant.seen());
        let sees_few = self.sees_few(role, turn.ctx);
        // Whatever it was told when it was here before: it begins anew.
        let seat = Seat::new(from.clone(), step.number, self.released, for_all(stanza));
        let seat = Seat { voice, shown_ms, seen, sees_few, wants_versions, ..seat };
        step.write(occupants::kept(&self.jid, &nick, role, &seat));
        self.occupants.sit(nick.clone(), role, seat);
        step.effects.push(Effect::Sits(from.clone()));
        self.has_come(&who, &nick, &mut step)?;
        let mut codes = if creates { vec![status::CREATED] } else { Vec::new() };
        codes.extend(respelled(stanza));
        self.welcome(&from, &nick, stanza, codes, &mut step, turn.ctx);
        let before = self.lately.finds(&from, turn.ctx.now);
        self.goes_on(&from, before, &mut step);
        self.take(step, turn);
        Ok(())
    }

    fn may_enter(
        &self,
        from: &Jid,
        nick: &str,
        stanza: &Stanza,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let affiliation = self.members.of(&from.bare());
        if affiliation == Affiliation::Outcast {
            return Err(StanzaCondition::Forbidden.into()); // §7.2.7
        }
        if self.is_locked && affiliation != Affiliation::Owner {
            return Err(StanzaCondition::ItemNotFound.into()); // §7.2.10
        }
        if self.config.is_members_only && affiliation < Affiliation::Member {
            return Err(StanzaCondition::RegistrationRequired.into()); // §7.2.6
        }
        let given = stanza.child(JOIN).and_then(|join| join.child(PASSWORD));
        let given = given.map(|password| password.text().into_owned());
        if self.config.password.is_some() && given != self.config.password {
            return Err(StanzaCondition::NotAuthorized.into()); // §7.2.5
        }
        let most = ctx.settings.number(&OCCUPANTS_MAX) as usize;
        let most = self.config.occupants_max.map_or(most, |max| max.min(most));
        let spare = if affiliation >= Affiliation::Admin { SPARE_OCCUPANTS } else { 0 };
        // One more session under a nick is nobody more.
        match self.occupants.len() < most + spare || self.occupants.get(nick).is_some() {
            true => Ok(()),
            // §7.2.9: there may be room later.
            false => Err(StanzaError::new(ErrorType::Wait, StanzaCondition::ServiceUnavailable)),
        }
    }

    /// By whom who has this role is seen: by nobody else, if the owners want it so, or if there are
    /// so many already that nobody could look through them.
    pub fn seen(&self, role: Role, ctx: &Ctx<'_>) -> SeenBy {
        match role {
            _ if !self.config.broadcasts(role) => SeenBy::Itself,
            Role::Moderator => SeenBy::All,
            _ if self.are_many(ctx) => SeenBy::Itself,
            _ => SeenBy::Most,
        }
    }

    /// Whether who comes with this role sees moderators alone.
    pub fn sees_few(&self, role: Role, ctx: &Ctx<'_>) -> bool {
        role < Role::Moderator && self.are_many(ctx)
    }

    fn are_many(&self, ctx: &Ctx<'_>) -> bool {
        self.occupants.len() as u64 >= ctx.settings.number(&SHOWN_OCCUPANTS_MAX)
    }

    /// A room that is not to stay goes with its last occupant (§10.9), as does one that its owner
    /// never configured.
    pub fn close_if_empty(&mut self, step: &mut Step, _: &Ctx<'_>) {
        let stays = self.config.is_persistent && !self.is_locked;
        if self.is_made && self.occupants.is_empty() && !stays {
            self.unmake(step);
        }
    }

    /// It is no more.
    pub fn unmake(&mut self, step: &mut Step) {
        (self.is_made, self.is_locked) = (false, false);
        (self.config, self.members) = <_>::default();
        self.marks.clear();
        (self.lately, self.visits, self.requests) = <_>::default();
        self.removed.lose_log();
        (self.subject, self.avatar, self.hats) = <_>::default();
        step.unit.changes.clear();
        step.write(Change::Delete(self.jid.clone()));
        self.unlist(step);
        self.give_up_place(step);
    }
}
