//! One pair of `chat`: a sender, a receiver, and what became of the messages between them.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep_until};
use wire::{Kind, Stanza};

use crate::archive::{expect_newest, expect_nothing, prefer};
use crate::latency::Latencies;
use crate::message::{Composer, Mark, new_run};
use crate::order::{Order, Verdict};
use crate::session::Session;

/// After the last message is sent: how long nothing may arrive before the rest counts as lost.
const QUIET: Duration = Duration::from_secs(10);
/// A timer that wakes up later than this is no longer the timer's fault: the message counts from
/// when it was due.
const TIMER_SLACK: Duration = Duration::from_millis(2);

/// How a sender decides that it is time for the next message.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Closed loop: whenever fewer than this many are under way.
    Window(u64),
    /// Open loop: at these intervals, whatever the server does.
    Every {
        /// From the start of the run.
        first: Duration,
        interval: Duration,
    },
}

/// What all pairs of a run share.
#[derive(Clone)]
pub struct Run {
    pub id: u32,
    pub body_bytes: usize,
    /// Both archives must have the last message in the end, or must not.
    pub archived: Option<bool>,
    /// Messages say that nobody may store them.
    pub is_unstored: bool,
    pub started: Instant,
    /// Where the parts that are measured begin, by when a message is sent; each ends where the next
    /// begins.
    pub parts: Arc<[Instant]>,
    /// The last one ends here; then nobody sends any more.
    pub ends: Instant,
    /// First arrivals at all pairs.
    pub received: Arc<AtomicU64>,
}

impl Run {
    /// One that is measured from its start on, with the smallest bodies.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn starting(started: Instant, lasts: Duration) -> Result<Self> {
        Ok(Self {
            id: new_run()?,
            body_bytes: 0,
            archived: None,
            is_unstored: false,
            started,
            parts: [started].into(),
            ends: started + lasts,
            received: Arc::default(),
        })
    }
}

/// What became of a pair's messages.
#[derive(Default)]
pub struct Tally {
    /// Of each part.
    pub latencies: Vec<Latencies>,
    pub verdict: Verdict,
    /// Errors that came back to the sender.
    pub refused: u64,
    /// Messages that were another pair's.
    pub misdelivered: u64,
    /// Sent under stream management and not acknowledged at the end.
    pub unacknowledged: u64,
}

impl Tally {
    /// The latencies of a part.
    pub fn part(&mut self, part: usize) -> &mut Latencies {
        let parts = self.latencies.len().max(part + 1);
        self.latencies.resize_with(parts, Latencies::default);
        &mut self.latencies[part]
    }

    /// Takes over what another pair came to.
    pub fn add(&mut self, other: Self) {
        for (part, latencies) in other.latencies.into_iter().enumerate() {
            self.part(part).add(latencies);
        }
        self.verdict.add(other.verdict);
        self.refused += other.refused;
        self.misdelivered += other.misdelivered;
        self.unacknowledged += other.unacknowledged;
    }

    /// All arrived, once, in order, where they should, and were acknowledged.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.refused + self.misdelivered + self.unacknowledged == 0
    }
}

/// Both ends of a conversation in one direction, driven by one task.
pub struct Pair {
    run: Run,
    number: u16,
    pace: Pace,
    sender: Session,
    receiver: Session,
    composer: Composer,
    order: Order,
    sent: u64,
    last_arrival: Instant,
    asked_for_ack: bool,
    tally: Tally,
}

impl Pair {
    /// A pair that is online and has not begun.
    pub fn new(run: Run, number: u16, pace: Pace, sender: Session, receiver: Session) -> Self {
        let composer = Composer::new(receiver.account(), run.body_bytes);
        let composer = if run.is_unstored { composer.unstored() } else { composer };
        Self {
            last_arrival: run.started,
            run,
            number,
            pace,
            sender,
            receiver,
            composer,
            order: Order::default(),
            sent: 0,
            asked_for_ack: false,
            tally: Tally::default(),
        }
    }

    /// Sends until the run ends, then waits for what is under way.
    ///
    /// # Errors
    /// When one of the connections is lost.
    pub async fn converse(mut self) -> Result<Tally> {
        let alarm = sleep_until(self.run.started);
        tokio::pin!(alarm);
        loop {
            self.send_what_is_due();
            if self.is_finished() {
                break;
            }
            let next = self.next_alarm();
            if alarm.deadline() != next {
                alarm.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                progress = self.progress() => progress.context("chat")?,
                () = &mut alarm => {}
            }
        }
        self.finish().await
    }

