//! Invitations by a room, and what becomes of them (XEP-0045 §7.8.2).

use super::{
    line::Asker,
    members::Members,
    names::*,
    rank::{Affiliation, Rank, Role},
    room::{Room, Turn},
    show::Word,
    xep_0249_direct_invitations::direct,
};
use engine::wire::*;

/// Who may be invited by one message.
const INVITED_MAX: usize = 20;

impl Room {
    /// `from` invites somebody.
    ///
    /// # Errors
    /// `not-acceptable` for who is not here, `forbidden` for who may not, `bad-request` and
    /// `jid-malformed` for whom nobody is, `item-not-found` where nobody can be reached.
    pub fn invite(
        &mut self,
        from: &Jid,
        stanza: &Stanza,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let rank = self.rank(from);
        if rank.role == Role::None && rank.affiliation < Affiliation::Admin {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        if !self.may_invite(rank) {
            return Err(StanzaCondition::Forbidden.into());
        }
        let invites = stanza.children().filter(|child| child.is(X));
        let invites = invites.flat_map(Element::children).filter(|child| child.is(INVITE));
        let invites: Vec<_> = invites.collect();
        if invites.len() > INVITED_MAX {
            return Err(StanzaCondition::PolicyViolation.into());
        }
        let mut whom = Vec::new();
        for invite in invites {
            let to = invite.attribute("to").ok_or(StanzaCondition::BadRequest)?;
            let to = Jid::parse(&to).map_err(|_| StanzaCondition::JidMalformed)?;
            // Whether there is such an account, nobody is told (RFC 6120 §13.11).
            if !turn.ctx.settings.reaches(to.domain()) {
                return Err(StanzaCondition::ItemNotFound.into());
            }
            whom.push((to, invite));
        }
        whom.iter().try_for_each(|(to, _)| Members::can_keep(&to.bare()))?;
        if self.config.is_members_only {
            let whom: Vec<_> = whom.iter().map(|(to, _)| to.bare()).collect();
            self.members.have_room(whom.iter().map(|who| (who, Affiliation::Member)))?;
        }
        let mut step = self.step(asker);
        // The owner wants others to come: as it is, then. Dino asks for no configuration at all.
        self.unlock(&mut step);
        for (to, invite) in whom {
            // §7.8.2, §9.5: who is invited to a room for members becomes one.
            let is_nothing = self.members.of(&to.bare()) == Affiliation::None;
            if self.config.is_members_only && is_nothing {
                let word = Word { actor: self.occupants.nick_of(from).cloned(), ..Word::default() };
                let member = Affiliation::Member;
                self.affiliate(&to.bare(), member, None, word, &mut step, turn.ctx)?;
            }
            let words = [REASON, CONTINUE].into_iter().filter_map(|name| invite.child(name));
            let words = words.map(Element::to_payload).collect();
            // He asks somebody whom he has chosen, who must know by whom he is asked.
            step.send(self.invitation(&from.bare().into(), &to, words));
        }
        Self::settle(&mut step);
        self.take(step, turn);
        Ok(())
    }

    /// §7.8.2, §9.5: to invite to a room for members is to make one, which its admins do; unless
    /// its owners let members do it.
    fn may_invite(&self, rank: Rank) -> bool {
        let is_open = !self.config.is_members_only;
        let may = self.config.lets_invite() || is_open && rank.role == Role::Moderator;
        rank.affiliation >= Affiliation::Admin || may && rank.role >= Role::Participant
    }

    /// §9.5: of who has become a member of a room for members.
    pub fn invite_member(&self, from: &Jid, who: &Bare, reason: Option<&Text>) -> Stanza {
        let by = match self.occupants.nick_of(from) {
            // Nobody was asked: who may not see addresses does not learn the one of an admin.
            Some(nick) if !self.config.is_non_anonymous => self.occupant(nick),
            None if !self.config.is_non_anonymous => self.jid.clone().into(),
            _ => from.bare().into(),
        };
        let words = reason.map(|reason| Draft::new(REASON).text(reason).finish());
        self.invitation(&by, &who.clone().into(), words.into_iter().collect())
    }

    fn invitation(&self, by: &Jid, to: &Jid, words: Vec<Payload>) -> Stanza {
        let mut told = Draft::new(INVITE).attribute("from", by.as_str());
        for part in &words {
            told = told.payload(part);
        }
        let mut x = Draft::new(X).child(told);
        if let Some(password) = &self.config.password {
            x = x.child(Draft::new(KEY).text(password));
        }
        let direct = direct(&self.jid, self.config.password.as_deref(), &words);
        let head = Head::new(Kind::Message).with_from(self.jid.clone()).with_to(to.clone());
        Stanza::new(head).with(x.finish()).with(direct)
    }

    /// Who was invited does not want to come.
    ///
    /// # Errors
    /// `jid-malformed` for whom nobody is, `item-not-found` for an inviter who is not here,
    /// `forbidden` for who may not come at all.
    pub fn decline(
        &mut self,
        from: &Jid,
        decline: Element<'_>,
        asker: Asker,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let to = decline.attribute("to").ok_or(StanzaCondition::BadRequest)?;
        let to = Jid::parse(&to).map_err(|_| StanzaCondition::JidMalformed)?;
        if self.members.of(&from.bare()) == Affiliation::Outcast {
            return Err(StanzaCondition::Forbidden.into());
        }
        let inviters: Vec<Jid> = match to.resource() {
            Some(nick) if to.bare() == self.jid => {
                let inviter = self.occupants.get(nick).ok_or(StanzaCondition::ItemNotFound)?;
                inviter.seats.iter().map(|seat| seat.jid.clone()).collect()
            }
            // Nobody writes to whoever he likes in the room's name, and nobody is told whose
            // addresses are here.
            _ if self.occupants.nicks_of(&to.bare()).is_empty() => {
                self.done(asker, turn);
                return Ok(());
            }
            _ => vec![to.bare().into()],
        };
        let mut told = Draft::new(DECLINE).attribute("from", from.bare().as_str());
        if let Some(reason) = decline.child(REASON) {
            told = told.payload(&reason.to_payload());
        }
        let told = Draft::new(X).child(told).finish();
        let mut step = self.step(asker);
        for to in inviters {
            let head = Head::new(Kind::Message).with_from(self.jid.clone()).with_to(to);
            step.send(Stanza::new(head).with(told.clone()));
        }
        Self::settle(&mut step);
        self.take(step, turn);
        Ok(())
    }
}
