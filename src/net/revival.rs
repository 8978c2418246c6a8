//! Sessions that outlive the process (XEP-0198 §5): at its start the accounts that have some are
//! loaded, so that whoever saw them sees them still, and whoever has gone for good is seen to go;
//! so are the rooms that somebody is in.

use crate::{clock::unix_ms, limits::PAGE_ACCOUNTS_MAX, shell::Shell};
use engine::{
    port::{Fault, Store},
    shard::Input,
    wire::Bare,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a store that is away is not asked again.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// Loads them, beside whatever clients ask for, until all are here or the server stops.
pub(crate) async fn revive_all(
    shell: Arc<Shell>,
    store: Arc<dyn Store>,
    stopping: watch::Receiver<bool>,
) {
    let begun = unix_ms();
    let mut after = None;
    while !*stopping.borrow() {
        let page = match store.resumable(begun, after.as_ref(), PAGE_ACCOUNTS_MAX).await {
            Ok(page) => page,
            Err(Fault::Away(why)) => {
                tracing::warn!(why, "the store does not tell whose sessions can be resumed");
                tokio::time::sleep(AWAY_PAUSE).await;
                continue;
            }
            Err(fault) => {
                return tracing::error!(%fault, "sessions are revived by their clients only");
            }
        };
        let Some(last) = page.last().cloned() else { return };
        for account in page {
            revive(&shell, account).await;
        }
        after = Some(last);
    }
}

/// One at a time gets in line with the reads that are under way: it is never in front of who
/// waits for an answer, and what is under way for it is never more than a read or two.
async fn revive(shell: &Shell, account: Bare) {
    let settings = shell.settings.load();
    // Guests of before go at a start.
    if settings.is_anonymous(&account) {
        return;
    }
    drop(settings);
    let read = shell.reads.acquire().await;
    shell.post.tell(&account.clone(), Input::Revive(account));
    drop(read);
}
