//! What moderators and admins do to others (XEP-0045 §8, §9): roles by nick, affiliations by
//! address. Of a request all is done or nothing.

use super::{
    line::{Asker, Effect, Step},
    members::{Member, Members},
    names::*,
    occupants::{self, is_unseen_nick, looks},
    presence::NICK_BYTES_MAX,
    rank::{Affiliation, Rank, Role},
    room::{Room, Turn},
    show::{Audience, Show, Word},
};
use engine::{ctx::Ctx, wire::*};
use std::collections::{BTreeMap, BTreeSet};

/// Items of one request.
const ITEMS_MAX: usize = 1_000;
/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_024;
/// Bytes of the reasons that one list tells: in a long one it matters more who is in it.
const LISTED_REASONS_BYTES_MAX: usize = 256 << 10;

/// One thing that is asked for.
enum Change {
    /// An occupant gets this role.
    Role { nick: Text, role: Role, word: Word },
    /// Somebody gets this affiliation; a nick that is reserved with it.
    Affiliation { who: Bare, to: Affiliation, nick: Option<Text>, word: Word },
}

impl Change {
    /// Who becomes what to the room.
    fn affiliation(&self) -> Option<(&Bare, Affiliation)> {
        match self {
            Self::Role { .. } => None,
            Self::Affiliation { who, to, .. } => Some((who, *to)),
        }
    }
}

impl Room {
    /// Lists (§8.5, §9.2, §9.5, §9.8, §10.5, §10.8).
    ///
    /// # Errors
    /// `bad-request`; `forbidden` for who may not see that list.
    pub fn admin_get(
        &self,
        from: &Jid,
        query: Element<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Payload, StanzaError> {
        let mut items = query.children().filter(|child| child.is(ADMIN_ITEM));
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(StanzaCondition::BadRequest.into());
        };
        let rank = self.ruler(from, ctx);
        let wanted = (item.attribute("affiliation"), item.attribute("role"));
        let items: Vec<Draft> = match wanted {
            (Some(name), None) => {
                let wanted = Affiliation::parse(&name).ok_or(StanzaCondition::BadRequest)?;
                self.may_list(rank, wanted)?;
                let mut left = LISTED_REASONS_BYTES_MAX;
                let all = self.members.all(wanted);
                all.map(|(who, member)| listed(who, member, &mut left)).collect()
            }
            (None, Some(name)) => {
                let wanted = Role::parse(&name).ok_or(StanzaCondition::BadRequest)?;
                // §9: the list of moderators is the admins' (§9.8).
                let is_admin = rank.affiliation >= Affiliation::Admin;
                if !rank.moderates() || wanted == Role::Moderator && !is_admin {
                    return Err(StanzaCondition::Forbidden.into());
                }
                let all = self.occupants.iter().filter(|(_, occupant)| occupant.role == wanted);
                all.map(|(nick, occupant)| self.listed_occupant(nick, occupant)).collect()
            }
            _ => return Err(StanzaCondition::BadRequest.into()),
        };
        Ok(items.into_iter().fold(Draft::new(ADMIN_QUERY), Draft::child).finish())
    }

    /// §9.5: in a room whose members see each other, members may know who else is one; clients of
    /// theirs ask who is an owner or admin, too. Where they do not, only owners may (§10.5, §10.8).
    ///
    /// # Errors
    /// `forbidden`.
    pub fn may_list(&self, rank: Rank, wanted: Affiliation) -> Result<(), StanzaError> {
        let is_member = rank.affiliation >= Affiliation::Member || rank.role >= Role::Participant;
        let is_open = self.config.is_non_anonymous && self.config.shows_members;
        let may = match rank.affiliation {
            Affiliation::Owner => true,
            Affiliation::Admin => wanted < Affiliation::Admin || self.config.is_non_anonymous,
            _ => is_member && is_open && wanted >= Affiliation::Member,
        };
        match may {
            true => Ok(()),
            false => Err(StanzaCondition::Forbidden.into()),
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
        let rank = self.ruler(from, turn.ctx);
        let items = query.children().filter(|child| child.is(ADMIN_ITEM));
        let changes =
            items.map(|item| self.read_item(item, rank)).collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() {
            return Err(StanzaCondition::BadRequest.into());
        }
        if changes.len() > ITEMS_MAX {
            return Err(StanzaCondition::PolicyViolation.into());
        }
        self.members.have_room(changes.iter().filter_map(Change::affiliation))?;
        for change in &changes {
            self.may_do(from, rank, change)?;
        }
        self.are_consistent(&changes)?;
        let actor = self.occupants.nick_of(from).cloned();
        let mut step = self.step(Asker::Sender(iq.clone()));
        for change in changes {
            self.change(change, from, actor.as_ref(), &mut step, turn.ctx)?;
        }
        report(iq.result(), &mut step);
        self.close_if_empty(&mut step, turn.ctx);
        self.take(step, turn);
        Ok(())
    }

    /// §8.4, §8.5, §9.7, §9.8: what of a request it is that may not be done.
    pub fn offending(&self, iq: &Stanza, from: &Jid, ctx: &Ctx<'_>) -> Option<Payload> {
        let rank = self.ruler(from, ctx);
        let query = iq.child(ADMIN_QUERY)?;
        let offends = |item: &Element<'_>| {
            let change = self.read_item(*item, rank);
            change.and_then(|change| self.may_do(from, rank, &change)).is_err()
        };
        let items = query.children().filter(|child| child.is(ADMIN_ITEM)).filter(offends);
        let items = items.take(ITEMS_MAX).map(Element::to_payload);
        let query = items.fold(Draft::new(ADMIN_QUERY), |query, item| query.payload(&item));
        Some(query.finish())
    }

