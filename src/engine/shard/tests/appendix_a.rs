//! The 72 cells of Appendix A (RFC 6121 Appendix A.2, Appendix A.3), of a whole account: what the
//! store has afterwards, what leaves for the contact, and which resource hears what, in which
//! order.

use super::*;
use crate::subscription::{
    Ask, Standing,
    tests::{standing, table},
};

/// Her resources: whether each is available, and listens to the roster.
const RESOURCES: [(&str, bool, bool); 3] =
    [("juliet@x/a", true, true), ("juliet@x/b", true, false), ("juliet@x/c", false, true)];
const ROSTER: &str = "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>";

/// A cell, and how it is met.
#[derive(Clone, Debug)]
struct Case {
    contact: &'static str,
    at: Standing,
    /// She has the contact in her roster, also in a state that does not need it.
    listed: bool,
    ask: Ask,
    passes: bool,
    replies: bool,
    then: Standing,
}

/// An item of somebody's roster.
fn item(owner: &str, contact: &str, at: Standing, listed: bool) -> Option<Item> {
    let jid = Jid::parse(contact).unwrap();
    let listed = listed || at.state != Default::default();
    let asks = format!("<presence type='subscribe' from='{contact}' to='{owner}'/>");
    let request = at.requested.then(|| Box::new(Stanza::parse_one(&asks).unwrap()));
    let known = listed || at.requested;
    let (name, groups) = (listed.then(Text::default), Vec::new());
    known.then_some(Item { jid, name, groups, state: at.state, approved: false, request, ver: 1 })
}

/// The same subscription, seen from the contact.
fn mirrored(at: Standing) -> Standing {
    let state = crate::roster::State { to: at.state.from, from: at.state.to, asked: at.requested };
    Standing { state, requested: at.state.asked }
}

/// What a roster shows.
fn shown(item: Option<&Item>) -> Option<(&'static str, bool, bool)> {
    let item = item.filter(|item| item.is_listed())?;
    Some((item.state.as_str(), item.state.asked, item.approved))
}

impl Case {
    fn is_away(&self) -> bool {
        !self.contact.ends_with("@x")
    }

    /// She and the contact, who is offline or of another server, before it.
    fn world(&self) -> (World, [Link; 3]) {
        let mut world = World::of(NONE);
        world.settings.federates = self.is_away();
        let (me, you) = (Bare::parse("juliet@x").unwrap(), Bare::parse(self.contact).unwrap());
        let mine = item("juliet@x", self.contact, self.at, self.listed);
        let theirs = item(self.contact, "juliet@x", mirrored(self.at), self.listed);
        let by_jid = |item: Option<Item>| item.into_iter().map(|it| (it.jid.clone(), it)).collect();
        world.stored.insert(me, by_jid(mine));
        if !self.is_away() {
            world.stored.insert(you, by_jid(theirs));
        }
        let links = [0, 1, 2].map(|number| {
            let (jid, available, interested) = RESOURCES[number];
            let link = world.connected(jid, number as u64);
            if interested {
                world.says(link, jid, ROSTER);
            }
            if available {
                world.says(link, jid, "<presence/>");
            }
            link
        });
        world.said.clear();
        world.carried.clear();
        (world, links)
    }

