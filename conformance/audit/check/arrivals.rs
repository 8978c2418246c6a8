//! What must hold of that which arrives: A3, the order of A4, and that nobody misses a row (A7).

use super::{Facts, Verdict, Wrong};
use crate::audit::history::{Device, Does, Event, How, Log, Send, Via, What};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How long before a kill a device may have told that it has what is repeated. Two seconds are
/// promised, two are the delay of what is written once a second, one is for a busy machine.
const TOLD_US_MAX: u64 = 5_000_000;

/// What one device has lived through so far.
#[derive(Default)]
struct Life<'a> {
    /// Its session was resumed after the server had forgotten.
    after_kill: bool,
    /// Faults that forget, up to its last session.
    kills: u32,
    online: bool,
    copies: HashMap<Send, Copy<'a>>,
    /// How often it has said what.
    tries: HashMap<Send, u32>,
    /// Rooms whose archive it asks though it has been in them all the time.
    doubts: BTreeSet<Log>,
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
    /// It ought to have come on its own.
    behind: bool,
    told_us: Option<u64>,
}

/// A copy that arrives.
struct Arrival<'a> {
    at_us: u64,
    id: Send,
    log: Log,
    stanza_id: Option<&'a str>,
    via: Via,
    delay: bool,
}

impl Facts<'_> {
    pub(super) fn check_arrivals(&self, history: &[Event], verdict: &mut Verdict) {
        let mut lives: BTreeMap<Device, Life<'_>> = BTreeMap::new();
        let mut killed_us = 0;
        for Event { at_us, what } in history {
            match what {
                What::Fault { fault } if fault.forgets() => {
                    killed_us = *at_us;
                }
                What::Session { device, how, forgot, .. } => {
                    let life = lives.entry(*device).or_default();
                    life.after_kill = *how == How::Resumed && *forgot > life.kills;
                    life.kills = *forgot;
                    life.online = true;
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
                        Does::Outside { .. } => _ = life.doubts.remove(log),
                        Does::Vanishes => life.vanished = true,
                        _ => {}
                    }
                }
                What::Recv { device, id, log, stanza_id, via, delay } => {
                    let stanza_id = stanza_id.as_deref();
                    let (at_us, id, log) = (killed_us, *id, *log);
                    let (via, delay) = (*via, *delay);
                    let arrival = Arrival { at_us, id, log, stanza_id, via, delay };
                    let life = lives.entry(*device).or_default();
                    self.arrives(*device, life, arrival, verdict);
                }
                _ => {}
            }
        }
        let copies = lives.values().flat_map(|life| life.copies.values());
        let behind = copies.filter(|copy| copy.behind && !copy.pushed).count();
        verdict.behind = behind as u64;
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
                let late = copy.told_us.is_some_and(|told| told + TOLD_US_MAX < arrival.at_us);
                verdict.late_repeats += u64::from(late);
            } else if pushed {
                let (who, id, via) = (self.device(device), arrival.id, arrival.via);
                let why = format!("{who}: {id} came again, {via:?}, delay {}", arrival.delay);
                verdict.find(Wrong::Duplicate, Some(id), why);
            }
            return;
        }
        let behind = !pushed && life.doubts.contains(&arrival.log);
        let (stanza_id, times) = (arrival.stanza_id, u32::from(pushed));
        let copy = Copy { stanza_id, pushed, times, behind, told_us: None };
        life.copies.insert(arrival.id, copy);
        if !pushed {
            verdict.fetched += 1;
            return;
        }
        verdict.received += 1;
        if life.tries.get(&arrival.id).is_some_and(|tries| *tries > 1) {
            // What it says again comes back to it when it does (A7), wherever it stands.
            return;
        }
        let Some(place) = self.places.get(&(arrival.log, arrival.id)) else { return };
        let before = life.last.insert(arrival.log, (*place, arrival.id));
        if let Some((_, other)) = before.filter(|(other, _)| other > place) {
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

impl Life<'_> {
    fn told(&mut self, ids: &[Send], at_us: u64) {
        for id in ids {
            if let Some(copy) = self.copies.get_mut(id) {
                copy.told_us.get_or_insert(at_us);
            }
        }
    }
}
