//! What waits for one socket: a deque and a waker behind a lock. Anybody may put something in;
//! the connection's task takes it all.

use crate::limits::{Limits, TAKEN_BYTES_MAX};
use engine::parcel::Say;
use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

/// What a letter takes in memory beside what is written of it, in bytes; about.
const LETTER_BYTES: usize = 256;
/// A mailbox may hold such a part of what all of them leave free, when it is more than each may
/// hold in any case. So one client on a slow line is told all that it asks for, of a hundred no
/// more than there is memory for, and one more finds room as well.
const FREE_PARTS: usize = 8;

/// Towards one socket.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    letters: Letters,
    bytes: usize,
    wants: Wants,
    /// It has been too full once; nothing is put in any more.
    overflown: bool,
    waker: Option<Waker>,
}

/// What the task waits for. Each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wants {
    /// That its mailbox is too full, or the server stops.
    Urgent,
    /// Letters.
    #[default]
    Letters,
    /// Credit.
    Settled,
}

/// What was taken.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// In order.
    pub(crate) say: VecDeque<Say>,
    /// What they have taken in memory, in bytes.
    pub(crate) weight: usize,
    /// Stanzas settled.
    pub(crate) settled: u32,
    /// More came than may wait; what waited is gone. Final.
    pub(crate) overflow: bool,
    /// The server stops. Final.
    pub(crate) shutdown: bool,
    /// More waits than was taken.
    pub(crate) more: bool,
}

impl Letters {
    fn holds(&self, wants: Wants) -> bool {
        let urgent = self.overflow || self.shutdown;
        urgent || wants > Wants::Urgent && (self.settled > 0 || !self.say.is_empty())
    }
}

impl Inner {
    /// The waker, if the task waits for such an event.
    fn rouse(&mut self, event: Wants) -> Option<Waker> {
        if self.wants < event {
            return None;
        }
        self.waker.take()
    }

    /// What waits takes so much memory, in bytes.
    fn weight(&self) -> usize {
        self.bytes + self.letters.say.len() * LETTER_BYTES
    }

    /// Whether more waits than may, when all mailboxes leave so many bytes.
    fn is_overfull(&self, limits: &Limits, free: usize) -> bool {
        let waiting = self.letters.say.len();
        let is_more = waiting > limits.mailbox_stanzas_max || self.bytes > limits.mailbox_bytes_max;
        is_more && self.weight() > free / FREE_PARTS
    }

    /// All letters, or as many as fill a record of TLS twice.
    fn some(&mut self) -> VecDeque<Say> {
        if self.bytes <= TAKEN_BYTES_MAX {
            self.bytes = 0;
            return mem::take(&mut self.letters.say);
        }
        let mut taken = 0;
        let mut say = VecDeque::new();
        while taken <= TAKEN_BYTES_MAX {
            let Some(next) = self.letters.say.pop_front() else { break };
            taken += size(&next);
            say.push_back(next);
        }
        self.bytes -= taken;
        say
    }
}

