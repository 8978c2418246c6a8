//! Who makes trouble, and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::slow::Slow;
use crate::chat::{Features, meet};
use crate::connect::{connect, dial};
use crate::crowd::at_once;
use crate::latency::Latencies;
use crate::muc::Hall;
use crate::pair::{Pace, Pair, Run, Tally};
use crate::session::Session;
use crate::target::Target;

/// The pairs that flood, and how many messages of each are under way at most.
const FLOODS: u16 = 2;
const FLOOD_WINDOW: u64 = 500;
/// Whose roster is huge.
const HUGE: &str = "huge%d";
/// After the last byte of who does not log in: until then its connection must be gone.
const LORIS_PATIENCE: Duration = Duration::from_secs(35);
/// Between two logins of others meanwhile.
const LORIS_LOGINS: Duration = Duration::from_millis(100);
/// So long before the part with the trouble ends, that of a room does: then it is counted in time.
const COUNTED_BEFORE: Duration = Duration::from_millis(300);
/// How long it may take to fill a room.
const FILL_PATIENCE: Duration = Duration::from_secs(120);
/// What a full room is told.
const ROOM_MESSAGES_PER_SECOND: f64 = 5.0;

/// What kind of trouble.
#[derive(Clone, Copy, ValueEnum, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Some stop reading what is said to them all the time.
    SlowReader,
    /// Some send as fast as they are read.
    Flood,
    /// Many log in at once.
    Storm,
    /// Many connect and stop somewhere before they have logged in.
    Loris,
    /// Somebody asks for a huge roster, again and again.
    Roster,
    /// Many enter one room.
    Entrance,
    /// Many are in one room, in which somebody talks.
    Room,
}

impl Kind {
    /// Whether it is made of stanzas, each of which costs about what one of the others costs.
    pub fn is_of_stanzas(self) -> bool {
        matches!(self, Self::SlowReader | Self::Flood)
    }
}

/// From when to when.
#[derive(Clone)]
pub struct Plan {
    pub started: Instant,
    pub from: Instant,
    pub until: Instant,
    pub ends: Instant,
    /// Stanzas, logins or connections of it.
    pub count: Arc<AtomicU64>,
}

/// Those who make it, ready to begin.
pub enum Trouble {
    SlowReader(Slow),
    Flood(Vec<(Session, Session)>),
    /// From this account on, so many.
    Storm(usize, usize),
    /// So many connections; meanwhile this account logs in.
    Loris(usize, usize),
    Roster(Box<Session>),
    Entrance(Hall),
    Room(Hall),
}

impl Trouble {
    /// Accounts from `first` on are free for it.
    ///
    /// # Errors
    /// When a login fails.
    pub async fn prepare(kind: Kind, target: &Target, first: usize, crowd: usize) -> Result<Self> {
        Ok(match kind {
            Kind::SlowReader => Self::SlowReader(Slow::prepare(target, first).await?),
            Kind::Flood => {
                let mut pairs = Vec::new();
                for number in 0..usize::from(FLOODS) {
                    let pair = first / 2 + number;
                    pairs.push(meet(target.clone(), pair, Features::archived()).await?);
                }
                Self::Flood(pairs)
            }
            Kind::Storm => Self::Storm(first, crowd),
            Kind::Loris => Self::Loris(2 * crowd, first),
            Kind::Roster => Self::Roster(Box::new(connect(&target.of(HUGE), 0).await?)),
            Kind::Entrance => Self::Entrance(Hall::prepare(target, first, crowd).await?),
            Kind::Room => {
                let mut hall = Hall::prepare(target, first, crowd).await?;
                ensure!(hall.enter(Instant::now() + FILL_PATIENCE).await?, "not all are in");
                Self::Room(hall)
            }
        })
    }

    /// Makes it; what became of it, with a `fault` if that is not as it must be.
    ///
    /// # Errors
    /// When a connection is lost.
    pub async fn make(self, target: Target, plan: Plan) -> Result<Map<String, Value>> {
        match self {
            Self::SlowReader(slow) => slow.make(plan).await,
            Self::Flood(pairs) => flood(pairs, plan).await,
            Self::Storm(first, crowd) => storm(target, first, crowd, plan).await,
            Self::Loris(crowd, first) => loris(target, crowd, first, plan).await,
            Self::Roster(session) => fetch(*session, plan).await,
            Self::Entrance(hall) => enter(hall, plan).await,
            Self::Room(hall) => listen(hall, plan).await,
        }
    }
}

