//! One task, hosting the writer: gathers units, commits batches back to back, or as far apart as
//! the operator wants them.

use crate::{
    clock::{Clock, unix_ms},
    limits::Limits,
    meters::Meters,
    post::Post,
};
use engine::{
    parcel::Ticket,
    port::{Batch, Fault, Store, Verdict},
    shard,
    unit::{Committed, Unit},
    wire::Bare,
    writer::{Writer, WriterLimits},
};
use std::{
    future::poll_fn,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How often a store that is away is asked whether it is back.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// Who waits for a unit.
#[derive(Debug)]
pub(crate) enum Token {
    /// An account's line, and who gave half of the unit.
    Line(Bare, Ticket, Option<Bare>),
    /// The operator.
    Operator(oneshot::Sender<Result<Committed, Fault>>),
}

/// The way to the writer. Never waits; what may wait is bounded by the credit of all streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    away: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    units: Vec<(Token, Unit)>,
    waker: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a unit over.
    pub(crate) fn push(&self, token: Token, unit: Unit) {
        let mut inner = self.lock();
        inner.units.push((token, unit));
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Hands a unit over and waits for what becomes of it.
    pub(crate) async fn commit(&self, unit: Unit) -> Result<Committed, Fault> {
        let (token, outcome) = oneshot::channel();
        self.push(Token::Operator(token), unit);
        outcome.await.unwrap_or(Err(Fault::Fenced))
    }

    /// Units that wait, not counting those of the batch under way.
    pub(crate) fn len(&self) -> usize {
        self.lock().units.len()
    }

    /// The store does not answer.
    pub(crate) fn is_away(&self) -> bool {
        self.0.away.load(Ordering::Relaxed)
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            let mut inner = self.lock();
            if !inner.units.is_empty() {
                return Poll::Ready(());
            }
            inner.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The task that hosts the writer.
pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) post: Arc<Post>,
    pub(crate) meters: Arc<Meters>,
}

impl Host {
    /// Commits until the store is fenced, or does not sync: then nothing more may be written, and
    /// the process must end.
    pub(crate) async fn run(self, last: (i64, engine::unit::Pos), limits: Limits) {
        let Limits { store_patience_ms, gather_ms, .. } = limits;
        let limits = WriterLimits { store_patience_ms, ..WriterLimits::default() };
        let mut writer = Writer::resume(last, limits);
        while !writer.is_stopped() {
            self.gather(&mut writer);
            if let Some(batch) = writer.next_batch(unix_ms()) {
                let rests = self.clock.now().after(gather_ms);
                let answer = self.commit(&batch).await;
                self.settle(writer.outcome(answer));
                // What comes meanwhile goes together. Who comes later, and alone, does not wait.
                if gather_ms > 0 {
                    self.clock.reaches(Some(rests)).await;
                }
            } else if writer.asks_last() {
                self.ask_last(&mut writer).await;
            } else {
                self.queue.wait().await;
            }
        }
        self.refuse_all();
    }

    fn gather(&self, writer: &mut Writer<Token>) {
        let units = mem::take(&mut self.queue.lock().units);
        let now = self.clock.now();
        for (token, unit) in units {
            if let Err((token, fault)) = writer.push(token, unit, now) {
                self.settle(vec![(token, Err(fault))]);
            }
        }
    }

    async fn commit(&self, batch: &Batch) -> Result<Vec<Verdict>, Fault> {
        let begun = Instant::now();
        let answer = self.store.commit(batch).await;
        match &answer {
            Ok(_) => {
                self.meters.commit_seconds.record(begun.elapsed());
                self.meters.commit_units.record(batch.units.len() as f64);
            }
            Err(fault) => tracing::error!(%fault, units = batch.units.len(), "a commit failed"),
        }
        self.away(matches!(answer, Err(Fault::Away(_))));
        answer
    }

    async fn ask_last(&self, writer: &mut Writer<Token>) {
        // Also a store that answers may fail again at once, as one whose disk is full.
        tokio::time::sleep(AWAY_PAUSE).await;
        let last = self.store.last().await;
        if let Err(fault) = &last {
            tracing::warn!(%fault, "the store does not tell its last batch");
        }
        self.settle(writer.recovered(last, self.clock.now()));
    }

    fn away(&self, away: bool) {
        if self.queue.0.away.swap(away, Ordering::Relaxed) != away {
            match away {
                true => tracing::error!("the store is away: what must be durable waits"),
                false => tracing::info!("the store is back"),
            }
        }
    }

    fn settle(&self, outcomes: Vec<(Token, Result<Committed, Fault>)>) {
        for (token, outcome) in outcomes {
            match token {
                // It may be in the store, and the process ends: who said it hears neither that it
                // is nor that it is not, and says it again to the next one.
                Token::Line(..) if outcome.as_ref().is_err_and(Fault::is_final) => {}
                Token::Line(account, ticket, recipient) => {
                    for (of, told) in shard::outcome(account, ticket, recipient, outcome) {
                        self.post.tell(&of, told);
                    }
                    self.post.work().done();
                }
                // The operator may have gone meanwhile.
                Token::Operator(waits) => drop(waits.send(outcome)),
            }
        }
    }

    fn refuse_all(&self) {
        let units = mem::take(&mut self.queue.lock().units);
        self.settle(units.into_iter().map(|(token, _)| (token, Err(Fault::Fenced))).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::unit::{Change, Table};
    use store::Memory;

    fn host(store: Arc<Memory>, queue: Queue) -> Host {
        let (post, meters) = (Post::new(Limits::default(), 1), Arc::new(Meters::new()));
        Host { store, queue, clock: Clock::start(), post, meters }
    }

    #[tokio::test]
    async fn who_waits_when_nothing_more_may_be_written_hears_nothing_of_it() {
        let host = host(Arc::new(Memory::new(&[])), Queue::default());
        let post = host.post.clone();
        let line = |of: &str| Token::Line(Bare::parse(of).unwrap(), Ticket(1), None);
        let full = Fault::Refused("full".into());
        let unsynced = Fault::Unsynced("disk I/O error".into());
        host.settle(vec![
            (line("juliet@x"), Err(Fault::Fenced)),
            (line("nurse@x"), Err(unsynced)),
            (line("romeo@x"), Err(full)),
        ]);
        let mut inputs = Default::default();
        post.take(0, &mut inputs, 9).await;
        let [shard::Input::Committed(of, ..)] = inputs.make_contiguous() else {
            panic!("{}", inputs.len())
        };
        assert_eq!(of.as_str(), "romeo@x");
    }

    fn unit(key: &str) -> Unit {
        let host = Bare::parse("x").unwrap();
        let changes = vec![Change::Put(Table::named("test"), host, key.into(), Vec::new())];
        Unit { changes, ..Unit::default() }
    }

    /// Runs a writer; its queue, and the clock that it looks at.
    async fn writes(gather_ms: u64) -> (Arc<Memory>, Queue, Clock) {
        let (store, queue) = (Arc::new(Memory::new(&[])), Queue::default());
        let host = host(store.clone(), queue.clone());
        let (clock, last) = (host.clock, store.last().await.unwrap());
        tokio::spawn(host.run(last, Limits { gather_ms, ..Limits::default() }));
        (store, queue, clock)
    }

    #[tokio::test]
    async fn what_comes_alone_is_committed_at_once() {
        let (store, queue, _) = writes(3_600_000).await;
        queue.commit(unit("alone")).await.unwrap();
        assert_eq!(store.last().await.unwrap().0, 1);
    }

    #[tokio::test]
    async fn what_comes_soon_after_a_commit_goes_together_when_that_has_rested() {
        let (store, queue, clock) = writes(20).await;
        let begun = clock.now();
        queue.commit(unit("first")).await.unwrap();
        let together = ["one", "other"].map(|key| queue.commit(unit(key)));
        let [one, other] = together;
        let (one, other) = tokio::join!(one, other);
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(store.last().await.unwrap().0, 2);
        assert!(clock.now() >= begun.after(20));
    }
}
