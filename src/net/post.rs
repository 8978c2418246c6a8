//! The post of one node: an inbox for each shard, a mailbox for each socket. Putting something
//! in never waits.

use crate::{limits::Limits, mailbox::Mailboxes};
use engine::{
    hearing::{Attends, Beside},
    parcel::{Owed, Parcel},
    port::Node,
    shard,
    wire::{Bare, ErrorType, StanzaCondition, StanzaError},
};
use std::{
    collections::VecDeque,
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};
use tokio::sync::Notify;

/// In order.
type Inputs = VecDeque<shard::Input>;

/// The node that there is when there is one.
pub const NODE: Node = Node(1);

/// An inbox for each shard, a mailbox for each socket.
#[derive(Debug)]
pub struct Post {
    inboxes: Box<[Inbox]>,
    pub(crate) mailboxes: Mailboxes,
    hasher: RandomState,
    inbox_parcels_max: usize,
    work: Work,
    dropped: AtomicU64,
}

impl Post {
    /// A post for so many shards.
    pub fn new(limits: Limits, shards: usize) -> Arc<Self> {
        Arc::new(Self {
            inboxes: (0..shards).map(|_| Inbox::default()).collect(),
            mailboxes: Mailboxes::new(limits),
            hasher: RandomState::new(),
            inbox_parcels_max: limits.inbox_parcels_max,
            work: Work::default(),
            dropped: AtomicU64::new(0),
        })
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.inboxes.len()
    }

    fn inbox(&self, of: &Bare) -> &Inbox {
        let shards = u64::try_from(self.inboxes.len()).unwrap_or(1);
        let number = self.hasher.hash_one(of.as_str()) % shards;
        &self.inboxes[usize::try_from(number).unwrap_or(0)]
    }

    /// Puts a parcel where it belongs on this node. What streams, operators and transactions say
    /// is bounded by credit and always taken; a stanza between accounts is refused when the inbox
    /// is full, and its sender told.
    pub fn deliver(&self, parcel: Parcel) {
        match parcel {
            Parcel::ToSocket(link, say) => self.mailboxes.push(link.number, say),
            Parcel::Routed { .. }
            | Parcel::Beside { .. }
            | Parcel::Told { .. }
            | Parcel::News { .. } => {
                if let Some(refused) = self.offer(parcel) {
                    self.turn_away(refused);
                }
            }
            other => self.put(other),
        }
    }

    /// Puts it in, or gives it back when the inbox is full.
    fn offer(&self, parcel: Parcel) -> Option<Parcel> {
        let inbox = self.inbox(parcel.account()?);
        inbox.offer(parcel, self.inbox_parcels_max, &self.work)
    }

    fn put(&self, parcel: Parcel) {
        if let Some(inbox) = parcel.account().map(|of| self.inbox(of)) {
            inbox.push(shard::Input::Parcel(parcel), &self.work);
        }
    }

    /// What a full inbox did not take.
    fn turn_away(&self, parcel: Parcel) {
        let parcel = match parcel {
            Parcel::Beside { to, stanza, beside: Beside { owed, is_copy: false } } => {
                Parcel::Routed { to, stanza, owed }
            }
            other => other,
        };
        if let Parcel::Routed { owed: Some(Owed { sender, ticket }), .. } = parcel {
            return self.put(Parcel::Half { to: sender, ticket, half: Err(full()) });
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        match parcel {
            Parcel::Routed { stanza, .. } => {
                let Some(refusal) = stanza.refused(&full()) else { return };
                let Some(to) = refusal.head.to.as_ref().map(|to| to.bare()) else { return };
                drop(self.offer(Parcel::Routed { to, stanza: refusal, owed: None }));
            }
            // The room has it, and tells it again when the account comes to asking for it.
            Parcel::Told { to, message, .. } => {
                let head = &message.head;
                let Some((from, session)) = head.from.as_ref().zip(head.to.clone()) else { return };
                let (room, attends) = (from.bare(), Attends::Away);
                self.put(Parcel::Missed { to, session: session.clone(), room: room.clone() });
                self.put(Parcel::Attends { room, session, attends });
            }
            // When there is too much to do, news is left: who is away finds the message all the
            // same.
            _ => {}
        }
    }

    /// Tells the shard of this account or host.
    pub(crate) fn tell(&self, of: &Bare, input: shard::Input) {
        self.inbox(of).push(input, &self.work);
    }

    /// Tells every shard.
    pub(crate) fn tell_all(&self, input: impl Fn() -> shard::Input) {
        self.inboxes.iter().for_each(|inbox| inbox.push(input(), &self.work));
    }

    /// Waits for what there is for a shard, and takes it until `inputs` are as many as `max`.
    /// `work` must be told when each of them was handled.
    pub(crate) async fn take(&self, shard: usize, inputs: &mut Inputs, max: usize) {
        poll_fn(|cx| self.inboxes[shard].poll_take(inputs, max, cx.waker())).await;
    }

    /// The same of what there is already.
    pub(crate) fn take_now(&self, shard: usize, inputs: &mut Inputs, max: usize) {
        self.inboxes[shard].lock().take(inputs, max);
    }

    /// What still happens on its own, though nobody says anything any more.
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// Parcels that wait for shards.
    pub(crate) fn waiting(&self) -> usize {
        self.inboxes.iter().map(Inbox::len).sum()
    }

    /// Stanzas that a full inbox refused.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn full() -> StanzaError {
    StanzaError { type_: ErrorType::Wait, ..StanzaCondition::ResourceConstraint.into() }
}

/// Inputs that an inbox has room for while there are fewer.
const INBOX_PLACES_KEPT: usize = 1024;

/// Towards one shard.
#[derive(Default)]
struct Inbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    inputs: Inputs,
    waker: Option<Waker>,
}

