//! The line of what waits for a commit, in the order of the account's stanzas.
//!
//! Units go to the writer in that order, so a committed count is a true prefix. Outputs are
//! released per pair of accounts in that order, whichever resources are named (RFC 6120 §10.1):
//! a slow store holds nothing that has no unit, unless the same pair has an uncommitted one
//! before it.
//!
//! Everything here takes the same time however many wait.

use super::wait::{Accounts, Pair, Place, Wait};
use crate::{
    parcel::{Link, Owed, Ticket},
    unit::{Change, Unit},
};
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap, VecDeque};
use wire::Bare;

/// Stanzas of the account's own sessions that may wait; as many again that came from elsewhere.
pub const WAITING_STANZAS_MAX: usize = 4096;
/// Bytes of stanzas from elsewhere that may wait. Those of its own sessions hold their credit.
pub const WAITING_BYTES_MAX: usize = 8 << 20;
/// Places of the line that have room when it is empty.
const PLACES_KEPT: usize = 64;

/// Numbers of the line: of most messages there is one.
type Theirs = SmallVec<[u64; 1]>;

/// The line of what waits.
#[derive(Default)]
pub(super) struct Waiting {
    /// By number, from `first` on. Who has gone leaves an empty place until it is the first.
    line: VecDeque<Option<Box<Wait>>>,
    first: u64,
    /// The numbers of those whose unit the writer has not been given, in order.
    unsent: VecDeque<u64>,
    /// The numbers of those that wait for a sender: copies of one message wait for the same.
    theirs: BTreeMap<Owed, Theirs>,
    /// Asked, never iterated.
    pairs: HashMap<Accounts, Ends>,
    /// How many of them the cells at hand will learn from.
    learning: usize,
    /// The pair of which one is let go now, and the last that this has put into the line. Those
    /// stand before all that waits behind it.
    turn: Option<(Accounts, Option<u64>)>,
    own: usize,
    routed: usize,
    routed_bytes: usize,
    holding: Holding,
}

/// What waits that a cell is to keep for who comes (see `Passage::hold`), and has not been
/// released: it may be committed, but who comes now is not told of it before its turn.
#[derive(Default)]
pub struct Holding {
    keys: BTreeMap<String, usize>,
    bytes: usize,
}

impl Holding {
    /// Whether the cell of this key is one.
    pub fn holds(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// About how long they are together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, key: &str, bytes: usize) {
        self.bytes += bytes;
        self.keys.insert(key.to_owned(), bytes);
    }

    fn remove(&mut self, key: &str) {
        self.bytes -= self.keys.remove(key).unwrap_or_default();
    }
}

/// The first and the last of a pair.
struct Ends {
    first: u64,
    last: u64,
    /// How many of them leave only when they are let go.
    leaving: usize,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// What of it is to be kept in a cell, and has not been released.
    pub fn holding(&self) -> &Holding {
        &self.holding
    }

    /// Whether there is no room for what the account's sessions say.
    pub fn is_full(&self) -> bool {
        self.own >= WAITING_STANZAS_MAX
    }

    /// Whether there is no room for what comes from elsewhere.
    pub fn is_overrun(&self) -> bool {
        self.routed >= WAITING_STANZAS_MAX || self.routed_bytes >= WAITING_BYTES_MAX
    }

    /// Whether anything of this pair waits.
    pub fn holds(&self, pair: impl Into<Accounts>) -> bool {
        if self.pairs.is_empty() {
            return false;
        }
        let pair = pair.into();
        match &self.turn {
            // Who is let go waits only for what it has put into the line itself.
            Some((turn, put)) if *turn == pair => put.is_some(),
            _ => self.pairs.contains_key(&pair),
        }
    }

    /// Whether something of this pair that waits has not left the account yet: what comes behind it
    /// may not leave before it (RFC 6120 §10.1).
    pub fn holds_back(&self, pair: &Pair) -> bool {
        !self.pairs.is_empty()
            && self.pairs.get(&Accounts::from(pair)).is_some_and(|ends| ends.leaving > 0)
    }

    /// One of this pair is let go, until `turn_ends`.
    pub fn turn_begins(&mut self, pair: &Accounts) {
        self.turn = Some((pair.clone(), None));
    }

    pub fn turn_ends(&mut self) {
        self.turn = None;
    }

