//! XEP-0463: MUC Affiliations Versioning. <https://xmpp.org/extensions/xep-0463.html>
//!
//! A version is made of what everybody is to the room: the same again when that is the same again,
//! and nothing is kept for it. Who has another gets all.

use super::{
    line::{Effect, Step},
    members::Member,
    names::*,
    occupants::Seat,
    rank::{Affiliation, Rank},
    reply::TOO_LONG,
    room::Room,
    show::addressed,
};
use engine::{ctx::Ctx, hook::*, wire::*};
use sha2::{Digest, Sha256};

/// Who is what to a room, told when it has changed.
pub const XEP: Xep = Xep {
    number: 463,
    name: "MUC Affiliations Versioning",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[Hook::Feature(Of::Room, MAV.ns)],
};

/// A version, or two and what lies between them.
const MAV: Name = Name::new("urn:xmpp:muc:affiliations:1", "mav");
/// What one message tells (section 5.2.1), so that none is too big for anybody's stream.
const ITEMS_MAX: usize = 500;
/// Bytes of all that one who enters is told, beside who is here and what was said. A longer list is
/// not told, and no version of it.
const TOLD_BYTES_MAX: usize = 256 << 10;

/// A version before a change, if there was one, and behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Before it; `None`: all is told.
    pub since: Option<String>,
    /// Behind it.
    pub until: String,
}

impl Versions {
    /// As it is told.
    pub fn draft(&self) -> Draft {
        let mav = match &self.since {
            Some(since) => Draft::new(MAV).attribute("since", since),
            None => Draft::new(MAV),
        };
        mav.attribute("until", &self.until)
    }
}

/// Whether who enters wants versions (section 5.1).
pub fn is_wanted(join: &Stanza) -> bool {
    join.child(JOIN).is_some_and(|join| join.child(MAV).is_some())
}

