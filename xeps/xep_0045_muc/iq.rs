//! Requests to a room, and from one occupant to another (XEP-0045 §6.4–6.6, §17.4).

use super::{
    line::Effect,
    names::*,
    occupants::Seat,
    presence::refuse_presence,
    rank::{Affiliation, Role},
    reply::short_enough,
    room::{Room, Turn, send},
    whisper::error_of,
    xep_0317_hats::COMMAND,
    xep_0333_markers as marks,
    xep_0410_self_ping::is_self_ping,
    xep_0425_moderation as moderation,
    xep_0486_avatar::VCARD,
};
use engine::{
    account::Output,
    hook::{Answer, IqKind, Of, Replied, Reply},
    parcel::Owed,
    request::{Asks, Line, asks, stanzas, unwritten},
    shard::WorldAnswer,
    wire::*,
};

const REGISTER: Name = Name::new("jabber:iq:register", "query");
const INFO: Name = Name::new("http://jabber.org/protocol/disco#info", "query");
const ITEMS: Name = Name::new("http://jabber.org/protocol/disco#items", "query");
const MAM: &str = "urn:xmpp:mam:2";
/// Requests that the store may be being read for, for one room.
const ASKED_MAX: usize = 64;
/// Of these, for one who asks, from whichever of his sessions.
const ASKED_EACH_MAX: usize = 8;

impl Room {
    /// Whatever comes.
    pub fn routed(&mut self, stanza: Stanza, owed: Option<Owed>, turn: &mut Turn<'_, '_>) {
        if stanza.kind() != Kind::Presence && stanza.head.type_str() != "error" {
            stanza.head.from.iter().for_each(|from| self.is_heard_of(from, turn.ctx));
        }
        match stanza.kind() {
            Kind::Message => self.message(stanza, owed, turn),
            Kind::Presence => self.presence(stanza, turn),
            Kind::Iq if self.may_end_by(&stanza, turn.ctx) => self.end(stanza, None, turn),
            Kind::Iq => self.iq(stanza, turn),
        }
    }

    pub fn iq(&mut self, iq: Stanza, turn: &mut Turn<'_, '_>) {
        let Some(from) = iq.head.from.clone() else { return };
        let nick = iq.head.to.as_ref().and_then(|to| to.resource().map(Text::from));
        let kind = match asks(&iq) {
            Ok(Asks::Request(kind)) => kind,
            Ok(Asks::Response) => return self.answer_passes(&from, nick, iq, turn),
            Err(error) => return refuse(&iq, &error, turn),
        };
        let done = match nick {
            Some(nick) => self.request_passes(&from, &nick, &iq, turn),
            None => self.request(&from, kind, &iq, turn),
        };
        let Err(error) = done else { return };
        let is_not_allowed = error.condition == StanzaCondition::NotAllowed;
        match is_not_allowed.then(|| self.offending(&iq, &from, turn.ctx)).flatten() {
            Some(items) => {
                let refused = iq.refused(&error);
                let refused = refused.map(|one| Stanza::new(one.head).with(items));
                let refused = refused.map(|refused| refused.with(error.to_payload()));
                refused.into_iter().for_each(|refused| send(refused, turn.out));
            }
            None => refuse(&iq, &error, turn),
        }
    }

