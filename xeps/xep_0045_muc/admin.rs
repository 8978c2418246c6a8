//! What moderators and admins do to others (XEP-0045 §8, §9): roles by nick, affiliations by
//! address. Of a request all is done or nothing.

use super::{
    line::{Asker, Step},
    members::Member,
    names::*,
    occupants,
    rank::{Affiliation, Rank, Role},
    room::{Room, Turn},
    show::{Show, Word},
};
use engine::{ctx::Ctx, wire::*};

/// Items of one request.
const ITEMS_MAX: usize = 1_000;
/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_024;
/// What somebody may be to a room of those who are anything to it.
const MEMBERS_MAX: usize = 100_000;

/// One thing that is asked for.
enum Change {
    /// An occupant gets this role.
    Role { nick: Text, role: Role, word: Word },
    /// Somebody gets this affiliation; a nick that is reserved with it.
    Affiliation { who: Bare, to: Affiliation, nick: Option<Text>, word: Word },
}

impl Room {
    /// Lists (§8.5, §9.2, §9.5, §9.8, §10.5, §10.8).
    ///
    /// # Errors
    /// `bad-request`; `forbidden` for who may not see that list.
    pub fn admin_get(&self, from: &Jid, query: Element<'_>) -> Result<Payload, StanzaError> {
        let mut items = query.children().filter(|child| child.is(ADMIN_ITEM));
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(StanzaCondition::BadRequest.into());
        };
        let rank = self.rank(from);
        let wanted = (item.attribute("affiliation"), item.attribute("role"));
        let items: Vec<Draft> = match wanted {
            (Some(name), None) => {
                let wanted = Affiliation::parse(&name).ok_or(StanzaCondition::BadRequest)?;
                self.may_list(rank, wanted)?;
                self.members.all(wanted).map(|(who, member)| self.listed(who, member)).collect()
            }
            (None, Some(name)) => {
                let wanted = Role::parse(&name).ok_or(StanzaCondition::BadRequest)?;
                if rank.role != Role::Moderator && rank.affiliation < Affiliation::Admin {
                    return Err(StanzaCondition::Forbidden.into());
                }
                let all = self.occupants.iter().filter(|(_, occupant)| occupant.role == wanted);
                all.map(|(nick, occupant)| self.listed_occupant(nick, occupant)).collect()
            }
            _ => return Err(StanzaCondition::BadRequest.into()),
        };
        Ok(items.into_iter().fold(Draft::new(ADMIN_QUERY), Draft::child).finish())
    }

    /// §9.5: in a room whose members see each other, members may know who else is one. XEP-0045
    /// lists owners and admins to nobody else; clients of members ask for those, too.
    fn may_list(&self, rank: Rank, wanted: Affiliation) -> Result<(), StanzaError> {
        let is_admin = rank.affiliation >= Affiliation::Admin;
        let is_member = rank.affiliation >= Affiliation::Member || rank.role >= Role::Participant;
        let is_open = self.config.is_non_anonymous && self.config.shows_members;
        match is_admin || is_member && is_open && wanted >= Affiliation::Member {
            true => Ok(()),
            false => Err(StanzaCondition::Forbidden.into()),
        }
    }

    fn listed(&self, who: &Bare, member: &Member) -> Draft {
        let item = Draft::new(ADMIN_ITEM)
            .attribute("affiliation", member.affiliation.as_str())
            .attribute("jid", who.as_str());
        let item = match &member.nick {
            Some(nick) => item.attribute("nick", nick),
            None => item,
        };
        match &member.reason {
            Some(reason) => item.child(Draft::new(ADMIN_REASON).text(reason)),
            None => item,
        }
    }

    fn listed_occupant(&self, nick: &str, occupant: &occupants::Occupant) -> Draft {
        let jid = occupant.seats.last().map(|seat| seat.jid.as_str()).unwrap_or_default();
        Draft::new(ADMIN_ITEM)
            .attribute("affiliation", self.members.of(&occupant.who).as_str())
            .attribute("jid", jid)
            .attribute("nick", nick)
            .attribute("role", occupant.role.as_str())
    }

    /// Changes roles and affiliations.
    ///
    /// # Errors
    /// Those of §8 and §9; nothing is changed then.
    pub fn admin_set(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        query: Element<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let items = query.children().filter(|child| child.is(ADMIN_ITEM));
        let changes = items.map(read_item).collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() {
            return Err(StanzaCondition::BadRequest.into());
        }
        if changes.len() > ITEMS_MAX || self.members.len() + changes.len() > MEMBERS_MAX {
            return Err(StanzaCondition::PolicyViolation.into());
        }
        for change in &changes {
            self.may_do(from, change)?;
        }
        self.keeps_an_owner(&changes)?;
        let actor = self.occupants.nick_of(from).cloned();
        let mut step = self.step(Asker::Sender(iq.clone()));
        for change in changes {
            self.change(change, actor.as_ref(), &mut step, turn.ctx)?;
        }
        step.send(iq.result());
        self.close_if_empty(&mut step, turn.ctx);
        self.take(step, turn);
        Ok(())
    }

    fn may_do(&self, from: &Jid, change: &Change) -> Result<(), StanzaError> {
        let rank = self.rank(from);
        match change {
            Change::Role { nick, role, .. } => {
                if rank.role != Role::Moderator && rank.affiliation < Affiliation::Admin {
                    return Err(StanzaCondition::Forbidden.into());
                }
                let Some(occupant) = self.occupants.get(nick) else {
                    return Err(StanzaCondition::ItemNotFound.into());
                };
                let affiliation = self.members.of(&occupant.who);
                let to = Rank { affiliation, role: occupant.role };
                match rank.may_give(*role, to) {
                    true => Ok(()),
                    false => Err(StanzaCondition::NotAllowed.into()),
                }
            }
            Change::Affiliation { who, to, nick, .. } => {
                if rank.affiliation < Affiliation::Admin {
                    return Err(StanzaCondition::Forbidden.into());
                }
                // §9.1: nobody bans himself.
                if *who == from.bare() && *to == Affiliation::Outcast {
                    return Err(StanzaCondition::Conflict.into());
                }
                if !rank.affiliation.may_change(self.members.of(who), *to) {
                    return Err(StanzaCondition::NotAllowed.into());
                }
                let reserved = nick.as_deref().and_then(|nick| self.members.reserved(nick));
                match reserved.is_some_and(|other| other != who) {
                    true => Err(StanzaCondition::Conflict.into()),
                    false => Ok(()),
                }
            }
        }
    }

    /// §10.4: a room without an owner is nobody's to mend.
    fn keeps_an_owner(&self, changes: &[Change]) -> Result<(), StanzaError> {
        let (mut gone, mut comes) = (Vec::new(), false);
        for change in changes {
            match change {
                Change::Affiliation { who, to: Affiliation::Owner, .. } => {
                    comes |= who.local().is_some();
                }
                Change::Affiliation { who, .. } => gone.push(who),
                Change::Role { .. } => {}
            }
        }
        match gone.is_empty() || comes || self.has_another_owner(&gone) {
            true => Ok(()),
            false => Err(StanzaCondition::Conflict.into()),
        }
    }

    fn change(
        &mut self,
        change: Change,
        actor: Option<&Text>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        match change {
            Change::Role { nick, role, mut word } => {
                word.actor = actor.cloned();
                match role {
                    Role::None => self.remove(&nick, &[status::KICKED], word, step, ctx),
                    role => self.give_role(&nick, role, word, step, ctx),
                }
            }
            Change::Affiliation { who, to, nick, mut word } => {
                word.actor = actor.cloned();
                self.affiliate(&who, to, nick, word, step, ctx)?;
            }
        }
        Ok(())
    }

    /// Somebody becomes this to the room, and what follows from it for who is in it.
    ///
    /// # Errors
    /// An address that cannot be kept.
    pub fn affiliate(
        &mut self,
        who: &Bare,
        to: Affiliation,
        nick: Option<Text>,
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let before = self.members.of(who);
        // §9.1: who is cast out has no nick here. Else it stays until another is given; "" is none.
        let kept = self.members.get(who).and_then(|member| member.nick.clone());
        let nick = nick.or(kept).filter(|nick| !nick.is_empty() && to > Affiliation::None);
        let reason = word.reason.clone();
        let member = Member { affiliation: to, nick, reason };
        step.write(self.members.change(&self.jid, who, member)?);
        let is_domain = who.local().is_none();
        let is_theirs = |occupant: &occupants::Occupant| match is_domain {
            true => occupant.who.domain() == who.domain(),
            false => occupant.who == *who,
        };
        let nicks = self.occupants.iter().filter(|(_, occupant)| is_theirs(occupant));
        let nicks: Vec<Text> = nicks.map(|(nick, _)| nick.clone()).collect();
        for nick in nicks {
            let Some(occupant) = self.occupants.get(&nick) else { continue };
            let (now, role) = (self.members.of(&occupant.who), occupant.role);
            let word = word.clone();
            if now == Affiliation::Outcast {
                self.remove(&nick, &[status::BANNED], word, step, ctx);
            } else if self.config.is_members_only && now < Affiliation::Member {
                self.remove(&nick, &[status::REMOVED], word, step, ctx); // §9.4
            } else {
                let role = role_after(before, now, role, self.config.is_moderated);
                self.give_role(&nick, role, word, step, ctx);
            }
        }
        Ok(())
    }

    /// All sessions of a nick go, for these reasons.
    pub fn remove(
        &mut self,
        nick: &str,
        codes: &[u16],
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let seats: Vec<Jid> = occupant.seats.iter().map(|seat| seat.jid.clone()).collect();
        let Some(mut show) = self.show(nick, ctx) else { return };
        for jid in &seats {
            if let Some((.., seat, _)) = self.occupants.rise(jid) {
                step.write(occupants::forgotten(&self.jid, seat.since));
            }
        }
        (show.is_gone, show.role, show.word) = (true, Role::None, word);
        show.risen = seats;
        show.shown = Stanza::new(Head::new(Kind::Presence));
        show.statuses = codes.to_vec();
        step.show(show);
    }

    /// An occupant has this role now.
    pub fn give_role(
        &mut self,
        nick: &str,
        role: Role,
        word: Word,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) {
        let Some(occupant) = self.occupants.get_mut(nick) else { return };
        if occupant.role != role {
            occupant.role = role;
            for seat in &occupant.seats {
                step.write(occupants::kept(&self.jid, nick, role, seat));
            }
        }
        if let Some(show) = self.show(nick, ctx) {
            step.show(Show { word, ..show });
        }
    }
}

