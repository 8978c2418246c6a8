//! What is remembered of the notifications to one account's devices while it is in memory. Who
//! forgets it notifies once more than is needed.

use super::registration::Registration;
use engine::{ctx::Moment, slot::Slot, wire::*};
use std::collections::BTreeMap;

/// A service that has not answered for so long will not, in milliseconds.
const ANSWER_MS_MAX: u64 = 60_000;

/// The bursts of an account, by the cell of the registration.
#[derive(Default)]
pub struct Bursts(BTreeMap<String, Burst>);

impl Slot for Bursts {
    const KEY: &'static str = "push bursts";
}

/// What a device has missed since it was there.
#[derive(Default)]
pub struct Burst {
    /// How many messages.
    pub missed: u64,
    /// When it was notified.
    notified: Option<Moment>,
    /// By which request, not answered yet.
    asked: Option<Asked>,
}

impl Bursts {
    /// That of a registration, one of these. More of them than these is never known: a client may
    /// register under new names for ever, and never say that it is there.
    pub fn of(&mut self, registration: &Registration, all: &[Registration]) -> &mut Burst {
        if !self.0.contains_key(&registration.key) && self.0.len() >= all.len() {
            self.retain(all);
        }
        self.0.entry(registration.key.clone()).or_default()
    }

    /// Only of these registrations.
    pub fn retain(&mut self, registrations: &[Registration]) {
        self.0.retain(|key, _| registrations.iter().any(|one| one.key == *key));
    }

    /// The device is there, and sees what it has missed.
    pub fn end(&mut self, registration: &Registration) {
        if let Some(burst) = self.0.get_mut(&registration.key) {
            (burst.missed, burst.notified) = (0, None);
        }
    }

    /// When this answers the last notification: the number that its message is traced by. Then it
    /// is answered.
    pub fn answered(&mut self, registration: &Registration, id: &str) -> Option<Option<u64>> {
        let asked = &mut self.0.get_mut(&registration.key)?.asked;
        asked.take_if(|asked| asked.id == id).map(|asked| asked.traced)
    }

    /// The same when the last notification has not been answered for too long. It is told once.
    pub fn unanswered(&mut self, registration: &Registration, now: Moment) -> Option<Option<u64>> {
        let asked = &mut self.0.get_mut(&registration.key)?.asked;
        let late = |asked: &mut Asked| asked.since.after(ANSWER_MS_MAX) <= now;
        asked.take_if(late).map(|asked| asked.traced)
    }
}

/// A request that is not answered yet.
struct Asked {
    id: String,
    since: Moment,
    traced: Option<u64>,
}

impl Burst {
    /// One more message, for a device that came last then. Whether it must be told of that.
    pub fn miss(&mut self, urgent: bool, came: Option<Moment>, gap_ms: u64, now: Moment) -> bool {
        if self.notified.is_some_and(|notified| came.is_some_and(|came| came > notified)) {
            (self.missed, self.notified) = (0, None);
        }
        self.missed += 1;
        urgent || self.notified.is_none_or(|notified| notified.after(gap_ms) <= now)
    }

    /// It is told by this request, of a message that is traced by that number.
    pub fn notify(&mut self, id: &Text, traced: Option<u64>, now: Moment) {
        self.notified = Some(now);
        self.asked = Some(Asked { id: id.to_string(), since: now, traced });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::registration, *};
    use engine::cells::Cells;

    #[test]
    fn of_registrations_that_are_no_more_nothing_stays() {
        let mut bursts = Bursts::default();
        for round in 0..100 {
            let cell = |node: u32| {
                let (table, key) = ("push".to_owned(), format!("app@y.example\n{node}"));
                (table, key, b"0\n\nphone\n".to_vec())
            };
            let cells = Cells::load([0, round + 1, round + 2].map(cell).into());
            let all = registration::all(&cells);
            assert_eq!(all.len(), 3);
            for one in &all {
                bursts.of(one, &all).missed += 1;
            }
            assert_eq!(bursts.0.len(), all.len());
            let missed: Vec<_> = all.iter().map(|one| bursts.of(one, &all).missed).collect();
            assert!(missed.contains(&(u64::from(round) + 1)), "those that are there: {missed:?}");
        }
    }
}
