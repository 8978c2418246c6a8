//! Workload `mam`: what does a page of an archive cost, and how long does it take? Every page is
//! checked: so many messages, in order, none left out or told twice between one page and the next.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::archive::{Page, Place, Row};
use crate::connect::connect;
use crate::latency::{Latencies, Summary};
use crate::meter::{Reading, Spent};
use crate::outcome::Outcome;
use crate::process::{Watched, ensure_files};
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// How long to wait for the pages of a server that needs longer for one than is measured.
const PATIENCE: Duration = Duration::from_secs(60);
/// And afterwards for those that are still asked for, which count no more.
const FAREWELL: Duration = Duration::from_secs(2);

/// Options of `mam`.
#[derive(Args)]
pub struct MamArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Whose archive: the sender of this pair, which `fill-archive` or `write-archive` has filled
    #[arg(long, default_value_t = 1)]
    pair: usize,
    /// How many messages are in it
    #[arg(long)]
    rows: u64,
    /// Which way through it
    #[arg(long, value_enum, default_value = "back")]
    way: Way,
    /// How many sessions read at the same time
    #[arg(long, default_value_t = 4)]
    readers: u32,
    /// Messages of a page
    #[arg(long, default_value_t = 50)]
    page: usize,
    /// How long to measure; until each reader can have had a page, if that takes longer
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How long to read beforehand
    #[arg(long, default_value_t = 2)]
    warm_seconds: u64,
}

/// Which way through an archive.
#[derive(Clone, Copy, ValueEnum, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the newest to the oldest, as who scrolls back.
    Back,
    /// From an id to the newest, as who catches up; each reader begins at another age.
    On,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    way: Way,
    rows: u64,
    page: usize,
    readers: u32,
    seconds: f64,
    pages: u64,
    pages_per_s: f64,
    cpu_us_per_page: Option<f64>,
    database_cpu_us_per_page: Option<f64>,
    client_cpu_us_per_page: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
}

/// What all readers share.
#[derive(Clone)]
struct Run {
    way: Way,
    rows: u64,
    page: usize,
    /// The run of the messages.
    id: u32,
    /// How many there were.
    pages: Arc<watch::Sender<u64>>,
    latencies: Arc<Mutex<Latencies>>,
    is_measured: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

/// Reads pages, as many as there is time for.
///
/// # Errors
/// When a page is not what it must be.
pub async fn run(args: MamArgs) -> Result<Outcome> {
    ensure!(args.readers > 0 && args.page > 0 && args.pair > 0, "nothing to do");
    ensure!(args.rows > 0, "--rows must not be 0");
    ensure_files(args.readers as usize)?;
    let target = Target::new(args.target)?;
    let owner = 2 * (args.pair - 1);
    let mut first = connect(&target, owner).await?;
    let archive = Ends::of(&mut first, args.rows).await?;
    first.close().await?;

    let mut readers = Vec::new();
    for number in 0..args.readers {
        let mut session = connect(&target, owner).await?;
        let spot = match args.way {
            Way::Back => None,
            Way::On => Some(archive.spot(&mut session, number, args.readers).await?),
        };
        readers.push((session, spot));
    }
    let run = Run {
        way: args.way,
        rows: args.rows,
        page: args.page,
        id: archive.run,
        pages: Arc::default(),
        latencies: Arc::default(),
        is_measured: Arc::default(),
        is_over: Arc::default(),
    };
    let lasts = [args.warm_seconds, args.seconds].map(Duration::from_secs);
    let (spent, pages, latencies) = measure(&run, readers, lasts, &target.watched).await?;
    Outcome::passed(&Figures {
        workload: "mam",
        way: args.way,
        rows: args.rows,
        page: args.page,
        readers: args.readers,
        seconds: spent.seconds,
        pages,
        pages_per_s: spent.rate(pages),
        cpu_us_per_page: spent.cpu_us_per(pages),
        database_cpu_us_per_page: spent.database_cpu_us_per(pages),
        client_cpu_us_per_page: spent.own_cpu_us_per(pages),
        latency: latencies.summary(),
    })
}

/// Lets all read, and measures what the pages cost that were read in the measured time: from the
/// end of a page to the end of a page, where there are few.
async fn measure(
    run: &Run,
    readers: Vec<(Session, Option<Spot>)>,
    [warm, lasts]: [Duration; 2],
    watched: &Watched,
) -> Result<(Spent, u64, Latencies)> {
    let (mut reading, all) = (JoinSet::new(), readers.len() as u64);
    for (session, spot) in readers {
        reading.spawn(read(run.clone(), session, spot));
    }
    sleep(warm).await;
    let pages_before = run.await_page(1).await;
    run.is_measured.store(true, Relaxed);
    let before = Reading::take(watched)?;
    sleep(lasts).await;
    let pages = run.await_page(pages_before + all).await - pages_before;
    let spent = before.until(&Reading::take(watched)?);
    run.is_measured.store(false, Relaxed);
    run.is_over.store(true, Relaxed);
    let last = async {
        while let Some(read) = reading.join_next().await {
            read??;
        }
        anyhow::Ok(())
    };
    timeout(FAREWELL, last).await.unwrap_or(Ok(()))?;
    Ok((spent, pages, std::mem::take(&mut *run.latencies())))
}

/// The oldest and the newest message of an archive, when they came, and by which run.
struct Ends {
    run: u32,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
}

impl Ends {
    /// An archive of `rows` messages of one run, and nothing else.
    async fn of(session: &mut Session, rows: u64) -> Result<Self> {
        let [oldest, newest] = [
            Page::ask(session, &Place::Oldest, 1).await?,
            Page::ask(session, &Place::Newest, 1).await?,
        ];
        let run = oldest.rows.first().context("the archive is empty")?.mark.run;
        oldest.expect(run, 0, 1).context("the oldest message")?;
        newest.expect(run, rows - 1, 1).context("the newest message")?;
        Ok(Self { run, oldest: came(&oldest.rows[0])?, newest: came(&newest.rows[0])? })
    }

