//! Workload `offline`: what does a message cost whose recipient is not there, and what when it
//! comes? All must be told in order, once, at the first login, whose client acknowledges it
//! (XEP-0198), and not again at the next.

use std::future::poll_fn;
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};
use wire::{Stanza, ns};

use crate::archive::expect_newest;
use crate::connect::connect;
use crate::crowd::{at_once, gather};
use crate::latency::{Latencies, Summary};
use crate::message::{Composer, Mark, new_run};
use crate::meter::Reading;
use crate::order::{Order, Verdict};
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// How long it may take until all of a pair is acknowledged, or told.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a server does after it has acknowledged is part of the cost.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// Options of `offline`.
#[derive(Args, Clone)]
pub struct OfflineArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many pairs; pair n is accounts 2n-1, who writes, and 2n, who is away
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// How many messages wait for each
    #[arg(long, default_value_t = 50)]
    messages: u64,
    /// How many of a pair are not acknowledged at most
    #[arg(long, default_value_t = 8)]
    window: u64,
    /// Bytes of a body (at least 57: the mark that each carries)
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
    /// How many logins at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    pairs: usize,
    messages: u64,
    body_bytes: usize,
    stored: Cost,
    delivered: Cost,
    /// From presence to the last message, of each recipient.
    #[serde(flatten)]
    latency: Option<Summary>,
    #[serde(flatten)]
    verdict: Verdict,
    /// Came once more at the next login.
    again: u64,
}

#[derive(Serialize)]
struct Cost {
    seconds: f64,
    cpu_us_per_message: Option<f64>,
    database_cpu_us_per_message: Option<f64>,
    client_cpu_us_per_message: f64,
}

/// Writes to who is away, then lets them come, twice.
///
/// # Errors
/// When a login fails, or something is refused or does not come in time.
pub async fn run(args: OfflineArgs) -> Result<Outcome> {
    ensure!(args.pairs > 0 && args.messages > 0 && args.window > 3, "nothing to do");
    ensure!(args.concurrency > 0, "--concurrency must not be 0");
    ensure_files(args.pairs)?;
    let target = Target::new(args.target.clone())?;
    let (id, total) = (new_run()?, args.pairs as u64 * args.messages);

    let letters = |number| Letters::new(target.clone(), args.clone(), number, id);
    let letters = gather(args.pairs, args.concurrency, letters).await?;
    let before = Reading::take(&target.watched)?;
    at_once(letters, Letters::write).await?;
    sleep(AFTERWARDS).await;
    let stored = cost(&before, &target, total)?;

    let readers = gather(args.pairs, args.concurrency, |n| connected(target.clone(), n)).await?;
    let before = Reading::take(&target.watched)?;
    let messages = args.messages;
    let heard = at_once(readers, |(number, session)| hear(id, number, messages, session)).await?;
    let delivered = cost(&before, &target, total)?;

    let (mut latencies, mut verdict) = (Latencies::default(), Verdict::default());
    for (micros, found) in heard {
        latencies.note(micros);
        verdict.add(found);
    }
    let last = messages - 1;
    let again = |n| come_again(target.clone(), n, id, last);
    let again = gather(args.pairs, args.concurrency, again).await?;
    let again = again.into_iter().sum();
    let figures = Figures {
        workload: "offline",
        pairs: args.pairs,
        messages: args.messages,
        body_bytes: args.body_bytes,
        stored,
        delivered,
        latency: latencies.summary(),
        verdict,
        again,
    };
    Outcome::judged(&figures, verdict.is_clean() && again == 0)
}

fn cost(before: &Reading, target: &Target, messages: u64) -> Result<Cost> {
    let spent = before.until(&Reading::take(&target.watched)?);
    Ok(Cost {
        seconds: spent.seconds,
        cpu_us_per_message: spent.cpu_us_per(messages),
        database_cpu_us_per_message: spent.database_cpu_us_per(messages),
        client_cpu_us_per_message: spent.own_cpu_us_per(messages),
    })
}