    /// For the room itself.
    fn request(
        &mut self,
        from: &Jid,
        kind: IqKind,
        iq: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some(asked) = iq.children().next() else {
            return Err(StanzaCondition::BadRequest.into());
        };
        if !self.is_made
            || self.is_locked && self.ruler(from, turn.ctx).affiliation != Affiliation::Owner
        {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        if self.line.is_full() {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        let told = match kind {
            IqKind::Get if asked.is(ADMIN_QUERY) => self.admin_get(from, asked, turn.ctx)?,
            IqKind::Set if asked.is(ADMIN_QUERY) => return self.admin_set(iq, from, asked, turn),
            IqKind::Get if asked.is(OWNER_QUERY) => self.owner_get(from, turn.ctx)?,
            IqKind::Set if asked.is(OWNER_QUERY) => return self.owner_set(iq, from, asked, turn),
            IqKind::Get if asked.is(REGISTER) => self.registration(from, turn.ctx)?,
            IqKind::Set if asked.is(REGISTER) => return self.register(iq, from, asked, turn),
            IqKind::Get if asked.is(INFO) => self.info(from, asked, turn.ctx)?,
            IqKind::Get if asked.is(ITEMS) => self.items(from, asked)?,
            IqKind::Get if asked.is(marks::QUERY) => self.told_marks(from, asked, turn.ctx)?,
            IqKind::Set if asked.is(COMMAND) => return self.command(iq, from, asked, turn),
            IqKind::Set if asked.is(VCARD) => return self.set_vcard(iq, from, asked, turn),
            IqKind::Set if moderation::is_request(asked) => return self.moderate(iq, from, turn),
            _ => return self.ask_hooks(from, kind, iq, turn),
        };
        send(iq.result().with(short_enough(told)?), turn.out);
        Ok(())
    }

    /// What other XEPs answer for rooms.
    fn ask_hooks(
        &mut self,
        from: &Jid,
        kind: IqKind,
        iq: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some(asked) = iq.children().next() else {
            return Err(StanzaCondition::BadRequest.into());
        };
        let mut question = iq.clone();
        if asked.ns() == MAM {
            self.may_read(from)?;
            if self.shows_addresses_to(self.rank(from).role) {
                // A request has one child (RFC 6120 §8.2.3): the second is the room's word.
                question = question.with(Draft::new(X).finish());
            }
        }
        match turn.ctx.hooks.answer(Of::Room, kind, asked) {
            Some((_, Answer::World(read))) => self.ask_store(iq.clone(), question, read, turn),
            Some((_, Answer::Pure(think))) => {
                let replied = think(iq, &mut Line::of_host(&self.jid), turn.ctx);
                let answers = stanzas(iq, unwritten(replied));
                answers.into_iter().for_each(|stanza| send(stanza, turn.out));
                Ok(())
            }
            None => Err(StanzaCondition::ServiceUnavailable.into()),
        }
    }

    /// The store is read beside the line, for who asked this.
    ///
    /// # Errors
    /// `resource-constraint` when it is being read for too many, or for too much of one.
    pub fn ask_store(
        &mut self,
        asked: Stanza,
        question: Stanza,
        read: WorldAnswer,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let by = |stanza: &Stanza| stanza.head.from.as_ref().map(Jid::bare);
        let who = by(&asked);
        let theirs = self.asked.values().filter(|one| by(one) == who).count();
        if self.asked.len() >= ASKED_MAX || theirs >= ASKED_EACH_MAX {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        let number = self.line.number();
        self.asked.insert(number, asked);
        turn.out.push(Output::World(number, question, read));
        Ok(())
    }

    /// XEP-0313 §6.1.2: who may enter a room may read what was said in it; of one for members,
    /// they. What was kept before its owners wanted no archive, nobody reads while they want none.
    pub fn may_read(&self, from: &Jid) -> Result<(), StanzaError> {
        if !self.config.is_archived {
            return Err(StanzaCondition::ServiceUnavailable.into());
        }
        match self.belongs(from, self.config.is_logged()) {
            true => Ok(()),
            false => Err(StanzaCondition::Forbidden.into()),
        }
    }

    /// §14.4: whether somebody may know what is going on in it.
    pub fn may_know(&self, who: &Jid) -> bool {
        self.belongs(who, self.config.is_open())
    }

    /// Who is a member, or more, or here; and whoever is nothing to it, where it is for all.
    fn belongs(&self, who: &Jid, is_for_all: bool) -> bool {
        let rank = self.rank(who);
        match rank.affiliation {
            Affiliation::Outcast => false,
            Affiliation::None => rank.role > Role::None || is_for_all,
            _ => true,
        }
    }

    /// The store has been read: for who enters, or for who asked.
    pub fn answered(&mut self, number: u64, replied: Replied, turn: &mut Turn<'_, '_>) {
        if let Some(asked) = self.asked.remove(&number) {
            return self.has_read(&asked, replied, turn);
        }
        let catches_up = self.catches_up.take_if(|_| self.line.reads(number));
        let (read, changes) = match (catches_up, replied) {
            (Some(who), replied) => (self.missed(&who, replied, turn), Vec::new()),
            (None, Ok(Reply::After(stanzas, _))) => {
                (stanzas.into_iter().map(Effect::Send).collect(), Vec::new())
            }
            (None, Ok(Reply::Write(changes, _))) => (Vec::new(), changes),
            (None, _) => <_>::default(),
        };
        self.line.answered(number, read);
        for (ticket, unit) in self.line.drafted(number, changes) {
            turn.out.push(Output::Commit(ticket, unit, None));
        }
        self.advance(turn);
    }

    fn has_read(&mut self, asked: &Stanza, replied: Replied, turn: &mut Turn<'_, '_>) {
        if asked.kind() == Kind::Presence {
            let done = self.found_place(asked, replied, turn);
            return done.unwrap_or_else(|error| refuse_presence(asked, &error, turn));
        }
        if let Some(request) = moderation::Request::of(asked) {
            let done = self.moderated(asked, &request, replied, turn);
            return done.unwrap_or_else(|error| refuse(asked, &error, turn));
        }
        let answers = stanzas(asked, unwritten(replied));
        answers.into_iter().for_each(|stanza| send(stanza, turn.out));
    }

    /// §17.4: from one occupant to another. Its own nick answers whether it is here (XEP-0410).
    fn request_passes(
        &mut self,
        from: &Jid,
        nick: &str,
        iq: &Stanza,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some((own, _)) = self.occupants.by(from) else {
            // §6.6: of disco that is said so; XEP-0410 §3 wants it of pings.
            let is_disco = iq.children().any(|child| child.is(INFO) || child.is(ITEMS));
            let condition = match is_disco {
                true => StanzaCondition::BadRequest,
                false => StanzaCondition::NotAcceptable,
            };
            return Err(condition.into());
        };
        if is_self_ping(own, nick, iq) {
            send(iq.result(), turn.out);
            return Ok(());
        }
        if !self.config.may_query && self.rank(from).role < Role::Moderator {
            return Err(StanzaCondition::NotAllowed.into());
        }
        let asker = self.occupants.by(from).and_then(|(_, occupant)| occupant.seat(from));
        let asker = asker.map(|seat| seat.since).unwrap_or_default();
        let other = self.occupants.get(nick).ok_or(StanzaCondition::ItemNotFound)?;
        let Some(Seat { jid, since, .. }) = other.seats.last() else { return Ok(()) };
        let mut passed = iq.clone();
        passed.head.from = Some(self.occupant(own));
        // What an account answers for its owner, its clients are not asked for.
        let is_of_account = iq.child(VCARD).is_some() && iq.head.type_str() == "get";
        passed.head.to = Some(if is_of_account { jid.bare().into() } else { jid.clone() });
        let id = iq.head.id.as_deref().unwrap_or_default();
        // Several sessions may have one nick: the answer finds the one that asked.
        passed.head.id = Some(format!("{asker:x}/{since:x}/{id}").into());
        send(passed, turn.out);
        Ok(())
    }

    /// What an occupant answers another. Neither learns who the other is (§17.4).
    fn answer_passes(
        &mut self,
        from: &Jid,
        nick: Option<Text>,
        iq: Stanza,
        turn: &mut Turn<'_, '_>,
    ) {
        let Some(nick) = nick else { return self.pinged(from, &iq, turn) };
        let Some(asker) = self.occupants.get(&nick) else { return };
        let mut parts = iq.head.id.as_deref().unwrap_or_default().splitn(3, '/');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (Some(to), Some(by)) = (number(), number()) else { return };
        let (Some(id), Some(seat)) = (parts.next(), asker.seats.iter().find(|one| one.since == to))
        else {
            return;
        };
        let is_it = |seat: &Seat| {
            seat.since == by
                && (seat.jid == *from || from.is_bare() && seat.jid.bare() == from.bare())
        };
        let mut occupants = self.occupants.iter();
        let Some((own, _)) = occupants.find(|(_, occupant)| occupant.seats.iter().any(is_it))
        else {
            return;
        };
        let mut passed = match iq.head.type_str() {
            "error" => {
                Stanza::new(Head::new(Kind::Iq).with_type("error")).with(error_of(&iq).to_payload())
            }
            _ => iq.clone(),
        };
        passed.head.from = Some(self.occupant(own));
        passed.head.to = Some(seat.jid.clone());
        passed.head.id = Some(id.into());
        send(passed, turn.out);
    }
}

fn refuse(iq: &Stanza, error: &StanzaError, turn: &mut Turn<'_, '_>) {
    iq.refused(error).into_iter().for_each(|refused| send(refused, turn.out));
}
