//! What is said in the rooms of an account that it has not seen: for its inbox (XEP-0430).
//!
//! Nothing is written of that for each member: it is read when somebody asks, of the room's log and
//! the member's mark.

use super::{
    config::Config,
    members::Member,
    rank::Affiliation,
    room::ROOM,
    xep_0333_markers::{MARKS, Mark},
    xep_0421_occupant_id as occupant_id,
};
use engine::{
    archive::Search,
    hook::World,
    inbox::Conversation,
    port::{Fault, Logged, Pending},
    unit::{Flags, Pos},
    wire::{Bare, Stanza},
};

/// Rooms of one inbox.
const ROOMS_MAX: usize = 500;
/// Affiliations that are looked at for them: with whom an account is cast out, it cannot help.
const LOOKED_AT_AFFILIATIONS_MAX: usize = 5_000;
/// Messages of one room that are counted: when there are more, so many.
const UNREAD_MESSAGES_MAX: u32 = 1_000;
/// The newest of them, among which what the account said itself is looked for.
const LOOKED_AT_MESSAGES: usize = 20;

/// What the archive shows and is to be read.
const UNREAD: Flags = Flags::ARCHIVE.and(Flags::SPEAKS);

/// The rooms of which the account is a member, or more, and in which something was said.
pub fn conversations<'a>(world: &'a World<'a>) -> Pending<'a, Result<Vec<Conversation>, Fault>> {
    Box::pin(async move {
        let mut found = Vec::new();
        for room in rooms(world.account, world).await? {
            if is_archived(&room, world).await? {
                found.extend(conversation(room, world).await?);
            }
        }
        Ok(found)
    })
}

/// The rooms of which somebody is a member, or more, and has been there.
///
/// # Errors
/// Those of the store.
pub async fn rooms(who: &Bare, world: &World<'_>) -> Result<Vec<Bare>, Fault> {
    let affiliated = world.store.affiliated(who, None, LOOKED_AT_AFFILIATIONS_MAX).await?;
    let rooms = affiliated.into_iter().filter(|(room, cell)| {
        // Who was never here has not asked for it: anybody can make anybody a member.
        let member = Member::load(cell).filter(|member| member.has_come);
        let affiliation = member.map_or(Affiliation::None, |one| one.affiliation);
        affiliation >= Affiliation::Member && world.settings.service(room.domain()).is_some()
    });
    Ok(rooms.map(|(room, _)| room).take(ROOMS_MAX).collect())
}

/// Whether something was said in a room since somebody was there, spoke, or displayed it.
///
/// # Errors
/// Those of the store.
pub async fn has_news(room: &Bare, who: &Bare, world: &World<'_>) -> Result<bool, Fault> {
    if !is_archived(room, world).await? {
        return Ok(false);
    }
    let newest = newest(room, UNREAD, world).await?.map(|newest| newest.pos);
    let mark = world.store.cell(MARKS, room, who.as_str()).await?;
    let mark = mark.and_then(|mark| Mark::load(&mark)).unwrap_or_default();
    Ok(newest > Some(mark.displayed.max(mark.since).max(mark.left)))
}

/// What was kept before its owners wanted no archive, nobody reads while they want none.
async fn is_archived(room: &Bare, world: &World<'_>) -> Result<bool, Fault> {
    let cell = world.store.cell(ROOM, room, "config").await?;
    let config = cell.and_then(|cell| Config::load(std::str::from_utf8(&cell).ok()?));
    Ok(config.is_some_and(|config| config.is_archived))
}

/// `None`: nothing that is to be read was said in it.
async fn conversation(room: Bare, world: &World<'_>) -> Result<Option<Conversation>, Fault> {
    let Some(newest) = newest(&room, Flags::ARCHIVE, world).await? else { return Ok(None) };
    let last = match newest.entry.flags.has(UNREAD) {
        true => newest.pos,
        false => match self::newest(&room, UNREAD, world).await? {
            Some(last) => last.pos,
            None => return Ok(None),
        },
    };
    let mark = world.store.cell(MARKS, &room, world.account.as_str()).await?;
    let mark = mark.and_then(|mark| Mark::load(&mark)).unwrap_or_default();
    let (displayed, unread) = unread(&room, mark, last, world).await?;
    Ok(Some(Conversation { peer: room, upto: newest.pos, last, unread, displayed }))
}

async fn newest(room: &Bare, flags: Flags, world: &World<'_>) -> Result<Option<Logged>, Fault> {
    let search = Search { flags, newest: true, max: 1, ..Search::default() };
    Ok(world.store.search(room, &search).await?.entries.pop())
}

/// Up to where it has read, and how many stand behind that. Speaking moves the mark, but a moment
/// later: what the account said itself counts at once.
async fn unread(
    room: &Bare,
    mark: Mark,
    last: Pos,
    world: &World<'_>,
) -> Result<(Pos, u32), Fault> {
    let after = mark.displayed.max(mark.since);
    if last <= after {
        return Ok((mark.displayed, 0));
    }
    let (max, count_max) = (LOOKED_AT_MESSAGES, u64::from(UNREAD_MESSAGES_MAX));
    let search = Search { after, flags: UNREAD, newest: true, max, count_max, ..Search::default() };
    let found = world.store.search(room, &search).await?;
    let own = occupant_id::id(room, world.account, world.settings);
    let is_own = |logged: &Logged| {
        let said = Stanza::parse_one(&logged.entry.stanza).ok();
        said.as_ref().and_then(occupant_id::in_message).is_some_and(|id| id == own)
    };
    let count = found.count.and_then(|count| u32::try_from(count).ok());
    Ok(match found.entries.iter().rposition(is_own) {
        Some(place) => {
            let behind = found.entries.len() - 1 - place;
            (found.entries[place].pos, u32::try_from(behind).unwrap_or(UNREAD_MESSAGES_MAX))
        }
        None => (mark.displayed, count.unwrap_or(UNREAD_MESSAGES_MAX)),
    })
}