    /// The ticket of what is pushed next.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.first + self.line.len() as u64)
    }

    /// The last of this stream that has a unit.
    pub fn last_unit_of(&self, link: Link) -> Option<Ticket> {
        let back = self.line.iter().enumerate().rev();
        let mut units = back.filter_map(|(at, wait)| Some((at, wait.as_ref()?)));
        let last = units.find(|(_, wait)| {
            wait.settles.is_some_and(|by| by.link == link)
                && matches!(wait.place, Place::Half | Place::Mine)
        });
        last.map(|(at, _)| Ticket(self.first + at as u64))
    }

    pub fn push(&mut self, mut wait: Wait) {
        let Ticket(number) = self.ticket();
        let before = match &mut self.turn {
            Some((turn, put)) if *turn == wait.pair => put.replace(number),
            _ => self.pairs.get(&wait.pair).map(|ends| ends.last),
        };
        let ends = self.pairs.entry(wait.pair.clone());
        let ends = ends.or_insert(Ends { first: number, last: number, leaving: 0 });
        ends.leaving += usize::from(wait.leaves);
        match before {
            None if ends.first != number => {
                wait.next = Some(std::mem::replace(&mut ends.first, number))
            }
            Some(before) if ends.last == before => ends.last = number,
            _ => {}
        }
        if let Some(before) = before.and_then(|before| self.at(Ticket(before))) {
            wait.next = before.next.replace(number);
        }
        if wait.unit.is_some() {
            self.unsent.push_back(number);
        }
        if let Place::Theirs(owed) = &wait.place {
            self.theirs.entry(owed.clone()).or_default().push(number);
        }
        if let Some((key, bytes)) = &wait.held {
            self.holding.add(key, *bytes);
        }
        self.learning += usize::from(!wait.learns.is_empty());
        match wait.settles {
            Some(_) => self.own += 1,
            None => {
                (self.routed, self.routed_bytes) = (self.routed + 1, self.routed_bytes + wait.bytes)
            }
        }
        self.line.push_back(Some(Box::new(wait)));
    }

    /// What had nothing to write has something now: all of it is the other half.
    pub fn has_unit(&mut self, Ticket(number): Ticket) {
        self.unsent.push_back(number);
    }

    pub fn at(&mut self, Ticket(number): Ticket) -> Option<&mut Wait> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.line.get_mut(place)?.as_deref_mut()
    }

    /// Whether the cells at hand are about to change.
    pub fn is_learning(&self) -> bool {
        self.learning > 0
    }

    /// What the cells at hand are about to learn, in order.
    pub fn lessons(&self) -> impl Iterator<Item = &Change> {
        self.line.iter().flatten().flat_map(|wait| &wait.learns)
    }

    /// What the cells at hand learn from it, once.
    pub fn lesson(&mut self, ticket: Ticket) -> Vec<Change> {
        let learns = self.at(ticket).map(|wait| std::mem::take(&mut wait.learns));
        let learns = learns.unwrap_or_default();
        self.learning -= usize::from(!learns.is_empty());
        learns
    }

    /// Whether anything waits for this sender.
    pub fn is_owed(&self, owed: &Owed) -> bool {
        self.theirs.contains_key(owed)
    }

    /// What waits for this sender, in order.
    pub fn owed(&mut self, owed: &Owed) -> impl Iterator<Item = Ticket> + use<> {
        self.theirs.remove(owed).unwrap_or_default().into_iter().map(Ticket)
    }

    /// The next unit that may go to the writer: not behind one that lacks its other half.
    pub fn due(&mut self) -> Option<(Ticket, Unit, Option<Bare>)> {
        while let Some(ticket) = self.unsent.front().copied().map(Ticket) {
            let due = match self.at(ticket) {
                Some(Wait { place: Place::Half, .. }) => return None,
                Some(wait) => wait.unit.take().zip(Some(wait.recipient.take())),
                None => None,
            };
            self.unsent.pop_front();
            if let Some((unit, recipient)) = due {
                return Some((ticket, unit, recipient));
            }
        }
        None
    }

    /// The first of this pair, if it waits for nothing else.
    pub fn ready(&mut self, pair: &Accounts) -> Option<(Ticket, Box<Wait>)> {
        let ticket = Ticket(self.pairs.get(pair)?.first);
        if !matches!(self.at(ticket)?.place, Place::Ready(_)) {
            return None;
        }
        let wait = self.remove(ticket)?;
        match wait.next {
            Some(next) => {
                let ends = self.pairs.get_mut(pair)?;
                ends.first = next;
                ends.leaving -= usize::from(wait.leaves);
            }
            None => {
                self.pairs.remove(pair);
            }
        }
        if self.line.is_empty() && self.line.capacity() > PLACES_KEPT {
            // A quiet account keeps no room for what once waited here.
            *self = Self { first: self.first, ..Self::default() };
        }
        Some((ticket, wait))
    }

    fn remove(&mut self, Ticket(number): Ticket) -> Option<Box<Wait>> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let wait = self.line.get_mut(place)?.take()?;
        while let Some(None) = self.line.front() {
            self.line.pop_front();
            self.first += 1;
        }
        if let Some((key, _)) = &wait.held {
            self.holding.remove(key);
        }
        self.learning -= usize::from(!wait.learns.is_empty());
        match wait.settles {
            Some(_) => self.own -= 1,
            None => {
                (self.routed, self.routed_bytes) = (self.routed - 1, self.routed_bytes - wait.bytes)
            }
        }
        Some(wait)
    }
}