    /// What one item asks for.
    fn read_item(&self, item: Element<'_>, rank: Rank) -> Result<Change, StanzaError> {
        let bad = || StanzaError::from(StanzaCondition::BadRequest);
        let reason = item.child(ADMIN_REASON).map(|reason| Text::from(reason.text().into_owned()));
        if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        let reason = reason.filter(|reason| !reason.is_empty());
        let word = Word { reason, ..Word::default() };
        let nick = item.attribute("nick").map(|nick| read_nick(&nick, &self.jid)).transpose()?;
        match (item.attribute("role"), item.attribute("affiliation")) {
            (Some(role), None) => {
                let role = Role::parse(&role).ok_or_else(bad)?;
                let nick = nick.filter(|nick| !nick.is_empty()).ok_or_else(bad)?;
                Ok(Change::Role { nick, role, word })
            }
            (None, Some(affiliation)) => {
                let to = Affiliation::parse(&affiliation).ok_or_else(bad)?;
                let Some(jid) = item.attribute("jid") else {
                    let who = self.called(&nick.unwrap_or_default(), rank)?;
                    return Ok(Change::Affiliation { who, to, nick: None, word });
                };
                let who = Jid::parse(&jid).map_err(|_| StanzaCondition::JidMalformed)?.bare();
                // Of a domain nobody can be but an outcast.
                match who.local().is_some() || to <= Affiliation::None {
                    true => Ok(Change::Affiliation { who, to, nick, word }),
                    false => Err(StanzaCondition::NotAcceptable.into()),
                }
            }
            _ => Err(bad()),
        }
    }

    /// Whom an admin calls by a nick where an address belongs (§9.1), as Dino does.
    fn called(&self, nick: &str, rank: Rank) -> Result<Bare, StanzaError> {
        if nick.is_empty() || rank.affiliation < Affiliation::Admin {
            return Err(StanzaCondition::BadRequest.into());
        }
        let occupant = self.occupants.get(nick).ok_or(StanzaCondition::ItemNotFound)?;
        Ok(occupant.who.clone())
    }

    fn may_do(&self, from: &Jid, rank: Rank, change: &Change) -> Result<(), StanzaError> {
        match change {
            Change::Role { nick, role, .. } => {
                if !rank.moderates() {
                    return Err(StanzaCondition::Forbidden.into());
                }
                let occupant = self.occupants.get(nick).ok_or(StanzaCondition::ItemNotFound)?;
                let affiliation = self.members.of(&occupant.who);
                Ok(rank.may_give(*role, Rank { affiliation, role: occupant.role })?)
            }
            Change::Affiliation { who, to, nick, .. } => {
                if rank.affiliation < Affiliation::Admin {
                    return Err(StanzaCondition::Forbidden.into());
                }
                // §9.1: nobody bans himself.
                if *who == from.bare() && *to == Affiliation::Outcast {
                    return Err(StanzaCondition::Conflict.into());
                }
                Members::can_keep(who)?;
                rank.affiliation.may_change(self.members.of(who), *to)?;
                match nick.as_deref().is_some_and(|nick| self.members.is_reserved(nick, who)) {
                    true => Err(StanzaCondition::Conflict.into()),
                    false => Ok(()),
                }
            }
        }
    }

