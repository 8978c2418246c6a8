//! One client program, from its first login to the end of the run: it sends, answers, comes back
//! when its connection breaks, and notes all that happens to it.

pub mod chance;
mod fetch;
mod hear;
mod owner;
mod room;

use super::{
    history::{Does, How, Log, What},
    link::Link,
    login::{self, Resumption, SM},
    management::{Management, Sent},
    message,
    stage::{Part, Phase, Progress, Stage},
};
use crate::{driver::Broken, tree::Tree};
use chance::Chance;
use fetch::Fetch;
use room::Attendance;
use std::{
    collections::VecDeque,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// How long it waits for something to come before it looks at its orders.
const GLANCE: Duration = Duration::from_millis(25);
/// How long it waits before it tries to connect again.
const BACKOFF: Duration = Duration::from_millis(50);
/// How long it stays away when its connection is cut, so that something waits for it.
const AWAY: Duration = Duration::from_millis(100);
/// How long the server may keep silent about what it was asked to acknowledge; then the
/// connection is believed to be dead.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it asks.
const ASK: Duration = Duration::from_millis(400);
/// Messages between two requests for an acknowledgement.
const MESSAGES_PER_REQUEST: u64 = 4;
/// What a session begins with: carbons and presence.
const FIRST_STANZAS: u32 = 2;

/// A device.
pub struct Living<'a> {
    part: &'a Part,
    stage: &'a Stage,
    chance: Chance,
    account: String,
    management: Option<Management>,
    /// Messages of a session that could not be resumed, to be sent again.
    again: VecDeque<Sent>,
    /// The newest name that it has seen in the archive of its account.
    newest: Option<String>,
    fetch: Option<Fetch>,
    attendance: Option<Attendance<'a>>,
    /// How many archives it has read at the end.
    archives: u32,
    sent: u64,
    had_session: bool,
    resumed: bool,
    /// Whether carbons and presence have been said in its session.
    begun: bool,
    /// The server has said that it has dealt with both.
    available: bool,
    /// It has been away for longer than its session can be resumed.
    vanished: bool,
    cuts: u32,
    /// How often the server had forgotten when it last tried to connect.
    forgot: u32,
    /// When its session began or was resumed.
    arrived: Instant,
    asked: Instant,
    heard: Instant,
}

/// Lives until all are to leave.
pub fn live(part: &Part, stage: &Stage, seed: u64) {
    let mut living = Living::new(part, stage, seed);
    let mut connecting: Option<Instant> = None;
    while let Some(door) = stage.door() {
        let begun = *connecting.get_or_insert_with(Instant::now);
        living.forgot = stage.journal.forgot();
        let opened = Link::open(door, &part.domain, &stage.tls);
        let arrived = opened.and_then(|(link, features)| living.arrive(link, &features, begun));
        let mut link = match arrived {
            Ok(link) => link,
            Err(why) => {
                stage.troubled(part.device, &why);
                std::thread::sleep(BACKOFF);
                continue;
            }
        };
        connecting = None;
        living.progress().online.store(true, Relaxed);
        let done = living.converse(&mut link);
        drop(link);
        living.progress().online.store(false, Relaxed);
        match done {
            Ok(Done::Left) => return,
            Ok(Done::Cut) => std::thread::sleep(AWAY),
            Ok(Done::Vanished) => stage.await_phase(Phase::Read),
            Err(why) => stage.troubled(part.device, &why),
        }
        stage.journal.note(What::End { device: part.device });
    }
}

/// Why a conversation has ended, unless the connection broke.
enum Done {
    Left,
    Cut,
    Vanished,
}

impl<'a> Living<'a> {
    fn new(part: &'a Part, stage: &'a Stage, seed: u64) -> Self {
        Self {
            part,
            stage,
            chance: Chance::new(seed ^ u64::from(part.device)),
            account: part.account(),
            management: None,
            again: VecDeque::new(),
            newest: None,
            fetch: None,
            attendance: part.seat.as_ref().map(Attendance::new),
            archives: 0,
            sent: 0,
            had_session: false,
            resumed: false,
            begun: false,
            available: false,
            vanished: false,
            cuts: 0,
            forgot: 0,
            arrived: Instant::now(),
            asked: Instant::now(),
            heard: Instant::now(),
        }
    }

