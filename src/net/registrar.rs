//! Accounts as wholes, on this node: made and removed by the one writer, counted by all shards.

use crate::{clock::unix_ms, hashing::Hashing, post::Post, throttle::Throttle, writer::Queue};
use engine::{
    departure::departure,
    parcel::{Order, Parcel},
    port::{Fault, Online, Pending, Reads, Registered, Registrar, Unregistered},
    seal::Spent,
    shard::Input,
    stream::machine::Secret,
    unit::{Change, Credentials, Unit},
    wire::{Bare, Jid, Stanza, Text},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Makes, changes, removes and counts accounts.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) store: Arc<dyn Reads>,
    pub(crate) writer: Queue,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) post: Arc<Post>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) spent: Arc<Spent>,
}

impl Registrar for Accounts {
    fn create<'a>(&'a self, account: &'a Bare, password: Secret) -> Registered<'a> {
        Box::pin(async move {
            if self.exists(account).await? {
                return Err(Unregistered::Exists);
            }
            let keys = Credentials { changed: unix_ms(), ..self.keys(password).await? };
            let change = Change::Create(account.clone(), keys);
            let created = |unix_ms| Order::Created { unix_ms };
            let made = self.settle(account, change.into(), created).await;
            match made {
                // Somebody else was faster.
                Err(Unregistered::Fault(Fault::Refused(_))) if self.exists(account).await? => {
                    Err(Unregistered::Exists)
                }
                made => made,
            }
        })
    }

    fn change_password<'a>(
        &'a self,
        account: &'a Bare,
        password: Secret,
        spared: Option<&'a Jid>,
    ) -> Registered<'a> {
        Box::pin(async move {
            let before = self.must_exist(account).await?;
            // It rises also when the clock steps back.
            let changed = unix_ms().max(before.changed + 1);
            let keys = Credentials { changed, ..self.keys(password).await? };
            let change = Change::Password(account.clone(), keys);
            let spared = spared.cloned();
            let changed = |unix_ms| Order::PasswordChanged { spared, unix_ms };
            self.settle(account, change.into(), changed).await
        })
    }

    fn disable<'a>(&'a self, account: &'a Bare, disabled: bool) -> Registered<'a> {
        Box::pin(async move {
            self.must_exist(account).await?;
            let change = Change::Disabled(account.clone(), disabled).into();
            if disabled {
                return self.settle(account, change, |unix_ms| Order::Disabled { unix_ms }).await;
            }
            self.writer.commit(change).await.map(drop).map_err(Unregistered::Fault)
        })
    }

    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a> {
        Box::pin(async move {
            let loaded = self.store.load(account).await.map_err(Unregistered::Fault)?;
            let roster = loaded.ok_or(Unregistered::Missing)?.roster;
            let (unit, farewells) = departure(account, &roster);
            self.settle(account, unit, |_| Order::Deleted { last, farewells }).await
        })
    }

    fn admits(&self, peer: Option<IpAddr>, maxima: (u64, u64)) -> bool {
        self.throttle.admits(peer, maxima)
    }

    fn spent(&self) -> &Spent {
        &self.spent
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Pending<'a, Result<u64, Fault>> {
        self.store.count(domain)
    }

    fn online<'a>(&'a self, domain: &'a Bare, max: usize) -> Pending<'a, Online> {
        Box::pin(self.count_online(domain, max))
    }

    fn resources<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Jid>> {
        // An account has no more than `sessions_max`.
        Box::pin(async move { self.count_online(account, usize::MAX).await.resources })
    }

    fn devices<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Text>> {
        Box::pin(async move {
            let devices = self.count_online(account, usize::MAX).await.devices;
            devices.into_iter().map(|(_, device)| device).collect()
        })
    }

    fn revoke<'a>(&'a self, account: &'a Bare, device: &'a str, unit: Unit) -> Registered<'a> {
        let device = Text::from(device);
        let revoked = |unix_ms| Order::Revoked { device, unix_ms };
        Box::pin(self.settle(account, unit, revoked))
    }

    fn end(&self, whom: &Jid) {
        let resource = Some(whom).filter(|whom| !whom.is_bare()).cloned();
        self.order(&whom.bare(), Order::End(resource));
    }

    fn announce(&self, domain: &Bare, message: Stanza) {
        self.post.tell_all(|| Input::Announce(domain.clone(), message.clone()));
    }
}

