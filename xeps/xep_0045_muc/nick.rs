//! Who takes another nick (XEP-0045 §7.6).

use super::{
    line::{Asker, Step},
    names::status,
    occupants::Seat,
    presence::{for_all, respelled},
    rank::Role,
    room::{Room, Turn},
    show::{Viewer, addressed},
};
use engine::{ctx::Ctx, wire::*};

impl Room {
    /// §7.6. A nick that several sessions share is left by this one alone.
    pub fn rename(
        &mut self,
        from: &Jid,
        old: &Text,
        new: Text,
        stanza: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        self.may_be_called(&new, from)?;
        let mut step = self.step(Asker::Sender(stanza.clone()));
        let Some(occupant) = self.occupants.get(old) else { return Ok(()) };
        let Some(seat) = occupant.seat(from).cloned() else { return Ok(()) };
        // Under a nick that is its owner's already it has the role that goes with that one.
        let role = self.occupants.get(&new).map_or(occupant.role, |there| there.role);
        let (was, role_since) = (occupant.role, occupant.role_since);
        let was_shown = occupant.is_shown_by(from);
        self.has_room_for_a_session(&new)?;
        if let Some(mut gone) = self.rise(from, None, &mut step, turn.ctx) {
            gone.role = was;
            gone.word.nick = Some(new.clone());
            gone.statuses.push(status::NICK_CHANGED);
            step.show(gone);
        }
        // It sits since it came: what is still to be told of before is for it, too.
        let sees_few = seat.sees_few && role < Role::Moderator;
        let (presence, shown_ms) = (for_all(stanza), turn.ctx.unix_ms);
        let is_there = self.occupants.get(&new).is_some();
        self.occupants.sit(new.clone(), role, Seat { presence, shown_ms, sees_few, ..seat });
        if let Some(occupant) = self.occupants.get_mut(&new).filter(|_| !is_there) {
            occupant.role_since = role_since;
        }
        self.keep_seat(from, &mut step);
        self.has_come(&from.bare(), &new, &mut step)?;
        if let Some(mut show) = self.show(&new, turn.ctx) {
            show.stanza_id.clone_from(&stanza.head.id);
            show.own_statuses.extend(respelled(stanza));
            step.show(show);
        }
        match role == Role::Moderator && was != role {
            true => self.tell_others(from, &mut step, turn.ctx),
            false if !was_shown => self.tell_left(from, old, &mut step, turn.ctx),
            false => {}
        }
        // What another session of the nick that it leaves shows is seen from now on.
        let left = self.show(old, turn.ctx).filter(|_| was_shown);
        left.into_iter().for_each(|left| step.show(left));
        self.take(step, turn);
        Ok(())
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
