//! Workload `fair`: what do others notice of somebody who reads slowly, floods, or wants too much?
//! Pairs talk at a fixed rate: in quiet, while somebody makes trouble, and in quiet again.

mod slow;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

pub use self::trouble::Kind;
use self::trouble::{Plan, Trouble};
use crate::chat::{Features, meet, spread};
use crate::crowd::gather;
use crate::latency::Summary;
use crate::meter::{Reading, Spent, rounded};
use crate::order::Verdict;
use crate::outcome::Outcome;
use crate::pair::{Pair, Run, Tally};
use crate::process::ensure_files;
use crate::target::{Target, TargetArgs};

/// Before anything is measured.
const WARM: Duration = Duration::from_secs(2);

/// Options of `fair`.
#[derive(Args)]
pub struct FairArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// What kind of trouble
    #[arg(long, value_enum, default_value = "flood")]
    trouble: Kind,
    /// How many pairs talk; pair n is accounts 2n-1 and 2n
    #[arg(long, default_value_t = 50)]
    pairs: u16,
    /// Their messages per second, of all together
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// How long each of the three parts takes
    #[arg(long, default_value_t = 5)]
    phase_seconds: u64,
    /// How many log in at once (`storm`), connect and do not log in (`loris`, twice as many), or
    /// enter a room or are in it (`entrance`, `room`)
    #[arg(long, default_value_t = 500)]
    crowd: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    trouble: Kind,
    quiet: Part,
    during: Part,
    after: Part,
    /// Of all stanzas, those of the trouble too: what is spent on one, divided by that in quiet.
    cpu_ratio: Option<f64>,
    p99_ratio: Option<f64>,
    /// What the trouble itself cost, beyond what the others cost in quiet.
    cpu_us_per_trouble: Option<f64>,
    #[serde(flatten)]
    verdict: Verdict,
    refused: u64,
    /// What became of the trouble.
    #[serde(flatten)]
    told: Map<String, Value>,
}

#[derive(Serialize)]
struct Part {
    seconds: f64,
    /// Messages of the others that arrived.
    messages: u64,
    /// Stanzas, logins or connections of the trouble.
    troubles: u64,
    cpu_us_per_second: Option<f64>,
    cpu_us_per_stanza: Option<f64>,
    client_cpu_us_per_second: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
}

/// Lets pairs talk, and somebody make trouble.
///
/// # Errors
/// When a login fails, a connection is lost, or what is said to the trouble is lost.
pub async fn run(args: FairArgs) -> Result<Outcome> {
    ensure!(args.pairs > 0 && args.rate > 0.0 && args.phase_seconds > 0, "nothing to do");
    ensure_files(2 * usize::from(args.pairs) + 2 * args.crowd + 100)?;
    let target = Target::new(args.target.clone())?;
    let meet = |n| meet(target.clone(), n, Features::archived());
    let online = gather(args.pairs.into(), 8, meet).await?;
    let first = 2 * usize::from(args.pairs);
    let (ready, is_ready) = oneshot::channel();
    let (begin, plan) = oneshot::channel();
    let making = apart((args.trouble, target.clone(), first, args.crowd), ready, plan);
    if is_ready.await.is_err() {
        making.await??;
        bail!("no trouble was made");
    }
    let part = Duration::from_secs(args.phase_seconds);
    let started = Instant::now();
    let mut run = Run::starting(started, WARM + 3 * part)?;
    run.archived = Some(true);
    let begins = started + WARM;
    run.parts = [begins, begins + part, begins + 2 * part].into();
    let mut talking = JoinSet::new();
    for (number, (sender, receiver)) in (0..).zip(online) {
        let pace = spread(args.rate, args.pairs, number);
        talking.spawn(Pair::new(run.clone(), number, pace, sender, receiver).converse());
    }
    let count = Arc::new(AtomicU64::new(0));
    let (from, until) = (run.parts[1], run.parts[2]);
    let plan = Plan { started, from, until, ends: run.ends, count: count.clone() };
    ensure!(begin.send(plan).is_ok(), "the trouble has ended");
    let spent = measure(&run, &target, &count).await?;

    let mut total = Tally::default();
    while let Some(tally) = talking.join_next().await {
        total.add(tally??);
    }
    let told = making.await??;
    let passed = total.is_clean() && !told.contains_key("fault");
    let figures = figures(args.trouble, spent, total, told);
    Outcome::judged(&figures, passed)
}

