//! Workload `write-accounts`: accounts of Waxwing, put there by its own store while it is down.
//! Each has the password of one that exists, so that no hash is computed.

use anyhow::{Context, Result, ensure};
use clap::Args;
use engine::{
    ctx::Moment,
    unit::{Change, Unit},
    writer::{Writer, WriterLimits},
};
use serde::Serialize;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store::Options;
use wire::Bare;

use crate::meter::rounded;
use crate::outcome::Outcome;
use crate::write_archive::commit;

/// Options of `write-accounts`.
#[derive(Args)]
pub struct WriteAccountsArgs {
    /// The store, as in `store.url`; no server may use it
    #[arg(long)]
    store: String,
    /// The XMPP domain of the accounts
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// The local part of the account whose password all get
    #[arg(long, default_value = "user1")]
    like: String,
    /// Local parts of the accounts; %d is a number
    #[arg(long, default_value = "user%d")]
    user_pattern: String,
    /// The first number
    #[arg(long, default_value_t = 2)]
    first: usize,
    /// The last number
    #[arg(long)]
    last: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    accounts: usize,
    accounts_per_s: f64,
}

/// Writes them all.
///
/// # Errors
/// When the store refuses, as it does when one exists.
pub async fn run(args: WriteAccountsArgs) -> Result<Outcome> {
    ensure!(args.user_pattern.contains("%d"), "--user-pattern needs a %d");
    let options = Options { relaxed: true, ..Options::default() };
    let store = store::open(&args.store, &options).await?;
    let like = Bare::parse(&format!("{}@{}", args.like, args.domain))?;
    let credentials = store.credentials(&like).await?;
    let credentials = credentials.with_context(|| format!("no account {like}"))?;
    let mut writer = Writer::resume(store.last().await?, WriterLimits::default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let begun = Instant::now();
    let mut accounts = 0;
    for number in args.first..=args.last {
        let user = args.user_pattern.replace("%d", &number.to_string());
        let account = Bare::parse(&format!("{user}@{}", args.domain))?;
        let unit = Unit::from(Change::Create(account, credentials.clone()));
        writer.push((), unit, Moment(0)).map_err(|((), fault)| fault)?;
        if writer.queue_units() == WriterLimits::default().batch_units_max {
            commit(&*store, &mut writer, now).await?;
        }
        accounts += 1;
    }
    commit(&*store, &mut writer, now).await?;
    Outcome::passed(&Figures {
        workload: "write-accounts",
        accounts,
        accounts_per_s: rounded(accounts as f64 / begun.elapsed().as_secs_f64()),
    })
}
