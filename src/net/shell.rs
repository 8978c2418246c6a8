//! What all tasks of the shell share.

use crate::{
    bosh::Sessions,
    clock::{Chance, Clock, unix_ms},
    guests,
    hashing::Hashing,
    limits::Limits,
    listen::Gate,
    logins::{Admission, Attempt, Logins},
    look_up,
    meters::Meters,
    post::Post,
    proxied::Network,
    registrar::Accounts,
    throttle::Throttle,
    tls::Tls,
    turnstile::Turnstile,
};
use arc_swap::ArcSwap;
use engine::{
    archive,
    ctx::Ctx,
    device,
    hook::{Replied, World},
    hooks::Hooks,
    port::{Cluster, Fault, Pending, Reads},
    settings::Settings,
    shard::WorldAnswer,
    stream::machine::{Fact, Question},
    unit::{Change, Unit},
    wire::{Bare, ErrorType, Stanza, StanzaCondition, StanzaError},
};
use std::{future, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What all tasks of the shell share.
pub(crate) struct Shell {
    pub(crate) clock: Clock,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) limits: Limits,
    pub(crate) store: Arc<dyn Reads>,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) post: Arc<Post>,
    pub(crate) tls: Tls,
    pub(crate) gate: Arc<Gate>,
    /// When that is full: for HTTP from this machine.
    pub(crate) reserve: Arc<Gate>,
    pub(crate) bosh: Sessions,
    /// Load balancers, who say for whom they speak.
    pub(crate) proxies: Vec<Network>,
    pub(crate) meters: Arc<Meters>,
    /// Where TLS handshakes wait for each other.
    pub(crate) turnstile: Turnstile,
    /// Reads of the store at the same time.
    pub(crate) reads: Semaphore,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) accounts: Accounts,
    /// Logins of people who stay unknown, within the hour.
    pub(crate) guests: Throttle,
}

impl Shell {
    /// Calls a value with what it must be told from outside.
    pub(crate) fn with_ctx<T>(&self, call: impl FnOnce(&Ctx<'_>) -> T) -> T {
        let settings = self.settings.load();
        call(&Ctx {
            now: self.clock.now(),
            unix_ms: unix_ms(),
            random: &Chance,
            settings: &settings,
            hooks: &self.hooks,
        })
    }

    /// Finds out what a stream asks. With a question that a login begins with comes the attempt:
    /// where others have failed, its answer waits, or is a refusal.
    pub(crate) fn ask(
        self: &Arc<Self>,
        question: Question,
        peer: IpAddr,
    ) -> (Option<Attempt>, Pending<'static, Fact>) {
        let Some(account) = question.logs_in() else {
            return (None, self.find_out(question, peer));
        };
        let attempt = self.logins.begin(account.clone(), peer, self.clock.now());
        // A token is too long to be guessed, and asked for again by who is in already.
        let by_token = matches!(question, Question::Device(..));
        let asked: Pending<'static, Fact> = match attempt.admission() {
            _ if by_token => self.find_out(question, peer),
            Admission::After(0) => self.find_out(question, peer),
            Admission::After(ms) => {
                self.meters.delayed.increment(1);
                let shell = self.clone();
                Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    shell.find_out(question, peer).await
                })
            }
            Admission::Refused => Box::pin(future::ready(Fact::Throttled)),
        };
        (Some(attempt), asked)
    }

    fn find_out(self: &Arc<Self>, question: Question, peer: IpAddr) -> Pending<'static, Fact> {
        let shell = self.clone();
        match question {
            Question::Credentials(of) => Box::pin(async move {
                Fact::Credentials(look_up::credentials(&*shell.store, &shell.reads, &of).await)
            }),
            Question::Ends(of) => Box::pin(async move {
                let _read = shell.reads.acquire().await;
                Fact::Ends(archive::ends(&*shell.store, &of).await)
            }),
            Question::Account(of) => Box::pin(async move {
                let _read = shell.reads.acquire().await;
                let found = shell.store.credentials(&of).await;
                Fact::Account(found.map(|found| found.is_some_and(|kept| !kept.disabled)))
            }),
            Question::Verify { account, password, kept, made_up } => Box::pin(async move {
                let Some((right, better)) = shell.hashing.verify(password, kept, made_up).await
                else {
                    return Fact::Busy;
                };
                if let Some(better) = better {
                    shell.accounts.rehash(account, better);
                }
                Fact::Verified(right)
            }),
            Question::Device(of, id) => Box::pin(async move {
                Fact::Device(look_up::device(&*shell.store, &shell.reads, &of, &id).await)
            }),
            Question::Settle { account, id, old, new } => Box::pin(async move {
                let unit = device::settle(&*shell.store, &account, &id, old, new).await;
                Fact::Settled(shell.commit(unit).await)
            }),
            Question::Upgrade(account, keys) => Box::pin(async move {
                let unit = Ok(Change::Upgrade(account, keys).into());
                Fact::Settled(shell.commit(unit).await)
            }),
            Question::Guest(account) => Box::pin(async move {
                let Limits {
                    anonymous_per_hour_max: all,
                    anonymous_per_address_per_hour_max: per_peer,
                    ..
                } = shell.limits;
                let admitted = shell.guests.admits(Some(peer), (all, per_peer));
                Fact::Guest(admitted && guests::make(&shell.accounts, account).await)
            }),
            Question::Request { host, iq, answer } => Box::pin(async move {
                Fact::Replied(shell.read_world(&host, &iq, answer, Some(peer)).await)
            }),
        }
    }

    async fn commit(&self, unit: Result<Unit, Fault>) -> Result<(), Fault> {
        self.accounts.writer.commit(unit?).await.map(drop)
    }

    /// Reads the store for a request, within its time.
    pub(crate) async fn read_world(
        &self,
        account: &Bare,
        iq: &Stanza,
        answer: WorldAnswer,
        peer: Option<IpAddr>,
    ) -> Replied {
        let read = async {
            let _read = self.reads.acquire().await;
            let (settings, unix_ms) = (self.settings.load_full(), unix_ms());
            let (store, registrar) = (&*self.store, &self.accounts);
            let (settings, hooks) = (&*settings, &self.hooks);
            let world = World { store, registrar, account, peer, unix_ms, settings, hooks };
            answer(iq, &world).await
        };
        let time = Duration::from_millis(self.limits.world_ms_max);
        tokio::time::timeout(time, read).await.unwrap_or_else(|_| {
            tracing::warn!(%account, "a request that reads the store took too long");
            let late = StanzaCondition::RemoteServerTimeout.into();
            Err(StanzaError { type_: ErrorType::Wait, ..late })
        })
    }
}
