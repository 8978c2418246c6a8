//! Workload `muc`: a room. What does it cost to enter, to be there, to hear a message, and how long
//! does that take until the last one has heard it?

mod crowd;
mod floor;
mod hall;
mod occupant;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use self::crowd::Crowd;
use self::floor::Floor;
pub use self::hall::Hall;
use self::occupant::{Room, enter, enter_and_hear, is_own, leave, open};
use crate::archive::expect_newest_of;
use crate::connect::connect;
use crate::crowd::gather;
use crate::latency::{Latencies, Summary};
use crate::message::{MARK_BYTES_MAX, new_run};
use crate::meter::{Reading, rounded};
use crate::outcome::Outcome;
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// How long an entrance may take, and until all have seen all.
const PATIENCE: Duration = Duration::from_secs(120);
/// Options of `muc`.
#[derive(Args)]
pub struct MucArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many are in the room, each of its own account; one more account tries the history
    #[arg(long, default_value_t = 100)]
    occupants: usize,
    /// Where rooms are; conference. and the domain when it is not said
    #[arg(long)]
    service: Option<String>,
    /// Closed loop: how many messages are under way at once, until the last has heard them
    #[arg(long, default_value_t = 4, conflicts_with = "rate")]
    window: usize,
    /// Open loop: messages per second
    #[arg(long)]
    rate: Option<f64>,
    /// How many of the occupants talk, in turns
    #[arg(long, default_value_t = 10)]
    talkers: usize,
    /// How long to measure
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How long to talk beforehand
    #[arg(long, default_value_t = 5)]
    warm_seconds: u64,
    /// Bytes of a body (at least 57: the mark that each carries)
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
    /// At the end the archive of the room must have the last message (XEP-0313)
    #[arg(long)]
    archived: bool,
    /// A room that does not show everybody to everybody
    #[arg(long)]
    unseen: bool,
    /// How often somebody enters the empty room to hear what was said
    #[arg(long, default_value_t = 100)]
    entrances: u64,
    /// How much of it
    #[arg(long, default_value_t = 50)]
    history: usize,
    /// How many log in and enter at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    occupants: usize,
    window: Option<usize>,
    rate: Option<f64>,
    talkers: usize,
    body_bytes: usize,
    entered: Entered,
    kib_per_occupant: Option<f64>,
    settled: bool,
    seconds: f64,
    messages: u64,
    deliveries: u64,
    deliveries_per_s: f64,
    cpu_us_per_delivery: Option<f64>,
    database_cpu_us_per_delivery: Option<f64>,
    client_cpu_us_per_delivery: f64,
    /// To the last occupant.
    #[serde(flatten)]
    latency: Option<Summary>,
    lost: u64,
    archived: bool,
    history: History,
}

/// What it took until all were in.
#[derive(Serialize)]
struct Entered {
    seconds: f64,
    cpu_s: Option<f64>,
    database_cpu_s: Option<f64>,
    client_cpu_s: f64,
    #[serde(flatten)]
    latency: Option<Summary>,
}

/// What it takes to be told what was said before.
#[derive(Serialize)]
struct History {
    messages: usize,
    cpu_us_per_entrance: Option<f64>,
    database_cpu_us_per_entrance: Option<f64>,
    #[serde(flatten)]
    latency: Option<Summary>,
}

impl MucArgs {
    fn check(&self) -> Result<()> {
        ensure!(self.occupants > 1 && self.concurrency > 0 && self.window > 0, "nothing to do");
        ensure!((1..=self.occupants).contains(&self.talkers), "--talkers are occupants");
        ensure!(self.rate.is_none_or(|rate| rate > 0.0), "--rate must be positive");
        ensure!(self.body_bytes >= MARK_BYTES_MAX, "--body-bytes is too little for a mark");
        ensure_files(self.occupants + 1)
    }

    fn room(&self, run: u32, target: &Target) -> Result<Room> {
        let service = self.service.clone();
        let service = service.unwrap_or_else(|| format!("conference.{}", target.domain()));
        let floor = Floor::new(run, u32::try_from(self.occupants)?, Instant::now());
        let jid = format!("r{run:08x}@{service}");
        Ok(Room::new(jid, floor, self.window, self.body_bytes))
    }
}