/// §5.1.3: what comes with an affiliation comes and goes with it; what was given stays.
fn role_after(before: Affiliation, now: Affiliation, role: Role, is_moderated: bool) -> Role {
    let at_first = Role::at_first(now, is_moderated);
    let lost_power = before >= Affiliation::Admin && now < Affiliation::Admin;
    if lost_power { at_first } else { role.max(at_first) }
}

fn read_item(item: Element<'_>) -> Result<Change, StanzaError> {
    let bad = || StanzaError::from(StanzaCondition::BadRequest);
    let reason = item.child(ADMIN_REASON).map(|reason| Text::from(reason.text().into_owned()));
    if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(StanzaCondition::NotAcceptable.into());
    }
    let reason = reason.filter(|reason| !reason.is_empty());
    let word = Word { reason, ..Word::default() };
    let nick = item.attribute("nick").map(|nick| Text::from(nick.into_owned()));
    match (item.attribute("role"), item.attribute("affiliation")) {
        (Some(role), None) => {
            let role = Role::parse(&role).ok_or_else(bad)?;
            Ok(Change::Role { nick: nick.ok_or_else(bad)?, role, word })
        }
        (None, Some(affiliation)) => {
            let to = Affiliation::parse(&affiliation).ok_or_else(bad)?;
            let jid = item.attribute("jid").ok_or_else(bad)?;
            let who = Jid::parse(&jid).map_err(|_| StanzaCondition::JidMalformed)?.bare();
            if nick.as_ref().is_some_and(|nick| nick.len() > super::enter::NICK_BYTES_MAX) {
                return Err(StanzaCondition::NotAcceptable.into());
            }
            // Of a domain nobody can be but an outcast.
            match who.local().is_some() || to <= Affiliation::None {
                true => Ok(Change::Affiliation { who, to, nick, word }),
                false => Err(StanzaCondition::NotAcceptable.into()),
            }
        }
        _ => Err(bad()),
    }
}