/// Not available yet: nothing is told to it.
async fn connected(target: Target, number: usize) -> Result<(usize, Session)> {
    let mut session = connect(&target, 2 * number + 1).await?;
    session.enable_management().await?;
    Ok((number, session))
}

/// What one writes to one who is away.
struct Letters {
    id: u32,
    number: u16,
    messages: u64,
    window: u64,
    begun: Instant,
    composer: Composer,
    session: Session,
    sent: u64,
}

impl Letters {
    /// Stream management tells when the server has taken a message for good.
    async fn new(target: Target, args: OfflineArgs, number: usize, id: u32) -> Result<Self> {
        let mut session = connect(&target, 2 * number).await?;
        session.enable_management().await?;
        let to = format!("{}@{}", target.user(2 * number + 1), target.domain());
        Ok(Self {
            id,
            number: u16::try_from(number)?,
            messages: args.messages,
            window: args.window,
            begun: Instant::now(),
            composer: Composer::new(&to, args.body_bytes),
            session,
            sent: 0,
        })
    }

    async fn write(mut self) -> Result<()> {
        let taken = timeout(PATIENCE, poll_fn(|cx| self.poll(cx))).await;
        taken.context("not acknowledged in time").flatten()?;
        self.session.close().await
    }

    /// Ready when all is written and acknowledged.
    fn poll(&mut self, cx: &mut Waking<'_>) -> Poll<Result<()>> {
        loop {
            let is_new = self.fill();
            while let Poll::Ready(stanza) = self.session.poll_stanza(cx) {
                accepted(&stanza?)?;
            }
            if self.sent == self.messages && self.session.unacknowledged() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !is_new && !self.has_room() {
                return Poll::Pending;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.sent < self.messages && self.session.unacknowledged() < self.window
    }

    /// Writes as much as may be under way; whether that was anything.
    fn fill(&mut self) -> bool {
        let first = self.sent;
        while self.has_room() {
            let sent_us = self.begun.elapsed().as_micros() as u64;
            let mark = Mark { run: self.id, pair: self.number, sequence: self.sent, sent_us };
            self.session.compose(|output| self.composer.write(mark, output));
            self.sent += 1;
            if self.sent == self.messages {
                self.session.request_ack();
            }
        }
        self.sent > first
    }
}

fn accepted(stanza: &Stanza) -> Result<()> {
    ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
    Ok(())
}

/// Microseconds from presence to the last message, and what became of all.
async fn hear(
    id: u32,
    number: usize,
    messages: u64,
    mut session: Session,
) -> Result<(u64, Verdict)> {
    let mut order = Order::default();
    let begun = Instant::now();
    session.post(b"<presence/>");
    let all = async {
        while order.received() < messages {
            let stanza = session.stanza().await?;
            let mark = Mark::of(&stanza).filter(|mark| mark.run == id);
            let Some(mark) = mark else { continue };
            ensure!(usize::from(mark.pair) == number, "it was written to another: {mark:?}");
            order.arrived(mark.sequence, messages);
        }
        Ok(())
    };
    let all = timeout(PATIENCE, all).await;
    // What does not come is told as lost.
    all.unwrap_or(Ok(()))?;
    let micros = begun.elapsed().as_micros() as u64;
    session.acknowledge();
    session.close().await?;
    Ok((micros, order.verdict(messages)))
}

/// At the next login nothing of it may come, and the archive has the last: how much does come.
async fn come_again(target: Target, number: usize, id: u32, last: u64) -> Result<u64> {
    let mut session = connect(&target, 2 * number + 1).await?;
    session.appear().await?;
    let mut again = 0;
    let roster = format!("<query xmlns='{}'/>", ns::ROSTER);
    let count = |stanza: &Stanza| {
        again += u64::from(Mark::of(stanza).is_some_and(|mark| mark.run == id));
    };
    session.request_with("again", "get", &roster, count).await?;
    expect_newest(&mut session, id, last).await?;
    session.close().await?;
    Ok(again)
}
