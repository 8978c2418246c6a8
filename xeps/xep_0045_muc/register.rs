//! Who registers with a room becomes a member, with a nick of its own (XEP-0045 §7.10).

use super::{
    line::{Asker, Step},
    names::BODY,
    presence::NICK_BYTES_MAX,
    rank::{Affiliation, Role},
    room::{Room, Turn},
    show::Word,
};
use crate::xep_0004_forms::{self as forms, Field, Kind as Type, Layout};
use engine::{ctx::Ctx, wire::*};

const NS: &str = "jabber:iq:register";
const FORM_TYPE: &str = "http://jabber.org/protocol/muc#register";
const QUERY: Name = Name::new(NS, "query");
const REMOVE: Name = Name::new(NS, "remove");
const NICK: &str = "muc#register_roomnick";
const ALLOW: &str = "muc#register_allow";
/// Who it is: XEP-0045 has no name for that here, but for who asks for voice.
const JID: &str = "muc#jid";
/// Admins and owners who are asked though they are not here.
const ABSENT_ASKED_MAX: usize = 20;

/// What is asked (§16.5.1).
const LAYOUT: Layout = Layout {
    form_type: FORM_TYPE,
    title: "Registration",
    instructions: "Who registers is a member of the room.",
    fields: &[Field { var: NICK, kind: Type::TextSingle, label: "Nick", required: true }],
};

/// What is put to admins and owners (§9.9), and what they answer.
const APPROVAL: Layout = Layout {
    form_type: FORM_TYPE,
    title: "Registration request",
    instructions: "Somebody wants to be a member of the room.",
    fields: &[
        Field { var: JID, kind: Type::JidSingle, label: "Address", required: true },
        Field { var: NICK, kind: Type::TextSingle, label: "Nick", required: true },
        Field { var: ALLOW, kind: Type::Boolean, label: "Make it a member", required: true },
    ],
};

/// Whether a form is an answer to a request of somebody to be a member.
pub fn is_approval(form: Element<'_>) -> bool {
    let is_type = |field: &Element<'_>| {
        field.attribute("var").as_deref() == Some(forms::FORM_TYPE)
            && field.child(forms::VALUE).is_some_and(|value| value.text() == FORM_TYPE)
    };
    form.children().any(|field| is_type(&field))
}

impl Room {
    /// What somebody must say who wants to, or who it is already.
    ///
    /// # Errors
    /// `not-allowed` for who may not.
    pub fn registration(&self, from: &Jid, ctx: &Ctx<'_>) -> Result<Payload, StanzaError> {
        let query = Draft::new(QUERY);
        let member = self.members.get(&from.bare());
        if let Some(nick) = member.and_then(|member| member.nick.as_deref()) {
            let query = query.child(Draft::new(Name::new(NS, "registered")));
            return Ok(query.child(Draft::new(Name::new(NS, "username")).text(nick)).finish());
        }
        self.may_register(&from.bare(), ctx)?;
        Ok(query.child(LAYOUT.form()).finish())
    }

    /// Who stays unknown is gone with its session (XEP-0175), and what it is to a room would stay.
    fn may_register(&self, who: &Bare, ctx: &Ctx<'_>) -> Result<(), StanzaError> {
        let may = match self.members.of(who) {
            Affiliation::Outcast => false,
            Affiliation::None => self.config.may_register && !ctx.settings.is_anonymous(who),
            _ => true,
        };
        match may {
            true => Ok(()),
            false => Err(StanzaCondition::NotAllowed.into()),
        }
    }

    /// Where only members may enter, admins and owners say who becomes one (§9.9). So they do where
    /// a member may speak and others may not, or this one may not any more: nobody gives himself
    /// voice (§8.3) by what comes with being a member (§5.1.2).
    fn is_approved_first(&self, who: &Bare) -> bool {
        let is_silent = |nick: &Text| {
            self.occupants.get(nick).is_some_and(|occupant| occupant.role == Role::Visitor)
        };
        let is_closed = self.config.is_members_only || self.config.is_moderated;
        is_closed || self.occupants.nicks_of(who).iter().any(is_silent)
    }

    /// Somebody registers, or does not want to be any more.
    ///
    /// # Errors
    /// `conflict` for a nick that is another's; `not-acceptable`, `bad-request` for none.
    pub fn register(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        query: Element<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let who = from.bare();
        self.may_register(&who, turn.ctx)?;
        let affiliation = self.members.of(&who);
        let (to, nick) = match query.child(REMOVE) {
            Some(_) if affiliation == Affiliation::Member => (Affiliation::None, Text::new()),
            Some(_) => (affiliation, Text::new()),
            None => (affiliation.max(Affiliation::Member), self.wanted_nick(from, query)?),
        };
        let was_empty = self.occupants.is_empty();
        let mut step = self.step(Asker::Sender(iq.clone()));
        let is_new = affiliation == Affiliation::None && to != affiliation;
        if is_new && self.is_approved_first(&who) {
            self.ask_for_approval(&who, &nick, &mut step, turn.ctx)?;
            step.send(iq.result());
            self.take(step, turn);
            return Ok(());
        }
        self.affiliate(&who, to, Some(nick), Word::default(), &mut step, turn.ctx)?;
        step.send(iq.result());
        if !was_empty {
            self.close_if_empty(&mut step, turn.ctx);
        }
        self.take(step, turn);
        Ok(())
    }