    fn stored<'a>(&self, world: &'a World) -> Option<&'a Item> {
        world.stored["juliet@x"].get(&Jid::parse(self.contact).unwrap())
    }

    /// What leaves for the contact: sender and type, in order.
    fn leaves(&self, outbound: bool, pre_approves: bool) -> Vec<(&'static str, &'static str)> {
        let presences = |kind| [("juliet@x/a", kind), ("juliet@x/b", kind)];
        let (was, is) = (self.at.state.from, self.then.state.from);
        let mut leaves = Vec::new();
        // §3.2.2: while the contact still sees her. §3.3.3.
        leaves.extend(presences("unavailable").into_iter().filter(|_| was && !is));
        let says = outbound && self.passes && !pre_approves;
        leaves.extend(says.then_some(("juliet@x", self.ask.as_str())));
        leaves.extend(self.replies.then_some(("juliet@x", "subscribed")));
        // §3.1.5
        leaves.extend(presences("").into_iter().filter(|_| !was && is));
        leaves
    }

    /// It is so for this cell.
    fn check(&self, outbound: bool) {
        let (mut world, links) = self.world();
        let before = self.stored(&world).cloned();
        let xml = format!("type='{}' to='{}'", self.ask.as_str(), self.contact);
        let from = format!("from='{}' type='{}' to='juliet@x'", self.contact, self.ask.as_str());
        match outbound {
            true => world.says(links[0], RESOURCES[0].0, &format!("<presence {xml}/>")),
            false => world.routed(&format!("<presence {from}/>")),
        }
        // §3.4: who has not asked is approved before.
        let free = !self.at.requested && !self.at.state.from;
        let pre_approves = outbound && self.ask == Ask::Subscribed && free;
        let after = self.stored(&world);
        assert_eq!(after.map(Item::standing).unwrap_or_default(), self.then, "{self:?}");
        assert_eq!(after.is_some_and(|item| item.approved), pre_approves, "{self:?}");
        let changed = shown(before.as_ref()) != shown(after);
        let listed = self.listed || self.then.state != Default::default() || pre_approves;
        let listed = listed || self.at.state != Default::default();
        assert_eq!(after.is_some_and(Item::is_listed), listed, "{self:?}");
        if let (Some(after), true) = (after, changed) {
            assert!(before.is_none_or(|before| after.ver > before.ver), "§2.6: {self:?}");
        }
        self.check_contact(&world, outbound, pre_approves);
        let (push, delivered) = (changed, !outbound && self.passes);
        for (link, (jid, available, interested)) in links.into_iter().zip(RESOURCES) {
            let hears = if self.ask == Ask::Subscribe { available } else { interested };
            let mut expected = Vec::new();
            // §3.1.6, §3.2.3, §3.3.3: before the push.
            expected.extend((delivered && hears).then_some(self.ask.as_str()));
            expected.extend((push && interested).then_some("push"));
            let heard = world.heard(link);
            let kinds: Vec<_> = heard.iter().map(|xml| self.heard(xml)).collect();
            assert_eq!(kinds, expected, "{jid}: {self:?}: {heard:?}");
        }
        assert_eq!(world.settled(links[0]), u32::from(outbound));
    }

    fn heard(&self, xml: &str) -> &'static str {
        let stanza = Stanza::parse_one(xml).unwrap();
        match stanza.kind() {
            Kind::Iq => "push",
            _ => {
                let of = format!("from='{}' to='juliet@x'>", self.contact);
                assert!(xml.contains(&of) || xml.contains(&of.replace('>', "/>")), "{xml}");
                Ask::parse(stanza.head.type_str()).unwrap().as_str()
            }
        }
    }

    /// What the contact, or its server, learns.
    fn check_contact(&self, world: &World, outbound: bool, pre_approves: bool) {
        let carried = world.carried.iter().map(|xml| Stanza::parse_one(xml).unwrap());
        let hers = |stanza: &Stanza| stanza.head.from.as_ref().unwrap().local() == Some("juliet");
        let carried: Vec<_> = carried.filter(hers).collect();
        let told = carried.iter().map(|stanza| {
            assert_eq!(stanza.head.to.as_ref().unwrap().as_str(), self.contact);
            (stanza.head.from.as_ref().unwrap().to_string(), stanza.head.type_str())
        });
        let told: Vec<_> = told.collect();
        let expected = self.leaves(outbound, pre_approves);
        let expected: Vec<_> = expected.into_iter().map(|(from, k)| (from.into(), k)).collect();
        assert_eq!(told, expected, "{self:?}");
        if outbound && !self.is_away() {
            let hers = &world.stored[self.contact];
            let theirs = hers.get(&Jid::parse("juliet@x").unwrap());
            let theirs = theirs.map(Item::standing).unwrap_or_default();
            assert_eq!(theirs, mirrored(self.then), "both sides agree: {self:?}");
        }
    }
}

/// Every cell, with a contact that stands in the roster and with one that need not.
fn check_all(contact: &'static str) {
    let (head, rows) = table();
    let mut cells = 0;
    for row in &rows {
        for (column, cell) in head.iter().zip(row).skip(1) {
            let (direction, ask) = column.split_once(' ').unwrap();
            let (sign, then) = cell.split_once(' ').unwrap();
            let at = standing(&row[0]);
            let then = if then == "." { at } else { standing(then) };
            let ask = Ask::parse(ask).unwrap();
            let (passes, replies) = (sign == "+", sign == "!");
            for listed in [true, false] {
                let case = Case { contact, at, listed, ask, passes, replies, then };
                case.check(direction == "out");
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 72);
}

#[test]
fn every_cell_holds_between_two_accounts_of_one_server_rfc6121_appendix_a() {
    check_all("romeo@x");
}

#[test]
fn every_cell_holds_with_a_contact_of_another_server_rfc6121_appendix_a() {
    check_all("romeo@y");
}
