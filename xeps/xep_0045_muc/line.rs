//! What a room does, one thing behind the other: nothing is told before it is durable, and nothing
//! overtakes what was decided before it.

use super::{occupants, show::Show};
use engine::{
    parcel::{Owed, Ticket},
    unit::{Change, Committed, Pos, Unit},
    wire::*,
};
use std::collections::VecDeque;

/// Stanzas that may wait in the line of one room.
pub const WAITING_STEPS_MAX: usize = 4096;

/// What is done at last.
#[derive(Debug)]
pub enum Effect {
    /// This goes out.
    Send(Stanza),
    /// The account of somebody who is written to in private gives its half.
    Whisper(Bare, Stanza, Owed),
    /// The same for another session of that account.
    Copy(Bare, Stanza, Owed),
    /// Everybody who sat when it was decided sees this.
    Show(Box<Show>),
    /// Everybody who sat hears this; said by the session at this address.
    Tell(Stanza, Jid),
    /// A session has come in: what was said before is not told it again.
    Sits(Jid),
    /// Where it begins is written.
    Sat(Jid),
    /// A session comes back after the process was killed: it is shown who was shown lately.
    Greet(Jid),
    /// A session takes what is said again: first what the log has that it has missed.
    CatchUp(Jid),
    /// A session is told what it has missed, from here in the log; whether there is more that it
    /// must ask for.
    Retell(Stanza, Pos, bool),
    /// Who said it has read what was said before.
    Seen(Bare),
    /// Who has entered is told what was said before, and then the subject.
    History(Stanza),
    /// It is where it ought to be: the sender goes on.
    Settle(Owed),
    /// Who asked may not, unless it is found to have been done before.
    Refuse(StanzaError),
    /// The room is no more.
    Vanish,
}

/// Who hears of it when it cannot be done.
#[derive(Clone, Debug, Default)]
pub enum Asker {
    /// An account that waits for it.
    Owed(Owed),
    /// Who sent this.
    Sender(Stanza),
    /// Nobody.
    #[default]
    Nobody,
}

/// All that comes of one stanza.
#[derive(Debug, Default)]
pub struct Step {
    /// Who sat down before this number sees it.
    pub number: u64,
    pub asker: Asker,
    pub unit: Unit,
    pub effects: Vec<Effect>,
    /// Who rises by it, by the number of the seat.
    pub risen: Vec<u64>,
    /// Whether it changes what the room is: then the room is not what it thinks when it is refused.
    pub is_change: bool,
    /// Where the log has the message of it.
    pub committed: Committed,
}

impl Step {
    pub fn send(&mut self, stanza: Stanza) {
        self.effects.push(Effect::Send(stanza));
    }

    pub fn show(&mut self, show: Show) {
        self.effects.push(Effect::Show(Box::new(show)));
    }

    pub fn write(&mut self, change: Change) {
        self.unit.changes.push(change);
    }

    /// Who has this seat does not sit any more.
    pub fn rise(&mut self, room: &Bare, seat: u64) {
        self.risen.push(seat);
        self.write(occupants::forgotten(room, seat));
    }

    /// Where the log of this room has what was said.
    pub fn pos(&self, room: &Bare) -> Option<Pos> {
        self.committed.in_log(room)
    }
}

/// What a step waits for.
#[derive(Debug, PartialEq, Eq)]
enum On {
    Nothing,
    Commit(Ticket),
    Read(u64),
    /// Before it is written: for a read of its own, or for a step in front of it that does.
    Draft(Option<u64>),
}

/// The line.
#[derive(Debug, Default)]
pub struct Line {
    last: u64,
    queue: VecDeque<(On, Step)>,
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether no more may wait.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= WAITING_STEPS_MAX
    }

    /// A step behind all others. What it writes is to be given to the writer under this ticket,
    /// now or when no step in front of it is a draft: the log is in the order of the line.
    pub fn push(&mut self, mut step: Step) -> Option<(Ticket, Unit)> {
        step.is_change = !step.unit.changes.is_empty();
        let on = match step.unit.is_empty() && step.unit.once.is_none() {
            true => On::Nothing,
            false => On::Draft(None),
        };
        self.queue.push_back((on, step));
        self.written().pop()
    }

    /// A step behind all others that writes more than it knows now: what else, is answered under
    /// this number.
    pub fn draft(&mut self, step: Step) -> u64 {
        let number = self.number();
        self.queue.push_back((On::Draft(Some(number)), step));
        number
    }

    /// What else the draft of this number writes. What is to be given to the writer now, in order.
    pub fn drafted(&mut self, number: u64, changes: Vec<Change>) -> Vec<(Ticket, Unit)> {
        let waits = |(on, _): &&mut (On, Step)| *on == On::Draft(Some(number));
        if let Some((on, step)) = self.queue.iter_mut().find(waits) {
            *on = On::Draft(None);
            step.unit.changes.extend(changes);
        }
        self.written()
    }

    /// All that no draft holds back.
    fn written(&mut self) -> Vec<(Ticket, Unit)> {
        let (last, mut written) = (&mut self.last, Vec::new());
        for (on, step) in &mut self.queue {
            match on {
                On::Draft(Some(_)) => break,
                On::Draft(None) => {
                    *last += 1;
                    written.push((Ticket(*last), std::mem::take(&mut step.unit)));
                    *on = On::Commit(Ticket(*last));
                }
                On::Nothing | On::Commit(_) | On::Read(_) => {}
            }
        }
        written
    }

    /// What is left of a step waits for a read, in front of all others. Under this number it is
    /// answered.
    pub fn read(&mut self, rest: Step) -> u64 {
        let number = self.number();
        self.queue.push_front((On::Read(number), rest));
        number
    }

    /// A number for something that is asked beside the line: no read of the line has the same.
    pub fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The writer's outcome; the step is taken out when nothing of it may be done.
    pub fn committed<E>(
        &mut self,
        ticket: Ticket,
        outcome: Result<Committed, E>,
    ) -> Option<(Step, E)> {
        let waits = |(on, _): &(On, Step)| *on == On::Commit(ticket);
        let place = self.queue.iter().position(waits)?;
        match outcome {
            Ok(committed) => {
                let (on, step) = &mut self.queue[place];
                (*on, step.committed) = (On::Nothing, committed);
                None
            }
            Err(fault) => self.queue.remove(place).map(|(_, step)| (step, fault)),
        }
    }

    /// Whether this is the read that all others wait for.
    pub fn reads(&self, number: u64) -> bool {
        self.queue.front().is_some_and(|(on, _)| *on == On::Read(number))
    }

    /// What was read comes before the rest of its step.
    pub fn answered(&mut self, number: u64, read: Vec<Effect>) {
        let waits = |(on, _): &&mut (On, Step)| *on == On::Read(number);
        if let Some((on, step)) = self.queue.iter_mut().find(waits) {
            *on = On::Nothing;
            step.effects.splice(0..0, read);
        }
    }

    /// The next that waits for nothing.
    pub fn ready(&mut self) -> Option<Step> {
        let (on, _) = self.queue.front()?;
        if *on != On::Nothing {
            return None;
        }
        self.queue.pop_front().map(|(_, step)| step)
    }
}
