//! What must hold of that which arrives: A3, the order of A4, and that nobody misses a row (A7).

use super::{Facts, Verdict, Wrong};
use crate::audit::history::{Device, Does, Event, Fault, How, Log, Send, Via, What};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long before a kill a device may have told that it has what is repeated, since or later: what
/// one kill has taken back comes in a life of the server that is long enough. Two seconds are
/// promised, two are the delay of what is written once a second, one is for a busy machine.
const TOLD_US_MAX: u64 = 5_000_000;

/// What one device has lived through so far.
#[derive(Default)]
struct Life<'a> {
    /// Its session was resumed after the server had forgotten, or is the first since the store was
    /// put back.
    after_kill: bool,
    /// Faults that forget, up to its last session.
    kills: u32,
    online: bool,
    copies: HashMap<Send, Copy<'a>>,
    /// How often it has said what.
    tries: HashMap<Send, u32>,
    /// Rooms whose archive it asks though it has been in them all the time.
    doubts: BTreeSet<Log>,
    /// What it has fetched meanwhile and was not told: the places.
    untold: BTreeSet<(Log, usize)>,
    /// It went away for so long that it is in no room any more.
    vanished: bool,
    /// The row that arrived last on its own, by log.
    last: BTreeMap<Log, (usize, Send)>,
}

/// The first copy of a message.
struct Copy<'a> {
    stanza_id: Option<&'a str>,
    pushed: bool,
    /// How often it came on its own.
    times: u32,
    /// The device has told that it has it: the last time.
    told_us: Option<u64>,
}

/// A copy that arrives.
struct Arrival<'a> {
    /// When the server was made to forget before.
    kills_us: &'a [u64],
    id: Send,
    log: Log,
    stanza_id: Option<&'a str>,
    via: Via,
    delay: bool,
}

