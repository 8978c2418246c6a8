//! Workload `idle`: what does it cost to be online?

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::connect::connect;
use crate::crowd::gather;
use crate::meter::{Reading, rounded};
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// How often memory is looked at while they come.
const PARTS: usize = 8;

/// Options of `idle`.
#[derive(Args)]
pub struct IdleArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many connections to keep open, each of its own account
    #[arg(long, default_value_t = 2_000)]
    connections: usize,
    /// How many logins at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// How many contacts each roster has, by `fill`; 0: no roster is fetched
    #[arg(long, default_value_t = 0)]
    roster: usize,
    /// How many logins come and go before the first reading
    #[arg(long, default_value_t = 50)]
    warm: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    tls: &'static str,
    connections: usize,
    roster: usize,
    rss_before_kib: Option<u64>,
    rss_after_kib: Option<u64>,
    /// Connections, and the RSS while so many were there.
    rss_kib_at: Vec<(usize, u64)>,
    kib_per_connection: Option<f64>,
    settled: Option<bool>,
    cpu_us_per_connection: Option<f64>,
    dropped: usize,
}

/// Opens connections and keeps them.
///
/// # Errors
/// When one cannot be opened.
pub async fn run(args: IdleArgs) -> Result<Outcome> {
    ensure!(args.concurrency > 0 && args.connections > 0, "nothing to do");
    ensure_files(args.connections)?;
    let target = Target::new(args.target)?;
    let (roster, concurrency) = (args.roster, args.concurrency);
    let warm = args.warm.min(args.connections);
    gather(warm, concurrency, |n| visit(target.clone(), n, roster)).await?;
    let before = target.watched.settled_rss().await?;

    let started = Reading::take(&target.watched)?;
    let mut sessions = Vec::with_capacity(args.connections);
    let mut rss_kib_at: Vec<_> = before.iter().map(|rss| (0, rss.kib)).collect();
    for part in 1..=PARTS {
        let first = sessions.len();
        let count = args.connections * part / PARTS - first;
        let come = |n| stay(target.clone(), first + n, roster);
        sessions.extend(gather(count, concurrency, come).await?);
        rss_kib_at.extend(target.watched.rss_kib()?.map(|kib| (sessions.len(), kib)));
    }
    let spent = started.until(&Reading::take(&target.watched)?);
    let mut online = JoinSet::new();
    sessions.into_iter().for_each(|session| drop(online.spawn(listen(session))));
    let after = target.watched.settled_rss().await?;

    let dropped = dropped(&mut online);
    let both = before.as_ref().zip(after.as_ref());
    let growth = both.map(|(before, after)| after.kib as f64 - before.kib as f64);
    let figures = Figures {
        workload: "idle",
        tls: target.secure.as_str(),
        connections: args.connections,
        roster,
        rss_before_kib: before.as_ref().map(|rss| rss.kib),
        rss_after_kib: after.as_ref().map(|rss| rss.kib),
        rss_kib_at,
        kib_per_connection: growth.map(|kib| rounded(kib / args.connections as f64)),
        settled: both.map(|(before, after)| before.settled && after.settled),
        cpu_us_per_connection: spent.cpu_us_per(args.connections as u64),
        dropped,
    };
    Outcome::judged(&figures, dropped == 0)
}

async fn visit(target: Target, index: usize, roster: usize) -> Result<()> {
    stay(target, index, roster).await?.close().await
}

async fn stay(target: Target, index: usize, roster: usize) -> Result<Session> {
    let mut session = connect(&target, index).await?;
    if roster > 0 {
        session.fetch_roster(roster).await?;
    }
    session.appear().await?;
    Ok(session)
}

/// Reads and answers until the connection ends; returns why it did.
async fn listen(mut session: Session) -> anyhow::Error {
    loop {
        if let Err(error) = session.stanza().await {
            return error;
        }
    }
}

fn dropped(online: &mut JoinSet<anyhow::Error>) -> usize {
    let mut count = 0;
    while let Some(ended) = online.try_join_next() {
        count += 1;
        match ended {
            Ok(error) => eprintln!("a connection was dropped: {error:#}"),
            Err(error) => eprintln!("a connection was dropped: {error}"),
        }
    }
    count
}