fn size(say: &Say) -> usize {
    match say {
        Say::Stanza(stanza) => stanza.wire_len(),
        Say::Nonza(nonza) | Say::Resumed(_, nonza) | Say::Unresumed(nonza) => nonza.as_str().len(),
        Say::Settled(_) | Say::Bound(..) | Say::Unbound(_) | Say::End(_) => 0,
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held; and a deque is whole after every call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, when all mailboxes leave so many bytes free. Returns how many stanzas,
    /// and bytes of memory, more (or less) wait now.
    fn push(&self, say: Say, limits: &Limits, free: usize) -> [isize; 2] {
        let mut inner = self.lock();
        if inner.overflown {
            return [0, 0];
        }
        if let Say::Settled(stanzas) = say {
            inner.letters.settled += stanzas;
            let waker = inner.rouse(Wants::Settled);
            drop(inner);
            wake(waker);
            return [0, 0];
        }
        let before = [inner.letters.say.len(), inner.weight()];
        inner.bytes += size(&say);
        inner.letters.say.push_back(say);
        let mut event = Wants::Letters;
        if inner.is_overfull(limits, free) {
            inner.letters.say = VecDeque::new();
            inner.bytes = 0;
            inner.letters.overflow = true;
            inner.overflown = true;
            event = Wants::Urgent;
        }
        let after = [inner.letters.say.len(), inner.weight()];
        let waker = inner.rouse(event);
        drop(inner);
        wake(waker);
        [0, 1].map(|of| after[of].wrapping_sub(before[of]).cast_signed())
    }

    fn shutdown(&self) {
        let mut inner = self.lock();
        inner.letters.shutdown = true;
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    /// Takes what there is of what is wanted. The task is woken by what comes then.
    pub(crate) fn take(&self, wants: Wants, cx: &Context<'_>) -> Option<Letters> {
        let mut inner = self.lock();
        inner.wants = wants;
        match &inner.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => inner.waker = Some(cx.waker().clone()),
        }
        if !inner.letters.holds(wants) {
            return None;
        }
        let before = inner.weight();
        let say = inner.some();
        let weight = before - inner.weight();
        let rest = mem::take(&mut inner.letters.say);
        let more = !rest.is_empty();
        let letters = Letters { say, weight, more, ..mem::take(&mut inner.letters) };
        inner.letters.say = rest;
        Some(letters)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

const SHELVES: usize = 64;

/// All mailboxes of this node, by the number of their link.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    shelves: [Mutex<HashMap<u64, Arc<Mailbox>>>; SHELVES],
    next: AtomicU64,
    waiting: AtomicUsize,
    /// What that takes in memory, in bytes. For a moment it may be less than nothing: what is put
    /// in is counted behind that.
    weight: AtomicIsize,
    /// The server stops.
    stopping: AtomicBool,
    limits: Limits,
}

impl Mailboxes {
    pub(crate) fn new(limits: Limits) -> Self {
        let shelves = std::array::from_fn(|_| Mutex::default());
        let (waiting, weight, stopping) = Default::default();
        Self { shelves, next: AtomicU64::new(1), waiting, weight, stopping, limits }
    }

    fn shelf(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Arc<Mailbox>>> {
        let shelf = &self.shelves[usize::try_from(number).unwrap_or(0) % SHELVES];
        shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A mailbox under a number that was never used before.
    pub(crate) fn open(&self) -> (u64, Arc<Mailbox>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::default());
        let mut shelf = self.shelf(number);
        shelf.insert(number, mailbox.clone());
        // What was under way when the server stopped, a handshake or an upgrade, ends at once. Said
        // while the shelf is locked: either this sees that the server stops, or `shutdown` sees it.
        if self.stopping.load(Ordering::Relaxed) {
            mailbox.shutdown();
        }
        drop(shelf);
        (number, mailbox)
    }

    /// Its socket is gone; what still comes for it is dropped.
    pub(crate) fn close(&self, number: u64) {
        let Some(mailbox) = self.shelf(number).remove(&number) else { return };
        let mut inner = mailbox.lock();
        let weight = inner.weight();
        let left = mem::take(&mut inner.letters).say.len();
        inner.bytes = 0;
        drop(inner);
        self.taken(left, weight);
    }

    /// Puts something into a mailbox that may be gone.
    pub(crate) fn push(&self, number: u64, say: Say) {
        let shelf = self.shelf(number);
        let Some(mailbox) = shelf.get(&number) else { return };
        // Counted while the shelf is locked, so that `close` finds what was counted.
        let weight = usize::try_from(self.weight.load(Ordering::Relaxed)).unwrap_or(0);
        let free = self.limits.mailboxes_bytes_max.saturating_sub(weight);
        let [letters, bytes] = mailbox.push(say, &self.limits, free);
        self.waiting.fetch_add(letters.cast_unsigned(), Ordering::Relaxed);
        self.weight.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many letters were taken, and what they took in memory, in bytes.
    pub(crate) fn taken(&self, letters: usize, weight: usize) {
        self.waiting.fetch_sub(letters, Ordering::Relaxed);
        self.weight.fetch_sub(weight.cast_signed(), Ordering::Relaxed);
    }

    /// Letters that wait in all mailboxes together.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Tells all of them that the server stops.
    pub(crate) fn shutdown(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        for shelf in &self.shelves {
            let shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.values().for_each(|mailbox| mailbox.shutdown());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::wire::{Head, Kind, Stanza};

    fn message() -> Say {
        Say::Stanza(Stanza::new(Head::new(Kind::Message)))
    }

    fn take(mailbox: &Mailbox) -> Option<Letters> {
        mailbox.take(Wants::Letters, &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn letters_come_out_in_order_and_once() {
        let boxes = Mailboxes::new(Limits::default());
        let (number, mailbox) = boxes.open();
        boxes.push(number, message());
        boxes.push(number, Say::Settled(2));
        boxes.push(number, Say::Settled(1));
        boxes.push(number, Say::Unbound(engine::wire::StanzaCondition::Conflict.into()));
        assert_eq!(boxes.waiting(), 2);
        let mut letters = take(&mailbox).unwrap();
        boxes.taken(letters.say.len(), letters.weight);
        let [Say::Stanza(_), Say::Unbound(_)] = &*letters.say.make_contiguous() else {
            panic!("{letters:?}");
        };
        assert_eq!(letters.settled, 3);
        assert!(take(&mailbox).is_none());
        assert_eq!((boxes.waiting(), boxes.weight.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_peer_that_does_not_read_fills_its_mailbox_and_no_more() {
        let limits = Limits { mailbox_stanzas_max: 3, mailboxes_bytes_max: 0, ..Limits::default() };
        let boxes = Mailboxes::new(limits);
        let (number, mailbox) = boxes.open();
        (0..100).for_each(|_| boxes.push(number, message()));
        assert_eq!(boxes.waiting(), 0);
        let letters = take(&mailbox).unwrap();
        assert!(letters.overflow && letters.say.is_empty());
        boxes.push(number, message());
        assert!(take(&mailbox).is_none());
    }

    #[test]
    fn bytes_are_limited_as_stanzas_are() {
        let boxes = Mailboxes::new(Limits {
            mailbox_bytes_max: 40,
            mailboxes_bytes_max: 0,
            ..Limits::default()
        });
        let (number, mailbox) = boxes.open();
        (0..20).for_each(|_| boxes.push(number, message()));
        assert!(take(&mailbox).unwrap().overflow);
    }

    /// Letters are put into so many mailboxes by turns, until each has been too full, when a
    /// hundred may wait in all. So many wait at most: in one of them, and in all.
    fn most(mailboxes: usize) -> (usize, usize) {
        const BYTES: usize = 100 * LETTER_BYTES;
        let limits =
            Limits { mailbox_stanzas_max: 1, mailboxes_bytes_max: BYTES, ..Limits::default() };
        let boxes = Mailboxes::new(limits);
        let all: Vec<_> = (0..mailboxes).map(|_| boxes.open()).collect();
        let (mut one, mut together) = (0, 0);
        while all.iter().any(|(_, mailbox)| !mailbox.lock().overflown) {
            for (number, mailbox) in &all {
                boxes.push(*number, message());
                let inner = mailbox.lock();
                let holds = inner.letters.say.len();
                assert!(!inner.overflown || one > 1, "each may hold one in any case");
                (one, together) = (one.max(holds), together.max(boxes.waiting()));
            }
        }
        assert_eq!((boxes.waiting(), boxes.weight.load(Ordering::Relaxed)), (0, 0));
        (one, together)
    }

    #[test]
    fn one_slow_peer_holds_a_part_of_what_is_free_and_many_share_it() {
        let (one, together) = most(1);
        assert!(one > 8 && one <= 100 / FREE_PARTS && one == together, "{one}, {together}");
        let (one, together) = most(40);
        assert!(one <= 100 / FREE_PARTS && together > 60 && together < 100, "{one}, {together}");
    }

    #[test]
    fn who_comes_late_hears_that_the_server_stops_too() {
        let boxes = Mailboxes::new(Limits::default());
        let (_, before) = boxes.open();
        boxes.shutdown();
        let (_, after) = boxes.open();
        assert!([before, after].iter().all(|mailbox| take(mailbox).unwrap().shutdown));
    }

    #[test]
    fn what_comes_for_a_closed_mailbox_is_dropped() {
        let boxes = Mailboxes::new(Limits::default());
        let (number, mailbox) = boxes.open();
        boxes.push(number, message());
        boxes.close(number);
        boxes.push(number, message());
        assert_eq!((boxes.waiting(), boxes.weight.load(Ordering::Relaxed)), (0, 0));
        assert!(take(&mailbox).is_none());
    }
}