impl Accounts {
    /// Of this store, written by this queue's writer.
    pub(crate) fn new(
        store: Arc<dyn Reads>,
        writer: Queue,
        hashing: Arc<Hashing>,
        post: Arc<Post>,
    ) -> Self {
        let (counts, throttle, spent) = Default::default();
        Self { store, writer, hashing, post, counts, throttle, spent }
    }

    /// Where the last messages of an account went, a line for each, while it is in memory.
    pub(crate) async fn traced(&self, account: &Bare) -> Vec<String> {
        self.count_online(account, 0).await.traced
    }

    async fn count_online(&self, whom: &Bare, max: usize) -> Online {
        let (number, mut counted) = self.counts.begin();
        self.post.tell_all(|| Input::Count(number, whom.clone(), max));
        let mut online = Online::default();
        for _ in 0..self.post.shards() {
            let Some(part) = counted.recv().await else { break };
            online = online.and(part, max);
        }
        self.counts.end(number);
        online
    }

    async fn exists(&self, account: &Bare) -> Result<bool, Unregistered> {
        let found = self.store.credentials(account).await.map_err(Unregistered::Fault)?;
        Ok(found.is_some())
    }

    async fn must_exist(&self, account: &Bare) -> Result<Credentials, Unregistered> {
        let found = self.store.credentials(account).await.map_err(Unregistered::Fault)?;
        found.ok_or(Unregistered::Missing)
    }

    async fn keys(&self, Secret(password): Secret) -> Result<Credentials, Unregistered> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(Unregistered::Unfit);
        }
        let keys = self.hashing.derive(Secret(password)).await;
        let lost = || {
            Unregistered::Fault(Fault::Refused("the password was not hashed: too many wait".into()))
        };
        keys.ok_or_else(lost)
    }

    /// Keeps the same password in another way, unless it is another by then. Nobody waits for it.
    pub(crate) fn rehash(&self, account: Bare, keys: Credentials) {
        let accounts = self.clone();
        self.post.work().begin();
        tokio::spawn(async move {
            let change = Change::Rehash(account.clone(), keys);
            match accounts.writer.commit(change.into()).await {
                Ok(_) => tracing::info!(%account, "password kept as auth.password_storage has it"),
                Err(fault) => tracing::info!(%account, %fault, "password kept as it was"),
            }
            accounts.post.work().done();
        });
    }

    /// Commits and then tells the account, also when whoever asked for it waits no longer.
    pub(crate) async fn settle(
        &self,
        account: &Bare,
        unit: Unit,
        order: impl FnOnce(u64) -> Order + Send + 'static,
    ) -> Result<(), Unregistered> {
        let (accounts, account) = (self.clone(), account.clone());
        self.post.work().begin();
        let settled = tokio::spawn(async move {
            let committed = accounts.writer.commit(unit).await.map(drop);
            if committed.is_ok() {
                accounts.order(&account, order(unix_ms()));
            }
            accounts.post.work().done();
            committed
        });
        let outcome = settled.await.unwrap_or_else(|lost| Err(Fault::Refused(lost.to_string())));
        outcome.map_err(Unregistered::Fault)
    }

    fn order(&self, account: &Bare, order: Order) {
        self.post.deliver(Parcel::Order(account.clone(), order));
    }
}

/// The counts under way, by number.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<UnderWay>);

#[derive(Debug, Default)]
struct UnderWay {
    last: u64,
    waiting: HashMap<u64, mpsc::UnboundedSender<Online>>,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> (u64, mpsc::UnboundedReceiver<Online>) {
        let (tell, counted) = mpsc::unbounded_channel();
        let mut under_way = self.lock();
        under_way.last += 1;
        // Who asked may have given up meanwhile.
        under_way.waiting.retain(|_, waits| !waits.is_closed());
        let number = under_way.last;
        under_way.waiting.insert(number, tell);
        (number, counted)
    }

    /// A shard has counted.
    pub(crate) fn counted(&self, number: u64, online: Online) {
        if let Some(tell) = self.lock().waiting.get(&number) {
            // Nobody may be waiting any more.
            drop(tell.send(online));
        }
    }

