//! XEP-0317: Hats. <https://xmpp.org/extensions/xep-0317.html>
//!
//! What somebody is called in a room beside role and affiliation. Admins and owners make hats and
//! give them to addresses, by commands of the room; whoever wears some shows them in presence, and
//! nobody else can say so.

mod commands;

use super::{
    line::Step,
    room::{ROOM, Room},
};
use engine::{
    ctx::Ctx,
    hook::*,
    unit::{Change, HATS_OF, KEY_BYTES_MAX},
    wire::*,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Who wears which hat.
pub const XEP: Xep = Xep {
    number: 317,
    name: "Hats",
    version: "0.3.1",
    status: Status::Complete,
    hooks: &[Hook::Feature(Of::Room, NS), Hook::Feature(Of::Room, COMMANDS)],
};

const NS: &str = "urn:xmpp:hats:0";
/// What a room has commands by (XEP-0050).
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// One of them.
pub const COMMAND: Name = Name::new(COMMANDS, "command");

/// Hats of one room.
const HATS_MAX: usize = 50;
/// Who wears any, in one room.
const WEARERS_MAX: usize = 1_000;
/// Hats that one wears.
const WORN_MAX: usize = 10;
/// The longest title or URI, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// In a cell of the room: its hats. In others ([`HATS_OF`]), which somebody wears.
const MADE: &str = "hats";

/// What one is called, and in which colour.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hat {
    title: String,
    hue: String,
}

/// The hats of a room, by URI, and who wears which.
#[derive(Debug, Default)]
pub struct Hats {
    made: BTreeMap<String, Hat>,
    worn: BTreeMap<Bare, BTreeSet<String>>,
}

/// Whether a client says by it which hats it wears.
pub fn is_one(child: Element<'_>) -> bool {
    child.ns() == NS
}

impl Hats {
    /// A cell of the room, if it is one of these.
    pub fn load(&mut self, key: &str, kept: &str) {
        if key == MADE {
            // Three lines each.
            let lines: Vec<_> = kept.lines().collect();
            let made = lines.chunks_exact(3).map(|hat| {
                let [uri, title, hue] = [hat[0], hat[1], hat[2]].map(String::from);
                (uri, Hat { title, hue })
            });
            self.made = made.collect();
        } else if let Some(who) = key.strip_prefix(HATS_OF).and_then(|who| Bare::parse(who).ok()) {
            self.worn.insert(who, kept.lines().map(String::from).collect());
        }
    }

    fn save_made(&self) -> Vec<u8> {
        let lines = self.made.iter().map(|(uri, Hat { title, hue })| [uri.as_str(), title, hue]);
        lines.map(|hat| hat.join("\n") + "\n").collect::<String>().into_bytes()
    }

    /// Whether somebody wears any.
    pub fn are_worn_by(&self, who: &Bare) -> bool {
        self.worn.contains_key(who)
    }

    /// What somebody shows of it.
    pub fn shown(&self, who: &Bare) -> Option<Payload> {
        let worn = self.worn.get(who)?;
        let hats = worn.iter().filter_map(|uri| self.made.get_key_value(uri));
        let hats = hats.map(|(uri, hat)| {
            let draft = Draft::new(Name::new(NS, "hat"));
            let draft = draft.attribute("title", &hat.title).attribute("uri", uri);
            match hat.hue.as_str() {
                "" => draft,
                hue => draft.attribute("hue", hue),
            }
        });
        Some(hats.fold(Draft::new(Name::new(NS, "hats")), Draft::child).finish())
    }

    /// Another whenever the list of hats is another (section 2); `None`: there are none.
    pub fn hash(&self) -> Option<String> {
        let hash = Sha256::digest(self.save_made());
        let hash = hash[..20].iter().map(|byte| format!("{byte:02x}")).collect();
        (!self.made.is_empty()).then_some(hash)
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        let made = self.made.iter().map(|(uri, hat)| uri.len() + hat.title.len() + 128);
        let worn = self.worn.iter().map(|(who, uris)| {
            who.as_str().len() + uris.iter().map(|uri| uri.len() + 64).sum::<usize>()
        });
        made.chain(worn).sum()
    }
}