    fn wanted_nick(&self, from: &Jid, query: Element<'_>) -> Result<Text, StanzaError> {
        let form = query.child(forms::X).ok_or(StanzaCondition::BadRequest)?;
        let given = LAYOUT.read(form).map_err(|_| StanzaCondition::BadRequest)?;
        if form.attribute("type").as_deref() != Some("submit") {
            return Err(StanzaCondition::BadRequest.into());
        }
        self.nick_of(from, given.one(NICK).unwrap_or_default())
    }

    fn nick_of(&self, who: &Jid, nick: &str) -> Result<Text, StanzaError> {
        let jid = self.jid.with_resource(nick).map_err(|_| StanzaCondition::NotAcceptable)?;
        let nick = Text::from(jid.resource().unwrap_or_default());
        if nick.is_empty() || nick.len() > NICK_BYTES_MAX {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        self.may_be_called(&nick, who)?;
        Ok(nick)
    }

    /// §9.9: admins and owners are asked, until they have answered once a day at most.
    ///
    /// # Errors
    /// `resource-constraint` when too many wait; `not-acceptable` for who can be no member.
    fn ask_for_approval(
        &mut self,
        who: &Bare,
        nick: &str,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        if self.requests.has_of_late(who, ctx.unix_ms) {
            return Ok(());
        }
        self.keep_request(who, ctx.unix_ms, step)?;
        let form = APPROVAL.filled(|field| match field.var {
            JID => vec![who.as_str()],
            NICK => vec![nick],
            _ => vec!["0"],
        });
        let form = form.finish();
        let body = format!("{who} asks to be a member of this room, with the nick {nick}");
        let body = Draft::new(BODY).text(body).finish();
        for to in self.approvers() {
            let head = Head::new(Kind::Message).with_from(self.jid.clone()).with_to(to);
            step.send(Stanza::new(head).with(body.clone()).with(form.clone()));
        }
        Ok(())
    }

    /// All sessions of admins and owners that are here, and some accounts of those who are not.
    fn approvers(&self) -> Vec<Jid> {
        let is_one = |who: &Bare| self.members.of(who) >= Affiliation::Admin;
        let here = self.occupants.iter().filter(|(_, occupant)| is_one(&occupant.who));
        let seats = here.flat_map(|(_, occupant)| &occupant.seats).map(|seat| seat.jid.clone());
        let all = [Affiliation::Owner, Affiliation::Admin].into_iter();
        let all = all.flat_map(|of| self.members.all(of).map(|(who, _)| who));
        let absent = all.filter(|who| self.occupants.nicks_of(who).is_empty());
        seats.chain(absent.take(ABSENT_ASKED_MAX).map(|who| who.clone().into())).collect()
    }

    /// §9.9: what an admin or owner says to a request, be it here or not.
    ///
    /// # Errors
    /// `forbidden` for who is neither; `bad-request` for a form that nothing can be made of;
    /// `item-not-found` when nobody asked, or another has answered; `conflict` for a nick that is
    /// another's meanwhile.
    pub fn approve(
        &mut self,
        from: &Jid,
        form: Element<'_>,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        if self.members.of(&from.bare()) < Affiliation::Admin {
            return Err(StanzaCondition::Forbidden.into());
        }
        if form.attribute("type").as_deref() == Some("cancel") {
            self.done(asker, turn); // to skip it
            return Ok(());
        }
        let given = APPROVAL.read(form).map_err(|_| StanzaCondition::BadRequest)?;
        let who = given.jids(JID).first().map(Jid::bare).ok_or(StanzaCondition::BadRequest)?;
        if !self.requests.has(&who) {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        let nick = self.nick_of(&who.clone().into(), given.one(NICK).unwrap_or_default())?;
        let mut step = self.step(asker);
        let is_allowed = ["1", "true"].contains(&given.one(ALLOW).unwrap_or_default());
        if is_allowed && self.members.of(&who) == Affiliation::None {
            let word = Word { actor: self.occupants.nick_of(from).cloned(), ..Word::default() };
            let member = Affiliation::Member;
            self.affiliate(&who, member, Some(nick), word, &mut step, turn.ctx)?;
            // Who is here has been shown it.
            if self.occupants.nicks_of(&who).is_empty() {
                step.send(self.invite_member(from, &who, None));
            }
        }
        self.forget_request(&who, &mut step);
        Self::settle(&mut step);
        self.take(step, turn);
        Ok(())
    }
}
