//! Workload `calm`: does what needs no database go on while the database does not answer? Some
//! pairs say what is archived, all the time; the others only what is not: pings of the server and
//! of one another, presence, that they are typing. In the middle of it a command takes the database
//! away and brings it back.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use wire::{Kind, Stanza};

use crate::chat::{Features, meet, spread};
use crate::crowd::gather;
use crate::latency::{Latencies, Summary};
use crate::order::Verdict;
use crate::outcome::Outcome;
use crate::pair::{Pair, Run, Tally};
use crate::process::ensure_files;
use crate::session::Session;
use crate::target::{Target, TargetArgs};

/// When the run is over: how long to wait for answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Options of `calm`.
#[derive(Args)]
pub struct CalmArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many pairs say what is archived; pair n is accounts 2n-1 and 2n
    #[arg(long, default_value_t = 20)]
    busy: u16,
    /// Their messages per second, of all together
    #[arg(long, default_value_t = 100.0)]
    busy_rate: f64,
    /// How many pairs, of the next accounts, say only what is not
    #[arg(long, default_value_t = 50)]
    calm: u16,
    /// Their stanzas per second, of all together
    #[arg(long, default_value_t = 200.0)]
    calm_rate: f64,
    /// What takes the database away and brings it back, for the shell; it takes as long as that
    #[arg(long = "while", default_value = "sleep 5")]
    command: String,
    /// How long it goes on before
    #[arg(long, default_value_t = 10)]
    seconds_before: u64,
    /// How long the whole takes
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    busy: u16,
    calm: u16,
    away_seconds: f64,
    before: Option<Summary>,
    during: Option<Summary>,
    after: Option<Summary>,
    /// Of those during, by what was said.
    ping: Option<Summary>,
    peer: Option<Summary>,
    presence: Option<Summary>,
    typing: Option<Summary>,
    /// What was not archived: calm stanzas, and those that nothing came of.
    stanzas: usize,
    unanswered: usize,
    /// What was archived.
    archived: Option<Summary>,
    #[serde(flatten)]
    verdict: Verdict,
    refused: u64,
}

/// What is said, in turns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// XEP-0199, to the server.
    Ping,
    /// The same, to the other's session, whose client answers.
    Peer,
    /// Directed (RFC 6121 §4.6).
    Presence,
    /// XEP-0085.
    Typing,
}

const TURNS: [Said; 4] = [Said::Ping, Said::Peer, Said::Presence, Said::Typing];

/// What was said when, and how long it took.
struct Sample {
    said: Said,
    at: Instant,
    micros: u64,
}

/// Brings all online, and takes the database away from them.
///
/// # Errors
/// When a login fails, a connection is lost, or the command fails.
pub async fn run(args: CalmArgs) -> Result<Outcome> {
    let pairs = args.busy.checked_add(args.calm).context("so many pairs")?;
    ensure!(args.busy > 0 && args.calm > 0, "nothing to do");
    ensure!(args.busy_rate > 0.0 && args.calm_rate > 0.0, "rates must be positive");
    ensure_files(2 * usize::from(pairs))?;
    let target = Target::new(args.target)?;
    let features = |n| match n < usize::from(args.busy) {
        true => Features::archived(),
        false => Features::default(),
    };
    let meet = |n| meet(target.clone(), n, features(n));
    let online = gather(pairs.into(), 8, meet).await?;

    let started = Instant::now();
    let mut run = Run::starting(started, Duration::from_secs(args.seconds))?;
    run.archived = Some(true);
    let (mut busy, mut calm) = (JoinSet::new(), JoinSet::new());
    for (number, (sender, receiver)) in (0..).zip(online) {
        if number < args.busy {
            let pace = spread(args.busy_rate, args.busy, number);
            busy.spawn(Pair::new(run.clone(), number, pace, sender, receiver).converse());
            continue;
        }
        let interval = Duration::from_secs_f64(1.0 / args.calm_rate);
        let first = started + interval * u32::from(number);
        let interval = interval * u32::from(args.calm);
        let quiet = Quiet::new(target.domain(), sender, receiver);
        calm.spawn(quiet.go_on(first, interval, run.ends));
    }
    sleep_until(started + Duration::from_secs(args.seconds_before)).await;
    let gone = Instant::now();
    let back = away(args.command).await?;
    ensure!(back < run.ends, "--while took until the end: nothing is measured after it");

    let mut total = Tally::default();
    while let Some(tally) = busy.join_next().await {
        total.add(tally??);
    }
    let (mut samples, mut unanswered) = (Vec::new(), 0);
    while let Some(quiet) = calm.join_next().await {
        let (heard, missing) = quiet??;
        samples.extend(heard);
        unanswered += missing;
    }
    let passed = total.verdict.is_clean() && total.refused == 0 && unanswered == 0;
    let heard = Heard { samples, unanswered, gone, back };
    Outcome::judged(&heard.figures([args.busy, args.calm], total), passed)
}

