//! Who makes a room, and how many (XEP-0045 §10.1; AT-45).
//!
//! Whoever makes one takes one of the places that he has at the service, in the unit that makes it:
//! of two rooms that would take the same, one is not made. So he cannot make more than he has
//! places, however many he asks for at once.

use super::{
    CREATION, PERSISTENCE, ROOMS_PER_OWNER_MAX,
    config::Config,
    line::Step,
    members::Member,
    rank::Affiliation,
    room::{ROOM, Room, Turn},
};
use engine::{
    ctx::Ctx,
    hook::{Replied, Reply, World},
    port::Pending,
    unit::{Change, Table},
    wire::*,
};
use sha2::{Digest, Sha256};

/// With a host: the places that are taken.
pub const PLACES: Table = Table::named("rooms-of");
/// With a room: its place.
pub const PLACE: &str = "place";

impl Room {
    /// §10.1.1: whether somebody may make a room here.
    ///
    /// # Errors
    /// `not-allowed`.
    pub fn may_make(&self, who: &Bare, ctx: &Ctx<'_>) -> Result<(), StanzaError> {
        let is_ours = ctx.settings.serves(who.domain()) && !ctx.settings.is_anonymous(who);
        let may = match ctx.settings.choice(&CREATION) {
            "everybody" => true,
            "admins" => ctx.settings.admins.contains(who),
            _ => is_ours,
        };
        match may || ctx.settings.admins.contains(who) {
            true => Ok(()),
            false => Err(StanzaCondition::NotAllowed.into()),
        }
    }

    /// It is there from now on, and locked until its owner has configured it (§10.1.1).
    ///
    /// # Errors
    /// An address that cannot be kept.
    pub fn make(
        &mut self,
        owner: &Bare,
        nick: &Text,
        place: Vec<Change>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let is_persistent = ctx.settings.choice(&PERSISTENCE) == "persistent";
        self.config = Config { is_persistent, ..Config::default() };
        step.write(Change::Room(self.jid.clone()));
        let (affiliation, called) = (Affiliation::Owner, Some(nick.clone()));
        let member = Member { affiliation, has_come: true, called, ..Member::default() };
        step.write(self.members.change(&self.jid, owner, member)?);
        (self.is_made, self.is_locked) = (true, true);
        self.keep_config(step);
        step.write(Change::Put(ROOM, self.jid.clone(), "locked".into(), Vec::new()));
        for change in place {
            if let Change::Swap(_, _, key, ..) = &change {
                let kept = key.clone().into_bytes();
                step.write(Change::Put(ROOM, self.jid.clone(), PLACE.into(), kept));
                self.place = Some(key.clone());
            }
            step.write(change);
        }
        Ok(())
    }

    /// There is a place for it, or not.
    ///
    /// # Errors
    /// `resource-constraint` for who has made as many as he may.
    pub fn found_place(
        &mut self,
        join: &Stanza,
        replied: Replied,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        if self.departs {
            return Err(StanzaCondition::ResourceConstraint.into());
        }
        if self.is_made {
            self.presence(join.clone(), turn);
            return Ok(());
        }
        let place = match replied? {
            Reply::Write(place, _) => place,
            _ => Vec::new(),
        };
        let nick = join.head.to.as_ref().and_then(|to| to.resource().map(Text::from));
        let (Some(from), Some(nick)) = (join.head.from.clone(), nick) else { return Ok(()) };
        self.sit_down(from, nick, join, Some(place), turn)
    }

    /// Who made it can make another.
    pub fn give_up_place(&mut self, step: &mut Step) {
        let (Some(key), Ok(host)) = (self.place.take(), Bare::host(self.jid.domain())) else {
            return;
        };
        step.write(Change::Cut(PLACES, host, key));
    }
}

/// A place for the room that somebody wants to make by entering it; administrators need none.
pub fn find_place<'a>(join: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let who = join.head.from.as_ref().map(Jid::bare).ok_or(StanzaCondition::BadRequest)?;
        let host = Bare::host(world.account.domain());
        let host = host.map_err(|_| StanzaCondition::JidMalformed)?;
        if world.settings.admins.contains(&who) {
            return Ok(Reply::Empty);
        }
        let most = world.settings.number(&ROOMS_PER_OWNER_MAX) as usize;
        let taken = world.store.cells_from(PLACES, &host, &places_of(&who), most).await?;
        let taken: Vec<_> = taken.into_iter().map(|(key, _)| key).collect();
        take_place(world.account, &who, &taken, most)
    })
}

/// The places of somebody begin so.
pub fn places_of(who: &Bare) -> String {
    let hash = Sha256::digest(who.as_str());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).chain(["/".to_owned()]).collect()
}

/// One that is free, another for each room as far as can be.
///
/// # Errors
/// `resource-constraint` when none is.
pub fn take_place(room: &Bare, who: &Bare, taken: &[String], most: usize) -> Replied {
    let places = places_of(who);
    let host = Bare::host(room.domain()).map_err(|_| StanzaCondition::JidMalformed)?;
    let taken: Vec<_> = taken.iter().filter(|key| key.starts_with(&places)).collect();
    let hash = Sha256::digest(room.as_str());
    let first = hash[..4].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let all = (0..most).map(|n| format!("{places}{:06}", (first + n) % most));
    let free = all.filter(|_| taken.len() < most).find(|key| !taken.contains(&key));
    let key = free.ok_or_else(|| {
        let error = StanzaError::from(StanzaCondition::ResourceConstraint);
        error.with_text(format!("you have made {most} rooms, and may make no more"))
    })?;
    let of = Some(room.as_str().as_bytes().to_vec());
    Ok(Reply::Write(vec![Change::Swap(PLACES, host, key, None, of)], None))
}
