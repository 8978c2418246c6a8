//! The service at which rooms are (XEP-0045 §6.1–6.3).

use super::{
    HOSTS,
    line::Step,
    names::{DESTROYED, X, status},
    room::Room,
    xep_0433_search::Listed,
};
use crate::xep_0059_rsm as rsm;
use engine::{
    ctx::Ctx,
    hook::{Replied, Reply, World},
    port::{Loaded, Pending},
    room,
    settings::Settings,
    unit::{Change, Table},
    wire::*,
};

/// With a host: the rooms that everybody may find, by local part.
pub const ROOMS_AT: Table = Table::named("rooms");

pub const ITEMS: Name = Name::new("http://jabber.org/protocol/disco#items", "query");

/// A room that everybody may find: its local part, and what is kept of it.
pub type Found = (String, Vec<u8>);

/// By what a session that has not left hears that it is under this nick no more.
const OUT: [u16; 6] = [
    status::BANNED,
    status::NICK_CHANGED,
    status::KICKED,
    status::REMOVED,
    status::MEMBERS_ONLY,
    status::LOST,
];

/// The rooms of this server.
pub struct Rooms;

pub const ROOMS: Rooms = Rooms;

impl room::Service for Rooms {
    fn hosts(&self, settings: &Settings) -> Vec<Bare> {
        let chosen = settings.texts(&HOSTS);
        if !chosen.is_empty() {
            return chosen.iter().filter_map(|host| Bare::host(host).ok()).collect();
        }
        let served = settings.domains.iter().filter(|domain| !settings.is_anonymous(domain));
        let hosts = served.map(|domain| format!("conference.{}", domain.domain()));
        hosts.filter_map(|host| Bare::host(&host).ok()).collect()
    }

    fn identity(&self) -> room::Identity {
        room::Identity { category: "conference", kind: "text", name: "Rooms" }
    }

    fn room(&self, jid: Bare, loaded: Option<Loaded>, ctx: &Ctx<'_>) -> Box<dyn room::Room> {
        Box::new(Room::load(jid, loaded, ctx))
    }

    fn sits(&self, presence: &Stanza) -> Option<bool> {
        let x: Vec<_> = presence.child(X).into_iter().flat_map(Element::children).collect();
        let codes: Vec<_> = x.iter().filter_map(|child| child.attribute("code")).collect();
        let is_destroyed = x.iter().any(|child| child.is(DESTROYED));
        let has = |code: u16| codes.iter().any(|one| **one == *code.to_string());
        match presence.head.type_str() {
            "" => has(status::SELF).then_some(true),
            _ if !has(status::SELF) => None,
            _ => (is_destroyed || OUT.into_iter().any(has)).then_some(false),
        }
    }
}

impl Room {
    /// Whether everybody may find it follows from what its owners chose.
    pub fn list(&mut self, step: &mut Step) {
        let Some((host, local)) = self.place() else { return };
        self.counted = self.occupants.len();
        let listed = Listed::of(&self.config, self.counted);
        step.write(match self.config.is_public {
            true => Change::Put(ROOMS_AT, host, local, listed.save()),
            false => Change::Cut(ROOMS_AT, host, local),
        });
    }

    /// XEP-0433 §6.2: how many are here is told anew when it is other by more than an eighth, so
    /// that many who come at once do not have it written each time.
    pub fn count_anew(&mut self, step: &mut Step) {
        let (now, told) = (self.occupants.len(), self.counted);
        let is_told = self.is_made && !self.is_locked && self.config.is_open();
        if is_told && !step.unit.changes.is_empty() && now.abs_diff(told) * 8 > told {
            self.list(step);
        }
    }

    /// Nobody finds it any more.
    pub fn unlist(&self, step: &mut Step) {
        let Some((host, local)) = self.place() else { return };
        step.write(Change::Cut(ROOMS_AT, host, local));
    }

    fn place(&self) -> Option<(Bare, String)> {
        let host = Bare::host(self.jid.domain()).ok()?;
        Some((host, self.jid.local()?.to_owned()))
    }
}

/// Rooms of a page when nobody says how many.
const PAGE_ROOMS_MAX: usize = 200;
/// The same in bytes of what is told of them, but for one of which more is told alone.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// Rooms that are read for one page: of more than that, nobody is told how many there are, and who
/// asks for the last of them is told the last of these.
const READ_ROOMS_MAX: usize = 10_000;

/// The rooms that a page can be made of, of those that everybody may find; and whether these are
/// all that there are.
///
/// # Errors
/// Those of the store.
pub async fn listed(
    world: &World<'_>,
    asked: &rsm::Asked,
) -> Result<(Vec<Found>, bool), StanzaError> {
    let (store, host) = (world.store, world.account);
    let rooms = store.cells_from(ROOMS_AT, host, "", READ_ROOMS_MAX).await?;
    match asked.after.as_deref() {
        _ if rooms.len() < READ_ROOMS_MAX => Ok((rooms, true)),
        None => Ok((rooms, false)),
        Some(after) => Ok((store.cells_from(ROOMS_AT, host, after, READ_ROOMS_MAX).await?, false)),
    }
}

