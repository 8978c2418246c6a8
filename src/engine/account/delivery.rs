//! What reaches the sessions: in the order of the log, and counted.

use super::{Account, Output, to_socket};
use crate::{
    ctx::Ctx,
    delivery::{Untaken, untaken},
    hook::Leaving,
    session::{Session, Written},
};
use wire::{Jid, Kind, Stanza, StanzaCondition};

/// How a session writes what reaches its socket.
type Write = fn(&mut Session, Leaving, &Ctx<'_>, &mut dyn FnMut(Written));

impl Account {
    /// Writes to a session of this account, if it is still there.
    pub(crate) fn write(
        &mut self,
        to: &Jid,
        leaving: impl Into<Leaving>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if let Some(place) = self.sessions.iter().position(|session| session.jid == *to) {
            self.deliver(place, leaving.into(), ctx, out);
        }
    }

    /// Writes to the session at this place.
    pub(crate) fn deliver(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.sessions.get_mut(place) else { return };
        let full = session.managed.as_ref().is_some_and(|managed| managed.unacked.is_full());
        if let Some(pos) = leaving.pos {
            if full && !session.is_attached() && session.replay.is_none() {
                session.falls_behind(pos);
            }
            if self.is_for_replay(place, pos) {
                return;
            }
            self.sessions[place].gets(pos);
            return self.deliver_now(place, leaving, ctx, out);
        }
        if let Some(leaving) = self.behind(place, leaving, ctx, out) {
            self.deliver_now(place, leaving, ctx, out);
        }
    }

    /// The same, when it is its turn.
    pub(super) fn deliver_now(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if !self.is_next_of_room(place, &leaving, out) {
            return;
        }
        if self.is_crowded_out(place, &leaving) {
            return self.crowd_out(place, &leaving.stanza, ctx, out);
        }
        let session = &self.sessions[place];
        let counts = session.managed.is_none() && session.replay.is_none();
        let got = leaving.pos.filter(|_| counts);
        let (id, room) = (session.id, leaving.room().filter(|_| session.hearings.delays()));
        let told = leaving.told;
        self.put_out(place, leaving, ctx, out);
        if let Some((by, _)) = room {
            self.follow_room(id, &by.bare(), ctx, out);
        }
        told.into_iter().for_each(|told| self.ends_page(id, told, ctx, out));
        if let Some(pos) = got {
            self.has_got(place, pos, ctx, out);
        }
    }

    /// Whether there is no room for it while its client has no stream. It goes without: else its
    /// session would end by what anybody may send it. Not without presence and answers, for it
    /// would not know that it lacks them.
    fn is_crowded_out(&mut self, place: usize, leaving: &Leaving) -> bool {
        let session = &mut self.sessions[place];
        let stanza = &leaving.stanza;
        let asks = matches!(stanza.head.type_str(), "get" | "set");
        let is_logged = leaving.pos.is_some() || leaving.told.is_some();
        if is_logged || session.is_attached() || !(stanza.kind() == Kind::Message || asks) {
            return false;
        }
        session.managed.as_mut().is_some_and(|managed| !managed.unacked.makes_room(stanza))
    }

    /// Its sender is told, unless another may have got it.
    fn crowd_out(&mut self, place: usize, stanza: &Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let is_its = stanza.head.to.as_ref() == Some(&self.sessions[place].jid);
        if (is_its || self.sessions.len() == 1) && untaken(stanza) != Untaken::Ignore {
            self.refuse(stanza, &StanzaCondition::ResourceConstraint.into(), ctx, out);
        }
    }

    /// The same, whatever it is told of the log.
    pub(super) fn put_out(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        self.put(place, leaving, Session::write, ctx, out);
        self.call_rooms(place, out);
    }

    /// The same, when it has waited for what a room had to tell.
    pub(super) fn follow(
        &mut self,
        place: usize,
        leaving: Leaving,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        self.put(place, leaving, Session::follow, ctx, out);
    }

    fn put(
        &mut self,
        place: usize,
        leaving: Leaving,
        write: Write,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.sessions.get_mut(place) else { return };
        let (link, attached) = (session.link, session.is_attached());
        let is_logged = leaving.pos.is_some() || leaving.told.is_some();
        let only_here = !is_logged && leaving.stanza.kind() != Kind::Presence;
        write(session, leaving, ctx, &mut |written| {
            if attached {
                out.push(to_socket(link, written));
            }
        });
        if session.managed.is_none() {
            return;
        }
        match attached {
            true => self.feel(link, ctx.hooks.sent(), ctx, out),
            false => self.put_aside(place, only_here, ctx, out),
        }
    }
}
