//! A page of an archive, read from the store (XEP-0313 §4.3).

use super::query::Query;
use crate::xep_0059_rsm as rsm;
use engine::{
    archive::{Found, Search},
    hook::World,
    port::Logged,
    unit::{Entry, Flags, Pos},
    wire::*,
};

/// Messages of a page when the client does not say how many.
const PAGE_ENTRIES: usize = 50;
/// Messages of a page, whatever the client says.
const PAGE_ENTRIES_MAX: usize = 250;
/// What a page may take, in bytes, unless it is of one message: a quarter of `mailbox_bytes_max`.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// Messages that are in memory at once while a page is made.
const READ_ENTRIES_MAX: usize = 50;
/// Messages that are looked at for one answer: those of one resource of a contact are found by
/// looking at those of all, and words by looking at what may have them. A page that ends for that
/// is not complete, and the client goes on behind the last that was looked at.
const LOOKED_AT_ENTRIES_MAX: usize = 20_000;
/// Up to here they are counted: beyond it the document lets the number be left out (XEP-0059 §2.2).
const COUNT_MAX: u64 = 1_000;

/// What was found.
pub(super) struct Page {
    /// In order, with their places.
    pub entries: Vec<(Pos, Stanza)>,
    /// There is no more of it.
    pub is_complete: bool,
    /// What is told of it.
    pub set: rsm::Page,
}

/// Part of a log, both ends excluded.
#[derive(Clone, Copy)]
struct Part {
    after: Pos,
    before: Option<Pos>,
}

impl Part {
    fn behind(self, pos: Option<Pos>) -> Self {
        Self { after: pos.map_or(self.after, |pos| pos.max(self.after)), ..self }
    }

    fn ahead(self, pos: Option<Pos>) -> Self {
        let before = [self.before, pos].into_iter().flatten().min();
        Self { before, ..self }
    }

    fn has(self, pos: Pos) -> bool {
        pos > self.after && self.before.is_none_or(|before| pos < before)
    }
}

/// The page that a query asks for.
///
/// # Errors
/// `item-not-found` for an id that the archive does not have (sections 4.1.3, 4.3.2).
pub(super) async fn read(query: &Query, world: &World<'_>) -> Result<Page, StanzaError> {
    let all = Part { after: query.time.0, before: query.time.1 };
    let bounds = [&query.after, &query.before, &query.page.after, &query.page.before];
    let [after, before, page_after, page_before] = places(bounds, world).await?;
    let all = all.behind(after).ahead(before);
    let part = all.behind(page_after).ahead(page_before);
    match query.ids.is_empty() {
        true => found(query, world, all, part).await,
        false => listed(query, world, all, part).await,
    }
}

/// Of all that the archive has.
async fn found(
    query: &Query,
    world: &World<'_>,
    all: Part,
    part: Part,
) -> Result<Page, StanzaError> {
    let search = Search {
        with: query.with.as_ref().map(Jid::bare),
        flags: Flags::ARCHIVE,
        words: query.words.clone(),
        newest: query.page.newest,
        ..Search::default()
    };
    let mut reading = Reading::of(query, world);
    let is_complete = reading.search(part, search.clone()).await?;
    let (mut room, stopped) = (reading.room, reading.stopped);
    let entries = reading.entries();
    let mut set = rsm::Page { ends: ends(&entries, stopped, query, world), ..<_>::default() };
    if query.resource().is_none() && stopped.is_none() {
        set.count = count(world, &search, all, &mut room).await?;
    }
    if let (Some(_), Some((first, _)), true) = (set.count, entries.first(), is_indexed(query)) {
        set.index = count(world, &search, all.ahead(Some(*first)), &mut room).await?;
    }
    Ok(Page { entries, is_complete, set })
}

/// Whether it is told how many precede the page. Who pages backwards does not count from there, and
/// slixmpp, which takes a page that reaches the end for the last one, would stop at the first.
fn is_indexed(query: &Query) -> bool {
    !query.page.newest
}

/// Of those that are asked for by id (section 4.1.3).
async fn listed(
    query: &Query,
    world: &World<'_>,
    all: Part,
    part: Part,
) -> Result<Page, StanzaError> {
    let at: Result<Vec<_>, _> = query.ids.iter().map(|id| place_of(id, world)).collect();
    let mut logged = present(&at?, world).await?;
    let with = query.with.as_ref().map(Jid::bare);
    let is_with = |peer: &Bare| with.as_ref().is_none_or(|with| peer == with);
    logged.retain(|logged| all.has(logged.pos) && is_with(&logged.entry.peer));
    if let Some(words) = &query.words {
        let said = |entry: &Entry| Stanza::parse_one(&entry.stanza).ok();
        logged.retain(|logged| said(&logged.entry).is_some_and(|said| words.are_in(&said)));
    }
    let places: Vec<_> = logged.iter().map(|logged| logged.pos).collect();
    logged.retain(|logged| part.has(logged.pos));
    let mut reading = Reading::of(query, world);
    let is_complete = reading.take(logged)?;
    let entries = reading.entries();
    let mut set = rsm::Page { ends: ends(&entries, None, query, world), ..<_>::default() };
    if query.resource().is_none() {
        let first = entries.first().filter(|_| is_indexed(query));
        let index = first.and_then(|(first, _)| places.binary_search(first).ok());
        (set.count, set.index) = (Some(places.len() as u64), index.map(|index| index as u64));
    }
    Ok(Page { entries, is_complete, set })
}

/// The places of these ids; each must be there.
async fn places<const N: usize>(
    ids: [&Option<String>; N],
    world: &World<'_>,
) -> Result<[Option<Pos>; N], StanzaError> {
    let mut places = [None; N];
    for (place, id) in places.iter_mut().zip(ids) {
        let Some(id) = id else { continue };
        *place = Some(place_of(id, world)?);
    }
    let named: Vec<_> = places.iter().flatten().copied().collect();
    present(&named, world).await?;
    Ok(places)
}

