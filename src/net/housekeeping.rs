//! Removes from the store what is kept no longer.

use crate::{clock::unix_ms, limits::Limits};
use engine::port::{Retention, Store};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// After a start there is more urgent work.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// In between.
const PAUSE: Duration = Duration::from_secs(600);

/// Goes on until the server stops.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = async { drop(stopping.wait_for(|it| *it).await) } => return,
            () = sleep(pause) => {}
        }
        pause = PAUSE;
        clean(&*store, &limits).await;
    }
}

async fn clean(store: &dyn Store, limits: &Limits) {
    let what = Retention::of(unix_ms(), limits.keep_days_max, limits.keep_entries_max);
    match store.purge(&what).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "removed from the store what is kept no longer"),
        Err(fault) => tracing::warn!(%fault, "what is kept no longer stays in the store"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{
        port::{Batch, Reads},
        unit::{Change, Credentials, Entry, Flags, Pos, Unit},
        wire::{Bare, Text},
    };
    use store::Memory;

    #[tokio::test]
    async fn the_settings_say_what_is_too_old() {
        let store = Memory::new(&[]);
        let juliet = Bare::parse("juliet@x").unwrap();
        let entry = Entry {
            log: juliet.clone(),
            flags: Flags::ARCHIVE,
            peer: juliet.clone(),
            key: None,
            settles: None,
            foreign_id: None,
            stanza: Text::from("<message/>"),
        };
        let changes = vec![Change::Create(juliet.clone(), Credentials::default())];
        let (old, new) = (Pos(1), Pos::next(Pos(1), unix_ms()));
        let unit = Unit { entries: vec![entry.clone(), entry], changes, ..Unit::default() };
        let batch = Batch { number: 1, last: new, units: vec![(unit, vec![old, new])] };
        store.commit(&batch).await.unwrap();
        clean(&store, &Limits::default()).await;
        assert_eq!(store.page(&juliet, Pos(0), 9).await.unwrap().len(), 2);
        clean(&store, &Limits { keep_days_max: 30, ..Limits::default() }).await;
        let left = store.page(&juliet, Pos(0), 9).await.unwrap();
        assert_eq!(left.iter().map(|logged| logged.pos).collect::<Vec<_>>(), [new]);
    }
}