impl Inner {
    fn take(&mut self, taken: &mut Inputs, max: usize) {
        let room = max.saturating_sub(taken.len());
        taken.extend(self.inputs.drain(..self.inputs.len().min(room)));
        if self.inputs.is_empty() {
            self.inputs.shrink_to(INBOX_PLACES_KEPT);
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbox({})", self.len())
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        self.lock().inputs.len()
    }

    fn push(&self, input: shard::Input, work: &Work) {
        put(self.lock(), input, work);
    }

    /// Gives it back when there are as many as `max`.
    fn offer(&self, parcel: Parcel, max: usize, work: &Work) -> Option<Parcel> {
        let inner = self.lock();
        if inner.inputs.len() >= max {
            return Some(parcel);
        }
        put(inner, shard::Input::Parcel(parcel), work);
        None
    }

    fn poll_take(&self, taken: &mut Inputs, max: usize, waker: &Waker) -> Poll<()> {
        let mut inner = self.lock();
        if inner.inputs.is_empty() {
            inner.waker = Some(waker.clone());
            return Poll::Pending;
        }
        inner.take(taken, max);
        Poll::Ready(())
    }
}

fn put(mut inner: MutexGuard<'_, Inner>, input: shard::Input, work: &Work) {
    work.begin();
    inner.inputs.push_back(input);
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Counts what is under way: inputs in inboxes, reads, units. At zero, with all sockets gone,
/// nothing can happen any more.
#[derive(Debug, Default)]
pub(crate) struct Work {
    count: AtomicUsize,
    zero: Notify,
}

impl Work {
    /// One more is under way.
    pub(crate) fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// One is done, and what it has caused has begun.
    pub(crate) fn done(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.zero.notify_waiters();
        }
    }

    /// Waits until nothing is under way.
    pub(crate) async fn quiet(&self) {
        loop {
            let zero = self.zero.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            zero.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{
        parcel::{Order, Ticket},
        wire::{Head, Jid, Kind, Stanza},
    };

    fn routed(from: &str, to: &str, owed: Option<Owed>) -> Parcel {
        let to = Bare::parse(to).unwrap();
        let from = Jid::parse(from).unwrap();
        let head = Head::new(Kind::Iq).with_type("get").with_id("1");
        let stanza = Stanza::new(head.with_from(from).with_to(to.clone()));
        Parcel::Routed { to, stanza, owed }
    }

    fn full_post() -> Arc<Post> {
        let post = Post::new(Limits { inbox_parcels_max: 2, ..Limits::default() }, 1);
        (0..2).for_each(|_| post.deliver(routed("a@x/r", "b@x", None)));
        post
    }

    #[tokio::test]
    async fn a_full_inbox_refuses_stanzas_between_accounts() {
        let post = full_post();
        (0..50).for_each(|_| post.deliver(routed("a@x/r", "b@x", None)));
        assert_eq!(post.waiting(), 2);
        assert_eq!(post.dropped(), 50);
    }

    #[tokio::test]
    async fn a_turn_takes_so_many_and_leaves_the_rest_in_order() {
        let post = full_post();
        post.deliver(Parcel::Missed {
            to: Bare::parse("b@x").unwrap(),
            session: Jid::parse("b@x/r").unwrap(),
            room: Bare::parse("garden@rooms.x").unwrap(),
        });
        let mut inputs = VecDeque::new();
        post.take(0, &mut inputs, 2).await;
        post.take_now(0, &mut inputs, 2);
        assert_eq!((inputs.len(), post.waiting()), (2, 1));
        inputs.clear();
        post.take_now(0, &mut inputs, 2);
        let last = &inputs.make_contiguous()[..];
        assert!(matches!(last, [shard::Input::Parcel(Parcel::Missed { .. })]));
    }

    #[tokio::test]
    async fn a_full_inbox_still_tells_who_waits_for_a_half() {
        let post = full_post();
        let owed = Owed { sender: Bare::parse("a@x").unwrap(), ticket: Ticket(7) };
        post.deliver(routed("a@x/r", "b@x", Some(owed)));
        post.deliver(Parcel::Order(
            Bare::parse("b@x").unwrap(),
            Order::Deleted { last: None, farewells: Vec::new() },
        ));
        let mut inputs = VecDeque::new();
        post.take(0, &mut inputs, 9).await;
        assert_eq!(inputs.len(), 4);
        let half = &inputs[2];
        assert!(matches!(
            half,
            shard::Input::Parcel(Parcel::Half { ticket: Ticket(7), half: Err(_), .. })
        ));
    }

    #[tokio::test]
    async fn work_is_quiet_when_all_that_began_is_done() {
        let post = full_post();
        let quiet = post.work().quiet();
        tokio::pin!(quiet);
        assert!(std::future::poll_fn(|cx| Poll::Ready(quiet.as_mut().poll(cx).is_pending())).await);
        (0..2).for_each(|_| post.work().done());
        quiet.await;
    }
}
