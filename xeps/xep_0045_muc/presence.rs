//! Presence that comes to a room: who enters, who is there in another way, who leaves
//! (XEP-0045 §7.2, §7.7, §7.14).

use super::{
    line::{Asker, Effect, Step},
    message::is_unreachable,
    names::*,
    occupants::{self, SeenBy, is_unseen_nick},
    rank::{Affiliation, Role},
    room::{Room, Turn, send},
    show::{Audience, Show, Viewer, Word, addressed},
    sight::says_too_much,
    xep_0317_hats as hats, xep_0421_occupant_id as occupant_id, xep_0463_versions as versions,
};
use engine::{ctx::Ctx, wire::*};

/// The longest nick, in bytes.
pub const NICK_BYTES_MAX: usize = 256;
/// Sessions of one person under one nick.
const SEATS_MAX: usize = 32;

impl Room {
    /// Presence for the room or an occupant of it.
    pub fn presence(&mut self, stanza: Stanza, turn: &mut Turn<'_, '_>) {
        let Some(from) = stanza.head.from.clone() else { return };
        match stanza.head.type_str() {
            "" => self.available(from, stanza, turn),
            "unavailable" => self.leave(&from, &stanza, turn),
            // §17.3: nothing else is a way out; §18.1.2: but that it cannot be reached.
            "error" if is_unreachable(&stanza) => self.leave(&from, &stanza, turn),
            // §18.2.2: a room subscribes to nobody, and nobody to it. Of who was asked whether it
            // is there still, this says that it is not.
            "unsubscribed" => self.lost(&stanza, turn),
            _ => {}
        }
    }

    fn available(&mut self, from: Jid, stanza: Stanza, turn: &mut Turn<'_, '_>) {
        // §7.2.1: without a nick nobody enters.
        let Some(nick) = stanza.head.to.as_ref().and_then(|to| to.resource().map(Text::from))
        else {
            return refuse_presence(&stanza, &StanzaCondition::JidMalformed.into(), turn);
        };
        if self.is_answer(&from, &stanza) {
            return;
        }
        if self.line.is_full() || says_too_much(&stanza) {
            return refuse_presence(&stanza, &StanzaCondition::ResourceConstraint.into(), turn);
        }
        let enters = stanza.child(JOIN).is_some();
        if enters {
            self.forget_unsure(&from, &nick, turn);
        }
        let sits = self.occupants.nick_of(&from).cloned();
        let done = match sits {
            Some(old) if old != nick => self.rename(&from, &old, nick, &stanza, turn),
            Some(_) if enters => self.enter_again(&from, &nick, &stanza, turn),
            Some(_) => self.update(&from, &nick, &stanza, turn),
            None if enters => self.enter(from, nick, &stanza, turn),
            None => return self.is_not_here(&from, &nick, turn),
        };
        if let Err(error) = done {
            refuse_presence(&stanza, &error, turn);
        }
    }

    /// §7.2.18: presence of who thinks that it is here and is not tells it so, behind what it is
    /// still to be told as of one that was.
    pub fn is_not_here(&mut self, from: &Jid, nick: &str, turn: &mut Turn<'_, '_>) {
        let mut step = self.step(Asker::Nobody);
        step.send(self.not_here(from, nick, vec![status::KICKED, status::LOST], turn.ctx));
        self.take(step, turn);
    }

    pub fn not_here(&self, jid: &Jid, nick: &str, statuses: Vec<u16>, ctx: &Ctx<'_>) -> Stanza {
        let own = Viewer { sees_address: true, is_own: true, wants_versions: false };
        addressed(&self.gone(jid, nick, statuses, ctx).to(own), jid)
    }

    /// What is shown of a session that is not here under this nick.
    pub fn gone(&self, jid: &Jid, nick: &str, statuses: Vec<u16>, ctx: &Ctx<'_>) -> Show {
        Show {
            from: self.occupant(nick),
            shown: Stanza::new(Head::new(Kind::Presence)),
            is_gone: true,
            affiliation: self.members.of(&jid.bare()).max(Affiliation::None),
            role: Role::None,
            jid: jid.clone(),
            own: Vec::new(),
            word: Word::default(),
            audience: Audience::Own,
            seen: SeenBy::Most,
            statuses,
            own_statuses: Vec::new(),
            destroyed: None,
            hats: None,
            id: occupant_id::of(&self.jid, &jid.bare(), ctx),
            stanza_id: None,
        }
    }

    /// §7.7, and §7.2.2 of a client that has lost its sight of the room.
    fn update(
        &mut self,
        from: &Jid,
        nick: &Text,
        stanza: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let mut step = self.step(Asker::Sender(stanza.clone()));
        self.reseat(from, nick, stanza, &mut step, turn.ctx);
        if let Some(mut show) = self.show(nick, turn.ctx) {
            show.stanza_id.clone_from(&stanza.head.id);
            step.show(show);
        }
        self.take(step, turn);
        Ok(())
    }

    fn enter_again(
        &mut self,
        from: &Jid,
        nick: &Text,
        stanza: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let mut step = self.step(Asker::Sender(stanza.clone()));
        let before = self.begins_anew(from);
        step.effects.push(Effect::Sits(from.clone()));
        self.sees_anew(from, turn.ctx);
        self.reseat(from, nick, stanza, &mut step, turn.ctx);
        let codes = respelled(stanza).into_iter().collect();
        self.welcome(from, nick, stanza, codes, &mut step, turn.ctx);
        self.goes_on(from, before, &mut step);
        self.take(step, turn);
        Ok(())
    }

