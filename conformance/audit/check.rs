//! The auditor: what a history proves that the server has done wrong. It reads nothing but the
//! history, so that it can be tested with histories that never happened.
//!
//! | Rule | What must hold |
//! |---|---|
//! | A1 | what was acknowledged is in all of its logs (sender's, recipient's), once |
//! | A2 | no log has two rows for one send |
//! | A3 | the stanza-id that came with a message is that of its row |
//! | A4 | rows stand in the order of sending, and arrive in the order of the rows |
//! | A5 | what was not acknowledged is in all of its logs, or in none |
//! | A6 | what was refused is in no log |
//! | A7 | a room is a log like others: one order for all who are in it, nobody misses a row |
//! | F-MUC | a ban and every other affiliation that was told to be done is kept |
//! | G6 | who is listed in a room is there, and who takes itself for there is listed |
//!
//! A second copy on one device is a *repeat* when it has the same stanza-id and a delay and comes
//! in a session that was resumed after `kill -9`, or in the first since the store was put back from
//! a copy; else it is a *duplicate*. What a device says in a room comes back to it as often as it
//! has said it.

mod arrivals;
mod rooms;
mod rows;

use super::history::{Device, Event, Log, Send, What};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// Acknowledged, and not in one of its logs (A1).
    Lost,
    /// A device that hears of a log never got one of its rows (A1, A7).
    Missed,
    /// Two rows, two stanza-ids, or a second copy that is no repeat (A2, A4).
    Duplicate,
    /// Arrived by another name than that of its row, or has no row (A3).
    Misnamed,
    /// Rows or arrivals out of order (A4).
    Reorder,
    /// Not acknowledged, and in some of its logs only (A5).
    Torn,
    /// Refused, and in a log nevertheless (A6).
    Contradiction,
    /// A ban, or another affiliation, that was told to be done and is not kept (F-MUC).
    Forgotten,
    /// Listed in a room, and not there (G6).
    Ghost,
    /// Takes itself for there, and is not listed (G6).
    Unlisted,
    /// What no server may say, such as an `h` beyond what was sent.
    Protocol,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which kind.
    pub wrong: Wrong,
    /// Which message, where it is about one.
    pub id: Option<Send>,
    /// In words.
    pub why: String,
}

/// What a history comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// All that is wrong.
    pub findings: Vec<Finding>,
    /// Messages that were sent, however often.
    pub sent: u64,
    /// Of these, those that were sent again.
    pub retried: u64,
    /// Of these, those that were acknowledged.
    pub acked: u64,
    /// Of these, those that were refused.
    pub refused: u64,
    /// First copies that arrived on their own, at any device.
    pub received: u64,
    /// First copies that a device had to ask the archive for.
    pub fetched: u64,
    /// Second copies, as they must be expected after `kill -9`.
    pub repeats: u64,
    /// Of these, copies of what the device had told to have more than five seconds before.
    pub late_repeats: u64,
    /// Copies that arrived on their own though the device had fetched the message.
    pub overlaps: u64,
    /// Of what a device said in a room, copies that came back to it for having said it again.
    pub echoes: u64,
    /// Of first copies that were fetched, those that a room left out when it told a device, whose
    /// session was resumed, what stands behind them.
    pub behind: u64,
    /// Whom devices see, or do not see, in a room at the end, other than the room lists it, since
    /// it did not tell them when their session was resumed after `kill -9`.
    pub stale: u64,
    /// How often somebody was let into a room.
    pub entries: u64,
    /// How often somebody tried to enter a room who was banned there for certain.
    pub pushes: u64,
    /// Bans, kicks, and changes of affiliations that were told to be done.
    pub orders: u64,
    /// Rows of all logs.
    pub rows: u64,
    /// Sessions that were resumed.
    pub resumed: u64,
    /// Sessions that could not be resumed, though their devices had not stayed away for too long.
    pub renewed: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How much is wrong in this way.
    pub fn count(&self, wrong: Wrong) -> usize {
        self.findings.iter().filter(|finding| finding.wrong == wrong).count()
    }

    fn find(&mut self, wrong: Wrong, id: Option<Send>, why: String) {
        self.findings.push(Finding { wrong, id, why });
    }
}

