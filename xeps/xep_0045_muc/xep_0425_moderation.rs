//! XEP-0425: Moderated Message Retraction. <https://xmpp.org/extensions/xep-0425.html>
//!
//! A moderator names a message by its id in the archive of the room. There a tombstone stands in
//! its place then, and what tells of it, which the archive keeps for who was away. Both speak the
//! words of version 0.2, too, which clients of before 2023 understand.

use super::{
    line::{Asker, Effect},
    rank::Role,
    room::{Room, Turn, send},
    xep_0421_occupant_id as occupant_id,
};
use engine::{
    ctx::{Ctx, date_time},
    hook::*,
    port::Pending,
    unit::{Change, Flags},
    wire::*,
};

/// Messages that a moderator takes away.
pub const XEP: Xep = Xep {
    number: 425,
    name: "Moderated Message Retraction",
    version: "0.3.0",
    status: Status::Complete,
    hooks: &[Hook::Feature(Of::Room, NS), Hook::Feature(Of::Room, OLD_NS)],
};

const NS: &str = "urn:xmpp:message-moderate:1";
const RETRACT_NS: &str = "urn:xmpp:message-retract:1";
const MODERATE: Name = Name::new(NS, "moderate");
const MODERATED: Name = Name::new(NS, "moderated");
const RETRACT: Name = Name::new(RETRACT_NS, "retract");
const RETRACTED: Name = Name::new(RETRACT_NS, "retracted");

/// As it was in version 0.2.
const OLD_NS: &str = "urn:xmpp:message-moderate:0";
const OLD_RETRACT_NS: &str = "urn:xmpp:message-retract:0";
const APPLY_TO: Name = Name::new("urn:xmpp:fasten:0", "apply-to");
const OLD_MODERATE: Name = Name::new(OLD_NS, "moderate");
const OLD_MODERATED: Name = Name::new(OLD_NS, "moderated");
const OLD_RETRACT: Name = Name::new(OLD_RETRACT_NS, "retract");
const OLD_RETRACTED: Name = Name::new(OLD_RETRACT_NS, "retracted");

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// What a moderator asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    id: String,
    reason: Option<String>,
}

/// Whether this asks for it, be it well or badly.
pub fn is_request(asked: Element<'_>) -> bool {
    asked.is(MODERATE) || asked.is(APPLY_TO) && asked.child(OLD_MODERATE).is_some()
}

impl Request {
    /// What an iq asks for; `None`: something else, or nothing that can be done.
    pub fn of(iq: &Stanza) -> Option<Self> {
        let asked = iq.children().next().filter(|asked| is_request(*asked))?;
        let (moderate, retract) = match asked.child(OLD_MODERATE) {
            Some(moderate) => (moderate, OLD_RETRACT),
            None => (asked, RETRACT),
        };
        moderate.child(retract)?;
        let reason = moderate.child(Name::new(moderate_ns(moderate), "reason"));
        let reason = reason.map(|reason| reason.text().into_owned());
        let id = asked.attribute("id").filter(|id| !id.is_empty())?.into_owned();
        Some(Self { id, reason: reason.filter(|reason| !reason.is_empty()) })
    }
}

