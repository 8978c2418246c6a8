//! One task, hosting the writer: gathers units, commits batches back to back.

use crate::{
    clock::{Clock, unix_ms},
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
    pub(crate) async fn run(self, last: (i64, engine::unit::Pos), store_patience_ms: u64) {
        let limits = WriterLimits { store_patience_ms, ..WriterLimits::default() };
        let mut writer = Writer::resume(last, limits);
        while !writer.is_stopped() {
            self.gather(&mut writer);
            if let Some(batch) = writer.next_batch(unix_ms()) {
                let answer = self.commit(&batch).await;
                self.settle(writer.outcome(answer));
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
    use crate::limits::Limits;
    use store::Memory;

    #[tokio::test]
    async fn who_waits_when_nothing_more_may_be_written_hears_nothing_of_it() {
        let post = Post::new(Limits::default(), 1);
        let host = Host {
            store: Arc::new(Memory::new(&[])),
            queue: Queue::default(),
            clock: Clock::start(),
            post: post.clone(),
            meters: Arc::new(Meters::new()),
        };
        let line = |of: &str| Token::Line(Bare::parse(of).unwrap(), Ticket(1), None);
        let full = Fault::Refused("full".into());
        let unsynced = Fault::Unsynced("disk I/O error".into());
        host.settle(vec![
            (line("juliet@x"), Err(Fault::Fenced)),
            (line("nurse@x"), Err(unsynced)),
            (line("romeo@x"), Err(full)),
        ]);
        let mut inputs = Vec::new();
        post.take(0, &mut inputs).await;
        let [shard::Input::Committed(of, ..)] = &inputs[..] else { panic!("{}", inputs.len()) };
        assert_eq!(of.as_str(), "romeo@x");
    }
}
