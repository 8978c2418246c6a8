//! The one writer: gathers what all accounts append, gives the positions, commits in the order
//! of its queue. A value: the shell carries its batches to the store and its outcomes back.
//!
//! A batch whose outcome is unknown (`Fault::Away`) is kept. The store is asked where it stands:
//! either the batch was committed, then committing it again only tells what became of its units;
//! or it was not, then it is committed again under the same number, without the units whose
//! patience is over. Never both, and never "delivered but forgotten".

use crate::{
    ctx::Moment,
    port::{Batch, Fault, Verdict, Written},
    unit::{Change, Committed, Pos, Unit},
};
use std::{collections::VecDeque, sync::Arc};

/// What one unit costs beyond the bytes of its rows: columns, indexes, framing.
const UNIT_OVERHEAD_BYTES: usize = 128;

/// Limits of the writer, each with its unit last.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// Units of one batch.
    pub batch_units_max: usize,
    /// Bytes of one batch. A unit that is larger makes a batch of its own.
    pub batch_bytes_max: usize,
    /// Units that wait for a batch. More are refused.
    pub queue_units_max: usize,
    /// How long a unit waits for a store that is away before it is refused.
    pub store_patience_ms: u64,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self {
            batch_units_max: 1_000,
            batch_bytes_max: 4 << 20,
            queue_units_max: 100_000,
            store_patience_ms: 30_000,
        }
    }
}

/// What became of a unit, for the one who waits for it.
pub type Outcome<T> = (T, Result<Committed, Fault>);

/// Who waits, and since when.
#[derive(Debug)]
struct Waiting<T> {
    token: T,
    since: Moment,
}

/// A batch on its way, and who waits for each of its units.
#[derive(Debug)]
struct Flight<T> {
    batch: Arc<Batch>,
    waiting: Vec<Waiting<T>>,
}

#[derive(Debug)]
enum State<T> {
    /// Nothing under way.
    Idle,
    /// The store has the batch.
    Sent(Flight<T>),
    /// The store went away with the batch.
    Unknown(Flight<T>),
    /// What became of the batch is known to the store; it is to be committed (again).
    Again(Flight<T>),
    /// Nothing more may be written ([`Fault::is_final`]).
    Stopped,
}

/// The writer. `T` tells the shell who waits.
#[derive(Debug)]
pub struct Writer<T> {
    limits: WriterLimits,
    number: i64,
    last: Pos,
    queue: VecDeque<(Waiting<T>, Unit)>,
    state: State<T>,
}

impl<T> Writer<T> {
    /// Goes on where the store says that the last batch ended.
    pub fn resume(last: (i64, Pos), limits: WriterLimits) -> Self {
        let (number, last) = last;
        Self { limits, number, last, queue: VecDeque::new(), state: State::Idle }
    }

    /// Takes a unit into the queue.
    ///
    /// # Errors
    /// Gives the token back at once when the queue is full (`Refused`) or the writer has been
    /// stopped (`Fenced`).
    pub fn push(&mut self, token: T, unit: Unit, now: Moment) -> Result<(), (T, Fault)> {
        if matches!(self.state, State::Stopped) {
            return Err((token, Fault::Fenced));
        }
        if self.queue.len() >= self.limits.queue_units_max {
            return Err((token, Fault::Refused("the queue of the writer is full".into())));
        }
        self.queue.push_back((Waiting { token, since: now }, unit));
        Ok(())
    }

    /// Units that wait for a batch.
    pub fn queue_units(&self) -> usize {
        self.queue.len()
    }

    /// Whether the store is to be asked for `last`, and `recovered` to be told its answer.
    pub fn asks_last(&self) -> bool {
        matches!(self.state, State::Unknown(_))
    }

