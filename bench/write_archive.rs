//! Workload `write-archive`: the same messages as `fill-archive` says, but of Waxwing alone, put
//! there by its own store while it is down, and spread over a year: for archives of which the
//! saying would take hours.

use anyhow::{Context, Result, ensure};
use clap::Args;
use engine::{
    ctx::Moment,
    port::Store,
    unit::{Entry, Flags, Unit},
    writer::{Writer, WriterLimits},
};
use serde::Serialize;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::Options;
use wire::{Bare, Jid, Stanza};

use crate::message::{Composer, Mark};
use crate::meter::rounded;
use crate::outcome::Outcome;

/// Options of `write-archive`.
#[derive(Args)]
pub struct WriteArchiveArgs {
    /// The store, as in `store.url`; no server may use it
    #[arg(long)]
    store: String,
    /// The XMPP domain of the accounts, which must exist
    #[arg(long, default_value = "localhost")]
    domain: String,
    /// Local parts of the accounts; %d is 1, 2, 3 …
    #[arg(long, default_value = "user%d")]
    user_pattern: String,
    /// Local parts of those who are written to, by the number of the pair; without it pair n is
    /// accounts 2n-1 and 2n, with it n writes
    #[arg(long)]
    recipient_pattern: Option<String>,
    /// The first pair whose archives are filled; they must be empty
    #[arg(long, default_value_t = 1)]
    pair: usize,
    /// How many pairs, whose messages stand among one another
    #[arg(long, default_value_t = 1)]
    pairs: usize,
    /// How many messages of each pair
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How old the oldest is
    #[arg(long, default_value_t = 365)]
    days: u64,
    /// Bytes of a body (at least 57: the mark that each carries)
    #[arg(long, default_value_t = 100)]
    body_bytes: usize,
}

#[derive(Serialize)]
struct Figures {
    workload: &'static str,
    pairs: usize,
    rows: u64,
    entries_per_s: f64,
}

/// Writes them all.
///
/// # Errors
/// When the store refuses.
pub async fn run(args: WriteArchiveArgs) -> Result<Outcome> {
    ensure!(args.pair > 0 && args.pairs > 0 && args.rows > 0, "nothing to do");
    // What is written here is worth nothing if the machine fails meanwhile.
    let options = Options { relaxed: true, ..Options::default() };
    let store = store::open(&args.store, &options).await?;
    let pairs = (args.pair..).take(args.pairs).map(|number| Talk::of(number, &args));
    let pairs: Vec<Talk> = pairs.collect::<Result<_>>()?;
    let mut writer = Writer::resume(store.last().await?, WriterLimits::default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let age = Duration::from_secs(args.days * 86_400);
    let begun = Instant::now();
    for sequence in 0..args.rows {
        for talk in &pairs {
            let unit = talk.unit(sequence)?;
            writer.push((), unit, Moment(0)).map_err(|((), fault)| fault)?;
            if writer.queue_units() == WriterLimits::default().batch_units_max {
                let at = now - age.mul_f64(1.0 - sequence as f64 / args.rows as f64);
                commit(&*store, &mut writer, at).await?;
            }
        }
    }
    commit(&*store, &mut writer, now).await?;
    let entries = 2 * args.rows * args.pairs as u64;
    Outcome::passed(&Figures {
        workload: "write-archive",
        pairs: args.pairs,
        rows: args.rows,
        entries_per_s: rounded(entries as f64 / begun.elapsed().as_secs_f64()),
    })
}

/// Commits all that is in the queue.
///
/// # Errors
/// When the store refuses any of it.
pub async fn commit(store: &dyn Store, writer: &mut Writer<()>, at: Duration) -> Result<()> {
    while let Some(batch) = writer.next_batch(at.as_millis() as u64) {
        for ((), outcome) in writer.outcome(store.commit(&batch).await) {
            outcome.context("writing")?;
        }
    }
    Ok(())
}

/// Who writes to whom.
struct Talk {
    run: u32,
    sender: Bare,
    receiver: Bare,
    composer: Composer,
}

impl Talk {
    fn of(number: usize, args: &WriteArchiveArgs) -> Result<Self> {
        let account = |pattern: &str, index: usize| {
            let user = pattern.replace("%d", &index.to_string());
            Bare::parse(&format!("{user}@{}", args.domain))
        };
        let users = &args.user_pattern;
        let (sender, receiver) = match &args.recipient_pattern {
            None => (account(users, 2 * number - 1)?, account(users, 2 * number)?),
            Some(recipients) => (account(users, number)?, account(recipients, number)?),
        };
        let composer = Composer::new(receiver.as_str(), args.body_bytes);
        Ok(Self { run: u32::try_from(number)?, sender, receiver, composer })
    }

    /// A message in both logs, as the server would have kept it.
    fn unit(&self, sequence: u64) -> Result<Unit> {
        let mark = Mark { run: self.run, pair: 0, sequence, sent_us: 0 };
        let mut said = Vec::new();
        self.composer.write(mark, &mut said);
        let mut stanza = Stanza::parse_one(std::str::from_utf8(&said)?)?;
        stanza.head.from = Some(Jid::parse(&format!("{}/bench", self.sender))?);
        let stanza = stanza.to_text();
        // As far apart as hashes are.
        let key = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15).cast_signed();
        let entry = |log: &Bare, peer: &Bare, flags, key| Entry {
            log: log.clone(),
            flags: Flags::ARCHIVE.and(flags),
            peer: peer.clone(),
            key,
            settles: None,
            foreign_id: None,
            stanza: stanza.clone(),
        };
        let (sender, receiver) = (&self.sender, &self.receiver);
        let sent = entry(sender, receiver, Flags::SENT, Some(key));
        let received = entry(receiver, sender, Flags::RECEIVED, None);
        Ok(Unit { entries: vec![sent, received], ..Unit::default() })
    }
}
