//! What a room tells of itself to who looks at it from outside (XEP-0045 §6.4, §6.5).

use super::{
    fields::{INVITES, MEMBERS_INVITE, PUBSUB, SUBJECT},
    names::*,
    occupants::Occupant,
    rank::{Affiliation, Role},
    room::Room,
    xep_0317_hats::COMMANDS,
    xep_0410_self_ping as self_ping, xep_0500_slow_mode as slow_mode,
};
use crate::xep_0004_forms::{self as forms, Field, Kind};
use engine::{
    ctx::Ctx,
    hook::Of,
    wire::{Draft, Element, Jid, Name, Payload, StanzaCondition, StanzaError, Text},
};

const INFO: Name = Name::new("http://jabber.org/protocol/disco#info", "query");
const ITEMS: Name = Name::new("http://jabber.org/protocol/disco#items", "query");
const FORM_TYPE: &str = "http://jabber.org/protocol/muc#roominfo";
/// Where one may register (§7.10): clients ask no other room for a nick of their own.
const REGISTRATION: [&str; 2] = ["jabber:iq:register", "http://jabber.org/protocol/muc#register"];
/// ejabberd's name for it, by which Gajim knows that it need not ask.
const QUERIES: &str = "muc#roomconfig_allow_query_users";
/// Owners who are named.
const CONTACTS_MAX: usize = 20;
/// The node at which a room tells what nick somebody may have (§7.12).
const NICK_NODE: &str = "x-roomuser-item";
/// The node at which a room tells what it lets through (§18.1.1).
const TRAFFIC_NODE: &str = "http://jabber.org/protocol/muc#traffic";

