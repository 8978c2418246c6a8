//! The roster of an account (RFC 6121 §2) and what presence does to it (§3, Appendix A).

use crate::{
    ctx::Ctx,
    subscription::{self, Standing},
    unit::Change,
};
use std::collections::VecDeque;
use wire::{Bare, Draft, Element, Head, Jid, Kind, Name, Payload, Stanza, StanzaCondition};
use wire::{StanzaError, Text, ns};

pub use crate::subscription::Ask;

/// Removals that are remembered, so that a client that was away hears of them (§2.6). The store
/// keeps the newest so many of an account, also those of items that came back.
pub const REMOVED_ITEMS_MAX: usize = 256;
/// Pushes that tell a client what has changed while it was away. Of more it is told the whole
/// roster: a session keeps 256 requests that are not acknowledged (`UNACKED_STANZAS_MAX`).
pub const PUSHES_MAX: usize = 64;
/// Requests kept for the user's answer from contacts that the user has not added.
pub const REQUESTS_MAX: usize = 500;
/// The longest request that is kept whole; of a longer one only the addresses are.
pub const REQUEST_BYTES_MAX: usize = 1024;
/// All of them together. They are told in one go, and a session has to keep them beside the roster
/// until it has acknowledged them (`UNACKED_BYTES_MAX`).
pub const REQUESTS_BYTES_MAX: usize = 256 << 10;
/// The longest name, and the longest group (§2.3.3).
pub const LABEL_BYTES_MAX: usize = 1023;
/// Groups of one item.
pub const GROUPS_MAX: usize = 64;
/// What a roster takes as it is told, in bytes: half of what a session can keep until it is
/// acknowledged (`UNACKED_BYTES_MAX`).
pub const ROSTER_BYTES_MAX: usize = 512 << 10;
/// When the operator allows more items than that has room for: so much for each of them.
pub const ITEM_BYTES: usize = 256;

const QUERY: Name = Name::new(ns::ROSTER, "query");
const ITEM: Name = Name::new(ns::ROSTER, "item");
const GROUP: Name = Name::new(ns::ROSTER, "group");

/// One contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its address; nearly always bare.
    pub jid: Jid,
    /// The user's name for it; empty when the user added it without one. `None` while only the
    /// contact's request is known: such an item is never shown (Appendix A.1).
    pub name: Option<Text>,
    /// The user's groups, in the order given.
    pub groups: Vec<Text>,
    /// Who sees whose presence.
    pub state: State,
    /// Pre-approved (RFC 6121 §3.4).
    pub approved: bool,
    /// The whole subscription request that waits for an answer (§3.1.3): pending in.
    /// Boxed: few items have one, and it is larger than all the rest of them.
    pub request: Option<Box<Stanza>>,
    /// The roster's version when it last changed.
    pub ver: i64,
}

/// A subscription: of nine states (Appendix A.1) all but the pending-in half, which is
/// `Item::request`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The user sees the contact's presence.
    pub to: bool,
    /// The contact sees the user's presence.
    pub from: bool,
    /// The user has asked to see it: pending out, `ask='subscribe'`.
    pub asked: bool,
}

/// What a presence of subscription did.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Route it when it was sent, deliver it when it was received.
    pub pass: bool,
    /// For the resources that are interested (§2.1.6).
    pub push: Option<Item>,
    /// What the server says to the contact for the user.
    pub reply: Option<Ask>,
    /// To be written.
    pub changes: Vec<Change>,
    /// The contact sees the user from now on: the user's presence goes to it (§3.1.5).
    pub became_from: bool,
    /// The user sees the contact from now on.
    pub became_to: bool,
    /// The contact no longer does: the user's resources become unavailable to it (§3.2.2, §3.3.3).
    pub lost_from: bool,
    /// The user no longer sees the contact.
    pub lost_to: bool,
    /// The user is told that it was not done: there are too many items.
    pub refusal: Option<StanzaCondition>,
}

/// What a roster set did.
#[derive(Clone, Debug)]
pub struct Set {
    /// For the resources that are interested, the asking one too (§2.1.6).
    pub push: Payload,
    /// To be written before it is pushed.
    pub changes: Vec<Change>,
    /// What goes to the contact with a removal (§2.5.2), in this order.
    pub sends: Vec<Ask>,
    /// Whom it is about.
    pub contact: Jid,
    /// The contact no longer sees the user: the user's resources become unavailable to it.
    pub lost_from: bool,
}

/// The answer to a roster get.
#[derive(Clone, Debug)]
pub enum RosterReply {
    /// The whole roster, in the result.
    Full(Payload),
    /// An empty result: the client has this version (§2.6.3).
    Empty,
    /// An empty result, then these pushes in this order (§2.6.3).
    Changed(Vec<Payload>),
}

/// All contacts of an account.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// By address. Every client online has its own: a list has no room to spare, and is changed
    /// seldom.
    items: Vec<Item>,
    /// Oldest first.
    removed: VecDeque<(Jid, i64)>,
    ver: i64,
    /// What all items say, in bytes.
    bytes: usize,
    /// What those that are shown take as they are told, in bytes.
    told_bytes: usize,
}

