//! A device in its room (XEP-0045): it enters, talks, leaves, is sent out, and enters again.

use super::{Living, fetch::Fetch, owner::Owner};
use crate::{
    audit::{
        history::{Does, Log, What},
        link::Link,
        management::{Management, Sent},
        stage::{Phase, Role, Seat},
    },
    driver::Broken,
    tree::{CLIENT, Tree},
};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

const MUC: &str = "http://jabber.org/protocol/muc";
const USER: &str = "http://jabber.org/protocol/muc#user";
/// Status code of what is told to somebody about itself (XEP-0045 §16.6.2).
const SELF: &str = "110";
/// How long it waits for the room to answer before it asks again: an answer that was told before
/// a kill is told once.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it waits when it was not let in, on average.
const RETRY: Duration = Duration::from_millis(400);
/// How long after a resumption repeats may come.
const REPEATS: Duration = Duration::from_millis(1500);
/// The mean time between two departures is that of what the owner does, so many times.
const DEPARTURES: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Outside,
    Entering,
    Inside,
    Leaving,
}

/// How a device stands to its room.
pub struct Attendance<'a> {
    seat: &'a Seat,
    stand: Stand,
    /// When it does something about it.
    next: Instant,
    /// The newest name that has come on its own.
    newest: Option<String>,
    /// Up to where it has asked.
    covered: Option<String>,
    /// Nothing has come on its own since it began to ask.
    is_quiet: bool,
    /// It has to ask for what is behind this.
    catch_up: Option<Option<String>>,
    /// Not before this: it was refused.
    asks_at: Instant,
    /// It has been inside all the time since it began to ask.
    stayed: bool,
    /// Whom it sees there.
    sees: BTreeSet<Log>,
    owner: Option<Owner>,
}

impl<'a> Attendance<'a> {
    pub fn new(seat: &'a Seat) -> Self {
        Self {
            seat,
            stand: Stand::Outside,
            next: Instant::now(),
            newest: None,
            covered: None,
            is_quiet: true,
            catch_up: Some(None),
            asks_at: Instant::now(),
            stayed: false,
            sees: BTreeSet::new(),
            owner: (seat.role == Role::Owner).then(Owner::default),
        }
    }

    pub fn is(&self, room: &str) -> bool {
        self.seat.room == room
    }

    pub fn log(&self) -> Log {
        self.seat.log
    }

    pub fn room(&self) -> &'a str {
        &self.seat.room
    }

    pub fn is_owner(&self) -> bool {
        self.owner.is_some()
    }

    /// Something was said there; its log.
    pub fn hears(&mut self, name: Option<&String>, was_fetched: bool) -> Log {
        if was_fetched {
            self.covered = name.cloned().or(self.covered.take());
        } else {
            self.newest = name.cloned().or(self.newest.take());
            self.is_quiet = false;
        }
        self.seat.log
    }

    /// What has come on its own up to now is all that there was.
    fn falls_behind(&mut self) {
        if self.catch_up.is_none() {
            self.catch_up = Some(self.newest.clone());
        }
    }

    fn is_busy(&self, phase: Phase) -> bool {
        let is_inside = self.stand == Stand::Inside && self.catch_up.is_none();
        let is_hostage = self.seat.role == Role::Hostage && phase == Phase::Talk;
        !(is_inside || is_hostage) || self.owner.as_ref().is_some_and(Owner::is_busy)
    }
}

/// Whether it says that somebody enters.
pub(super) fn is_join(text: &str) -> bool {
    text.starts_with("<presence ") && text.contains(&format!("<x xmlns='{MUC}'>"))
}

impl<'a> Living<'a> {
    pub(super) fn in_room(&self, does: Does) {
        let Some(log) = self.attendance.as_ref().map(Attendance::log) else { return };
        self.note(What::Room { device: self.part.device, log, does });
    }

    /// It has a session: that from before, or another one.
    pub(super) fn returns(&mut self, resumed: bool) {
        let Some(attendance) = &mut self.attendance else { return };
        let was_inside = attendance.stand == Stand::Inside;
        if !resumed {
            self.is_outside("another session".to_owned());
            if let Some(owner) = self.attendance.as_mut().and_then(|it| it.owner.as_mut()) {
                owner.begins_anew();
            }
        } else if was_inside && attendance.catch_up.is_none() {
            attendance.falls_behind();
            self.in_room(Does::Doubts);
        }
    }