/// What became of something.
pub fn told<const N: usize>(found: [(&str, Value); N]) -> Map<String, Value> {
    found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn flood(pairs: Vec<(Session, Session)>, plan: Plan) -> Result<Map<String, Value>> {
    sleep_until(plan.from).await;
    let mut run = Run::starting(Instant::now(), plan.until - plan.from)?;
    run.archived = Some(true);
    run.received = plan.count;
    run.ends = plan.until;
    let mut flooding = JoinSet::new();
    for (number, (sender, receiver)) in (0..).zip(pairs) {
        let pace = Pace::Window(FLOOD_WINDOW);
        flooding.spawn(Pair::new(run.clone(), number, pace, sender, receiver).converse());
    }
    let mut total = Tally::default();
    while let Some(tally) = flooding.join_next().await {
        total.add(tally??);
    }
    let p99 = std::mem::take(total.part(0)).summary().map(|summary| summary.p99_ms);
    let mut found = told([("flood_p99_ms", json!(p99))]);
    if !total.is_clean() {
        found.insert("fault".to_owned(), json!(format!("the flood: {:?}", total.verdict)));
    }
    Ok(found)
}

async fn storm(
    target: Target,
    first: usize,
    crowd: usize,
    plan: Plan,
) -> Result<Map<String, Value>> {
    sleep_until(plan.from).await;
    let began = Instant::now();
    let log_in = |index: usize| {
        let (target, count) = (target.clone(), plan.count.clone());
        async move {
            let session = connect(&target, index).await?;
            count.fetch_add(1, Relaxed);
            Ok((session, began.elapsed().as_micros() as u64))
        }
    };
    let sessions = at_once((first..first + crowd).collect(), log_in).await?;
    let mut latencies = Latencies::default();
    sessions.iter().for_each(|(_, micros)| latencies.note(*micros));
    let all_in_seconds = sessions.iter().map(|(_, micros)| *micros).max().unwrap_or(0) as f64 / 1e6;
    for (session, _) in sessions {
        session.close().await?;
    }
    let p50 = latencies.summary().map(|summary| summary.p50_ms);
    Ok(told([("all_in_seconds", json!(all_in_seconds)), ("login_p50_ms", json!(p50))]))
}

async fn loris(
    target: Target,
    crowd: usize,
    first: usize,
    plan: Plan,
) -> Result<Map<String, Value>> {
    sleep_until(plan.from).await;
    let mut sockets = Vec::with_capacity(crowd);
    for number in 0..crowd {
        sockets.push(stop_at(&target, number % 5).await?);
        plan.count.fetch_add(1, Relaxed);
    }
    let given_up = Instant::now() + LORIS_PATIENCE;
    let mut latencies = Latencies::default();
    let mut due = Instant::now();
    while due < plan.until {
        sleep_until(due).await;
        due += LORIS_LOGINS;
        let began = Instant::now();
        let session = connect(&target, first).await?;
        latencies.note(began.elapsed().as_micros() as u64);
        session.close().await?;
    }
    let mut open = 0;
    for mut socket in sockets {
        let rest = given_up.saturating_duration_since(Instant::now());
        open += u64::from(timeout(rest, until_closed(&mut socket)).await.is_err());
    }
    let p99 = latencies.summary().map(|summary| summary.p99_ms);
    let mut found = told([("login_p99_ms", json!(p99)), ("left_open", json!(open))]);
    if open > 0 {
        let fault = format!("{open} of {crowd} that do not log in are still there");
        found.insert("fault".to_owned(), json!(fault));
    }
    Ok(found)
}

/// A connection that stops at one of five places before the login.
async fn stop_at(target: &Target, place: usize) -> Result<TcpStream> {
    const HEADER: &str = "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams'>";
    const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let mut socket = dial(target).await.context("one that does not log in")?;
    match place {
        0 => {}
        1 => socket.write_all(&HEADER.as_bytes()[..20]).await?,
        2 => socket.write_all(HEADER.as_bytes()).await?,
        _ => {
            socket.write_all(HEADER.as_bytes()).await?;
            until_said(&mut socket, "</stream:features>").await?;
            socket.write_all(STARTTLS.as_bytes()).await?;
            until_said(&mut socket, "<proceed").await?;
        }
    }
    if place == 4 {
        // A record of TLS, of which most is missing.
        socket.write_all(&[22, 3, 1, 2, 0, 1, 0]).await?;
    }
    Ok(socket)
}

async fn until_said(socket: &mut TcpStream, wanted: &str) -> Result<()> {
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    while !String::from_utf8_lossy(&said).contains(wanted) {
        let count = socket.read(&mut buffer).await?;
        ensure!(count > 0, "closed before {wanted}");
        said.extend_from_slice(&buffer[..count]);
    }
    Ok(())
}

async fn until_closed(socket: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

/// The roster, over and over.
async fn fetch(mut session: Session, plan: Plan) -> Result<Map<String, Value>> {
    let contacts = session.contacts().await?;
    sleep_until(plan.from).await;
    let mut latencies = Latencies::default();
    while Instant::now() < plan.until {
        let began = Instant::now();
        session.fetch_roster(contacts).await?;
        latencies.note(began.elapsed().as_micros() as u64);
        plan.count.fetch_add(1, Relaxed);
    }
    session.close().await?;
    let p50 = latencies.summary().map(|summary| summary.p50_ms);
    Ok(told([("contacts", json!(contacts)), ("roster_p50_ms", json!(p50))]))
}

/// All of them enter, or as many as can.
async fn enter(mut hall: Hall, plan: Plan) -> Result<Map<String, Value>> {
    sleep_until(plan.from).await;
    hall.enter(plan.until - COUNTED_BEFORE).await?;
    plan.count.fetch_add(hall.occupants(), Relaxed);
    // When they go that is trouble, too.
    sleep_until(plan.ends).await;
    Ok(told([("entered", json!(hall.occupants()))]))
}

/// All of them hear what is said.
async fn listen(mut hall: Hall, plan: Plan) -> Result<Map<String, Value>> {
    sleep_until(plan.from).await;
    let until = plan.until - COUNTED_BEFORE;
    let heard = hall.listen(ROOM_MESSAGES_PER_SECOND, until).await?;
    plan.count.fetch_add(hall.deliveries(), Relaxed);
    sleep_until(plan.ends).await;
    let p99 = heard.map(|summary| summary.p99_ms);
    Ok(told([("copies", json!(hall.deliveries())), ("last_copy_p99_ms", json!(p99))]))
}
