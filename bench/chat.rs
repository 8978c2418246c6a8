//! Workload `chat`: what does a message cost, and how long does it take?

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::archive::prefer;
use crate::connect::connect;
use crate::crowd::gather;
use crate::latency::Summary;
use crate::meter::{Reading, Spent};
use crate::order::Verdict;
use crate::outcome::Outcome;
use crate::pair::{Pace, Pair, Run, Tally};
use crate::process::{Watched, ensure_files};
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// Options of `chat`.
#[derive(Args)]
pub struct ChatArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many pairs; pair n is accounts 2n-1 and 2n
    #[arg(long, default_value_t = 100)]
    pairs: u16,
    /// Closed loop: how many messages of a pair are under way at most
    #[arg(long, default_value_t = 4, conflicts_with = "rate")]
    window: u64,
    /// Open loop: messages per second of all pairs together
    #[arg(long)]
    rate: Option<f64>,
    /// How long to measure
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How long to send beforehand
    #[arg(long, default_value_t = 5)]
    warm_seconds: u64,
    /// Bytes of a body (at least 57: the mark that each carries)
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
    /// Stream management (XEP-0198) on both ends; all must be acknowledged at the end
    #[arg(long)]
    stream_management: bool,
    /// Message carbons (XEP-0280) on both ends
    #[arg(long)]
    carbons: bool,
    /// Both ends want all archived; at the end their archives must have the last message (XEP-0313)
    #[arg(long)]
    archived: bool,
    /// Both ends want nothing archived; at the end their archives must not have the last message
    #[arg(long, conflicts_with = "archived")]
    unarchived: bool,
    /// Both ends want all archived, but each message says that nobody may store it (XEP-0334); at
    /// the end their archives must not have the last one
    #[arg(long, conflicts_with_all = ["archived", "unarchived"])]
    no_store: bool,
    /// How many logins at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    pairs: u16,
    window: Option<u64>,
    rate: Option<f64>,
    body_bytes: usize,
    stream_management: bool,
    carbons: bool,
    archived: Option<bool>,
    no_store: bool,
    seconds: f64,
    messages: u64,
    messages_per_s: f64,
    cpu_us_per_message: Option<f64>,
    database_cpu_us_per_message: Option<f64>,
    client_cpu_us_per_message: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
    /// So many percent, and no more milliseconds than these.
    distribution: Vec<(f64, f64)>,
    #[serde(flatten)]
    verdict: Verdict,
    refused: u64,
    misdelivered: u64,
    unacknowledged: u64,
}

/// Brings all pairs online and lets them talk.
///
/// # Errors
/// When a login fails or a connection is lost.
pub async fn run(args: ChatArgs) -> Result<Outcome> {
    ensure!(args.pairs > 0 && args.concurrency > 0 && args.window > 0, "nothing to do");
    ensure!(args.rate.is_none_or(|rate| rate > 0.0), "--rate must be positive");
    ensure_files(2 * usize::from(args.pairs))?;
    let target = Target::new(args.target)?;
    let archived = (args.archived || args.unarchived).then_some(args.archived);
    let features = Features {
        management: args.stream_management,
        carbons: args.carbons,
        archived: if args.no_store { Some(true) } else { archived },
    };
    let online = gather(args.pairs.into(), args.concurrency, |n| meet(target.clone(), n, features));
    let online = online.await?;

    let warm = Duration::from_secs(args.warm_seconds);
    let mut run = Run::starting(Instant::now(), warm + Duration::from_secs(args.seconds))?;
    run.parts = [run.started + warm].into();
    (run.body_bytes, run.is_unstored) = (args.body_bytes, args.no_store);
    run.archived = if args.no_store { Some(false) } else { archived };
    let mut talking = JoinSet::new();
    for (number, (sender, receiver)) in (0..).zip(online) {
        let pace = match args.rate {
            None => Pace::Window(args.window),
            Some(rate) => spread(rate, args.pairs, number),
        };
        talking.spawn(Pair::new(run.clone(), number, pace, sender, receiver).converse());
    }
    let (spent, messages) = measure(&run, &target.watched).await?;

    let mut total = Tally::default();
    while let Some(tally) = talking.join_next().await {
        total.add(tally??);
    }
    let passed = total.is_clean();
    let mut latencies = std::mem::take(total.part(0));
    let figures = Figures {
        workload: "chat",
        pairs: args.pairs,
        window: args.rate.is_none().then_some(args.window),
        rate: args.rate,
        body_bytes: args.body_bytes,
        stream_management: args.stream_management,
        carbons: args.carbons,
        archived,
        no_store: args.no_store,
        seconds: spent.seconds,
        messages,
        messages_per_s: spent.rate(messages),
        cpu_us_per_message: spent.cpu_us_per(messages),
        database_cpu_us_per_message: spent.database_cpu_us_per(messages),
        client_cpu_us_per_message: spent.own_cpu_us_per(messages),
        distribution: latencies.distribution(),
        latency: latencies.summary(),
        verdict: total.verdict,
        refused: total.refused,
        misdelivered: total.misdelivered,
        unacknowledged: total.unacknowledged,
    };
    Outcome::judged(&figures, passed)
}

/// What both ends turn on.
#[derive(Clone, Copy, Default)]
pub struct Features {
    pub management: bool,
    pub carbons: bool,
    /// What their archives are told to keep: all, or nothing.
    pub archived: Option<bool>,
}

impl Features {
    /// Nothing but an archive that keeps all, whatever an earlier run has told it.
    pub fn archived() -> Self {
        Self { archived: Some(true), ..Self::default() }
    }
}

/// Brings the accounts of pair `pair`, counted from 0, online.
///
/// # Errors
/// When a login fails.
pub async fn meet(target: Target, pair: usize, features: Features) -> Result<(Session, Session)> {
    let sender = arrive(&target, 2 * pair, features).await?;
    let receiver = arrive(&target, 2 * pair + 1, features).await?;
    Ok((sender, receiver))
}

async fn arrive(target: &Target, index: usize, features: Features) -> Result<Session> {
    let mut session = connect(target, index).await?;
    if features.management {
        session.enable_management().await?;
    }
    if features.carbons {
        session.enable_carbons().await?;
    }
    if let Some(archived) = features.archived {
        prefer(&mut session, archived).await?;
    }
    session.appear().await?;
    Ok(session)
}

/// `rate` over all pairs, so that they do not send at the same moment.
pub fn spread(rate: f64, pairs: u16, number: u16) -> Pace {
    let step = Duration::from_secs_f64(1.0 / rate);
    Pace::Every { first: step * u32::from(number), interval: step * u32::from(pairs) }
}

/// Costs and arrivals between two moments of steady load, so that neither the start nor the end
/// of the run is in the figures.
async fn measure(run: &Run, watched: &Watched) -> Result<(Spent, u64)> {
    sleep_until(run.parts[0]).await;
    let (before, received) = (Reading::take(watched)?, run.received.load(Relaxed));
    sleep_until(run.ends).await;
    let (after, total) = (Reading::take(watched)?, run.received.load(Relaxed));
    Ok((before.until(&after), total - received))
}