    /// One request says of each what it becomes, once; no two get one nick; and a room without an
    /// owner would be nobody's to mend (§10.4). One whose last owner's account was removed is that
    /// already, and goes on.
    fn are_consistent(&self, changes: &[Change]) -> Result<(), StanzaError> {
        let (mut nicks, mut whom, mut seen) =
            <(BTreeSet<_>, BTreeMap<_, _>, BTreeSet<String>)>::default();
        for change in changes {
            let is_new = match change {
                Change::Role { nick, .. } => nicks.insert(nick),
                Change::Affiliation { who, to, nick, .. } => {
                    let nick = nick.as_deref().filter(|nick| !nick.is_empty());
                    for nick in nick.into_iter() {
                        let looks = looks(nick);
                        if looks.iter().any(|look| seen.contains(look)) {
                            return Err(StanzaCondition::Conflict.into());
                        }
                        seen.extend(looks);
                    }
                    whom.insert(who, *to).is_none()
                }
            };
            if !is_new {
                return Err(StanzaCondition::BadRequest.into());
            }
        }
        let gone: Vec<&Bare> = whom.keys().copied().collect();
        let stays = whom.is_empty() || whom.values().any(|to| *to == Affiliation::Owner);
        let stays = stays || !self.has_another_owner(&[]);
        match stays || self.has_another_owner(&gone) {
            true => Ok(()),
            false => Err(StanzaCondition::Conflict.into()),
        }
    }

    fn change(
        &mut self,
        change: Change,
        from: &Jid,
        actor: Option<&Text>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        match change {
            Change::Role { nick, role, mut word } => {
                word.actor = actor.cloned();
                match role {
                    Role::None => self.remove(&nick, &[status::KICKED], word, step, ctx),
                    role => {
                        self.give_role(&nick, role, word, step, ctx);
                        self.keep_role(&nick, step);
                    }
                }
            }
            Change::Affiliation { who, to, nick, mut word } => {
                word.actor = actor.cloned();
                let was_nothing = self.members.of(&who) < Affiliation::Member;
                let reason = word.reason.clone();
                self.affiliate(&who, to, nick, word, step, ctx)?;
                // §9.5
                let joins = was_nothing && to >= Affiliation::Member;
                if joins && self.config.is_members_only {
                    step.send(self.invite_member(from, &who, reason.as_ref()));
                }
            }
        }
        Ok(())
    }
}

/// With why, as long as so many bytes are left for that.
fn listed(who: &Bare, member: &Member, left: &mut usize) -> Draft {
    let item = Draft::new(ADMIN_ITEM)
        .attribute("affiliation", member.affiliation.as_str())
        .attribute("jid", who.as_str());
    let item = match &member.nick {
        Some(nick) => item.attribute("nick", nick),
        None => item,
    };
    let reason = member.reason.as_ref().map(|why| Draft::new(ADMIN_REASON).text(why).finish());
    let bytes = reason.as_ref().map_or(0, |reason| reason.as_str().len());
    match reason.filter(|_| bytes <= *left) {
        Some(reason) => {
            *left -= bytes;
            item.payload(&reason)
        }
        None => item,
    }
}

/// §8.2 to §9.7: who goes is told so first, then who asked that it is done, then the others.
fn report(done: Stanza, step: &mut Step) {
    let effects = std::mem::take(&mut step.effects);
    let mut others = Vec::new();
    for effect in effects {
        match effect {
            Effect::Show(show) if show.is_gone && show.audience == Audience::Everybody => {
                step.show(Show { audience: Audience::Own, ..(*show).clone() });
                others.push(Effect::Show(Box::new(Show { audience: Audience::Others, ..*show })));
            }
            Effect::Show(show) if show.is_gone => step.show(*show),
            effect => others.push(effect),
        }
    }
    step.send(done);
    step.effects.extend(others);
}

/// A nick as it would be in an address; the empty one says that there shall be none (§9.5).
fn read_nick(nick: &str, room: &Bare) -> Result<Text, StanzaError> {
    if nick.is_empty() {
        return Ok(Text::new());
    }
    let jid = room.with_resource(nick).map_err(|_| StanzaCondition::NotAcceptable)?;
    let nick = Text::from(jid.resource().unwrap_or_default());
    match nick.len() > NICK_BYTES_MAX || is_unseen_nick(&nick) {
        true => Err(StanzaCondition::NotAcceptable.into()),
        false => Ok(nick),
    }
}