    /// What is due in its room.
    pub(super) fn attend(&mut self, link: &mut Link, phase: Phase) -> Result<(), Broken> {
        let Some(attendance) = &mut self.attendance else { return Ok(()) };
        if phase == Phase::List {
            return self.list(link);
        }
        if phase > Phase::Settle || attendance.seat.role == Role::Vanishing && self.vanished {
            return Ok(());
        }
        let is_due = attendance.next <= Instant::now();
        match attendance.stand {
            Stand::Outside | Stand::Entering if is_due => self.enter(link)?,
            Stand::Leaving if is_due => self.is_outside("nobody said so".to_owned()),
            Stand::Inside if attendance.catch_up.is_some() => self.catch_up(link)?,
            Stand::Inside if is_due && phase == Phase::Talk => self.leave(link)?,
            Stand::Inside if attendance.owner.is_some() => self.rule(link, phase)?,
            _ => {}
        }
        let busy = self.attendance.as_ref().is_some_and(|it| it.is_busy(phase));
        let must_vanish = self.stage.orders().vanish && self.is_to_vanish();
        self.progress().busy.store(busy || must_vanish, Relaxed);
        Ok(())
    }

    fn enter(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(attendance) = &mut self.attendance else { return Ok(()) };
        let opened = &self.stage.progress[usize::from(attendance.seat.maker)].opened;
        if !attendance.is_owner() && !opened.load(Relaxed) {
            return Ok(());
        }
        (attendance.stand, attendance.next) = (Stand::Entering, Instant::now() + ANSWER);
        attendance.sees.clear();
        let to = format!("{}/{}", attendance.seat.room, Seat::nick(self.part.log));
        self.in_room(Does::Enters);
        let join = format!("<x xmlns='{MUC}'><history maxstanzas='0'/></x>");
        self.say(link, format!("<presence to='{to}'>{join}</presence>"), None)
    }

    fn leave(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(attendance) = &mut self.attendance else { return Ok(()) };
        if attendance.is_owner() {
            return self.rule(link, Phase::Talk);
        }
        (attendance.stand, attendance.next) = (Stand::Leaving, Instant::now() + ANSWER);
        let to = format!("{}/{}", attendance.seat.room, Seat::nick(self.part.log));
        self.say(link, format!("<presence type='unavailable' to='{to}'/>"), None)
    }

    fn catch_up(&mut self, link: &mut Link) -> Result<(), Broken> {
        let may_ask = |attendance: &&mut Attendance<'_>| attendance.asks_at <= Instant::now();
        let attendance = self.attendance.as_mut().filter(|_| self.fetch.is_none());
        let Some(attendance) = attendance.filter(may_ask) else { return Ok(()) };
        let since = attendance.catch_up.clone().flatten();
        attendance.covered.clone_from(&since);
        (attendance.stayed, attendance.is_quiet) = (true, true);
        let fetch = Fetch::missed(since).of(&attendance.seat.room);
        self.fetch(link, fetch)
    }

    /// The archive of the room was refused: who was banned meanwhile may not read it.
    pub(super) fn asks_later(&mut self) {
        let later = Instant::now() + self.chance.pause(RETRY);
        if let Some(attendance) = &mut self.attendance {
            attendance.asks_at = later;
        }
    }

    /// It has asked for what is up to this name; or for all that there is.
    pub(super) fn caught_up(&mut self, to: Option<String>) {
        let Some(attendance) = &mut self.attendance else { return };
        if to.is_some() {
            attendance.catch_up = Some(to);
            return;
        }
        // What was said while it was outside may have come behind what it was told.
        let covered = attendance.covered.take();
        attendance.catch_up = (!attendance.stayed).then(|| covered.clone());
        if attendance.is_quiet {
            attendance.newest = covered;
        }
    }

    /// It is not in its room, as far as it knows.
    fn is_outside(&mut self, why: String) {
        let again = self.chance.pause(RETRY);
        let Some(attendance) = &mut self.attendance else { return };
        attendance.falls_behind();
        attendance.stayed = false;
        attendance.sees.clear();
        attendance.next = Instant::now() + again;
        if std::mem::replace(&mut attendance.stand, Stand::Outside) != Stand::Outside {
            self.in_room(Does::Outside { why });
        }
    }

    /// Whether it says the next thing in its room.
    pub(super) fn room_to_talk_in(&mut self) -> Option<(&'a str, Log)> {
        let attendance = self.attendance.as_ref()?;
        let (seat, is_inside) = (attendance.seat, attendance.stand == Stand::Inside);
        (is_inside && self.chance.coin()).then_some((seat.room.as_str(), seat.log))
    }

