//! `waxwing backup` and `waxwing restore`: the store as a file.

use crate::{settings::Settings, user};
use anyhow::bail;
use std::path::Path;
use store::backup::{self, Verified};

/// Copies the store into a file, also while a server writes to it.
///
/// # Errors
/// In words for the operator.
pub async fn backup(settings: &Settings, to: &Path) -> anyhow::Result<()> {
    let verified = backup::backup(&settings.store.url, to).await?;
    println!("{} has been written and verified: {}", to.display(), told(&verified));
    Ok(())
}

/// Puts such a file in the place of the store.
///
/// # Errors
/// In words for the operator.
pub async fn restore(settings: &Settings, from: &Path, force: bool) -> anyhow::Result<()> {
    if user::serves(settings).await? {
        bail!("a server runs with the data folder {}; stop it first", settings.data.display());
    }
    settings.make_data()?;
    let verified = backup::restore(from, &settings.store.url, force).await?;
    println!("{} has been restored and verified: {}", from.display(), told(&verified));
    println!("clients log in anew: what they knew of their sessions is of another time");
    Ok(())
}

fn told(verified: &Verified) -> String {
    let Verified { schema, accounts, entries, sessions, epoch, unix_ms } = verified;
    let last = match i64::try_from(unix_ms / 1000).ok().filter(|&seconds| seconds > 0) {
        Some(seconds) => format!("the last written at {seconds} (Unix time)"),
        None => "none".to_owned(),
    };
    format!(
        "schema {schema}, {accounts} accounts, {entries} entries of logs ({last}), \
         {sessions} sessions, epoch {epoch}"
    )
}