    /// Where reader `number` of `readers` begins: the first of them with the oldest, the others at
    /// equal distances in time, to the second: some servers tell no more of when a message came.
    async fn spot(&self, session: &mut Session, number: u32, readers: u32) -> Result<Spot> {
        let share = f64::from(number) / f64::from(readers);
        let age = (self.newest - self.oldest).num_seconds() as f64 * share;
        let time = self.oldest.with_nanosecond(0).context("a time without a second")?;
        let time = time + TimeDelta::seconds(age as i64);
        let text = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let from = if number == 0 { Place::Oldest } else { Place::Since(text.clone()) };
        let page = Page::ask(session, &from, 1).await?;
        let row = page.rows.first().with_context(|| format!("nothing since {text}"))?;
        ensure!(came(row)? >= time, "a message of {} came since {text}", row.stamp);
        Ok(Spot { id: row.id.clone(), sequence: row.mark.sequence })
    }
}

fn came(row: &Row) -> Result<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(&row.stamp).with_context(|| row.stamp.clone())?;
    Ok(time.to_utc())
}

/// A message of an archive.
#[derive(Clone)]
struct Spot {
    id: String,
    sequence: u64,
}

impl Spot {
    fn of(row: &Row) -> Self {
        Self { id: row.id.clone(), sequence: row.mark.sequence }
    }
}

/// Page after page until the run ends, from the spot or the end again whenever there are no more.
async fn read(run: Run, mut session: Session, spot: Option<Spot>) -> Result<()> {
    let mut at = spot.clone();
    while !run.is_over.load(Relaxed) {
        let begun = Instant::now();
        let page = Page::ask(&mut session, &run.from(at.as_ref()), run.page).await?;
        if run.is_measured.load(Relaxed) {
            run.latencies().note(begun.elapsed().as_micros() as u64);
        }
        run.pages.send_modify(|pages| *pages += 1);
        run.check(&page, at.as_ref())?;
        let next = match run.way {
            Way::Back => page.rows.first(),
            Way::On => page.rows.last(),
        };
        at = match next.filter(|_| !page.is_complete) {
            Some(row) => Some(Spot::of(row)),
            None => spot.clone(),
        };
    }
    session.close().await
}

impl Run {
    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When so many pages were read, or there is no more patience: how many were.
    async fn await_page(&self, number: u64) -> u64 {
        let mut pages = self.pages.subscribe();
        // The sender is ours, so that it cannot be gone.
        let _ = timeout(PATIENCE, pages.wait_for(|read| *read >= number)).await;
        *self.pages.borrow()
    }

