//! What a client counts for stream management (XEP-0198): no I/O.

use super::history::{Log, Send};
use std::collections::VecDeque;

/// Something that was sent and is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// As it was sent.
    pub text: String,
    /// Which message it is and where it must be, if it is one.
    pub message: Option<(Send, Vec<Log>)>,
}

/// The counts of one session, through all streams on which it lives.
#[derive(Clone, Debug, Default)]
pub struct Management {
    /// By which it is resumed.
    pub resume_id: Option<String>,
    /// The last `h` of the server.
    acked: u32,
    waiting: VecDeque<Sent>,
    received: u32,
    untold: Vec<Send>,
}

impl Management {
    /// Of a session that begins.
    pub fn new(resume_id: Option<String>) -> Self {
        Self { resume_id, ..Self::default() }
    }

    /// A stanza is sent for the first time in this session.
    pub fn sends(&mut self, sent: Sent) {
        self.waiting.push_back(sent);
    }

    /// A stanza has come; which message it is, if it is one.
    pub fn receives(&mut self, id: Option<Send>) {
        self.received = self.received.wrapping_add(1);
        self.untold.extend(id);
    }

    /// The `h` to tell.
    pub fn h(&self) -> u32 {
        self.received
    }

    /// The messages that the server has not been told of; it is told now.
    pub fn tell(&mut self) -> Vec<Send> {
        std::mem::take(&mut self.untold)
    }

    /// The server has acknowledged: the messages that it had not acknowledged before. `h` counts
    /// modulo 2^32 (section 4).
    ///
    /// # Errors
    /// When it goes back, or beyond what was sent.
    pub fn ack(&mut self, h: u32) -> Result<Vec<Send>, String> {
        let count = h.wrapping_sub(self.acked) as usize;
        if count > self.waiting.len() {
            let (acked, waiting) = (self.acked, self.waiting.len());
            return Err(format!("h='{h}' after h='{acked}', with {waiting} to be acknowledged"));
        }
        self.acked = h;
        Ok(self.waiting.drain(..count).filter_map(|sent| sent.message).map(|(id, _)| id).collect())
    }

    /// What is not acknowledged, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Sent> {
        self.waiting.iter()
    }

    /// How many messages are not acknowledged.
    pub fn messages_waiting(&self) -> usize {
        self.waiting.iter().filter(|sent| sent.message.is_some()).count()
    }

    /// The messages that are not acknowledged, for another session.
    pub fn into_waiting(self) -> VecDeque<Sent> {
        self.waiting.into_iter().filter(|sent| sent.message.is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(id: Option<Send>) -> Sent {
        Sent { text: String::new(), message: id.map(|id| (id, Vec::new())) }
    }

    #[test]
    fn an_h_covers_what_it_had_not_covered_section_4() {
        let mut management = Management::default();
        [Some(1), None, Some(2), Some(3)].into_iter().for_each(|id| management.sends(sent(id)));
        assert_eq!(management.ack(3).unwrap(), [1, 2]);
        assert!(management.ack(3).unwrap().is_empty());
        assert_eq!(management.messages_waiting(), 1);
        assert!(management.ack(2).is_err(), "it goes back");
        assert!(management.ack(5).is_err(), "it goes beyond");
        assert_eq!(management.into_waiting(), [sent(Some(3))]);
    }

    #[test]
    fn counts_go_on_past_two_to_the_32_section_4() {
        let mut management = Management { acked: u32::MAX, ..Management::default() };
        [1, 2].into_iter().for_each(|id| management.sends(sent(Some(id))));
        assert_eq!(management.ack(1).unwrap(), [1, 2]);
        management.received = u32::MAX;
        management.receives(Some(9));
        assert_eq!((management.h(), management.tell()), (0, vec![9]));
    }
}