    /// Whether the writer has been stopped, by the fence or a disk that does not sync: the process
    /// ends.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// The next batch to commit; `None` while one is under way, or when there is nothing to do.
    pub fn next_batch(&mut self, unix_ms: u64) -> Option<Arc<Batch>> {
        let flight = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle if self.queue.is_empty() => return None,
            State::Idle => self.gather(unix_ms),
            State::Again(flight) => flight,
            busy => {
                self.state = busy;
                return None;
            }
        };
        let batch = flight.batch.clone();
        self.state = State::Sent(flight);
        Some(batch)
    }

    fn gather(&mut self, unix_ms: u64) -> Flight<T> {
        let mut units = Vec::new();
        let mut waiting = Vec::new();
        let mut bytes = 0;
        while let Some((_, unit)) = self.queue.front() {
            bytes += unit_bytes(unit);
            let full = units.len() >= self.limits.batch_units_max
                || (!units.is_empty() && bytes > self.limits.batch_bytes_max);
            if full {
                break;
            }
            let Some((who, unit)) = self.queue.pop_front() else { break };
            let positions = unit.entries.iter().map(|_| self.give(unix_ms)).collect();
            units.push((unit, positions));
            waiting.push(who);
        }
        let batch = Batch { number: self.number + 1, last: self.last, units };
        Flight { batch: Arc::new(batch), waiting }
    }

    fn give(&mut self, unix_ms: u64) -> Pos {
        self.last = Pos::next(self.last, unix_ms);
        self.last
    }

    /// Takes the store's answer to the batch under way. Tells the outcomes in the order of the
    /// queue; none while the outcome is unknown.
    pub fn outcome(&mut self, answer: Result<Vec<Verdict>, Fault>) -> Vec<Outcome<T>> {
        let flight = match std::mem::replace(&mut self.state, State::Idle) {
            State::Sent(flight) => flight,
            other => {
                self.state = other;
                return Vec::new();
            }
        };
        match answer {
            Ok(verdicts) => {
                self.number = flight.batch.number;
                settle(flight, verdicts)
            }
            // Nothing of it happened: its number is free, its positions stay unused.
            Err(Fault::Refused(why)) => refuse(flight.waiting, &Fault::Refused(why)),
            Err(Fault::Away(_)) => {
                self.state = State::Unknown(flight);
                Vec::new()
            }
            Err(fault) => self.stop(flight.waiting, &fault),
        }
    }

    /// Takes the store's `last` after a batch's outcome was unknown. Tells what is refused
    /// because its patience is over and it is now known not to be committed: of the batch when
    /// the store is back, of the queue while it is still away.
    pub fn recovered(&mut self, last: Result<(i64, Pos), Fault>, now: Moment) -> Vec<Outcome<T>> {
        let flight = match std::mem::replace(&mut self.state, State::Idle) {
            State::Unknown(flight) => flight,
            other => {
                self.state = other;
                return Vec::new();
            }
        };
        match last {
            Ok((number, _)) if number == flight.batch.number => {
                self.state = State::Again(flight);
                Vec::new()
            }
            Ok((number, _)) if number == self.number => self.again(flight, now),
            Ok(_) => self.stop(flight.waiting, &Fault::Fenced),
            Err(fault) if fault.is_final() => self.stop(flight.waiting, &fault),
            Err(_) => {
                self.state = State::Unknown(flight);
                self.expire(now)
            }
        }
    }

    /// The batch was not committed: what has not waited too long is to be committed again.
    fn again(&mut self, flight: Flight<T>, now: Moment) -> Vec<Outcome<T>> {
        let (flight, refused) = self.thin(flight, now);
        if !flight.waiting.is_empty() {
            self.state = State::Again(flight);
        }
        refused
    }

    /// Takes out of a batch that was not committed the units whose patience is over.
    fn thin(&self, flight: Flight<T>, now: Moment) -> (Flight<T>, Vec<Outcome<T>>) {
        let Flight { batch, waiting } = flight;
        let Batch { number, last, units } = Arc::unwrap_or_clone(batch);
        let mut kept = Flight {
            batch: Arc::new(Batch { number, last, units: Vec::new() }),
            waiting: Vec::new(),
        };
        let mut kept_units = Vec::with_capacity(units.len());
        let mut refused = Vec::new();
        for (who, unit) in waiting.into_iter().zip(units) {
            if self.is_over(&who, now) {
                refused.push((who.token, Err(away())));
                continue;
            }
            kept_units.push(unit);
            kept.waiting.push(who);
        }
        kept.batch = Arc::new(Batch { number, last, units: kept_units });
        (kept, refused)
    }

    /// Refuses what has waited in the queue longer than `store_patience_ms`: it is known not to
    /// be committed. To be called now and then.
    pub fn expire(&mut self, now: Moment) -> Vec<Outcome<T>> {
        let mut refused = Vec::new();
        while let Some((who, _)) = self.queue.front() {
            if !self.is_over(who, now) {
                break;
            }
            let Some((who, _)) = self.queue.pop_front() else { break };
            refused.push((who.token, Err(away())));
        }
        refused
    }

    fn is_over(&self, who: &Waiting<T>, now: Moment) -> bool {
        who.since.after(self.limits.store_patience_ms) <= now
    }

    /// Nothing more is written: whatever the store still holds of us is void, or nobody knows what
    /// it has.
    fn stop(&mut self, mut waiting: Vec<Waiting<T>>, fault: &Fault) -> Vec<Outcome<T>> {
        self.state = State::Stopped;
        waiting.extend(self.queue.drain(..).map(|(who, _)| who));
        refuse(waiting, fault)
    }
}

