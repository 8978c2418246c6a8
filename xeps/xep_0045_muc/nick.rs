//! Who takes another nick (XEP-0045 §7.6).

use super::{
    line::{Asker, Effect, Step},
    names::{JOIN, status},
    occupants::Seat,
    presence::{for_all, respelled},
    rank::Role,
    room::{Room, Turn},
    show::{Viewer, addressed},
    xep_0463_versions as versions,
};
use engine::{ctx::Ctx, wire::*};

impl Room {
    /// §7.6. A nick that several sessions share is left by this one alone. Who enters by that hears
    /// all that is told to who comes in (§17.3).
    pub fn rename(
        &mut self,
        from: &Jid,
        old: &Text,
        new: Text,
        stanza: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        self.may_be_called(&new, from)?;
        self.has_room_for_a_session(&new)?;
        let Some(occupant) = self.occupants.get(old) else { return Ok(()) };
        let (was, was_shown) = (occupant.role, occupant.is_shown_by(from));
        let mut step = self.step(Asker::Sender(stanza.clone()));
        let enters = stanza.child(JOIN).is_some();
        let before = if enters { self.begins_anew(from) } else { None };
        self.change_nick(from, &new, stanza, &mut step, turn.ctx)?;
        // What another session of the nick that it leaves shows is seen from now on.
        let left = self.show(old, turn.ctx).filter(|_| was_shown);
        if enters {
            left.into_iter().for_each(|left| step.show(left));
            step.effects.push(Effect::Sits(from.clone()));
            let codes = respelled(stanza).into_iter().collect();
            self.welcome(from, &new, stanza, codes, &mut step, turn.ctx);
            self.goes_on(from, before, &mut step);
        } else {
            if let Some(mut show) = self.show(&new, turn.ctx) {
                show.stanza_id.clone_from(&stanza.head.id);
                show.own_statuses.extend(respelled(stanza));
                step.show(show);
            }
            match self.rank(from).role == Role::Moderator && was != Role::Moderator {
                true => self.tell_others(from, &mut step, turn.ctx),
                false if !was_shown => self.tell_left(from, old, &mut step, turn.ctx),
                false => {}
            }
            left.into_iter().for_each(|left| step.show(left));
        }
        self.take(step, turn);
        Ok(())
    }

    /// It sits there since it came: what is still to be told of before is for it, too. Under a nick
    /// that is its owner's already it has the role that goes with that one.
    fn change_nick(
        &mut self,
        from: &Jid,
        new: &Text,
        stanza: &Stanza,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let Some((_, occupant)) = self.occupants.by(from) else { return Ok(()) };
        let Some(seat) = occupant.seat(from).cloned() else { return Ok(()) };
        let (was, role_since) = (occupant.role, occupant.role_since);
        let there = self.occupants.get(new).map(|there| there.role);
        let role = there.unwrap_or(was);
        if let Some(mut gone) = self.rise(from, None, step, ctx) {
            gone.role = was;
            gone.word.nick = Some(new.clone());
            gone.statuses.push(status::NICK_CHANGED);
            step.show(gone);
        }
        let sees_few = seat.sees_few && role < Role::Moderator;
        let wants_versions = seat.wants_versions || versions::is_wanted(stanza);
        let (presence, shown_ms) = (for_all(stanza), ctx.unix_ms);
        let seat = Seat { presence, shown_ms, sees_few, wants_versions, ..seat };
        self.occupants.sit(new.clone(), role, seat);
        if let Some(occupant) = self.occupants.get_mut(new).filter(|_| there.is_none()) {
            occupant.role_since = role_since;
        }
        if stanza.child(JOIN).is_some() {
            self.sees_anew(from, ctx);
        }
        self.keep_seat(from, step);
        self.has_come(&from.bare(), new, step)
    }

    /// Who stays under the nick that a session has left is another to it now.
    fn tell_left(&self, session: &Jid, old: &str, step: &mut Step, ctx: &Ctx<'_>) {
        let Some((_, occupant)) = self.occupants.by(session) else { return };
        let (seat, left) = (occupant.seat(session), self.show(old, ctx));
        if let Some(left) = left.filter(|left| seat.is_some_and(|seat| seat.sees(left.seen))) {
            let sees_address = self.shows_addresses_to(occupant.role);
            let viewer = Viewer { sees_address, is_own: false, wants_versions: false };
            step.send(addressed(&left.to(viewer), session));
        }
    }
}
