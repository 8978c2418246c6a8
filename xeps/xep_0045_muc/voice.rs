//! Who may not speak asks for voice, and who may give it answers (XEP-0045 §7.13, §8.6).

use super::{
    line::Asker,
    rank::{Affiliation, Rank, Role},
    room::{Room, Turn},
    show::Word,
};
use crate::xep_0004_forms::{self as forms, Field, Kind as Type, Layout};
use engine::wire::*;

const FORM_TYPE: &str = "http://jabber.org/protocol/muc#request";
const ROLE: &str = "muc#role";
const JID: &str = "muc#jid";
const NICK: &str = "muc#roomnick";
const ALLOW: &str = "muc#request_allow";

/// What can be asked for.
const ROLES: &[&str] = &["participant"];

/// What is asked, and how it is put to moderators (§16.5.2).
const LAYOUT: Layout = Layout {
    form_type: FORM_TYPE,
    title: "A request for voice",
    instructions: "Whoever it is wants to speak.",
    fields: &[
        Field { var: ROLE, kind: Type::ListSingle(ROLES), label: "Role", required: false },
        Field { var: JID, kind: Type::JidSingle, label: "Address", required: false },
        Field { var: NICK, kind: Type::TextSingle, label: "Nick", required: false },
        Field { var: ALLOW, kind: Type::Boolean, label: "Give voice", required: false },
    ],
};

impl Room {
    /// A form that is sent to the room: a request, or a moderator's answer to one.
    ///
    /// # Errors
    /// `not-acceptable` for who is not here, `bad-request` for another form, `forbidden` and
    /// `not-allowed` for who may not.
    pub fn voice_form(
        &mut self,
        from: &Jid,
        form: Element<'_>,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let Some((nick, occupant)) = self.occupants.by(from) else {
            return Err(StanzaCondition::NotAcceptable.into());
        };
        let (nick, role) = (nick.clone(), occupant.role);
        let given = LAYOUT.read(form).map_err(|_| StanzaCondition::BadRequest)?;
        let is_ours = form
            .children()
            .any(|field| field.attribute("var").as_deref() == Some(forms::FORM_TYPE));
        if !is_ours || form.attribute("type").as_deref() != Some("submit") {
            return Err(StanzaCondition::BadRequest.into());
        }
        match (given.one(ALLOW), role) {
            (None, Role::Visitor) if !self.config.may_ask_for_voice => {
                return Err(StanzaCondition::Forbidden.into());
            }
            (None, Role::Visitor) => self.ask_for_voice(from, &nick, asker, turn),
            (None, _) => self.done(asker, turn),
            (Some(allow), Role::Moderator) => {
                let is_allowed = ["1", "true"].contains(&allow);
                let asked = given.one(NICK).unwrap_or_default().to_owned();
                return self.answer_voice(from, &asked, is_allowed, asker, turn);
            }
            (Some(_), _) => return Err(StanzaCondition::Forbidden.into()),
        }
        Ok(())
    }

    fn ask_for_voice(&mut self, from: &Jid, nick: &Text, asker: Asker, turn: &mut Turn<'_, '_>) {
        let mut step = self.step(asker);
        let form = LAYOUT.filled(|field| match field.var {
            ROLE => vec![Role::Participant.as_str()],
            JID => vec![from.as_str()],
            NICK => vec![nick],
            _ => vec!["0"],
        });
        let form = form.finish();
        for (_, occupant) in self.occupants.iter() {
            let seats = occupant.seats.iter().filter(|_| occupant.role == Role::Moderator);
            for seat in seats {
                let head = Head::new(Kind::Message).with_from(self.jid.clone());
                let asked = Stanza::new(head.with_to(seat.jid.clone()));
                step.send(asked.with(form.clone()));
            }
        }
        Self::settle(&mut step);
        self.take(step, turn);
    }

    fn answer_voice(
        &mut self,
        from: &Jid,
        nick: &str,
        is_allowed: bool,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let rank = self.rank(from);
        let asked = self.occupants.get(nick).ok_or(StanzaCondition::ItemNotFound)?;
        let affiliation: Affiliation = self.members.of(&asked.who);
        let to = Rank { affiliation, role: asked.role };
        let mut step = self.step(asker);
        if is_allowed && to.role == Role::Visitor {
            rank.may_give(Role::Participant, to)?;
            self.give_role(nick, Role::Participant, Word::default(), &mut step, turn.ctx);
            self.keep_role(nick, &mut step);
        }
        Self::settle(&mut step);
        self.take(step, turn);
        Ok(())
    }
}