/// Prepares the trouble and, when there is a plan, makes it: on a thread and an event loop of its
/// own, so that what the others notice of it is the server's doing, and not that they stood in one
/// queue here.
fn apart(
    (kind, target, first, crowd): (Kind, Target, usize, usize),
    ready: oneshot::Sender<()>,
    plan: oneshot::Receiver<Plan>,
) -> JoinHandle<Result<Map<String, Value>>> {
    tokio::task::spawn_blocking(move || {
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let trouble = Trouble::prepare(kind, &target, first, crowd).await?;
            // Who has gone needs no word.
            let _ = ready.send(());
            trouble.make(target, plan.await?).await
        })
    })
}

/// What each part cost, and how much of both kinds there was in it.
async fn measure(run: &Run, target: &Target, count: &AtomicU64) -> Result<Vec<(Spent, [u64; 2])>> {
    let read = || -> Result<(Reading, [u64; 2])> {
        let counts = [run.received.load(Relaxed), count.load(Relaxed)];
        Ok((Reading::take(&target.watched)?, counts))
    };
    sleep_until(run.parts[0]).await;
    let mut before = read()?;
    let mut spent = Vec::new();
    for end in [run.parts[1], run.parts[2], run.ends] {
        sleep_until(end).await;
        let now = read()?;
        let counts = [now.1[0] - before.1[0], now.1[1] - before.1[1]];
        spent.push((before.0.until(&now.0), counts));
        before = now;
    }
    Ok(spent)
}

fn figures(
    trouble: Kind,
    spent: Vec<(Spent, [u64; 2])>,
    mut total: Tally,
    told: Map<String, Value>,
) -> Figures {
    let mut parts = spent.into_iter().enumerate().map(|(number, (spent, [messages, troubles]))| {
        let stanzas = messages + if trouble.is_of_stanzas() { troubles } else { 0 };
        Part {
            seconds: spent.seconds,
            messages,
            troubles,
            cpu_us_per_second: spent.cpu_us_per(1).map(|micros| rounded(micros / spent.seconds)),
            cpu_us_per_stanza: spent.cpu_us_per(stanzas),
            client_cpu_us_per_second: rounded(spent.own_cpu_us_per(1) / spent.seconds),
            latency: std::mem::take(total.part(number)).summary(),
        }
    });
    let mut next = || parts.next().unwrap_or_else(Part::empty);
    let (quiet, during, after) = (next(), next(), next());
    drop(parts);
    let ratio =
        |during: f64, quiet: f64| (quiet > 0.0).then(|| (during / quiet * 100.0).round() / 100.0);
    let costs = during.cpu_us_per_stanza.zip(quiet.cpu_us_per_stanza);
    let latencies = during.latency.zip(quiet.latency);
    let others = quiet.cpu_us_per_second.zip(during.cpu_us_per_second);
    Figures {
        workload: "fair",
        trouble,
        cpu_ratio: costs
            .filter(|_| trouble.is_of_stanzas())
            .and_then(|(during, quiet)| ratio(during, quiet)),
        p99_ratio: latencies.and_then(|(during, quiet)| ratio(during.p99_ms, quiet.p99_ms)),
        cpu_us_per_trouble: others
            .filter(|_| during.troubles > quiet.troubles)
            .map(|(quiet, more)| rounded((more - quiet) * during.seconds / during.troubles as f64)),
        quiet,
        during,
        after,
        verdict: total.verdict,
        refused: total.refused,
        told,
    }
}

impl Part {
    fn empty() -> Self {
        Self {
            seconds: 0.0,
            messages: 0,
            troubles: 0,
            cpu_us_per_second: None,
            cpu_us_per_stanza: None,
            client_cpu_us_per_second: 0.0,
            latency: None,
        }
    }
}