    fn send_what_is_due(&mut self) {
        let now = Instant::now();
        if now >= self.run.ends {
            return self.ask_for_ack();
        }
        match self.pace {
            Pace::Window(window) => {
                while self.sent < self.order.received() + window {
                    self.send(now);
                }
            }
            Pace::Every { .. } => {
                while let due = self.due()
                    && due <= now
                {
                    self.send(if now - due > TIMER_SLACK { due } else { now });
                }
            }
        }
    }

    /// Once, at the end: the number sent need not be one after which an `<r/>` goes out anyway.
    fn ask_for_ack(&mut self) {
        if !self.asked_for_ack {
            self.asked_for_ack = true;
            self.sender.request_ack();
        }
    }

    fn send(&mut self, stamp: Instant) {
        let mark = Mark {
            run: self.run.id,
            pair: self.number,
            sequence: self.sent,
            sent_us: (stamp - self.run.started).as_micros() as u64,
        };
        self.sender.compose(|output| self.composer.write(mark, output));
        self.sent += 1;
    }

    /// When the next message is due in an open loop; in a closed one, never before the end.
    fn due(&self) -> Instant {
        match self.pace {
            Pace::Window(_) => self.run.ends,
            Pace::Every { first, interval } => {
                self.run.started + first + interval.mul_f64(self.sent as f64)
            }
        }
    }

    fn is_finished(&self) -> bool {
        let now = Instant::now();
        let is_settled = self.order.received() == self.sent && self.sender.unacknowledged() == 0;
        now >= self.run.ends && (is_settled || now >= self.given_up())
    }

    fn given_up(&self) -> Instant {
        self.last_arrival.max(self.run.ends) + QUIET
    }

    fn next_alarm(&self) -> Instant {
        let now = Instant::now();
        if now < self.run.ends { self.due().min(self.run.ends) } else { self.given_up() }
    }

    /// Moves bytes both ways; returns when anything has arrived.
    async fn progress(&mut self) -> Result<()> {
        poll_fn(|cx| {
            let mut arrived = false;
            while let Poll::Ready(stanza) = self.receiver.poll_stanza(cx) {
                self.hear(&stanza?);
                arrived = true;
            }
            let awaited = self.sender.unacknowledged();
            while let Poll::Ready(stanza) = self.sender.poll_stanza(cx) {
                self.hear_back(&stanza?);
                arrived = true;
            }
            // At the end it may be the last acknowledgement alone that is waited for.
            arrived |= self.sender.unacknowledged() < awaited;
            if arrived { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    fn hear(&mut self, stanza: &Stanza) {
        let Some(mark) = Mark::of(stanza).filter(|mark| mark.run == self.run.id) else { return };
        if mark.pair != self.number {
            self.tally.misdelivered += 1;
            return;
        }
        if !self.order.arrived(mark.sequence, self.sent) {
            return;
        }
        let now = Instant::now();
        self.last_arrival = now;
        self.run.received.fetch_add(1, Relaxed);
        let sent = self.run.started + Duration::from_micros(mark.sent_us);
        if let Some(part) = self.run.parts.iter().rposition(|begins| sent >= *begins) {
            let micros = now.saturating_duration_since(sent).as_micros() as u64;
            self.tally.part(part).note(micros);
        }
    }

    fn hear_back(&mut self, stanza: &Stanza) {
        if stanza.kind() == Kind::Message && stanza.head.type_str() == "error" {
            self.tally.refused += 1;
        }
    }

    async fn finish(mut self) -> Result<Tally> {
        self.tally.verdict = self.order.verdict(self.sent);
        self.tally.unacknowledged = self.sender.unacknowledged();
        if let Some(last) = self.sent.checked_sub(1) {
            for session in [&mut self.sender, &mut self.receiver] {
                match self.run.archived {
                    Some(true) => expect_newest(session, self.run.id, last).await?,
                    Some(false) => {
                        expect_nothing(session, self.run.id).await?;
                        // As it was: who comes next wants an archive.
                        prefer(session, true).await?;
                    }
                    None => {}
                }
            }
        }
        self.sender.close().await?;
        self.receiver.close().await?;
        Ok(self.tally)
    }
}