/// Takes the database away; when it is back.
async fn away(command: String) -> Result<Instant> {
    let away = tokio::task::spawn_blocking(move || {
        let status = std::process::Command::new("sh").args(["-c", &command]).status();
        (status, Instant::now())
    });
    let (status, back) = away.await?;
    ensure!(status?.success(), "--while failed");
    Ok(back)
}

/// What became of the calm stanzas, and from when to when the database was away.
struct Heard {
    samples: Vec<Sample>,
    unanswered: usize,
    gone: Instant,
    back: Instant,
}

impl Heard {
    fn figures(&self, [busy, calm]: [u16; 2], mut total: Tally) -> Figures {
        let of = |said: Said| self.summary(|one| self.is_during(one) && one.said == said);
        Figures {
            workload: "calm",
            busy,
            calm,
            away_seconds: (self.back - self.gone).as_secs_f64(),
            before: self.summary(|one| one.at < self.gone),
            during: self.summary(|one| self.is_during(one)),
            after: self.summary(|one| one.at >= self.back),
            ping: of(Said::Ping),
            peer: of(Said::Peer),
            presence: of(Said::Presence),
            typing: of(Said::Typing),
            stanzas: self.samples.len() + self.unanswered,
            unanswered: self.unanswered,
            refused: total.refused,
            verdict: total.verdict,
            archived: std::mem::take(total.part(0)).summary(),
        }
    }

    fn is_during(&self, sample: &Sample) -> bool {
        sample.at >= self.gone && sample.at < self.back
    }

    fn summary(&self, wanted: impl Fn(&Sample) -> bool) -> Option<Summary> {
        let mut latencies = Latencies::default();
        let wanted = self.samples.iter().filter(|sample| wanted(sample));
        wanted.for_each(|sample| latencies.note(sample.micros));
        latencies.summary()
    }
}

/// A pair of which nothing is archived.
struct Quiet {
    domain: String,
    one: Session,
    other: Session,
    said: u64,
    open: HashMap<String, (Said, Instant)>,
    samples: Vec<Sample>,
}

impl Quiet {
    fn new(domain: &str, one: Session, other: Session) -> Self {
        let (open, samples) = (HashMap::new(), Vec::new());
        Self { domain: domain.to_owned(), one, other, said: 0, open, samples }
    }

    /// Says something at these intervals, whatever becomes of it, until the end; then waits for
    /// what is open. What was heard, and how much was not.
    async fn go_on(
        mut self,
        first: Instant,
        interval: Duration,
        ends: Instant,
    ) -> Result<(Vec<Sample>, usize)> {
        let mut due = first;
        while due < ends {
            tokio::select! {
                biased;
                heard = self.hear() => heard.context("calm")?,
                () = sleep_until(due) => {
                    self.say(due);
                    due += interval;
                }
            }
        }
        let given_up = sleep_until(ends + PATIENCE);
        tokio::pin!(given_up);
        while !self.open.is_empty() {
            tokio::select! {
                biased;
                heard = self.hear() => heard.context("calm")?,
                () = &mut given_up => break,
            }
        }
        self.one.close().await?;
        self.other.close().await?;
        Ok((self.samples, self.open.len()))
    }

    fn say(&mut self, due: Instant) {
        let said = TURNS[(self.said % TURNS.len() as u64) as usize];
        let id = format!("calm{}", self.said);
        self.said += 1;
        let (domain, other) = (&self.domain, self.other.jid());
        let ping = "<ping xmlns='urn:xmpp:ping'/></iq>";
        let stanza = match said {
            Said::Ping => format!("<iq type='get' id='{id}' to='{domain}'>{ping}"),
            Said::Peer => format!("<iq type='get' id='{id}' to='{other}'>{ping}"),
            Said::Presence => {
                format!("<presence id='{id}' to='{other}'><show>dnd</show></presence>")
            }
            Said::Typing => format!(
                "<message type='chat' id='{id}' to='{other}'>\
                 <composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
            ),
        };
        self.one.post(stanza.as_bytes());
        self.open.insert(id, (said, due));
    }

    /// Moves bytes both ways; returns when anything has arrived.
    async fn hear(&mut self) -> Result<()> {
        poll_fn(|cx| {
            let mut arrived = false;
            while let Poll::Ready(stanza) = self.one.poll_stanza(cx) {
                self.note(&stanza?, Kind::Iq);
                arrived = true;
            }
            while let Poll::Ready(stanza) = self.other.poll_stanza(cx) {
                let stanza = stanza?;
                self.note(&stanza, stanza.kind());
                arrived = true;
            }
            if arrived { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// An answer, or what was said itself. An error is neither.
    fn note(&mut self, stanza: &Stanza, kind: Kind) {
        let Some(id) = stanza.head.id.as_ref().filter(|_| stanza.kind() == kind) else { return };
        if stanza.head.type_str() == "error" {
            return;
        }
        if let Some((said, at)) = self.open.remove(&**id) {
            self.samples.push(Sample { said, at, micros: at.elapsed().as_micros() as u64 });
        }
    }
}
