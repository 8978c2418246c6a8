//! Removes from the store what is kept no longer.

use crate::{clock::unix_ms, limits::Limits, writer::Queue};
use doubt::Doubt;
use engine::{
    port::{Fault, Retention, Store},
    unit::{Change, Pos, Table},
    wire::Bare,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};

mod doubt;

/// After a start there is more urgent work.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// In between.
const PAUSE: Duration = Duration::from_secs(600);

/// Of a host: what is believed of the clock.
const CLOCK: Table = Table::named("clock");
/// Its one key.
const BELIEVED: &str = "believed";

/// Goes on until the server stops. The clock's belief is kept with a host of ours.
pub(crate) async fn run(
    (store, queue): (Arc<dyn Store>, Queue),
    host: Bare,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let (mut pause, mut last, mut before) = (FIRST_PAUSE, Instant::now(), None);
    loop {
        tokio::select! {
            () = async { drop(stopping.wait_for(|it| *it).await) } => return,
            () = sleep(pause) => {}
        }
        pause = PAUSE;
        let passed = last.elapsed();
        last += passed;
        let clock_ms = unix_ms();
        let said = (clock_ms, before.replace(clock_ms));
        match believed(&*store, &queue, &host, said, passed).await {
            Ok(now) => clean(&*store, now, &limits).await,
            Err(fault) => tracing::warn!(%fault, "what is kept no longer stays in the store"),
        }
    }
}

/// The time by which is judged what is too old, when the clock says this, and said that before, and
/// so much has really passed since it was asked last.
async fn believed(
    store: &dyn Store,
    queue: &Queue,
    host: &Bare,
    (clock_ms, before): (u64, Option<u64>),
    passed: Duration,
) -> Result<u64, Fault> {
    let kept = store.cell(CLOCK, host, BELIEVED).await?;
    let mut doubt = match kept.as_deref().and_then(Doubt::load) {
        Some(doubt) => doubt,
        None => Doubt::new(match store.last().await?.1 {
            // Nothing is there yet that could be removed.
            Pos(0) => clock_ms,
            last => last.unix_ms(),
        }),
    };
    let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    let was_ahead = doubt.is_ahead();
    let now = doubt.judge(clock_ms, before, passed);
    if doubt.is_ahead() && !was_ahead {
        let hours = (clock_ms - now) / 3_600_000;
        tracing::warn!(
            hours,
            "the clock is ahead of what it said last; for a day nothing is too old by it"
        );
    }
    let put = Change::Put(CLOCK, host.clone(), BELIEVED.into(), doubt.save());
    queue.commit(put.into()).await?;
    Ok(now)
}

async fn clean(store: &dyn Store, now: u64, limits: &Limits) {
    let what = Retention::of(now, limits.keep_days_max, limits.keep_entries_max);
    match store.purge(&what).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "removed from the store what is kept no longer"),
        Err(fault) => tracing::warn!(%fault, "what is kept no longer stays in the store"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;
    use engine::{
        port::Batch,
        unit::{Change, Credentials, Entry, Flags, Pos, Unit},
        wire::{Bare, Text},
    };
    use store::Memory;

    /// An account that said something long ago, and now.
    async fn talkative() -> (Arc<dyn Store>, Bare, [Pos; 2]) {
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
        let places = [Pos(1), Pos::next(Pos(1), unix_ms())];
        let unit = Unit { entries: vec![entry.clone(), entry], changes, ..Unit::default() };
        let batch = Batch { number: 1, last: places[1], units: vec![(unit, places.into())] };
        store.commit(&batch).await.unwrap();
        (Arc::new(store), juliet, places)
    }

    async fn left(store: &dyn Store, of: &Bare) -> Vec<Pos> {
        let left = store.page(of, Pos(0), 9).await.unwrap();
        left.iter().map(|logged| logged.pos).collect()
    }

    #[tokio::test]
    async fn the_settings_say_what_is_too_old() {
        let (store, juliet, [old, new]) = talkative().await;
        clean(&*store, unix_ms(), &Limits::default()).await;
        assert_eq!(left(&*store, &juliet).await, [old, new]);
        clean(&*store, unix_ms(), &Limits { keep_days_max: 30, ..Limits::default() }).await;
        assert_eq!(left(&*store, &juliet).await, [new]);
    }

    #[tokio::test]
    async fn the_clock_of_a_new_server_is_believed_at_once() {
        let store: Arc<dyn Store> = Arc::new(Memory::new(&[]));
        let host = Bare::host("x").unwrap();
        let queue = Operator::of("x", store.clone()).await.accounts.writer;
        let (clock, minute) = (unix_ms(), Duration::from_secs(60));
        let now = believed(&*store, &queue, &host, (clock, None), minute).await;
        assert_eq!(now.ok(), Some(clock));
    }

    #[tokio::test]
    async fn f_clk_a_clock_that_jumps_ahead_removes_nothing_until_it_has_stayed_there() {
        let (store, juliet, [_, new]) = talkative().await;
        let host = Bare::host("x").unwrap();
        let queue = Operator::of("x", store.clone()).await.accounts.writer;
        let limits = Limits { keep_days_max: 30, ..Limits::default() };
        let hour = Duration::from_secs(3_600);
        let ahead = unix_ms() + 365 * 86_400_000;
        for hours in 0..=24 {
            let clock = ahead + hours * 3_600_000;
            let before = clock.checked_sub(3_600_000).filter(|_| hours > 0);
            let now = believed(&*store, &queue, &host, (clock, before), hour).await.unwrap();
            clean(&*store, now, &limits).await;
            assert_eq!(left(&*store, &juliet).await == [new], hours < 24, "{hours}");
        }
    }
}