/// §6.3: the rooms that everybody may find, by address; a page of them (XEP-0059).
pub fn items<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let query = iq.child(ITEMS).ok_or(StanzaCondition::BadRequest)?;
        if query.attribute("node").is_some() {
            return Err(StanzaCondition::ItemNotFound.into());
        }
        let is_paged = query.child(rsm::SET).is_some();
        let asked = rsm::Asked::read(query)?;
        let (rooms, is_all) = listed(world, &asked).await?;
        let item = |(local, kept): &Found| {
            let jid = format!("{local}@{}", world.account.domain());
            let name = Listed::load(kept).map(|room| room.name).filter(|name| !name.is_empty());
            let item = Draft::new(Name::new(ITEMS.ns, "item")).attribute("jid", jid);
            item.attribute("name", name.as_ref().unwrap_or(local)).finish()
        };
        let (page, items) = page(&rooms, &asked, item)?;
        let told = items.iter().fold(Draft::new(ITEMS), Draft::payload);
        if !is_paged && page.len() == rooms.len() {
            return Ok(Reply::Payload(told.finish()));
        }
        let ends = page.first().zip(page.last());
        let ends = ends.map(|((first, _), (last, _))| (first.clone(), last.clone()));
        let count = is_all.then_some(rooms.len() as u64);
        let told = told.child(rsm::Page { ends, index: None, count }.draft());
        Ok(Reply::Payload(told.finish()))
    })
}

/// Of the rooms, in whatever order they are, those that are asked for, and what is told of them.
///
/// # Errors
/// `item-not-found` for a name that is not among them.
pub fn page<'a>(
    rooms: &'a [Found],
    asked: &rsm::Asked,
    tell: impl Fn(&Found) -> Payload,
) -> Result<(&'a [Found], Vec<Payload>), StanzaError> {
    let place = |name: &str| {
        let found = rooms.iter().position(|(local, _)| local == name);
        found.ok_or_else(|| StanzaError::from(StanzaCondition::ItemNotFound))
    };
    let first = asked.after.as_deref().map(place).transpose()?.map_or(0, |place| place + 1);
    let end = asked.before.as_deref().map(place).transpose()?.unwrap_or(rooms.len());
    let all = rooms.get(first..end).unwrap_or_default();
    let max = asked.max.map_or(PAGE_ROOMS_MAX, |max| PAGE_ROOMS_MAX.min(max as usize));
    let mut left = PAGE_BYTES_MAX;
    let mut has_room = |told: &Payload| {
        let bytes = told.as_str().len();
        let has_room = bytes <= left || left == PAGE_BYTES_MAX;
        left = left.saturating_sub(bytes);
        has_room
    };
    if !asked.newest {
        let told: Vec<_> = all.iter().take(max).map(tell).take_while(|one| has_room(one)).collect();
        return Ok((&all[..told.len()], told));
    }
    let last = all.iter().rev().take(max).map(tell);
    let mut told: Vec<_> = last.take_while(|one| has_room(one)).collect();
    told.reverse();
    Ok((&all[all.len() - told.len()..], told))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many rooms of which so much is told each.
    fn page_of(rooms: usize, bytes: usize, asked: &rsm::Asked) -> Vec<String> {
        let rooms: Vec<_> = (0..rooms).map(|n| (format!("{n:03}"), Vec::new())).collect();
        let tell = |_: &Found| Draft::new(ITEMS).text("&".repeat(bytes / 5)).finish();
        let (page, told) = page(&rooms, asked, tell).unwrap();
        assert_eq!(page.len(), told.len());
        page.iter().map(|(local, _)| local.clone()).collect()
    }

    #[test]
    fn a_page_of_rooms_has_room_in_one_stanza_and_what_it_leaves_is_on_the_next() {
        let first = rsm::Asked::default();
        assert_eq!(page_of(300, 100, &first).len(), PAGE_ROOMS_MAX);
        assert_eq!(page_of(300, PAGE_BYTES_MAX / 10, &first), names(0..9));
        let after = rsm::Asked { after: Some("008".into()), ..rsm::Asked::default() };
        assert_eq!(page_of(300, PAGE_BYTES_MAX / 10, &after), names(9..18));
        let last = rsm::Asked { newest: true, ..rsm::Asked::default() };
        assert_eq!(page_of(300, PAGE_BYTES_MAX / 10, &last), names(291..300));
        let before = rsm::Asked { before: Some("291".into()), ..last };
        assert_eq!(page_of(300, PAGE_BYTES_MAX / 10, &before), names(282..291));
        assert_eq!(page_of(3, 2 * PAGE_BYTES_MAX, &first), names(0..1), "one there always is");
        let none = rsm::Asked { max: Some(0), ..rsm::Asked::default() };
        assert_eq!(page_of(3, 2 * PAGE_BYTES_MAX, &none), names(0..0));
    }

    fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
        numbers.map(|number| format!("{number:03}")).collect()
    }
}