/// What is known of one message.
struct Message {
    device: Device,
    logs: Vec<Log>,
    /// Its place among all first sends.
    place: usize,
    tries: u32,
    acked: bool,
    refused: bool,
}

/// All that the rules look at, besides the order of events.
#[derive(Default)]
struct Facts<'a> {
    logs: BTreeMap<Log, &'a str>,
    rooms: BTreeSet<Log>,
    devices: BTreeMap<Device, (&'a str, &'a [Log])>,
    messages: BTreeMap<Send, Message>,
    /// The rows of each log, in order.
    rows: BTreeMap<Log, Vec<(Send, &'a str)>>,
    /// Where the first row of a message is in a log.
    places: HashMap<(Log, Send), usize>,
}

/// Judges a history.
pub fn check(history: &[Event]) -> Verdict {
    let mut verdict = Verdict::default();
    let facts = Facts::gather(history, &mut verdict);
    facts.check_rows(&mut verdict);
    facts.check_arrivals(history, &mut verdict);
    facts.check_rooms(history, &mut verdict);
    verdict
}

impl<'a> Facts<'a> {
    fn gather(history: &'a [Event], verdict: &mut Verdict) -> Self {
        let mut facts = Self::default();
        for event in history {
            facts.take(&event.what, verdict);
        }
        let messages = facts.messages.values();
        verdict.sent = messages.len() as u64;
        verdict.retried = facts.messages.values().filter(|sent| sent.tries > 1).count() as u64;
        verdict.acked = facts.messages.values().filter(|sent| sent.acked).count() as u64;
        verdict.refused = facts.messages.values().filter(|sent| sent.refused).count() as u64;
        facts
    }

    fn take(&mut self, what: &'a What, verdict: &mut Verdict) {
        match what {
            What::Log { log, jid, room } => {
                self.logs.insert(*log, jid);
                self.rooms.extend(room.then_some(*log));
            }
            What::Device { device, jid, hears } => {
                self.devices.insert(*device, (jid, hears));
            }
            What::Send { device, id, logs } => self.sent(*device, *id, logs),
            What::Acked { ids, .. } => {
                ids.iter().for_each(|id| self.settle(*id, |message| message.acked = true));
            }
            What::Refused { id, .. } => self.settle(*id, |message| message.refused = true),
            What::Row { log, stanza_id, id } => self.row(*log, stanza_id, *id, verdict),
            What::Wrong { device, why } => {
                let why = format!("{}: {why}", self.device(*device));
                verdict.find(Wrong::Protocol, None, why);
            }
            What::Session { .. }
            | What::End { .. }
            | What::Told { .. }
            | What::Recv { .. }
            | What::Room { .. }
            | What::Fault { .. } => {}
        }
    }

    fn sent(&mut self, device: Device, id: Send, logs: &[Log]) {
        let place = self.messages.len();
        // What was refused is not, when it is said again.
        let message = self.messages.entry(id).or_insert_with(|| Message {
            device,
            logs: logs.to_vec(),
            place,
            tries: 0,
            acked: false,
            refused: false,
        });
        message.tries += 1;
        message.refused = false;
    }

    fn settle(&mut self, id: Send, how: impl FnOnce(&mut Message)) {
        if let Some(message) = self.messages.get_mut(&id) {
            how(message);
        }
    }

    fn row(&mut self, log: Log, stanza_id: &'a str, id: Send, verdict: &mut Verdict) {
        verdict.rows += 1;
        let rows = self.rows.entry(log).or_default();
        let place = rows.len();
        rows.push((id, stanza_id));
        self.places.entry((log, id)).or_insert(place);
    }

    /// The address of a device, for people.
    fn device(&self, device: Device) -> &str {
        self.devices.get(&device).map_or("somebody", |(jid, _)| jid)
    }

    /// The address of a log, for people.
    fn log(&self, log: Log) -> &str {
        self.logs.get(&log).copied().unwrap_or("somewhere")
    }
}