/// What one affiliation is to the sum of all: the sum is the same in whichever order they came.
pub fn part(who: &Bare, affiliation: Affiliation) -> u128 {
    let hash = Sha256::new().chain_update(affiliation.as_str()).chain_update("\n");
    let hash = hash.chain_update(who.as_str()).finalize();
    hash[..16].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

impl Room {
    /// The version of now. Of what it is made nobody learns (section 7).
    pub fn version(&self, ctx: &Ctx<'_>) -> String {
        let mut hash = Sha256::new_with_prefix(ctx.settings.secret);
        for part in ["affiliations", self.jid.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(self.members.sum().to_be_bytes());
        hash.finalize()[..10].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Section 5.2.1: who enters is told before anything else, unless it has the version of now.
    /// By lists of XEP-0045 it would learn no more. Which version it has then, if it wants that.
    pub fn tell_affiliations(
        &self,
        join: &Stanza,
        to: &Jid,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Option<Versions> {
        let mav = join.child(JOIN).and_then(|join| join.child(MAV))?;
        let version = self.version(ctx);
        let now = Some(Versions { since: None, until: version.clone() });
        let rank = self.rank(to);
        if self.may_list(rank, Affiliation::Member).is_err() {
            step.send(self.untold(join, to, StanzaCondition::Forbidden.into()));
            return now;
        }
        if mav.attribute("since").is_some_and(|since| since == version) {
            return now;
        }
        let Some(pieces) = self.pieces(rank, &version) else {
            let error = StanzaError::from(StanzaCondition::PolicyViolation);
            step.send(self.untold(join, to, error.with_text(TOO_LONG)));
            return None;
        };
        pieces.iter().for_each(|piece| step.send(addressed(piece, to)));
        now
    }

    /// All of it, in as many messages as it takes; `None`: it is too long.
    fn pieces(&self, rank: Rank, version: &str) -> Option<Vec<Stanza>> {
        let known = self.members.iter().filter(|(_, member)| self.sees(rank, member.affiliation));
        let known: Vec<_> = known.collect();
        let last = known.len().div_ceil(ITEMS_MAX).max(1);
        let piece = |n: usize| format!("{version}.{n}");
        let mut left = TOLD_BYTES_MAX;
        let pieces = (1..=last).map(|n| {
            let items = known.iter().skip((n - 1) * ITEMS_MAX).take(ITEMS_MAX);
            let items = items.map(|(who, Member { affiliation, .. })| item(who, *affiliation));
            let versions = Versions {
                since: (n > 1).then(|| piece(n - 1)),
                until: if n == last { version.to_owned() } else { piece(n) },
            };
            let x = items.fold(Draft::new(X).child(versions.draft()), Draft::child);
            let told = self.said_by_itself(x);
            left = left.checked_sub(told.wire_len())?;
            Some(told)
        });
        pieces.collect()
    }

    /// That who enters is not told.
    fn untold(&self, join: &Stanza, to: &Jid, error: StanzaError) -> Stanza {
        let head = Head::new(Kind::Message).with_type("error").with_from(self.jid.clone());
        let mut refused = Stanza::new(head.with_to(to.clone())).with(error.to_payload());
        refused.head.id.clone_from(&join.head.id);
        refused
    }

    fn sees(&self, rank: Rank, affiliation: Affiliation) -> bool {
        self.may_list(rank, affiliation).is_ok()
    }

    /// Section 5.2.2: of who is not here, or is not seen by the presence that this step shows from
    /// there on, nobody would hear else. Who wants versions does, if it may know what became of
    /// somebody, or what he was.
    pub fn tell_unseen(
        &self,
        who: &Bare,
        (before, now): (Affiliation, Affiliation),
        versions: &Versions,
        begins: usize,
        step: &mut Step,
    ) {
        let shown: Vec<_> = step.effects.drain(begins..).collect();
        let is_shown = |seat: &Seat| {
            shown.iter().any(|effect| match effect {
                Effect::Show(show) => show.is_seen_by(seat),
                _ => false,
            })
        };
        let x = Draft::new(X).child(versions.draft());
        let x = x.child(item(who, now).attribute("role", "none"));
        let told = self.said_by_itself(x);
        let mut unseen = Vec::new();
        for (_, occupant) in self.occupants.iter() {
            let rank = Rank { affiliation: self.members.of(&occupant.who), role: occupant.role };
            let may = self.sees(rank, now) || self.sees(rank, before);
            let seats = occupant.seats.iter().filter(|seat| may && seat.wants_versions);
            let seats = seats.filter(|seat| !is_shown(seat));
            unseen.extend(seats.map(|Seat { jid, .. }| Effect::Send(addressed(&told, jid))));
        }
        step.effects.extend(shown.into_iter().chain(unseen));
    }

    fn said_by_itself(&self, x: Draft) -> Stanza {
        let head = Head::new(Kind::Message).with_from(self.jid.clone());
        Stanza::new(head).with(x.finish())
    }
}

fn item(who: &Bare, affiliation: Affiliation) -> Draft {
    let item = Draft::new(ITEM).attribute("jid", who.as_str());
    item.attribute("affiliation", affiliation.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xep_0045_muc::members::Members;

    #[test]
    fn a_version_is_the_same_when_everybody_is_the_same() {
        let room = Bare::parse("garden@rooms.x").unwrap();
        let becomes = |members: &mut Members, who: &str, affiliation| {
            let member = Member { affiliation, ..Member::default() };
            members.change(&room, &Bare::parse(who).unwrap(), member).unwrap();
        };
        let (mut one, mut other) = (Members::default(), Members::default());
        becomes(&mut one, "juliet@x", Affiliation::Member);
        becomes(&mut one, "romeo@x", Affiliation::Owner);
        becomes(&mut other, "romeo@x", Affiliation::Outcast);
        assert_ne!(one.sum(), other.sum());
        becomes(&mut other, "romeo@x", Affiliation::Owner);
        becomes(&mut other, "juliet@x", Affiliation::Member);
        assert_eq!(one.sum(), other.sum());
        becomes(&mut one, "juliet@x", Affiliation::None);
        becomes(&mut one, "romeo@x", Affiliation::None);
        assert_eq!(one.sum(), Members::default().sum());
    }

    #[test]
    fn versions_are_wanted_by_who_says_so_as_it_enters_section_5_1() {
        let wants =
            |x: &str| is_wanted(&Stanza::parse_one(&format!("<presence>{x}</presence>")).unwrap());
        assert!(wants(
            "<x xmlns='http://jabber.org/protocol/muc'>\
             <mav xmlns='urn:xmpp:muc:affiliations:1' since='1'/></x>"
        ));
        assert!(!wants("<x xmlns='http://jabber.org/protocol/muc'><mav/></x>"));
        assert!(!wants("<mav xmlns='urn:xmpp:muc:affiliations:1'/>"));
    }
}
