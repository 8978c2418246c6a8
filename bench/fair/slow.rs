//! Clients that stop reading for a while, though much is said to them all the time.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::trouble::{Plan, told};
use crate::archive::{expect_newest, prefer};
use crate::connect::connect;
use crate::message::{Composer, Mark, new_run};
use crate::order::Order;
use crate::session::Session;
use crate::target::Target;

/// How many clients there are.
const READERS: usize = 20;
/// Messages a second to each of them, and the bytes of each: from somebody else to each, for
/// nobody is read as fast as they all together are spoken to.
const RATE: u32 = 25;
const BODY_BYTES: usize = 8 * 1024;
/// What the system keeps for them: the rest has to wait at the server.
const RECEIVE_BUFFER_BYTES: u32 = 16 * 1024;
/// When they read again: how long nothing may come before the rest counts as lost.
const QUIET: Duration = Duration::from_secs(10);

/// The clients, each with one who speaks to it.
pub struct Slow {
    pairs: Vec<(Session, Session)>,
    run: u32,
}

impl Slow {
    /// Brings all online; accounts from `first` on.
    ///
    /// # Errors
    /// When a login fails.
    pub async fn prepare(target: &Target, first: usize) -> Result<Self> {
        let mut narrow = target.clone();
        narrow.receive_buffer = Some(RECEIVE_BUFFER_BYTES);
        let mut pairs = Vec::new();
        for number in 0..READERS {
            let speaker = connect(target, first + 2 * number).await?;
            let mut reader = connect(&narrow, first + 2 * number + 1).await?;
            prefer(&mut reader, true).await?;
            reader.appear().await?;
            pairs.push((speaker, reader));
        }
        Ok(Self { pairs, run: new_run()? })
    }

    /// Speaks from the start to the end; what became of it.
    ///
    /// # Errors
    /// When a speaker's connection is lost.
    pub async fn make(self, plan: Plan) -> Result<Map<String, Value>> {
        let Self { pairs, run } = self;
        let (mut speaking, mut reading) = (JoinSet::new(), JoinSet::new());
        let all = plan.all();
        for (speaker, reader) in pairs {
            let composer = Composer::new(reader.account(), BODY_BYTES);
            speaking.spawn(speak(speaker, run, composer, plan.clone()));
            reading.spawn(Reader { run, order: Order::default() }.read(reader, plan.clone(), all));
        }
        while let Some(spoken) = speaking.join_next().await {
            spoken??;
        }
        let mut lost = 0;
        let mut faults = Vec::new();
        while let Some(read) = reading.join_next().await {
            match read? {
                Ok(missing) => lost += missing,
                Err(fault) => faults.push(format!("{fault:#}")),
            }
        }
        let mut found = told([("slow_lost", json!(lost))]);
        if lost > 0 || !faults.is_empty() {
            let fault = format!("{lost} to slow readers are lost; {}", faults.join("; "));
            found.insert("fault".to_owned(), json!(fault));
        }
        Ok(found)
    }
}

impl Plan {
    /// How many messages each reader is sent.
    fn all(&self) -> u64 {
        (self.ends - self.started).as_secs() * u64::from(RATE)
    }
}

/// To one reader.
async fn speak(mut speaker: Session, run: u32, composer: Composer, plan: Plan) -> Result<()> {
    let all = plan.all();
    for sequence in 0..all {
        until(&mut speaker, plan.started + Duration::from_secs(sequence) / RATE).await?;
        let mark = Mark { run, pair: 0, sequence, sent_us: 0 };
        speaker.compose(|output| composer.write(mark, output));
        plan.count.fetch_add(1, Relaxed);
    }
    until(&mut speaker, plan.ends).await?;
    speaker.close().await
}

/// Moves what is queued, until it is time.
async fn until(speaker: &mut Session, due: Instant) -> Result<()> {
    let alarm = sleep_until(due);
    tokio::pin!(alarm);
    loop {
        tokio::select! {
            biased;
            stanza = speaker.stanza() => drop(stanza.context("who speaks to slow readers")?),
            () = &mut alarm => return Ok(()),
        }
    }
}

/// One who stops reading for a while.
struct Reader {
    run: u32,
    order: Order,
}

impl Reader {
    /// How much it has not heard in the end.
    async fn read(mut self, mut session: Session, plan: Plan, all: u64) -> Result<u64> {
        let reading = async {
            while self.order.received() < all {
                self.hear(&mut session, all).await?;
            }
            anyhow::Ok(())
        };
        if let Ok(early) = tokio::time::timeout_at(plan.from, reading).await {
            early?;
        }
        sleep_until(plan.until).await;
        while self.order.received() < all {
            let Ok(heard) = timeout(QUIET, self.hear(&mut session, all)).await else { break };
            heard?;
        }
        let verdict = self.order.verdict(all);
        anyhow::ensure!(verdict.duplicated + verdict.reordered == 0, "{verdict:?}");
        expect_newest(&mut session, self.run, all - 1).await?;
        session.close().await?;
        Ok(verdict.lost)
    }

    async fn hear(&mut self, session: &mut Session, all: u64) -> Result<()> {
        let stanza = session.stanza().await.context("a slow reader")?;
        if let Some(mark) = Mark::of(&stanza).filter(|mark| mark.run == self.run) {
            self.order.arrived(mark.sequence, all);
        }
        Ok(())
    }
}
