//! Who registers with a room becomes a member, with a nick of its own (XEP-0045 §7.10).

use super::{
    line::Asker,
    presence::NICK_BYTES_MAX,
    rank::Affiliation,
    room::{Room, Turn},
    show::Word,
};
use crate::xep_0004_forms::{self as forms, Field, Kind as Type, Layout};
use engine::wire::*;

const NS: &str = "jabber:iq:register";
const QUERY: Name = Name::new(NS, "query");
const REMOVE: Name = Name::new(NS, "remove");
const NICK: &str = "muc#register_roomnick";

/// What is asked (§15.5.1).
const LAYOUT: Layout = Layout {
    form_type: "http://jabber.org/protocol/muc#register",
    title: "Registration",
    instructions: "Who registers is a member of the room.",
    fields: &[Field { var: NICK, kind: Type::TextSingle, label: "Nick", required: true }],
};

impl Room {
    /// What somebody must say who wants to, or who it is already.
    ///
    /// # Errors
    /// `not-allowed` for who may not.
    pub fn registration(&self, from: &Jid) -> Result<Payload, StanzaError> {
        let query = Draft::new(QUERY);
        let member = self.members.get(&from.bare());
        if let Some(nick) = member.and_then(|member| member.nick.as_deref()) {
            let query = query.child(Draft::new(Name::new(NS, "registered")));
            return Ok(query.child(Draft::new(Name::new(NS, "username")).text(nick)).finish());
        }
        self.may_register(from)?;
        Ok(query.child(LAYOUT.form()).finish())
    }

    fn may_register(&self, from: &Jid) -> Result<(), StanzaError> {
        let is_anything = match self.members.of(&from.bare()) {
            Affiliation::Outcast => return Err(StanzaCondition::Forbidden.into()),
            affiliation => affiliation > Affiliation::None,
        };
        let is_open = self.config.may_register && !self.config.is_members_only;
        match is_anything || is_open {
            true => Ok(()),
            false => Err(StanzaCondition::NotAllowed.into()),
        }
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
        self.may_register(from)?;
        let affiliation = self.members.of(&who);
        let (to, nick) = match query.child(REMOVE) {
            Some(_) if affiliation == Affiliation::Member => (Affiliation::None, Text::new()),
            Some(_) => (affiliation, Text::new()),
            None => (affiliation.max(Affiliation::Member), self.wanted_nick(from, query)?),
        };
        let was_empty = self.occupants.is_empty();
        let mut step = self.step(Asker::Sender(iq.clone()));
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
        let nick = given.one(NICK).unwrap_or_default();
        let jid = self.jid.with_resource(nick).map_err(|_| StanzaCondition::NotAcceptable)?;
        let nick = Text::from(jid.resource().unwrap_or_default());
        if nick.is_empty() || nick.len() > NICK_BYTES_MAX {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        self.may_be_called(&nick, from)?;
        Ok(nick)
    }
}
