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
    asked: Option<(String, Moment)>,
}

impl Bursts {
    /// That of a registration.
    pub fn of(&mut self, registration: &Registration) -> &mut Burst {
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

    /// Whether this answers the last notification; then it is answered.
    pub fn is_answered(&mut self, registration: &Registration, id: &str) -> bool {
        let burst = self.0.get_mut(&registration.key);
        let answered =
            burst.and_then(|burst| burst.asked.take_if(|(asked, _)| asked.as_str() == id));
        answered.is_some()
    }

    /// Whether the last notification has not been answered for too long; it is told once.
    pub fn is_unanswered(&mut self, registration: &Registration, now: Moment) -> bool {
        let burst = self.0.get_mut(&registration.key);
        let unanswered = burst
            .and_then(|burst| burst.asked.take_if(|(_, since)| since.after(ANSWER_MS_MAX) <= now));
        unanswered.is_some()
    }
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

    /// It is told so by this request.
    pub fn notify(&mut self, id: &Text, now: Moment) {
        self.notified = Some(now);
        self.asked = Some((id.to_string(), now));
    }
}
