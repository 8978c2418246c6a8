//! All contacts of the first account, and what they have heard of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::{Kind, Stanza};

use super::contact::Contact;
use crate::connect::connect;
use crate::crowd::gather;
use crate::latency::Latencies;
use crate::session::Session;
use crate::target::Target;

/// How long it may take until all have heard something.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What contacts have heard, all added up.
pub struct Watch {
    hub: String,
    contacts: usize,
    tally: Mutex<Tally>,
    changed: Notify,
}

#[derive(Default)]
struct Tally {
    /// How many see the first account.
    seeing: usize,
    /// When each change was said, and how many have heard it.
    changes: Vec<(Instant, usize)>,
    /// Changes that all have heard.
    complete: usize,
    latencies: Latencies,
}

impl Watch {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is from a session of the first account.
    pub fn is_of_hub(&self, stanza: &Stanza) -> bool {
        let from = stanza.head.from.as_ref().map_or("", |from| from.as_str());
        from.strip_prefix(&*self.hub).is_some_and(|rest| rest.starts_with('/'))
    }

    /// One more sees it.
    pub fn seen(&self) {
        self.tally().seeing += 1;
        self.changed.notify_one();
    }

    /// One fewer sees it.
    pub fn gone(&self) {
        self.tally().seeing -= 1;
        self.changed.notify_one();
    }

    /// One more has heard this change.
    ///
    /// # Errors
    /// When it was never said.
    pub fn heard(&self, number: usize) -> Result<()> {
        let mut tally = self.tally();
        let (said, count) = tally.changes.get_mut(number).context("a change never said")?;
        *count += 1;
        if *count == self.contacts {
            let micros = said.elapsed().as_micros() as u64;
            tally.complete += 1;
            tally.latencies.note(micros);
            self.changed.notify_one();
        }
        Ok(())
    }
}

/// All contacts, each a task of its own.
pub struct Circle {
    watch: Arc<Watch>,
    commands: Vec<mpsc::UnboundedSender<usize>>,
    living: JoinSet<Result<()>>,
    pattern: Target,
}

impl Circle {
    /// Brings them online.
    ///
    /// # Errors
    /// When a login fails.
    pub async fn gather(target: &Target, contacts: usize, concurrency: usize) -> Result<Self> {
        let sessions = gather(contacts, concurrency, |n| arrive(target.clone(), n)).await?;
        let watch = Arc::new(Watch {
            hub: format!("{}@{}", target.user(0), target.domain()),
            contacts,
            tally: Mutex::default(),
            changed: Notify::new(),
        });
        let (mut commands, mut living) = (Vec::new(), JoinSet::new());
        for session in sessions {
            let (command, told) = mpsc::unbounded_channel();
            commands.push(command);
            living.spawn(Contact::new(watch.clone(), session).live(told));
        }
        Ok(Self { watch, commands, living, pattern: target.clone() })
    }

    /// How many there are.
    pub fn contacts(&self) -> usize {
        self.watch.contacts
    }

    /// Which contact a presence is from; none when it is from the first account itself, or from an
    /// account and none of its clients, as what an account can do is told (XEP-0115).
    ///
    /// # Errors
    /// When it is from somebody else, or is not that somebody is there.
    pub fn contact(&self, stanza: &Stanza, domain: &str) -> Result<Option<usize>> {
        if stanza.kind() != Kind::Presence || self.watch.is_of_hub(stanza) {
            return Ok(None);
        }
        ensure!(stanza.head.type_str().is_empty(), "heard {}", stanza.to_text());
        let from = stanza.head.from.as_ref().map_or("", |from| from.as_str());
        let Some((bare, _)) = from.split_once('/') else { return Ok(None) };
        let user = bare.strip_suffix(domain).and_then(|user| user.strip_suffix('@'));
        let index = user.and_then(|user| self.pattern.index(user));
        let index = index.filter(|index| (1..=self.contacts()).contains(index));
        Ok(Some(index.with_context(|| format!("heard {}", stanza.to_text()))? - 1))
    }

    /// All have seen the first account come.
    ///
    /// # Errors
    /// When they have not in time.
    pub async fn until_it_is_seen(&mut self) -> Result<()> {
        self.until_seeing(self.contacts()).await
    }

    /// All have seen it go.
    ///
    /// # Errors
    /// When they have not in time.
    pub async fn until_it_is_gone(&mut self) -> Result<()> {
        self.until_seeing(0).await
    }

    async fn until_seeing(&mut self, count: usize) -> Result<()> {
        while self.watch.tally().seeing != count {
            self.changed().await?;
        }
        Ok(())
    }

    /// Some have heard something.
    ///
    /// # Errors
    /// When nobody does, or one of them has heard what it must not.
    pub async fn changed(&mut self) -> Result<()> {
        tokio::select! {
            changed = timeout(PATIENCE, self.watch.changed.notified()) => {
                changed.context("not heard by all in time")
            }
            broken = self.living.join_next() => {
                broken.context("nobody")???;
                anyhow::bail!("a contact has ended")
            }
        }
    }

    /// How many changes of the first account were said.
    pub fn said(&self) -> usize {
        self.watch.tally().changes.len()
    }

    /// How many of them all have heard.
    pub fn heard(&self) -> usize {
        self.watch.tally().complete
    }

    /// The number of the change that the first account says now.
    pub fn says(&self) -> usize {
        let mut tally = self.watch.tally();
        tally.changes.push((Instant::now(), 0));
        tally.changes.len() - 1
    }

    /// From when a change was said to when the last contact heard it.
    pub fn latencies(&self) -> Latencies {
        std::mem::take(&mut self.watch.tally().latencies)
    }

    /// All contacts say this change of theirs.
    ///
    /// # Errors
    /// When one has ended.
    pub fn all_say(&self, number: usize) -> Result<()> {
        self.commands.iter().try_for_each(|command| Ok(command.send(number)?))
    }

    /// All go.
    ///
    /// # Errors
    /// When one cannot.
    pub async fn disperse(mut self) -> Result<()> {
        self.commands.clear();
        while let Some(ended) = self.living.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn arrive(target: Target, number: usize) -> Result<Session> {
    let mut session = connect(&target, number + 1).await?;
    session.appear().await?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(contacts: usize) -> Watch {
        let hub = "hub@localhost".to_owned();
        Watch { hub, contacts, tally: Mutex::default(), changed: Notify::new() }
    }

    #[test]
    fn a_change_is_complete_when_all_have_heard_it() {
        let watch = watch(2);
        watch.tally().changes.push((Instant::now(), 0));
        watch.heard(0).expect("it was said");
        assert_eq!(watch.tally().complete, 0);
        watch.heard(0).expect("it was said");
        assert_eq!(watch.tally().complete, 1);
        assert!(watch.heard(1).is_err(), "never said");
    }

    #[test]
    fn the_first_account_is_not_one_whose_name_begins_alike() {
        let watch = watch(1);
        let from = |from: &str| {
            let presence = format!("<presence from='{from}'/>");
            watch.is_of_hub(&Stanza::parse_one(&presence).expect("a stanza"))
        };
        assert!(from("hub@localhost/r"));
        assert!(!from("hub@localhost.example/r") && !from("hub@localhost") && !from("hub2@x/r"));
    }
}