/// What a roster of so many items may take as it is told, in bytes.
pub const fn bytes_max(items_max: usize) -> usize {
    let each = items_max.saturating_mul(ITEM_BYTES);
    if each > ROSTER_BYTES_MAX { each } else { ROSTER_BYTES_MAX }
}

impl Roster {
    /// What the store kept.
    pub fn load(mut items: Vec<Item>, mut removed: Vec<(Jid, i64)>) -> Self {
        removed.sort_by_key(|&(_, ver)| ver);
        let removed: VecDeque<_> = removed.into();
        let newest = items.iter().map(|item| item.ver).max().unwrap_or_default();
        let ver = newest.max(removed.back().map_or(0, |&(_, ver)| ver));
        for request in items.iter_mut().filter_map(|item| item.request.as_deref_mut()) {
            // It was kept when longer ones were.
            *request = kept(request);
        }
        let bytes = items.iter().map(Item::bytes).sum();
        let told_bytes = items.iter().map(Item::told_bytes).sum();
        items.sort_by(|one, other| one.jid.cmp(&other.jid));
        items.shrink_to_fit();
        Self { items, removed, ver, bytes, told_bytes }
    }

    /// All items, those that are never shown too.
    pub fn items(&self) -> impl Iterator<Item = &Item> + Clone {
        self.items.iter()
    }

