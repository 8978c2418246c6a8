//! What the owner of a room does to the others (XEP-0045 §8, §9), and what it asks at the end.

use super::Living;
use crate::{
    audit::{
        history::{Does, Log, Wish},
        link::Link,
        stage::{Phase, Seat},
    },
    driver::Broken,
    tree::Tree,
};
use std::{
    collections::BTreeMap,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// How long it waits for an answer before it asks again: one that was told before a kill is told
/// once.
const ANSWER: Duration = Duration::from_secs(10);
/// Accounts that are banned at the same time, besides those that are to the end.
const BANNED_MAX: usize = 2;

/// What it has done, and is about to do.
#[derive(Default)]
pub struct Owner {
    /// How often it has asked for something.
    asked: u32,
    /// What it waits for, and since when.
    waits: Option<(Log, Wish, Instant)>,
    /// What accounts are, as it was told.
    standing: BTreeMap<Log, Wish>,
    /// When it does the next thing.
    next: Option<Instant>,
    /// It has said how the room is to be (§10.1.2).
    opens: bool,
    is_open: bool,
    has_hostage: bool,
    /// Something is still to be undone before all settle.
    is_busy: bool,
    /// What was told of those that it asks for at the end.
    lists: BTreeMap<String, Vec<Log>>,
    lists_asked: Option<Instant>,
}

impl Owner {
    pub fn is_busy(&self) -> bool {
        !self.is_open || self.waits.is_some() || self.is_busy
    }

    /// Its session is gone, and with it what it has asked for.
    pub fn begins_anew(&mut self) {
        (self.opens, self.lists_asked) = (false, None);
        if let Some((.., since)) = &mut self.waits {
            *since = Instant::now().checked_sub(ANSWER).unwrap_or(*since);
        }
    }

    fn banned(&self) -> impl Iterator<Item = Log> {
        let banned = self.standing.iter().filter(|(_, is)| **is == Wish::Outcast);
        banned.map(|(account, _)| *account)
    }
}

impl Living<'_> {
    /// A room is open when its owner says so, be it as it is (§10.1.2).
    pub(super) fn open(&mut self, link: &mut Link) -> Result<(), Broken> {
        let room = self.seat().map_or("", |seat| &seat.room);
        let Some(owner) = self.owner().filter(|owner| !owner.is_open && !owner.opens) else {
            return Ok(());
        };
        owner.opens = true;
        let form =
            format!("<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>");
        self.say(link, format!("<iq type='set' id='open' to='{room}'>{form}</iq>"), None)
    }

    /// Does the next thing, when it is time, and what was before is done.
    pub(super) fn rule(&mut self, link: &mut Link, phase: Phase) -> Result<(), Broken> {
        let Some(owner) = self.owner() else { return Ok(()) };
        if let Some((account, wish, since)) = owner.waits {
            return match since.elapsed() >= ANSWER {
                true => self.order(link, account, wish),
                false => Ok(()),
            };
        }
        if !owner.is_open {
            return Ok(());
        }
        if phase == Phase::Settle {
            let banned = owner.banned().next();
            owner.is_busy = banned.is_some();
            return banned.map_or(Ok(()), |banned| self.order(link, banned, Wish::None));
        }
        owner.is_busy = true;
        if owner.next.is_some_and(|next| next > Instant::now()) {
            return Ok(());
        }
        self.order_something(link)
    }

    fn order_something(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(seat) = self.seat() else { return Ok(()) };
        let next = Instant::now() + self.chance.pause(seat.pause);
        let (others, roll) = (&seat.accounts[1..], self.chance.below(10));
        // The last one is banned for good.
        let Some((hostage, others)) = others.split_last() else { return Ok(()) };
        let place = self.chance.below(others.len().max(1) as u64) as usize;
        let Some(owner) = self.owner() else { return Ok(()) };
        owner.next = Some(next);
        if !std::mem::replace(&mut owner.has_hostage, true) {
            return self.order(link, *hostage, Wish::Outcast);
        }
        let banned: Vec<Log> = owner.banned().filter(|banned| banned != hostage).collect();
        let Some(account) = others.get(place).copied() else { return Ok(()) };
        if banned.contains(&account) || banned.len() >= BANNED_MAX {
            return self.order(link, banned[0], Wish::None);
        }
        let wish = match roll {
            0..=2 => Wish::Outcast,
            3..=5 => Wish::Kick,
            6..=7 => Wish::Member,
            8 => Wish::Admin,
            _ => Wish::None,
        };
        self.order(link, account, wish)
    }

    fn order(&mut self, link: &mut Link, account: Log, wish: Wish) -> Result<(), Broken> {
        let Some(seat) = self.seat() else { return Ok(()) };
        let domain = &self.part.domain;
        let item = match wish.affiliation() {
            Some(is) => format!("<item jid='a{account}@{domain}' affiliation='{is}'/>"),
            None => format!("<item nick='{}' role='none'/>", Seat::nick(account)),
        };
        let Some(owner) = self.owner() else { return Ok(()) };
        owner.waits = Some((account, wish, Instant::now()));
        owner.asked += 1;
        let id = format!("order{}", owner.asked);
        self.in_room(Does::Asks { account, wish });
        let query = format!("<query xmlns='{ADMIN}'>{item}</query>");
        self.say(link, format!("<iq type='set' id='{id}' to='{}'>{query}</iq>", seat.room), None)
    }

    /// Whether this answers what the owner has asked for.
    pub(super) fn is_answered(
        &mut self,
        link: &mut Link,
        id: &str,
        answer: &Tree,
    ) -> Result<bool, Broken> {
        let is_done = answer.attribute("type") == Some("result");
        let progress = self.progress();
        let Some(owner) = self.owner() else { return Ok(false) };
        if id == "open" {
            owner.is_open = is_done;
            progress.opened.store(is_done, Relaxed);
            owner.opens = is_done;
            self.open(link)?;
            return Ok(true);
        }
        if let Some(list) = id.strip_prefix("list-") {
            let told = if is_done { accounts(answer) } else { Vec::new() };
            owner.lists.insert(list.to_owned(), told);
            self.tell_lists();
            return Ok(true);
        }
        if id != format!("order{}", owner.asked) {
            return Ok(id.starts_with("order"));
        }
        let Some((account, wish, _)) = owner.waits.take() else { return Ok(true) };
        // Who is not there cannot be sent out; of all else it knows no more than before.
        if is_done {
            if wish != Wish::Kick {
                owner.standing.insert(account, wish);
            }
            self.in_room(Does::Done { account, wish });
        }
        Ok(true)
    }

    pub(super) fn ask_for_lists(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(seat) = self.seat() else { return Ok(()) };
        let Some(owner) = self.owner() else { return Ok(()) };
        if owner.lists_asked.is_some_and(|asked| asked.elapsed() < ANSWER) {
            return Ok(());
        }
        owner.lists_asked = Some(Instant::now());
        let ask = |name: &str, query: String| {
            format!("<iq type='get' id='list-{name}' to='{}'>{query}</iq>", seat.room)
        };
        self.say(link, ask("occupants", format!("<query xmlns='{ITEMS}'/>")), None)?;
        for wish in Wish::KEPT {
            let Some(is) = wish.affiliation() else { continue };
            let query = format!("<query xmlns='{ADMIN}'><item affiliation='{is}'/></query>");
            self.say(link, ask(is, query), None)?;
        }
        Ok(())
    }

    fn tell_lists(&mut self) {
        let Some(owner) = self.owner() else { return };
        if owner.lists.len() <= Wish::KEPT.len() {
            return;
        }
        let mut lists = std::mem::take(&mut owner.lists);
        let accounts = lists.remove("occupants").unwrap_or_default();
        let kept = Wish::KEPT.into_iter().filter_map(|wish| Some((wish, wish.affiliation()?)));
        let kept = kept.flat_map(|(wish, is)| {
            let of = lists.remove(is).unwrap_or_default();
            of.into_iter().map(move |account| (account, wish))
        });
        let kept = kept.collect();
        self.in_room(Does::Lists { accounts });
        self.in_room(Does::Affiliates { accounts: kept });
        self.views();
        self.progress().listed.store(true, Relaxed);
    }
}

/// The accounts in a list: by nick where it is one of occupants, else by address.
fn accounts(answer: &Tree) -> Vec<Log> {
    let items = answer.children().flat_map(Tree::children).filter(|item| item.local == "item");
    let account = |item: &Tree| {
        let jid = item.attribute("jid")?;
        match jid.split_once('/') {
            Some((_, nick)) => Seat::account(nick),
            None => jid.strip_prefix('a')?.split('@').next()?.parse().ok(),
        }
    };
    items.filter_map(account).collect()
}