impl Room {
    /// §6.4, and the reserved nick of who asks (§7.12).
    ///
    /// # Errors
    /// `item-not-found` for a node that is not there; `service-unavailable` for that of allowable
    /// traffic.
    pub fn info(
        &self,
        from: &Jid,
        asked: Element<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Payload, StanzaError> {
        let query = match asked.attribute("node") {
            Some(node) if node == NICK_NODE => return Ok(self.nick_info(from)),
            // That is everything.
            Some(node) if node == TRAFFIC_NODE => {
                return Err(StanzaCondition::ServiceUnavailable.into());
            }
            Some(_) => return Err(StanzaCondition::ItemNotFound.into()),
            None => Draft::new(INFO),
        };
        let name = match self.config.name.as_str() {
            "" => self.jid.local().unwrap_or_default(),
            name => name,
        };
        let query = query.child(identity(name));
        let own = [
            MUC,
            FORM_TYPE,
            "http://jabber.org/protocol/muc#roomconfig",
            "http://jabber.org/protocol/muc#stable_id",
            self_ping::FEATURE,
        ];
        let features = own.into_iter().chain(ctx.hooks.features(Of::Room, ctx.settings));
        let features = features.chain(self.config.features());
        let features =
            features.chain(REGISTRATION.into_iter().filter(|_| self.config.may_register));
        let features =
            features.filter(|feature| self.config.is_archived || !is_of_archive(feature));
        let query = features.fold(query, |query, feature| {
            query.child(Draft::new(Name::new(INFO.ns, "feature")).attribute("var", feature))
        });
        Ok(query.child(self.roominfo(from)).finish())
    }

    /// §16.5.4; what is said in the room, and by how many, for who may know that (§14.4), and whose
    /// it is, for who may know that (§10.5). What three names are known for, is told by each.
    fn roominfo(&self, to: &Jid) -> Draft {
        let text = |var, label, value: &str| {
            let field = Field { var, kind: Kind::TextSingle, label, required: false };
            field.told((!value.is_empty()).then_some(value))
        };
        let flag = |var, label, is: bool| {
            let field = Field { var, kind: Kind::Boolean, label, required: false };
            field.told([if is { "1" } else { "0" }])
        };
        let lines = |var, label, values: Vec<&str>| {
            let field = Field { var, kind: Kind::TextMulti, label, required: false };
            (!values.is_empty()).then(|| field.told(values))
        };
        let config = &self.config;
        let (occupants, subject) = match self.may_know(to) {
            true => (self.occupants.len().to_string(), self.subject.text()),
            false => <_>::default(),
        };
        let history = config.history_max.to_string();
        let pause = config.slow_mode_seconds.to_string();
        let may_name = "Occupants may change the subject";
        let subjects = [SUBJECT, "muc#roominfo_changesubject", "muc#roominfo_subjectmod"];
        let avatar = self.avatar.iter().map(String::as_str).collect();
        let node = Some(config.pubsub.as_str()).filter(|node| !node.is_empty());
        let nodes = node.into_iter().flat_map(|node| {
            let label = "Associated publish-subscribe node";
            [PUBSUB, "muc#roominfo_pubsub"].map(|var| text(var, label, node))
        });
        [
            text("muc#roominfo_description", "Description", &config.description),
            text("muc#roominfo_subject", "Subject", &subject),
            text("muc#roominfo_lang", "Language of the discussion", &config.lang),
            text("muc#roominfo_occupants", "Occupants", &occupants),
            text("muc#maxhistoryfetch", "Messages that who enters is told at most", &history),
            text("muc#roomconfig_roomname", "Name", &config.name),
            text(
                "muc#roomconfig_allowpm",
                "Who may send private messages",
                config.whispers.as_str(),
            ),
            flag(INVITES, "Occupants may invite others", config.lets_invite()),
            flag(MEMBERS_INVITE, "Members may invite others", config.may_members_invite),
            flag(QUERIES, "Occupants may send requests to each other", config.may_query),
            text(slow_mode::TOLD, "Seconds between two messages of one occupant", &pause),
        ]
        .into_iter()
        .chain(subjects.map(|var| flag(var, may_name, config.may_change_subject)))
        .chain(nodes)
        .chain(self.contacts(to))
        .chain(lines("muc#roominfo_avatarhash", "Hashes of the pictures", avatar))
        .chain(self.hats.hash().map(|hash| text("hats#hash", "Hash of the hats", &hash)))
        .fold(forms::result(FORM_TYPE), Draft::child)
    }

    /// Some of the owners, for who may ask for the list of them.
    fn contacts(&self, to: &Jid) -> Option<Draft> {
        self.may_list(self.rank(to), Affiliation::Owner).ok()?;
        let (var, label) = ("muc#roominfo_contactjid", "Contact addresses");
        let field = Field { var, kind: Kind::JidMulti, label, required: false };
        let owners = self.members.all(Affiliation::Owner).map(|(who, _)| who.as_str());
        Some(field.told(owners.take(CONTACTS_MAX)))
    }

    fn nick_info(&self, from: &Jid) -> Payload {
        let query = Draft::new(INFO).attribute("node", NICK_NODE);
        let nick = self.members.get(&from.bare()).and_then(|member| member.nick.as_deref());
        match nick {
            Some(nick) => query.child(identity(nick)).finish(),
            None => query.finish(),
        }
    }

    /// §6.5: who is here, for who is here too: those whom it sees, and a moderator all.
    ///
    /// # Errors
    /// `item-not-found` for a node that is not there.
    pub fn items(&self, from: &Jid, asked: Element<'_>) -> Result<Payload, StanzaError> {
        if asked.attribute("node").as_deref() == Some(COMMANDS) {
            let items = self.commands(from).map(|(node, name)| {
                let item = Draft::new(Name::new(ITEMS.ns, "item"));
                let item = item.attribute("jid", self.jid.as_str());
                item.attribute("node", node).attribute("name", name)
            });
            let query = Draft::new(ITEMS).attribute("node", COMMANDS);
            return Ok(items.fold(query, Draft::child).finish());
        }
        if asked.attribute("node").is_some() {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        let rank = self.rank(from);
        let query = Draft::new(ITEMS);
        if rank.role == Role::None && rank.affiliation < Affiliation::Admin {
            return Ok(query.finish());
        }
        let seat = self.occupants.by(from).and_then(|(_, occupant)| occupant.seat(from));
        let is_seen = |(nick, other): &(&Text, &Occupant)| {
            let is_own = self.occupants.nick_of(from) == Some(*nick);
            rank.moderates() || is_own || seat.is_some_and(|seat| seat.sees(other.seen()))
        };
        let items = self.occupants.iter().filter(is_seen).map(|(nick, _)| {
            let item = Draft::new(Name::new(ITEMS.ns, "item"));
            item.attribute("jid", self.occupant(nick).as_str()).attribute("name", nick)
        });
        Ok(items.fold(query, Draft::child).finish())
    }
}

/// What is told of an archive, and of what is named by its ids.
fn is_of_archive(feature: &str) -> bool {
    const OF: [&str; 5] =
        [":mam:", ":fulltext:", ":message-retract:", ":message-moderate:", ":room-marks:"];
    OF.iter().any(|ns| feature.contains(ns))
}

fn identity(name: &str) -> Draft {
    let identity = Draft::new(Name::new(INFO.ns, "identity"));
    identity.attribute("category", "conference").attribute("type", "text").attribute("name", name)
}