/// Fills a room, and lets it talk.
///
/// # Errors
/// When a login fails, a connection is lost, or somebody hears what it must not, or does not hear
/// what it must in time.
pub async fn run(args: MucArgs) -> Result<Outcome> {
    args.check()?;
    let target = Target::new(args.target.clone())?;
    let run = new_run()?;
    let room = Arc::new(args.room(run, &target)?);
    let sessions = gather(args.occupants, args.concurrency, |n| arrive(target.clone(), 0, n));
    let mut sessions = sessions.await?;
    // As accounts are, whoever has come first.
    sessions.sort_by_key(|(number, _)| *number);
    found(&mut sessions, &room, args.history).await?;

    let before = target.watched.settled_rss().await?;
    let mut crowd = Crowd::seat(&room, sessions);
    let entered = fill(&mut crowd, &args, &target).await?;
    let after = target.watched.settled_rss().await?;
    let kib_per_occupant = before.as_ref().zip(after.as_ref()).map(|(before, after)| {
        let kib = after.kib as f64 - before.kib as f64;
        rounded(kib / args.occupants as f64)
    });
    let settled = before.is_none_or(|rss| rss.settled) && after.is_none_or(|rss| rss.settled);

    let (spent, messages, deliveries) = crowd.talk(&args, &target).await?;
    let mut sessions = crowd.rise().await?;
    let said = room.floor().last(args.history);
    if let Some(last) = said.last().filter(|_| args.archived) {
        let (_, owner) = sessions.first_mut().context("nobody")?;
        expect_newest_of(owner, &room.jid, run, last.sequence).await?;
    }
    let history = hear_history(&args, &target, &room, sessions).await?;
    let (lost, latency) = {
        let mut floor = room.floor();
        (floor.lost(), std::mem::take(&mut floor.latencies).summary())
    };
    let figures = Figures {
        workload: "muc",
        occupants: args.occupants,
        window: args.rate.is_none().then_some(args.window),
        rate: args.rate,
        talkers: args.talkers,
        body_bytes: args.body_bytes,
        entered,
        kib_per_occupant,
        settled,
        seconds: spent.seconds,
        messages,
        deliveries,
        deliveries_per_s: spent.rate(deliveries),
        cpu_us_per_delivery: spent.cpu_us_per(deliveries),
        database_cpu_us_per_delivery: spent.database_cpu_us_per(deliveries),
        client_cpu_us_per_delivery: spent.own_cpu_us_per(deliveries),
        latency,
        lost,
        archived: args.archived,
        history,
    };
    Outcome::judged(&figures, lost == 0)
}

/// The occupant of this number comes online, behind so many other accounts.
async fn arrive(target: Target, first: usize, number: usize) -> Result<(usize, Session)> {
    let mut session = connect(&target, first + number).await?;
    session.appear().await?;
    Ok((number, session))
}

/// All enter, and see all; what that took.
async fn fill(crowd: &mut Crowd, args: &MucArgs, target: &Target) -> Result<Entered> {
    let wanted = match args.unseen {
        true => 0,
        false => (args.occupants * args.occupants) as u64,
    };
    let before = Reading::take(&target.watched)?;
    let took = crowd.enter(args.concurrency, wanted).await?;
    let spent = before.until(&Reading::take(&target.watched)?);
    let mut latencies = Latencies::default();
    took.into_iter().for_each(|micros| latencies.note(micros));
    let seconds = |micros: f64| rounded(micros / 10_000.0) / 100.0;
    Ok(Entered {
        seconds: spent.seconds,
        cpu_s: spent.cpu_us_per(1).map(seconds),
        database_cpu_s: spent.database_cpu_us_per(1).map(seconds),
        client_cpu_s: seconds(spent.own_cpu_us_per(1)),
        latency: latencies.summary(),
    })
}

/// The first makes the room and leaves it: so its entrance is like that of all others.
async fn found(sessions: &mut [(usize, Session)], room: &Room, history: usize) -> Result<()> {
    let (number, owner) = sessions.first_mut().context("nobody")?;
    owner.post(enter(&room.jid, *number, 0).as_bytes());
    let is_in = async {
        loop {
            let stanza = owner.stanza().await?;
            ensure!(stanza.head.type_str() != "error", "refused: {}", stanza.to_text());
            if is_own(&stanza) {
                return Ok(());
            }
        }
    };
    timeout(PATIENCE, is_in).await.context("the room is not made in time")??;
    open(owner, &room.jid, history).await?;
    leave(owner, &room.jid, *number).await
}

/// All leave; then somebody else comes in and goes out again and again.
async fn hear_history(
    args: &MucArgs,
    target: &Target,
    room: &Room,
    sessions: Vec<(usize, Session)>,
) -> Result<History> {
    for (_, session) in sessions {
        session.close().await?;
    }
    let (number, mut session) = arrive(target.clone(), 0, args.occupants).await?;
    let said = room.floor().last(args.history);
    // The first one wakes the room.
    let entrance = enter_and_hear(&mut session, &room.jid, number, &said);
    timeout(PATIENCE, entrance).await.context("not let in, in time")??;
    leave(&mut session, &room.jid, number).await?;
    let before = Reading::take(&target.watched)?;
    let mut latencies = Latencies::default();
    for _ in 0..args.entrances {
        let began = Instant::now();
        let entrance = enter_and_hear(&mut session, &room.jid, number, &said);
        timeout(PATIENCE, entrance).await.context("no subject in time")??;
        latencies.note(began.elapsed().as_micros() as u64);
        leave(&mut session, &room.jid, number).await?;
    }
    let spent = before.until(&Reading::take(&target.watched)?);
    session.close().await?;
    Ok(History {
        messages: said.len(),
        cpu_us_per_entrance: spent.cpu_us_per(args.entrances),
        database_cpu_us_per_entrance: spent.database_cpu_us_per(args.entrances),
        latency: latencies.summary(),
    })
}