fn moderate_ns(moderate: Element<'_>) -> &'static str {
    if moderate.is(OLD_MODERATE) { OLD_NS } else { NS }
}

impl Room {
    /// Section 3: the message is looked for.
    ///
    /// # Errors
    /// `bad-request`; `forbidden` for who is no moderator; `item-not-found` for an id that no
    /// message of the archive has.
    pub fn moderate(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let request = Request::of(iq).ok_or(StanzaCondition::BadRequest)?;
        self.is_moderator(from)?;
        if request.reason.is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        let is_ours = turn.ctx.settings.names.pos(&self.jid, &request.id).is_some();
        if !is_ours || !self.config.is_archived {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        self.ask_store(iq.clone(), iq.clone(), find, turn)
    }

    fn is_moderator(&self, from: &Jid) -> Result<(), StanzaError> {
        if self.rank(from).role != Role::Moderator {
            let error = StanzaError::from(StanzaCondition::Forbidden);
            return Err(error.with_text("only moderators take away what others have said"));
        }
        Ok(())
    }

    /// It has been found, or not; its moderator may be none any more.
    ///
    /// # Errors
    /// As before; `not-allowed` for what nobody said but the room.
    pub fn moderated(
        &mut self,
        iq: &Stanza,
        request: &Request,
        replied: Replied,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        let found = match replied? {
            Reply::After(mut found, _) => found.pop(),
            _ => None,
        };
        let from = iq.head.from.clone().ok_or(StanzaCondition::BadRequest)?;
        self.is_moderator(&from)?;
        let pos = turn.ctx.settings.names.pos(&self.jid, &request.id);
        let (Some(message), Some(pos)) = (found, pos) else {
            return Err(StanzaCondition::ItemNotFound.into());
        };
        if message.child(RETRACTED).is_some() {
            send(iq.result(), turn.out); // nothing is left of it
            return Ok(());
        }
        if message.head.from.as_ref().is_none_or(Jid::is_bare) {
            return Err(StanzaCondition::NotAllowed.into());
        }
        let nick = self.occupants.nick_of(&from).cloned().unwrap_or_default();
        let by = By {
            jid: self.occupant(&nick),
            id: occupant_id::of(&self.jid, &from.bare(), turn.ctx),
            reason: request.reason.as_deref(),
        };
        let told = by.told(&self.jid, &request.id, turn.ctx);
        let mut step = self.step(Asker::Sender(iq.clone()));
        let left = by.tombstone(&message, &told, turn.ctx.unix_ms);
        step.write(Change::Redact(self.jid.clone(), pos, left.to_text()));
        step.unit.entries.push(self.entry(&told));
        step.effects.push(Effect::Tell(told, from));
        step.send(iq.result());
        self.take(step, turn);
        Ok(())
    }
}

/// The message that is meant.
fn find<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let request = Request::of(iq).ok_or(StanzaCondition::BadRequest)?;
        let pos = world.settings.names.pos(world.account, &request.id);
        let pos = pos.ok_or(StanzaCondition::ItemNotFound)?;
        let mut found = world.store.entries(world.account, &[pos]).await?;
        found.retain(|logged| logged.entry.flags.has(Flags::ARCHIVE));
        let found = found.into_iter().map(|logged| Stanza::parse_one(&logged.entry.stanza));
        let found: Result<Vec<_>, _> = found.collect();
        Ok(Reply::After(found.map_err(|_| StanzaCondition::InternalServerError)?, None))
    })
}

/// Who moderates.
struct By<'a> {
    jid: Jid,
    id: Payload,
    reason: Option<&'a str>,
}