fn place_of(id: &str, world: &World<'_>) -> Result<Pos, StanzaError> {
    let place = world.settings.names.pos(world.account, id);
    Ok(place.ok_or(StanzaCondition::ItemNotFound)?)
}

/// The entries at these places, of which the archive must have each.
async fn present(at: &[Pos], world: &World<'_>) -> Result<Vec<Logged>, StanzaError> {
    if at.is_empty() {
        return Ok(Vec::new());
    }
    let mut entries = world.store.entries(world.account, at).await?;
    entries.retain(|logged| logged.entry.flags.has(Flags::ARCHIVE));
    let has = |pos: &Pos| entries.iter().any(|logged| logged.pos == *pos);
    match at.iter().all(has) {
        true => Ok(entries),
        false => Err(StanzaCondition::ItemNotFound.into()),
    }
}

/// What is read from the store, piece by piece.
struct Reading<'a> {
    world: &'a World<'a>,
    /// Of one resource alone.
    resource: Option<&'a Jid>,
    newest: bool,
    max: usize,
    /// Those that belong to the page, as they were read.
    entries: Vec<(Pos, Stanza)>,
    bytes: usize,
    /// So many more may be looked at.
    room: usize,
    /// The last that was looked at, when there was no room for more.
    stopped: Option<Pos>,
}

impl<'a> Reading<'a> {
    fn of(query: &'a Query, world: &'a World<'a>) -> Self {
        let max = query.page.max.and_then(|max| usize::try_from(max).ok());
        let max = max.unwrap_or(PAGE_ENTRIES).min(PAGE_ENTRIES_MAX);
        let (resource, newest) = (query.resource(), query.page.newest);
        let (entries, bytes, room, stopped) = (Vec::new(), 0, LOOKED_AT_ENTRIES_MAX, None);
        Self { world, resource, newest, max, entries, bytes, room, stopped }
    }

    /// Whether all of it fits.
    async fn search(&mut self, mut part: Part, mut search: Search) -> Result<bool, StanzaError> {
        loop {
            let rest = self.max.saturating_sub(self.entries.len());
            let rest = if self.resource.is_some() { READ_ENTRIES_MAX } else { rest };
            (search.after, search.before) = (part.after, part.before);
            search.max = rest.min(READ_ENTRIES_MAX).min(self.room);
            search.looked_at_max = Some(self.room);
            let found = self.world.store.search(self.world.account, &search).await?;
            let Found { entries, more, looked_at, stopped, .. } = found;
            self.room = self.room.saturating_sub(looked_at.max(entries.len()));
            part = match (self.newest, entries.first(), entries.last()) {
                (true, Some(first), _) => part.ahead(Some(first.pos)),
                (false, _, Some(last)) => part.behind(Some(last.pos)),
                _ => part,
            };
            let fits = self.take(entries)?;
            if !fits || !more {
                return Ok(fits);
            }
            if self.resource.is_none() && self.is_full() {
                return Ok(false);
            }
            if stopped.is_some() || self.room == 0 {
                let last = if self.newest { part.before } else { Some(part.after) };
                self.stopped = stopped.or(last);
                return Ok(false);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.max
    }

    /// Takes what belongs to the page. Whether all of it fits.
    fn take(&mut self, mut entries: Vec<Logged>) -> Result<bool, StanzaError> {
        if self.newest {
            entries.reverse();
        }
        for Logged { pos, entry } in entries {
            let stanza = Stanza::parse_one(&entry.stanza);
            let stanza = stanza.map_err(|_| StanzaCondition::InternalServerError)?;
            if self.resource.is_some_and(|resource| !is_with(&stanza, resource)) {
                continue;
            }
            let bytes = self.bytes + entry.stanza.len();
            if self.is_full() || bytes > PAGE_BYTES_MAX && !self.entries.is_empty() {
                return Ok(false);
            }
            self.bytes = bytes;
            self.entries.push((pos, stanza));
        }
        Ok(true)
    }

    /// In the order of the log.
    fn entries(mut self) -> Vec<(Pos, Stanza)> {
        if self.newest {
            self.entries.reverse();
        }
        self.entries
    }
}

/// Section 4.1.1, of an address with a resource.
fn is_with(stanza: &Stanza, resource: &Jid) -> bool {
    [&stanza.head.from, &stanza.head.to].into_iter().any(|other| other.as_ref() == Some(resource))
}

/// How many there are; `None`: more than are counted.
async fn count(
    world: &World<'_>,
    search: &Search,
    Part { after, before }: Part,
    room: &mut usize,
) -> Result<Option<u64>, StanzaError> {
    let counted = Search {
        after,
        before,
        max: 0,
        count_max: COUNT_MAX,
        looked_at_max: Some(*room),
        ..search.clone()
    };
    let found = world.store.search(world.account, &counted).await?;
    *room = room.saturating_sub(found.looked_at);
    Ok(found.count)
}

/// The first of the page and the last; where it stopped for lack of room, up to there it is empty.
fn ends(
    entries: &[(Pos, Stanza)],
    stopped: Option<Pos>,
    query: &Query,
    world: &World<'_>,
) -> Option<(String, String)> {
    let [first, last] = [entries.first(), entries.last()].map(|end| end.map(|(pos, _)| *pos));
    let (first, last) = match stopped {
        Some(_) if query.page.newest => (stopped, last.or(stopped)),
        Some(_) => (first.or(stopped), stopped),
        None => (first, last),
    };
    let name = |pos| world.settings.names.name(world.account, pos);
    Some((name(first?), name(last?)))
}
