//! Workload `login`: what does it cost to come online?

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::connect::connect;
use crate::crowd::gather;
use crate::latency::{Latencies, Summary};
use crate::meter::Reading;
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::target::{Target, TargetArgs};

/// Options of `login`.
#[derive(Args)]
pub struct LoginArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many logins to measure
    #[arg(long, default_value_t = 2_000)]
    logins: usize,
    /// How many logins at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// How many accounts take turns
    #[arg(long, default_value_t = 100)]
    users: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    mechanism: &'static str,
    tls: &'static str,
    resumed: bool,
    counted: bool,
    logins: usize,
    concurrency: usize,
    seconds: f64,
    logins_per_s: f64,
    cpu_us_per_login: Option<f64>,
    client_cpu_us_per_login: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
}

/// Logs in and out, over and over.
///
/// # Errors
/// When a login fails.
pub async fn run(args: LoginArgs) -> Result<Outcome> {
    ensure!(args.users > 0 && args.concurrency > 0, "--users and --concurrency must not be 0");
    ensure_files(args.concurrency)?;
    let target = Target::new(args.target)?;
    let visit = |index: usize| {
        let target = target.clone();
        async move { visit(&target, index).await }
    };
    // Unmeasured: PBKDF2 of each password, and what the server loads or compiles at first use. By
    // the first visit a device gets its token and its ticket; the second is the token's first use.
    let warming = if target.mechanism.is_token() { 2 } else { 1 };
    for _ in 0..warming {
        gather(args.users, args.concurrency, visit).await?;
    }

    let before = Reading::take(&target.watched)?;
    let times = gather(args.logins, args.concurrency, |n| visit(n % args.users)).await?;
    let spent = before.until(&Reading::take(&target.watched)?);

    let mut latencies = Latencies::default();
    times.into_iter().for_each(|micros| latencies.note(micros));
    let logins = args.logins as u64;
    Outcome::passed(&Figures {
        workload: "login",
        mechanism: target.mechanism.as_str(),
        tls: target.secure.as_str(),
        resumed: target.resume,
        counted: target.count,
        logins: args.logins,
        concurrency: args.concurrency,
        seconds: spent.seconds,
        logins_per_s: spent.rate(logins),
        cpu_us_per_login: spent.cpu_us_per(logins),
        client_cpu_us_per_login: spent.own_cpu_us_per(logins),
        latency: latencies.summary(),
    })
}

/// In and out; returns the microseconds from connecting to bound.
async fn visit(target: &Target, index: usize) -> Result<u64> {
    let begun = Instant::now();
    let session = connect(target, index).await?;
    let micros = begun.elapsed().as_micros() as u64;
    session.close().await?;
    Ok(micros)
}
