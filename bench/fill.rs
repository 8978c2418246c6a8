//! Workload `fill`: rosters for `idle`. It is a run of its own, so that the server can be started
//! anew before it is measured: what it has used for this, and keeps, would hide what it uses then.

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::connect::connect;
use crate::crowd::gather;
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::target::{Target, TargetArgs};

/// Options of `fill`.
#[derive(Args)]
pub struct FillArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many accounts get contacts
    #[arg(long, default_value_t = 2_000)]
    accounts: usize,
    /// How many accounts at a time
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// How many contacts each gets
    #[arg(long, default_value_t = 20)]
    roster: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    accounts: usize,
    roster: usize,
}

/// Fills rosters.
///
/// # Errors
/// When a login fails, or a contact is refused.
pub async fn run(args: FillArgs) -> Result<Outcome> {
    ensure!(args.concurrency > 0, "--concurrency must not be 0");
    ensure_files(args.concurrency)?;
    let target = Target::new(args.target)?;
    let (accounts, roster) = (args.accounts, args.roster);
    gather(accounts, args.concurrency, |n| fill(target.clone(), n, roster)).await?;
    Outcome::passed(&Figures { workload: "fill", accounts, roster })
}

async fn fill(target: Target, index: usize, roster: usize) -> Result<()> {
    let mut session = connect(&target, index).await?;
    session.fill_roster(roster, target.domain()).await?;
    session.close().await
}