    /// About what it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes + self.items.len() * size_of::<Item>()
    }

    /// The item of this address.
    pub fn item(&self, jid: &Jid) -> Option<&Item> {
        self.place(jid).ok().map(|place| &self.items[place])
    }

    /// Where it is, or would be.
    fn place(&self, jid: &Jid) -> Result<usize, usize> {
        self.items.binary_search_by(|item| item.jid.cmp(jid))
    }

    /// Whether the contact sees the user's presence.
    pub fn is_from(&self, contact: &Bare) -> bool {
        self.item(contact).is_some_and(|item| item.state.from)
    }

    /// Whether somebody sees the presence of the user of this address: a contact who does, and the
    /// user.
    pub fn is_seen_by(&self, user: &Bare, who: &Bare) -> bool {
        who == user || self.is_from(who)
    }

    /// Whether the user sees the contact's presence.
    pub fn is_to(&self, contact: &Bare) -> bool {
        self.item(contact).is_some_and(|item| item.state.to)
    }

    /// The requests that wait for an answer: delivered with each initial presence (§3.1.3), first
    /// those of the user's own contacts. What of them is too much at once is told when some have
    /// been answered.
    pub fn requests(&self) -> impl Iterator<Item = &Stanza> {
        let contacts = self.listed().filter_map(|item| item.request.as_deref());
        let strangers = self.strangers().filter_map(|item| item.request.as_deref());
        contacts.chain(strangers).scan(0, |bytes, request| {
            *bytes += request.wire_len();
            (*bytes <= REQUESTS_BYTES_MAX).then_some(request)
        })
    }

    /// The user sends `ask` to a contact (Appendix A.2, §3.4).
    pub fn sent(&mut self, owner: &Bare, to: &Bare, ask: Ask, ctx: &Ctx<'_>) -> Step {
        if owner == to {
            return Step::default();
        }
        let before = self.item(to).cloned().unwrap_or_else(|| Item::of(to));
        let at = before.standing();
        let moved = subscription::sent(at, ask);
        let mut item = before.clone();
        item.state = moved.then.state;
        item.request = item.request.filter(|_| moved.then.requested);
        // §3.4.2: an approval before the request stays here and waits for it.
        item.approved = match ask {
            Ask::Subscribed => !moved.then.state.from,
            Ask::Unsubscribed => false,
            Ask::Subscribe | Ask::Unsubscribe => before.approved,
        };
        let denied = item.is_blank() && !before.is_listed();
        if item != before && !denied {
            item.name.get_or_insert_default();
        }
        let step = Step { pass: moved.pass, ..Step::default() };
        self.settle(owner, &before, item, step, ctx)
    }

    /// A contact's `ask` arrives (Appendix A.3, §3.4). `stanza` is the whole presence.
    pub fn received(
        &mut self,
        owner: &Bare,
        from: &Bare,
        ask: Ask,
        stanza: &Stanza,
        ctx: &Ctx<'_>,
    ) -> Step {
        if owner == from {
            return Step::default();
        }
        let before = self.item(from).cloned().unwrap_or_else(|| Item::of(from));
        let at = before.standing();
        let mut item = before.clone();
        let mut step = Step::default();
        if ask == Ask::Subscribe && before.approved && !at.state.from {
            // §3.4.2: the user has said yes already, once.
            item.state.from = true;
            item.approved = false;
            step.reply = Some(Ask::Subscribed);
        } else {
            let moved = subscription::received(at, ask);
            item.state = moved.then.state;
            item.request = match moved.then.requested {
                true => item.request.or_else(|| Some(Box::new(kept(stanza)))),
                false => None,
            };
            step.pass = moved.pass;
            step.reply = moved.reply.then_some(Ask::Subscribed);
        }
        self.settle(owner, &before, item, step, ctx)
    }

    /// Makes `item` what `before` was, within the limits.
    fn settle(
        &mut self,
        owner: &Bare,
        before: &Item,
        mut item: Item,
        mut step: Step,
        ctx: &Ctx<'_>,
    ) -> Step {
        if item == *before {
            return step;
        }
        if item.is_listed() && !item.is_blank() && self.lacks_room(&item, ctx) {
            return Step { refusal: Some(StanzaCondition::ResourceConstraint), ..Step::default() };
        }
        if !item.is_listed() && self.item(&item.jid).is_none() && self.is_besieged(&item) {
            return Step::default();
        }
        item.ver = self.next_ver(ctx.unix_ms);
        if item.is_blank() && !before.is_listed() {
            // A stranger's request was denied or withdrawn: nothing is left of it.
            step.changes.push(self.forget(owner, &item.jid, item.ver));
            return step;
        }
        let (was, is) = (before.state, item.state);
        step.became_from = is.from && !was.from;
        step.became_to = is.to && !was.to;
        step.lost_from = was.from && !is.from;
        step.lost_to = was.to && !is.to;
        let shown = Item { request: None, ver: before.ver, ..item.clone() };
        if item.is_listed() && shown != (Item { request: None, ..before.clone() }) {
            step.push = Some(item.clone());
        }
        step.changes.push(self.write(owner, item));
        step
    }

    /// Whether this would be one item too many, or make the roster too long. What is there already
    /// can be made shorter, however much there is.
    fn lacks_room(&self, item: &Item, ctx: &Ctx<'_>) -> bool {
        let items_max = ctx.settings.limits.roster_items_max;
        let before = self.item(&item.jid).filter(|before| before.is_listed());
        let (was, is) = (before.map_or(0, Item::told_bytes), item.told_bytes());
        let is_one_more = before.is_none() && self.listed().count() >= items_max;
        is_one_more || is > was && self.told_bytes - was + is > bytes_max(items_max)
    }

    /// Whether strangers have asked too often, or too much, for this one.
    fn is_besieged(&self, item: &Item) -> bool {
        let bytes = self.strangers().map(Item::request_bytes).sum::<usize>();
        let is_too_much = bytes + item.request_bytes() > REQUESTS_BYTES_MAX;
        is_too_much || self.strangers().count() >= REQUESTS_MAX
    }

    fn listed(&self) -> impl Iterator<Item = &Item> + Clone {
        self.items().filter(|item| item.is_listed())
    }

    fn strangers(&self) -> impl Iterator<Item = &Item> {
        self.items().filter(|item| !item.is_listed())
    }

    /// Rises with every change, also when the clock steps back.
    fn next_ver(&mut self, unix_ms: u64) -> i64 {
        self.ver = i64::try_from(unix_ms).unwrap_or(i64::MAX).max(self.ver.saturating_add(1));
        self.ver
    }

    fn write(&mut self, owner: &Bare, item: Item) -> Change {
        self.bytes += item.bytes();
        self.told_bytes += item.told_bytes();
        match self.place(&item.jid) {
            Ok(place) => {
                let before = std::mem::replace(&mut self.items[place], item.clone());
                self.bytes -= before.bytes();
                self.told_bytes -= before.told_bytes();
            }
            Err(place) => self.items.insert(place, item.clone()),
        }
        Change::Roster(owner.clone(), item)
    }

    fn forget(&mut self, owner: &Bare, jid: &Jid, ver: i64) -> Change {
        if let Ok(place) = self.place(jid) {
            let item = self.items.remove(place);
            self.bytes -= item.bytes();
            self.told_bytes -= item.told_bytes();
        }
        self.removed.retain(|(gone, _)| gone != jid);
        self.removed.push_back((jid.clone(), ver));
        if self.removed.len() > REMOVED_ITEMS_MAX {
            self.removed.pop_front();
        }
        Change::Unroster(owner.clone(), jid.clone(), ver)
    }
}

mod item;
mod query;

/// A roster push of a removal (§2.5.2).
fn removal(jid: &Jid, ver: i64) -> Payload {
    let item = Draft::new(ITEM).attribute("jid", jid.as_str());
    query(ver).child(item.attribute("subscription", "remove")).finish()
}

fn query(ver: i64) -> Draft {
    Draft::new(QUERY).attribute("ver", ver.to_string())
}

/// What is kept of a request: all of it (§3.1.3), unless it is very long.
fn kept(request: &Stanza) -> Stanza {
    if request.wire_len() <= REQUEST_BYTES_MAX {
        return request.clone();
    }
    let bare = |jid: &Jid| Jid::from(jid.bare());
    let mut head = Head::new(Kind::Presence).with_type(Ask::Subscribe.as_str());
    head.from = request.head.from.as_ref().map(bare);
    head.to = request.head.to.as_ref().map(bare);
    Stanza::new(head)
}

#[cfg(test)]
mod tests;
