//! Goes on with the store's index of words, while archives are searched by it.

use crate::shell::Shell;
use engine::port::Store;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// After a start there is more urgent work.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// Between looks for what has been said since: until then it is found without an index.
const PAUSE: Duration = Duration::from_secs(120);

/// Goes on until the server stops.
pub(crate) async fn run(
    shell: Arc<Shell>,
    store: Arc<dyn Store>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = async { drop(stopping.wait_for(|it| *it).await) } => return,
            () = sleep(pause) => {}
        }
        let is_wanted = shell.hooks.indexes(&shell.settings.load());
        pause = if is_wanted { go_on(&*store).await } else { PAUSE };
    }
}

/// By a piece. Says when the next one is due.
async fn go_on(store: &dyn Store) -> Duration {
    let begun = Instant::now();
    match store.index().await {
        Ok(0) => PAUSE,
        // Half of the time is for others.
        Ok(_) => begun.elapsed(),
        Err(fault) => {
            tracing::warn!(%fault, "the index of words does not go on");
            PAUSE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{
        port::Batch,
        unit::{Change, Credentials, Entry, Flags, Pos, Unit},
        wire::{Bare, Text},
    };
    use store::{Options, Sqlite};

    #[tokio::test]
    async fn it_goes_on_at_once_until_it_has_caught_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("waxwing.db").display().to_string();
        let store = Sqlite::open(&file, &Options::default()).await.unwrap();
        let juliet = Bare::parse("juliet@x").unwrap();
        let entry = Entry {
            log: juliet.clone(),
            flags: Flags::ARCHIVE,
            peer: juliet.clone(),
            key: None,
            settles: None,
            foreign_id: None,
            stanza: Text::from("<message><body>rose</body></message>"),
        };
        let places: Vec<_> = (1..=1_000).map(Pos).collect();
        let entries = vec![entry; places.len()];
        let changes = vec![Change::Create(juliet, Credentials::default())];
        let unit = Unit { entries, changes, ..Unit::default() };
        let batch = Batch { number: 1, last: Pos(1_000), units: vec![(unit, places)] };
        store.commit(&batch).await.unwrap();
        let mut pieces = 0;
        while go_on(&store).await != PAUSE {
            pieces += 1;
        }
        assert!((2..1_000).contains(&pieces), "{pieces}");
        assert_eq!(store.index().await, Ok(0));
    }
}