impl Facts<'_> {
    pub(super) fn check_arrivals(&self, history: &[Event], verdict: &mut Verdict) {
        let mut lives: BTreeMap<Device, Life<'_>> = BTreeMap::new();
        let is_kill =
            |event: &&Event| matches!(&event.what, What::Fault { fault } if fault.forgets());
        let kills_us: Vec<_> = history.iter().filter(is_kill).map(|event| event.at_us).collect();
        let (mut killed, mut restored) = (0, false);
        for Event { at_us, what } in history {
            match what {
                What::Fault { fault } if fault.forgets() => {
                    killed += 1;
                    restored = *fault == Fault::Restore;
                }
                What::Session { device, how, forgot, .. } => {
                    let life = lives.entry(*device).or_default();
                    let goes_on = *how == How::Resumed || restored;
                    life.after_kill = goes_on && *forgot > life.kills;
                    life.kills = *forgot;
                    life.online = true;
                    match how {
                        How::Resumed => verdict.resumed += 1,
                        How::Renewed => verdict.renewed += u64::from(!life.vanished),
                        How::New => {}
                    }
                }
                What::End { device } => lives.entry(*device).or_default().online = false,
                What::Told { device, ids } => {
                    lives.entry(*device).or_default().told(ids, *at_us);
                }
                What::Send { device, id, .. } => {
                    *lives.entry(*device).or_default().tries.entry(*id).or_default() += 1;
                }
                What::Room { device, log, does } => {
                    let life = lives.entry(*device).or_default();
                    match does {
                        Does::Doubts => _ = life.doubts.insert(*log),
                        Does::Enters | Does::EntersAgain | Does::Outside { .. } => {
                            life.is_there_no_more(*log);
                        }
                        Does::Vanishes => {
                            life.is_there_no_more(*log);
                            life.vanished = true;
                        }
                        _ => {}
                    }
                }
                What::Recv { device, id, log, stanza_id, via, delay } => {
                    let stanza_id = stanza_id.as_deref();
                    let (id, log, via, delay) = (*id, *log, *via, *delay);
                    let kills_us = &kills_us[..killed];
                    let arrival = Arrival { kills_us, id, log, stanza_id, via, delay };
                    let life = lives.entry(*device).or_default();
                    self.arrives(*device, life, arrival, verdict);
                }
                _ => {}
            }
        }
        for (device, life) in lives.iter().filter(|(_, life)| life.online) {
            self.check_missed(*device, life, verdict);
        }
    }

    fn arrives<'a>(
        &self,
        device: Device,
        life: &mut Life<'a>,
        arrival: Arrival<'a>,
        verdict: &mut Verdict,
    ) {
        self.check_name(device, &arrival, verdict);
        let pushed = arrival.via != Via::Mam;
        let place = self.places.get(&(arrival.log, arrival.id)).copied();
        if let Some(place) = place.filter(|_| pushed) {
            verdict.behind += life.is_told(arrival.log, place);
        }
        if let Some(copy) = life.copies.get_mut(&arrival.id) {
            let first_push = pushed && !copy.pushed;
            copy.pushed |= pushed;
            copy.times += u32::from(pushed);
            let tries = life.tries.get(&arrival.id).copied().unwrap_or_default();
            let renamed = copy.stanza_id.is_some() && copy.stanza_id != arrival.stanza_id;
            if renamed {
                let names = (copy.stanza_id.unwrap_or_default(), arrival.stanza_id);
                let why = format!("{}: {} came as {names:?}", self.device(device), arrival.id);
                verdict.find(Wrong::Duplicate, Some(arrival.id), why);
            } else if first_push {
                verdict.overlaps += 1;
            } else if pushed && self.rooms.contains(&arrival.log) && copy.times <= tries {
                verdict.echoes += 1;
            } else if pushed && life.after_kill && arrival.delay {
                verdict.repeats += 1;
                verdict.late_repeats += u64::from(copy.is_late(arrival.kills_us));
            } else if pushed {
                let (who, id, via) = (self.device(device), arrival.id, arrival.via);
                let why = format!("{who}: {id} came again, {via:?}, delay {}", arrival.delay);
                verdict.find(Wrong::Duplicate, Some(id), why);
            }
            return;
        }
        let (stanza_id, times) = (arrival.stanza_id, u32::from(pushed));
        let copy = Copy { stanza_id, pushed, times, told_us: None };
        life.copies.insert(arrival.id, copy);
        if !pushed {
            if life.doubts.contains(&arrival.log) {
                life.untold.extend(place.map(|place| (arrival.log, place)));
            }
            verdict.fetched += 1;
            return;
        }
        verdict.received += 1;
        if life.tries.get(&arrival.id).is_some_and(|tries| *tries > 1) {
            // What it says again comes back to it when it does (A7), wherever it stands.
            return;
        }
        let Some(place) = place.filter(|_| arrival.via != Via::Early) else { return };
        let before = life.last.insert(arrival.log, (place, arrival.id));
        if let Some((_, other)) = before.filter(|(other, _)| *other > place) {
            let (who, log) = (self.device(device), self.log(arrival.log));
            let why = format!("{who}: {} came behind {other}, not as in {log}", arrival.id);
            verdict.find(Wrong::Reorder, Some(arrival.id), why);
        }
    }

    /// A3: what arrives has the name of its row.
    fn check_name(&self, device: Device, arrival: &Arrival<'_>, verdict: &mut Verdict) {
        let Some(rows) = self.rows.get(&arrival.log) else { return };
        let (who, id) = (self.device(device), arrival.id);
        let row = self.places.get(&(arrival.log, id)).map(|place| rows[*place].1);
        let wrong = match (row, arrival.stanza_id) {
            (Some(row), Some(came)) if row == came => return,
            (Some(row), came) => format!("{who}: {id} came as {came:?}, its row is {row}"),
            (None, came) => format!("{who}: {id} came as {came:?}, it has no row"),
        };
        verdict.find(Wrong::Misnamed, Some(id), wrong);
    }

    /// A device that is online at the end has every row of the logs that it hears of, but for
    /// what it sent itself to another account.
    fn check_missed(&self, device: Device, life: &Life<'_>, verdict: &mut Verdict) {
        let Some((who, hears)) = self.devices.get(&device) else { return };
        for log in *hears {
            let is_room = self.rooms.contains(log);
            if is_room && life.vanished {
                continue;
            }
            for (id, name) in self.rows.get(log).into_iter().flatten() {
                let own = self.messages.get(id).is_some_and(|message| message.device == device);
                // What is said in a room comes back to who has said it (XEP-0045 §7.4).
                if (!own || is_room) && !life.copies.contains_key(id) {
                    let why = format!("{who} never got {id}, {name} of {}", self.log(*log));
                    verdict.find(Wrong::Missed, Some(*id), why);
                }
            }
        }
    }
}

impl Copy<'_> {
    /// Whether the server ought to have known that the device has it, whenever it was killed.
    fn is_late(&self, kills_us: &[u64]) -> bool {
        let Some(told_us) = self.told_us else { return false };
        let taken_back = kills_us.iter().find(|kill_us| **kill_us > told_us);
        taken_back.is_some_and(|kill_us| told_us + TOLD_US_MAX < *kill_us)
    }
}

impl Life<'_> {
    /// What a room has not told it yet, it need not tell it any more.
    fn is_there_no_more(&mut self, room: Log) {
        self.doubts.remove(&room);
        self.untold.retain(|(log, _)| *log != room);
    }

    /// It is told what stands here; of how much before it that it has never been.
    fn is_told(&mut self, log: Log, place: usize) -> u64 {
        let before: Vec<_> = self.untold.range((log, 0)..=(log, place)).copied().collect();
        before.iter().for_each(|one| _ = self.untold.remove(one));
        before.iter().filter(|one| **one != (log, place)).count() as u64
    }

    fn told(&mut self, ids: &[Send], at_us: u64) {
        for id in ids {
            if let Some(copy) = self.copies.get_mut(id) {
                copy.told_us = Some(at_us);
            }
        }
    }
}