fn away() -> Fault {
    Fault::Refused("the store has been away for too long".into())
}

fn refuse<T>(waiting: Vec<Waiting<T>>, fault: &Fault) -> Vec<Outcome<T>> {
    waiting.into_iter().map(|who| (who.token, Err(fault.clone()))).collect()
}

fn settle<T>(flight: Flight<T>, verdicts: Vec<Verdict>) -> Vec<Outcome<T>> {
    let Flight { batch, waiting } = flight;
    assert_eq!(verdicts.len(), waiting.len(), "a store tells the verdict of every unit");
    let units = batch.units.iter();
    waiting
        .into_iter()
        .zip(verdicts)
        .zip(units)
        .map(|((who, verdict), (unit, positions))| {
            (who.token, verdict.map(|written| committed(unit, positions, written)))
        })
        .collect()
}

fn committed(unit: &Unit, positions: &[Pos], written: Written) -> Committed {
    let logs = unit.entries.iter().map(|entry| entry.log.clone());
    match (written, &unit.once) {
        (Written::Before(pos), Some(once)) => {
            Committed { places: vec![(once.log.clone(), pos)], repeated: true }
        }
        _ => Committed { places: logs.zip(positions.iter().copied()).collect(), repeated: false },
    }
}

/// What a unit weighs in a batch. An estimate; it must only grow with what the peer sent.
fn unit_bytes(unit: &Unit) -> usize {
    let entries: usize = unit.entries.iter().map(|entry| entry.stanza.len()).sum();
    let changes: usize = unit.changes.iter().map(change_bytes).sum();
    let rows = 1 + unit.entries.len() + unit.changes.len();
    entries + changes + rows * UNIT_OVERHEAD_BYTES
}

fn change_bytes(change: &Change) -> usize {
    match change {
        Change::Put(_, _, key, value) => key.len() + value.len(),
        Change::Swap(_, _, key, old, new) => {
            key.len() + [old, new].into_iter().flatten().map(Vec::len).sum::<usize>()
        }
        Change::Roster(_, item) => {
            let words = item.name.iter().chain(&item.groups).map(|word| word.len());
            let request = item.request.as_ref().map_or(0, |stanza| stanza.wire_len());
            words.sum::<usize>() + request
        }
        Change::Session(_, session) => session.state.len() + session.resource.len(),
        Change::Expunge(_, places) => places.len() * size_of::<Pos>(),
        Change::Redact(_, _, stanza) => stanza.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