    /// What waits to be said again, as far as it can be said: not in a room before it is there.
    pub(super) fn sayable_again(&mut self) -> VecDeque<Sent> {
        let room = self.attendance.as_ref().filter(|it| it.stand != Stand::Inside);
        let room = room.map(Attendance::log);
        let is_for_room = |sent: &Sent| {
            sent.message.as_ref().is_some_and(|(_, logs)| logs.first().copied() == room)
        };
        let all = std::mem::take(&mut self.again);
        let (later, now) = all.into_iter().partition(|sent| room.is_some() && is_for_room(sent));
        self.again = later;
        now
    }

    /// A room that refuses a message because its sender is not there tells it so.
    pub(super) fn is_refused(&mut self, condition: &str) {
        let is_inside = self.attendance.as_ref().is_some_and(|it| it.stand == Stand::Inside);
        if is_inside && condition.ends_with("not-acceptable") {
            self.is_outside(condition.to_owned());
        }
    }

    pub(super) fn is_to_vanish(&self) -> bool {
        let seat = self.part.seat.as_ref();
        !self.vanished && seat.is_some_and(|seat| seat.role == Role::Vanishing)
    }

    /// Nothing that it has said may be left undone, and no repeat after a kill be under way.
    pub(super) fn may_vanish(&self) -> bool {
        if self.arrived.elapsed() < REPEATS {
            return false;
        }
        let waiting = self.management.as_ref().map_or(0, Management::messages_waiting);
        self.is_to_vanish() && waiting + self.again.len() == 0 && self.fetch.is_none()
    }

    /// All that it has is told to the server before.
    pub(super) fn vanish(&mut self, link: &mut Link) -> Result<(), Broken> {
        self.tell(link)?;
        self.vanished = true;
        self.in_room(Does::Vanishes);
        let progress = self.progress();
        progress.waiting.store(0, Relaxed);
        progress.busy.store(false, Relaxed);
        progress.listed.store(true, Relaxed);
        progress.vanished.store(true, Relaxed);
        Ok(())
    }

    pub(super) fn take_presence(&mut self, link: &mut Link, told: &Tree) -> Result<(), Broken> {
        let Some(attendance) = &mut self.attendance else { return Ok(()) };
        let from = told.attribute("from").unwrap_or_default();
        let Some((room, nick)) = from.split_once('/') else { return Ok(()) };
        if room != attendance.seat.room {
            return Ok(());
        }
        let x = told.child(USER, "x");
        let codes = x.into_iter().flat_map(Tree::children).filter(|child| child.local == "status");
        let codes: Vec<&str> = codes.filter_map(|status| status.attribute("code")).collect();
        let is_own = codes.contains(&SELF);
        match told.attribute("type") {
            // What it had said before a kill it has said again: it left, and entered.
            None if is_own && matches!(attendance.stand, Stand::Entering | Stand::Outside) => {
                attendance.sees.extend(Seat::account(nick));
                self.is_inside(link)
            }
            Some("error") if attendance.stand == Stand::Entering => {
                let error = told.child(CLIENT, "error").and_then(|error| error.children().next());
                self.is_outside(error.map_or("an error", |error| &error.local).to_owned());
                Ok(())
            }
            Some("unavailable") if is_own => {
                self.is_outside(codes.join(" "));
                Ok(())
            }
            kind @ (None | Some("unavailable")) if !is_own => {
                let Some(account) = Seat::account(nick) else { return Ok(()) };
                let inside = kind.is_none();
                match inside {
                    true => _ = attendance.sees.insert(account),
                    false => _ = attendance.sees.remove(&account),
                }
                if attendance.is_owner() {
                    self.in_room(Does::Sees { account, inside });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn is_inside(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(attendance) = &mut self.attendance else { return Ok(()) };
        attendance.stand = Stand::Inside;
        let stay = self.chance.pause(attendance.seat.pause * DEPARTURES);
        attendance.next = Instant::now() + stay;
        self.in_room(Does::Inside);
        self.open(link)?;
        self.say_again(link)
    }

    /// At the end: whom it sees; and if it is the owner, whom the room lists.
    fn list(&mut self, link: &mut Link) -> Result<(), Broken> {
        let Some(attendance) = &self.attendance else { return Ok(()) };
        if self.progress().listed.load(Relaxed) {
            return Ok(());
        }
        if attendance.is_owner() {
            return self.ask_for_lists(link);
        }
        self.views();
        self.progress().listed.store(true, Relaxed);
        Ok(())
    }

    pub(super) fn views(&self) {
        let Some(attendance) = &self.attendance else { return };
        self.in_room(Does::Views { accounts: attendance.sees.iter().copied().collect() });
    }

    pub(super) fn seat(&self) -> Option<&'a Seat> {
        self.part.seat.as_ref()
    }

    pub(super) fn owner(&mut self) -> Option<&mut Owner> {
        self.attendance.as_mut()?.owner.as_mut()
    }
}