    fn progress(&self) -> &'a Progress {
        &self.stage.progress[usize::from(self.part.device)]
    }

    fn note(&self, what: What) {
        self.stage.journal.note(what);
    }

    fn arrive(&mut self, mut link: Link, offer: &Tree, begun: Instant) -> Result<Link, Broken> {
        let Part { device, local, domain, resource, .. } = self.part;
        login::authenticate(&mut link, offer, local, &self.stage.password)?;
        link.restart(domain)?;
        self.resumed = self.resume(&mut link)?;
        let mut how = How::Resumed;
        if !self.resumed {
            how = if self.had_session { How::Renewed } else { How::New };
            self.management = Some(Management::new(login::bind(&mut link, resource)?));
            (self.begun, self.available) = (false, false);
        }
        self.had_session = true;
        let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.note(What::Session { device: *device, how, took_us, forgot: self.forgot });
        self.arrived = Instant::now();
        (self.heard, self.asked) = (self.arrived, self.arrived);
        self.returns(self.resumed);
        if self.resumed {
            self.repeat(&mut link)?;
        }
        self.begin(&mut link, how)?;
        Ok(link)
    }

    /// Whether its old session goes on.
    fn resume(&mut self, link: &mut Link) -> Result<bool, Broken> {
        let Some(mut old) = self.management.take() else { return Ok(false) };
        let Some(id) = old.resume_id.clone() else {
            self.management = Some(old);
            self.give_up();
            return Ok(false);
        };
        let ids = old.tell();
        self.note(What::Told { device: self.part.device, ids });
        let answer = login::resume(link, &id, old.h());
        self.management = Some(old);
        match answer? {
            Resumption::Resumed(h) => {
                self.acked(h)?;
                Ok(true)
            }
            Resumption::Failed(h) => {
                h.map_or(Ok(()), |h| self.acked(h))?;
                self.give_up();
                Ok(false)
            }
        }
    }

    /// Its session is gone: what that left unsettled comes before what waits already.
    fn give_up(&mut self) {
        let left = self.management.take().map(Management::into_waiting);
        let mut again = left.unwrap_or_default();
        again.append(&mut self.again);
        self.again = again;
    }

    /// XEP-0198 §5: what the server has not handled is sent again.
    fn repeat(&mut self, link: &mut Link) -> Result<(), Broken> {
        let waiting = self.management.iter().flat_map(Management::waiting);
        for sent in waiting {
            if let Some((id, logs)) = &sent.message {
                self.note_send(*id, logs.clone());
            }
            if room::is_join(&sent.text) {
                self.in_room(Does::EntersAgain);
            }
            link.say(&sent.text)?;
        }
        Ok(())
    }

    /// Carbons and presence, what was missed, and what another session has left unsettled; in a
    /// session that was resumed, what of that it had not come to.
    fn begin(&mut self, link: &mut Link, how: How) -> Result<(), Broken> {
        // What of a room's archive it had not come to it asks for when it is there again.
        let unfinished = self.fetch.take().filter(Fetch::is_to_go_on);
        self.progress().fetching.store(false, Relaxed);
        if !self.begun {
            let carbons = "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
            self.say(link, carbons.to_owned(), None)?;
            self.say(link, "<presence/>".to_owned(), None)?;
            self.begun = true;
        }
        let missed = (how == How::Renewed).then(|| Fetch::missed(self.newest.clone()));
        if let Some(fetch) = unfinished.map(Fetch::anew).or(missed) {
            self.fetch(link, fetch)?;
        }
        self.say_again(link)?;
        self.ask(link)
    }

    /// What another session has left unsettled.
    fn say_again(&mut self, link: &mut Link) -> Result<(), Broken> {
        let mut sayable = self.sayable_again();
        while let Some(Sent { text, message }) = sayable.pop_front() {
            if let Some((id, logs)) = &message {
                self.note_send(*id, logs.clone());
            }
            let said = self.say(link, text, message);
            if said.is_err() {
                // That one is counted; the others wait on, in front of those for the room.
                sayable.append(&mut self.again);
                self.again = sayable;
                return said;
            }
        }
        Ok(())
    }

    fn converse(&mut self, link: &mut Link) -> Result<Done, Broken> {
        let mut next = Instant::now() + self.chance.pause(self.part.pause);
        loop {
            let orders = self.stage.orders();
            if orders.phase == Phase::Leave {
                // The server may have gone first.
                let _ = link.say("</stream:stream>");
                return Ok(Done::Left);
            }
            if orders.cuts > self.cuts {
                self.cuts = orders.cuts;
                if self.chance.coin() {
                    return Ok(Done::Cut);
                }
            }
            if orders.vanish && self.may_vanish() {
                self.vanish(link)?;
                return Ok(Done::Vanished);
            }
            if orders.deaf && self.part.deaf {
                std::thread::sleep(GLANCE);
                continue;
            }
            self.attend(link, orders.phase)?;
            let talks = orders.phase == Phase::Talk && !(orders.vanish && self.is_to_vanish());
            if talks && next <= Instant::now() {
                self.write(link)?;
                next += self.chance.pause(self.part.pause);
                next = next.max(Instant::now() - self.part.pause);
            }
            if orders.phase == Phase::Read && self.may_read() {
                self.read_on(link)?;
            }
            self.look_after(link)?;
            let wait = if talks { next.saturating_duration_since(Instant::now()) } else { GLANCE };
            let mut came = link.hear(wait.min(GLANCE))?;
            while let Some(tree) = came {
                self.take(link, &tree)?;
                came = link.hear_at_once();
            }
        }
    }

    /// Asks for acknowledgements that are due.
    fn look_after(&mut self, link: &mut Link) -> Result<(), Broken> {
        let waiting = self.management.as_ref().map_or(0, Management::messages_waiting);
        self.progress().waiting.store(waiting + self.again.len(), Relaxed);
        if waiting == 0 || self.asked.elapsed() < ASK {
            return Ok(());
        }
        if self.heard.elapsed() > PATIENCE {
            return Err(Broken("no answer for too long".into()));
        }
        self.ask(link)
    }

    fn ask(&mut self, link: &mut Link) -> Result<(), Broken> {
        self.asked = Instant::now();
        link.say(&format!("<r xmlns='{SM}'/>"))
    }

    fn write(&mut self, link: &mut Link) -> Result<(), Broken> {
        self.sent += 1;
        let id = u64::from(self.part.device) << 32 | self.sent;
        // Some to one device only, of which the others get a carbon copy.
        let to = match self.chance.below(3) {
            0 => format!("{}/desk", self.part.peer),
            _ => self.part.peer.clone(),
        };
        let room = self.room_to_talk_in();
        let (text, logs) = match room {
            Some((room, log)) => {
                (message::written(self.stage.run, id, room, "groupchat"), vec![log])
            }
            None => {
                let logs = vec![self.part.log, self.part.peer_log];
                (message::written(self.stage.run, id, &to, "chat"), logs)
            }
        };
        self.note_send(id, logs.clone());
        self.progress().waiting.fetch_add(1, Relaxed);
        self.say(link, text, Some((id, logs)))?;
        if self.sent.is_multiple_of(MESSAGES_PER_REQUEST) { self.ask(link) } else { Ok(()) }
    }

    fn note_send(&self, id: u64, logs: Vec<Log>) {
        let device = self.part.device;
        self.note(What::Send { device, id, logs });
    }

    fn say(
        &mut self,
        link: &mut Link,
        text: String,
        message: Option<(u64, Vec<Log>)>,
    ) -> Result<(), Broken> {
        // Counted first: if the connection breaks now, nobody knows how much has arrived.
        let said = link.say(&text);
        if let Some(management) = &mut self.management {
            management.sends(Sent { text, message });
        }
        said
    }
}