    fn from(&self, at: Option<&Spot>) -> Place {
        match (self.way, at) {
            (Way::Back, None) => Place::Newest,
            (Way::Back, Some(at)) => Place::Before(at.id.clone()),
            (Way::On, None) => Place::Oldest,
            (Way::On, Some(at)) => Place::After(at.id.clone()),
        }
    }

    /// The page must have all that is next to `at`, as much as fits, and say whether that is all.
    fn check(&self, page: &Page, at: Option<&Spot>) -> Result<()> {
        let (from, count) = self.due(at);
        page.expect(self.id, from, count)?;
        let is_all = match self.way {
            Way::Back => from == 0,
            Way::On => from + count == self.rows,
        };
        // A full page may leave it open whether there is more (XEP-0313 §4.3.2).
        let is_open = is_all && count == self.page as u64;
        ensure!(
            page.is_complete == is_all || is_open,
            "{count} from {from} of {}: complete='{}'",
            self.rows,
            page.is_complete
        );
        Ok(())
    }

    /// The first and the number of those that are due.
    fn due(&self, at: Option<&Spot>) -> (u64, u64) {
        let page = self.page as u64;
        match self.way {
            Way::Back => {
                let until = at.map_or(self.rows, |at| at.sequence);
                (until.saturating_sub(page), until.min(page))
            }
            Way::On => {
                let from = at.map_or(0, |at| at.sequence + 1);
                (from, page.min(self.rows - from))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Mark;

    fn reading(way: Way) -> Run {
        Run {
            way,
            rows: 120,
            page: 50,
            id: 7,
            pages: Arc::default(),
            latencies: Arc::default(),
            is_measured: Arc::default(),
            is_over: Arc::default(),
        }
    }

    fn at(sequence: u64) -> Option<Spot> {
        Some(Spot { id: String::new(), sequence })
    }

    fn page(sequences: std::ops::Range<u64>, is_complete: bool) -> Page {
        let row = |sequence| Row {
            id: String::new(),
            stamp: String::new(),
            mark: Mark { run: 7, pair: 0, sequence, sent_us: 0 },
        };
        Page { rows: sequences.map(row).collect(), is_complete }
    }

    #[test]
    fn backwards_a_page_ends_where_the_last_one_began() {
        let run = reading(Way::Back);
        run.check(&page(70..120, false), None).expect("the newest");
        run.check(&page(20..70, false), at(70).as_ref()).expect("those before");
        run.check(&page(0..20, true), at(20).as_ref()).expect("the rest");
        assert!(run.check(&page(21..71, false), at(70).as_ref()).is_err(), "one is told twice");
        assert!(run.check(&page(19..69, false), at(70).as_ref()).is_err(), "one is left out");
        assert!(run.check(&page(0..20, false), at(20).as_ref()).is_err(), "there is no more");
        assert!(run.check(&page(20..70, true), at(70).as_ref()).is_err(), "there is more");
    }

    #[test]
    fn forwards_a_page_begins_behind_the_last_one() {
        let run = reading(Way::On);
        run.check(&page(0..50, false), None).expect("the oldest");
        run.check(&page(50..100, false), at(49).as_ref()).expect("those behind");
        run.check(&page(100..120, true), at(99).as_ref()).expect("the rest");
        assert!(run.check(&page(51..101, false), at(49).as_ref()).is_err(), "one is left out");
        assert!(run.check(&page(50..99, false), at(49).as_ref()).is_err(), "it is too short");
        assert!(run.check(&page(50..100, true), at(49).as_ref()).is_err(), "there is more");
    }

    #[test]
    fn a_full_page_that_is_the_last_may_say_so_or_not() {
        let run = reading(Way::Back);
        for is_complete in [true, false] {
            run.check(&page(0..50, is_complete), at(50).as_ref()).expect("either");
        }
    }

    #[test]
    fn an_empty_page_is_the_last_one() {
        reading(Way::On).check(&page(0..0, true), at(119).as_ref()).expect("nothing is left");
        reading(Way::Back).check(&page(0..0, true), at(0).as_ref()).expect("nothing is left");
    }
}