    fn end(&self, number: u64) {
        self.lock().waiting.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, limits::Limits, meters::Meters, operator, writer};
    use engine::{
        port::Store,
        roster::{Item, State},
    };
    use store::Memory;

    fn bare(jid: &str) -> Bare {
        Bare::parse(jid).unwrap()
    }

    async fn alone(store: &Arc<Memory>) -> operator::Operator {
        operator::Operator::of("x", store.clone()).await
    }

    /// `juliet@x` and `romeo@x` watch each other.
    async fn friends(accounts: &Accounts) {
        for (one, other) in [("juliet@x", "romeo@x"), ("romeo@x", "juliet@x")] {
            accounts.create(&bare(one), Secret("secret".into())).await.unwrap();
            let item = Item {
                jid: bare(other).into(),
                name: Some("friend".into()),
                groups: Vec::new(),
                state: State { to: true, from: true, asked: false },
                approved: false,
                request: None,
                ver: 1,
            };
            let unit = Unit::from(Change::Roster(bare(one), item));
            accounts.writer.commit(unit).await.unwrap();
        }
    }

    #[tokio::test]
    async fn when_a_password_was_set_only_rises() {
        let store = Arc::new(Memory::new(&[]));
        let operator = alone(&store).await;
        let (accounts, juliet) = (&operator.accounts, bare("juliet@x"));
        let changed = async || store.credentials(&juliet).await.unwrap().unwrap().changed;
        let begun = unix_ms();
        accounts.create(&juliet, Secret("secret".into())).await.unwrap();
        assert!((begun..=unix_ms()).contains(&changed().await));
        // It was set by a clock that has been put back since.
        let ahead = Credentials { changed: unix_ms() + 3_600_000, ..Credentials::default() };
        let set = Change::Password(juliet.clone(), ahead.clone());
        accounts.writer.commit(set.into()).await.unwrap();
        accounts.change_password(&juliet, Secret("another".into()), None).await.unwrap();
        assert_eq!(changed().await, ahead.changed + 1);
    }

    #[tokio::test]
    async fn who_deletes_an_account_while_no_server_runs_leaves_its_contacts_nothing_of_it() {
        let store = Arc::new(Memory::new(&[]));
        let operator = alone(&store).await;
        friends(&operator.accounts).await;
        let request = operator::Request::UserDelete { jid: "juliet@x".into() };
        assert_eq!(operator.answer(request).await, operator::Answer::Done);
        let roster = store.load(&bare("romeo@x")).await.unwrap().unwrap().roster;
        assert_eq!(roster[0].state, State::default(), "whoever is juliet later is a stranger");
        assert_eq!(roster[0].name.as_deref(), Some("friend"));
    }

    #[tokio::test]
    async fn what_follows_a_deletion_follows_though_whoever_asked_has_given_up() {
        let (store, post) = (Arc::new(Memory::new(&[])), Post::new(Limits::default(), 1));
        let accounts = Accounts {
            store: store.clone(),
            writer: Queue::default(),
            hashing: Hashing::new(&Limits::default(), <_>::default()),
            post: post.clone(),
            counts: Arc::default(),
            spent: Arc::default(),
            throttle: Arc::default(),
        };
        let host = || writer::Host {
            store: store.clone(),
            queue: accounts.writer.clone(),
            clock: Clock::start(),
            post: post.clone(),
            meters: Arc::new(Meters::new()),
        };
        let limits = Limits { store_patience_ms: 1_000, ..Limits::default() };
        let writes = tokio::spawn(host().run(store.last().await.unwrap(), limits));
        friends(&accounts).await;
        writes.abort();
        assert!(writes.await.unwrap_err().is_cancelled());
        let mut inputs = Default::default();
        post.take(0, &mut inputs, 9).await;
        inputs.clear();
        let juliet = bare("juliet@x");
        let asked = async {
            while accounts.writer.len() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = accounts.delete(&juliet, None) => panic!("nobody writes"),
            () = asked => {}
        }
        tokio::spawn(host().run(store.last().await.unwrap(), limits));
        post.take(0, &mut inputs, 9).await;
        let [Input::Parcel(Parcel::Order(of, Order::Deleted { farewells, .. }))] =
            inputs.make_contiguous()
        else {
            panic!("the account is not told");
        };
        assert_eq!((&*of, farewells.len()), (&juliet, 2));
    }
}
