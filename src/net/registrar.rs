//! Accounts as wholes, on this node: made and removed by the one writer, counted by all shards.

use crate::{post::Post, shell::Hashing, throttle::Throttle, writer::Queue};
use engine::{
    parcel::{Order, Parcel},
    port::{Fault, Online, Pending, Reads, Registered, Registrar, Unregistered},
    seal::Spent,
    shard::Input,
    stream::machine::Secret,
    subscription::farewells,
    unit::{Change, Credentials, Unit},
    wire::{Bare, Jid, Stanza},
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
            let keys = self.keys(password).await?;
            let made = self.commit(Change::Create(account.clone(), keys)).await;
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
            self.must_exist(account).await?;
            let keys = self.keys(password).await?;
            self.commit(Change::Password(account.clone(), keys)).await?;
            self.order(account, Order::PasswordChanged { spared: spared.cloned() });
            Ok(())
        })
    }

    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a> {
        Box::pin(async move {
            let loaded = self.store.load(account).await.map_err(Unregistered::Fault)?;
            let roster = loaded.ok_or(Unregistered::Missing)?.roster;
            self.commit(Change::Delete(account.clone())).await?;
            self.order(account, Order::Deleted(last));
            for stanza in farewells(account, &roster) {
                let Some(to) = stanza.head.to.as_ref().map(Jid::bare) else { continue };
                self.post.deliver(Parcel::Routed { to, stanza, owed: None });
            }
            Ok(())
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

    fn end(&self, whom: &Jid) {
        let resource = Some(whom).filter(|whom| !whom.is_bare()).cloned();
        self.order(&whom.bare(), Order::End(resource));
    }

    fn announce(&self, domain: &Bare, message: Stanza) {
        self.post.tell_all(|| Input::Announce(domain.clone(), message.clone()));
    }
}

impl Accounts {
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

    async fn must_exist(&self, account: &Bare) -> Result<(), Unregistered> {
        match self.exists(account).await? {
            true => Ok(()),
            false => Err(Unregistered::Missing),
        }
    }

    async fn keys(&self, Secret(password): Secret) -> Result<Credentials, Unregistered> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(Unregistered::Unfit);
        }
        let keys = self.hashing.derive(Secret(password)).await;
        let lost = || Unregistered::Fault(Fault::Refused("the password was not hashed".into()));
        keys.ok_or_else(lost)
    }

    async fn commit(&self, change: Change) -> Result<(), Unregistered> {
        let unit = Unit { changes: vec![change], ..Unit::default() };
        self.writer.commit(unit).await.map(drop).map_err(Unregistered::Fault)
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