impl By<'_> {
    /// What all are told (section 3.1).
    fn told(&self, room: &Bare, id: &str, ctx: &Ctx<'_>) -> Stanza {
        let retract = Draft::new(RETRACT).attribute("id", id).child(self.moderated());
        let old = self.old_moderated().child(Draft::new(OLD_RETRACT));
        let old = Draft::new(APPLY_TO).attribute("id", id).child(self.with_reason(old, OLD_NS));
        let head = Head::new(Kind::Message).with_type("groupchat").with_from(room.clone());
        let mut told = Stanza::new(head);
        told.head.id = Some(ctx.token().into());
        told.with(self.with_reason(retract, RETRACT_NS).finish()).with(old.finish())
    }

    /// What is left of the message (section 4): who said it, and when.
    fn tombstone(&self, message: &Stanza, told: &Stanza, unix_ms: u64) -> Stanza {
        let stamp = date_time(unix_ms);
        let left = Draft::new(RETRACTED)
            .attribute("stamp", &stamp)
            .attribute("id", told.head.id.as_deref().unwrap_or_default())
            .child(self.moderated());
        let old = Draft::new(OLD_RETRACTED).attribute("stamp", &stamp);
        let old = self.with_reason(self.old_moderated().child(old), OLD_NS);
        let mut tombstone = message.clone().retain(occupant_id::is_one);
        tombstone.head.to = None;
        tombstone.with(self.with_reason(left, RETRACT_NS).finish()).with(old.finish())
    }

    fn moderated(&self) -> Draft {
        Draft::new(MODERATED).attribute("by", self.jid.as_str()).payload(&self.id)
    }

    fn old_moderated(&self) -> Draft {
        Draft::new(OLD_MODERATED).attribute("by", self.jid.as_str()).payload(&self.id)
    }

    fn with_reason(&self, draft: Draft, ns: &'static str) -> Draft {
        match self.reason {
            Some(reason) => draft.child(Draft::new(Name::new(ns, "reason")).text(reason)),
            None => draft,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;

    fn asked(payload: &str) -> Option<Request> {
        let iq = format!("<iq type='set' id='1'>{payload}</iq>");
        Request::of(&Stanza::parse_one(&iq).unwrap())
    }

    #[test]
    fn a_request_is_read_in_the_words_of_both_versions() {
        let wanted = Request { id: "x".into(), reason: Some("no".into()) };
        let new = "<moderate xmlns='urn:xmpp:message-moderate:1' id='x'>\
            <retract xmlns='urn:xmpp:message-retract:1'/><reason>no</reason></moderate>";
        assert_eq!(asked(new), Some(wanted));
        let old = "<apply-to xmlns='urn:xmpp:fasten:0' id='x'>\
            <moderate xmlns='urn:xmpp:message-moderate:0'>\
            <retract xmlns='urn:xmpp:message-retract:0'/><reason>no</reason></moderate></apply-to>";
        let wanted = Request { id: "x".into(), reason: Some("no".into()) };
        assert_eq!(asked(old), Some(wanted));
    }

    #[test]
    fn at_43_what_says_not_what_or_which_is_none() {
        for payload in [
            "<moderate xmlns='urn:xmpp:message-moderate:1' id='x'/>",
            "<moderate xmlns='urn:xmpp:message-moderate:1' id='x'><retract/></moderate>",
            "<moderate xmlns='urn:xmpp:message-moderate:1'>\
                <retract xmlns='urn:xmpp:message-retract:1'/></moderate>",
            "<moderate xmlns='urn:xmpp:message-moderate:1' id=''>\
                <retract xmlns='urn:xmpp:message-retract:1'/></moderate>",
            "<apply-to xmlns='urn:xmpp:fasten:0' id='x'/>",
            "<apply-to xmlns='urn:xmpp:fasten:0'>\
                <moderate xmlns='urn:xmpp:message-moderate:0'>\
                <retract xmlns='urn:xmpp:message-retract:0'/></moderate></apply-to>",
        ] {
            assert_eq!(asked(payload), None, "{payload}");
        }
    }

    #[test]
    fn of_the_message_nothing_is_left_but_who_said_it_section_4() {
        let said = "<message type='groupchat' from='garden@rooms.x/earl' id='m1'>\
            <body>DM me</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='7'/>\
            <x xmlns='http://jabber.org/protocol/muc#user'><item jid='earl@x/y'/></x></message>";
        let room = Bare::parse("garden@rooms.x").unwrap();
        let (told, left) = stage::at(0, |ctx| {
            let by = By {
                jid: Jid::parse("garden@rooms.x/nurse").unwrap(),
                id: occupant_id::of(&room, &Bare::parse("nurse@x").unwrap(), ctx),
                reason: Some("spam"),
            };
            let told = by.told(&room, "x", ctx);
            let left = by.tombstone(&Stanza::parse_one(said).unwrap(), &told, ctx.unix_ms);
            (told, left.to_text())
        });
        assert!(!left.contains("DM me") && !left.contains("earl@x"), "{left}");
        assert!(left.contains("from='garden@rooms.x/earl'") && left.contains("id='7'"), "{left}");
        let id = told.head.id.as_deref().unwrap();
        assert!(left.contains(&format!("stamp='2006-12-19T17:58:35Z' id='{id}'")), "{left}");
        assert_eq!(left.matches("<reason>spam</reason>").count(), 2, "{left}");
        assert_eq!(left.matches("by='garden@rooms.x/nurse'").count(), 2, "{left}");
    }
}