impl Room {
    /// A hat is made, or another than before. Whoever wears it shows it so.
    ///
    /// # Errors
    /// `resource-constraint` when there are as many as may be.
    fn make_hat(
        &mut self,
        uri: &str,
        hat: Hat,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let is_new = !self.hats.made.contains_key(uri);
        if is_new && self.hats.made.len() >= HATS_MAX {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        if self.hats.made.insert(uri.to_owned(), hat.clone()) != Some(hat) {
            self.keep_hats(step);
            self.show_hats(&self.wearers(uri), step, ctx);
        }
        Ok(())
    }

    /// There is no such hat any more, and nobody wears it.
    ///
    /// # Errors
    /// `item-not-found` when there was none.
    fn destroy_hat(
        &mut self,
        uri: &str,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        self.hats.made.remove(uri).ok_or(StanzaCondition::ItemNotFound)?;
        self.keep_hats(step);
        let wearers = self.wearers(uri);
        for who in &wearers {
            self.take_off(who, uri, step);
        }
        self.show_hats(&wearers, step, ctx);
        Ok(())
    }

    /// # Errors
    /// `item-not-found` when there is no such hat; `resource-constraint` when somebody wears as
    /// many as may be, or as many wear some; `not-acceptable` for an address that cannot be kept.
    fn assign_hat(
        &mut self,
        who: &Bare,
        uri: &str,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        if !self.hats.made.contains_key(uri) {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        if who.local().is_none() || HATS_OF.len() + who.as_str().len() > KEY_BYTES_MAX {
            return Err(StanzaCondition::NotAcceptable.into());
        }
        let wearers = self.hats.worn.len();
        let worn = self.hats.worn.get(who).map_or(0, BTreeSet::len);
        if worn >= WORN_MAX || worn == 0 && wearers >= WEARERS_MAX {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        let worn = self.hats.worn.entry(who.clone()).or_default();
        if worn.insert(uri.to_owned()) {
            self.keep_worn(who, step);
            self.show_hats(std::slice::from_ref(who), step, ctx);
        }
        Ok(())
    }

    /// # Errors
    /// `item-not-found` when he does not wear it.
    fn unassign_hat(
        &mut self,
        who: &Bare,
        uri: &str,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        if !self.hats.worn.get(who).is_some_and(|worn| worn.contains(uri)) {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        self.take_off(who, uri, step);
        self.show_hats(std::slice::from_ref(who), step, ctx);
        Ok(())
    }

    fn wearers(&self, uri: &str) -> Vec<Bare> {
        let wearers = self.hats.worn.iter().filter(|(_, worn)| worn.contains(uri));
        wearers.map(|(who, _)| who.clone()).collect()
    }

    fn take_off(&mut self, who: &Bare, uri: &str, step: &mut Step) {
        let Some(worn) = self.hats.worn.get_mut(who) else { return };
        worn.remove(uri);
        if worn.is_empty() {
            self.hats.worn.remove(who);
        }
        self.keep_worn(who, step);
    }

    /// Nobody of this address wears any more what he wore.
    pub fn take_off_all(&mut self, who: &Bare, step: &mut Step) {
        if self.hats.worn.remove(who).is_some() {
            self.keep_worn(who, step);
        }
    }

    fn keep_hats(&self, step: &mut Step) {
        let kept = self.hats.save_made();
        step.write(Change::Put(ROOM, self.jid.clone(), MADE.into(), kept));
        // Section 3.2: everybody hears that the list has changed.
        self.tell_statuses(&[super::names::status::CONFIGURED], step);
    }

    fn keep_worn(&self, who: &Bare, step: &mut Step) {
        let (room, key) = (self.jid.clone(), format!("{HATS_OF}{who}"));
        step.write(match self.hats.worn.get(who) {
            Some(worn) => {
                let lines: Vec<_> = worn.iter().map(String::as_str).collect();
                Change::Put(ROOM, room, key, lines.join("\n").into_bytes())
            }
            None => Change::Cut(ROOM, room, key),
        });
    }

    /// What they wear now is seen by all.
    fn show_hats(&self, whose: &[Bare], step: &mut Step, ctx: &Ctx<'_>) {
        let nicks = whose.iter().flat_map(|who| self.occupants.nicks_of(who));
        nicks.filter_map(|nick| self.show(&nick, ctx)).for_each(|show| step.show(show));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hats_come_back_as_they_were() {
        let mut hats = Hats::default();
        let hat = |title: &str, hue: &str| Hat { title: title.into(), hue: hue.into() };
        hats.made.insert("urn:a".into(), hat("Teacher", "327.255249"));
        hats.made.insert("urn:b".into(), hat("Host", ""));
        let who = Bare::parse("juliet@x").unwrap();
        hats.worn.insert(who.clone(), ["urn:a", "urn:b", "urn:gone"].map(String::from).into());
        let mut again = Hats::default();
        again.load(MADE, std::str::from_utf8(&hats.save_made()).unwrap());
        again.load("hats/juliet@x", "urn:a\nurn:b\nurn:gone");
        again.load("hats/no address@@", "urn:a");
        again.load("config", "urn:a");
        assert_eq!((&again.made, &again.worn), (&hats.made, &hats.worn));
        let shown = again.shown(&who).unwrap();
        let wanted = "<hat title='Teacher' uri='urn:a' hue='327.255249'/>\
            <hat title='Host' uri='urn:b'/>";
        assert!(shown.as_str().contains(wanted), "{shown:?}");
        assert_eq!(again.shown(&Bare::parse("romeo@x").unwrap()), None);
        assert_eq!(again.hash(), hats.hash());
        hats.made.remove("urn:b");
        assert_ne!(again.hash(), hats.hash());
        assert_eq!(Hats::default().hash(), None);
    }
}