    /// When there are not many any more, it sees those whom it would see if it came now.
    pub fn sees_anew(&mut self, session: &Jid, ctx: &Ctx<'_>) {
        let role = self.rank(session).role;
        let sees_few = self.sees_few(role, ctx);
        let seat = self.occupants.seat_mut(session);
        seat.into_iter().for_each(|seat| seat.sees_few &= sees_few);
    }

    /// What a session shows is this now; it counts as the one that spoke last.
    fn reseat(&mut self, from: &Jid, nick: &str, stanza: &Stanza, step: &mut Step, ctx: &Ctx<'_>) {
        let (wants_versions, now_ms) = (versions::is_wanted(stanza), ctx.unix_ms);
        let shown = self.occupants.shows(from, for_all(stanza), wants_versions, now_ms);
        if let Some((role, seat)) = shown {
            self.unsure.remove(&seat.since);
            step.write(occupants::kept(&self.jid, nick, role, seat));
        }
    }

    /// §7.2.8: a nick is not somebody else's, be it there or reserved; §17.1: it can be seen.
    ///
    /// # Errors
    /// `not-acceptable` for what is no nick, `conflict` for another's.
    pub fn may_be_called(&self, nick: &str, jid: &Jid) -> Result<(), StanzaError> {
        if nick.len() > NICK_BYTES_MAX || is_unseen_nick(nick) {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        let who = jid.bare();
        match self.members.is_reserved(nick, &who) || self.occupants.has_like(nick, &who) {
            true => Err(StanzaCondition::Conflict.into()),
            false => Ok(()),
        }
    }

    /// # Errors
    /// `resource-constraint`, where as many sessions as may share a nick have it.
    pub fn has_room_for_a_session(&self, nick: &str) -> Result<(), StanzaError> {
        let there = self.occupants.get(nick);
        match there.is_some_and(|occupant| occupant.seats.len() >= SEATS_MAX) {
            true => Err(StanzaCondition::ResourceConstraint.into()),
            false => Ok(()),
        }
    }

    /// §7.14: by its own will, or because nothing can be sent to it (§11.1, §18.1.2).
    fn leave(&mut self, from: &Jid, stanza: &Stanza, turn: &mut Turn<'_, '_>) {
        // Nor does it enter what it was about to make.
        let enters =
            |one: &Stanza| one.kind() == Kind::Presence && one.head.from == Some(from.clone());
        self.asked.retain(|_, one| !enters(one));
        self.removed.leaves(from);
        let is_lost = stanza.head.type_str() == "error";
        // Clients know by it of what it is the end.
        let id = stanza.head.id.clone().filter(|_| !is_lost);
        self.go(from, id, turn, |show| match is_lost {
            true => show.statuses.push(status::LOST),
            // With what it says at parting, when it might have said so much before.
            false if !says_too_much(stanza) => show.shown = for_all(stanza),
            false => show.shown = Stanza::new(Head::new(Kind::Presence)),
        });
    }

    /// A session is not here any more; `say` says why.
    fn go(
        &mut self,
        jid: &Jid,
        id: Option<Text>,
        turn: &mut Turn<'_, '_>,
        say: impl FnOnce(&mut Show),
    ) {
        let Some((nick, occupant)) = self.occupants.by(jid) else { return };
        let (nick, is_one) = (nick.clone(), occupant.seats.len() == 1);
        let was_shown = occupant.is_shown_by(jid);
        let mut step = self.step(Asker::Nobody);
        let is_alone = self.occupants.len() == 1 && is_one;
        let who = jid.bare();
        if let Some(mut show) = self.rise(jid, id, &mut step, turn.ctx) {
            say(&mut show);
            if is_alone && self.is_locked {
                // §10.1.3: who made it and did not configure it.
                show.destroyed = Some(Draft::new(DESTROYED).finish());
            }
            step.show(show);
        }
        // What another session of the same nick shows is seen from now on.
        if let Some(show) = self.show(&nick, turn.ctx).filter(|_| was_shown) {
            step.show(show);
        }
        self.close_if_empty(&mut step, turn.ctx);
        self.take(step, turn);
        if self.occupants.nicks_of(&who).is_empty() {
            self.has_left(&who, turn);
        }
    }

    /// Somebody is not there any more, and did not say so.
    pub fn drop_lost(&mut self, jid: &Jid, turn: &mut Turn<'_, '_>) {
        self.go(jid, None, turn, |show| show.statuses.push(status::LOST));
    }
}

/// §7.2.2, §7.6: that the nick is not quite the one that was asked for: prepared, as all resources
/// are (RFC 7622 §3.4), so that two that look the same are the same.
pub fn respelled(stanza: &Stanza) -> Option<u16> {
    stanza.head.to_respelled.then_some(status::NICK_MODIFIED)
}

/// As the examples of §7.2 have it, so that a client knows of what it is the end.
pub fn refuse_presence(stanza: &Stanza, error: &StanzaError, turn: &mut Turn<'_, '_>) {
    let refused = stanza.refused(error).map(|refused| refused.with(Draft::new(JOIN).finish()));
    refused.into_iter().for_each(|refused| send(refused, turn.out));
}

/// What of a presence is for everybody: not how it enters, and nothing that only a room says.
pub fn for_all(stanza: &Stanza) -> Stanza {
    let is_ours = |child: Element<'_>| {
        [MUC, USER, ADMIN, OWNER].contains(&child.ns())
            || occupant_id::is_one(child)
            || hats::is_one(child)
    };
    let mut shown = stanza.clone().retain(|child| !is_ours(child));
    let mut head = Head::new(Kind::Presence);
    head.lang.clone_from(&stanza.head.lang);
    shown.head = head.into();
    shown
}
