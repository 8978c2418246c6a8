//! Keys at hand: who logs in again is not looked up again. One process writes to a store, and
//! everything it writes passes here, so what is remembered is what is stored.

use engine::{
    archive::{Found, Search},
    port::{Batch, Device, Fault, Loaded, Logged, Reads, Store, Stored, Verdict},
    unit::{Change, Credentials, Pos, Table},
    wire::Bare,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Accounts whose keys are remembered. One costs about half a KiB. One more, and all are forgotten:
/// looking up again is cheap where it is rare.
const ACCOUNTS_MAX: usize = 20_000;

/// A store that remembers the keys of those who log in.
pub struct Cached {
    store: Arc<dyn Store>,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    keys: HashMap<Bare, Credentials>,
    /// Counts what was forgotten: a read that began before is not remembered.
    forgotten: u64,
}

impl Cached {
    /// In front of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, remembered: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, of: &Bare) -> Result<Option<Credentials>, Fault> {
        let begun = {
            let remembered = self.lock();
            if let Some(keys) = remembered.keys.get(of) {
                return Ok(Some(keys.clone()));
            }
            remembered.forgotten
        };
        let found = self.store.credentials(of).await?;
        // Nobody is remembered as missing: strangers could fill the memory with guesses.
        if let Some(keys) = &found {
            self.remember(of, keys, begun);
        }
        Ok(found)
    }

    fn remember(&self, of: &Bare, keys: &Credentials, begun: u64) {
        let mut remembered = self.lock();
        if remembered.forgotten != begun {
            return;
        }
        if remembered.keys.len() >= ACCOUNTS_MAX {
            remembered.keys.clear();
        }
        remembered.keys.insert(of.clone(), keys.clone());
    }

    fn forget(&self, batch: &Batch) {
        let changes = batch.units.iter().flat_map(|(unit, _)| &unit.changes);
        let changed = changes.filter_map(|change| match change {
            Change::Create(of, _)
            | Change::Password(of, _)
            | Change::Upgrade(of, _)
            | Change::Rehash(of, _)
            | Change::Delete(of) => Some(of),
            _ => None,
        });
        for of in changed {
            let mut remembered = self.lock();
            remembered.keys.remove(of);
            remembered.forgotten += 1;
        }
    }
}

impl Reads for Cached {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        Box::pin(self.look_up(of))
    }

    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>> {
        self.store.load(account)
    }

    fn accounts<'a>(
        &'a self,
        domain: &'a Bare,
        after: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        self.store.accounts(domain, after, max)
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64> {
        self.store.count(domain)
    }

    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        self.store.cell(at, of, key)
    }

    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>> {
        self.store.device(of, at, key)
    }

    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        self.store.cells(at, of)
    }

    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>> {
        self.store.page(log, after, max)
    }

    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found> {
        self.store.search(log, what)
    }

    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        self.store.entries(log, at)
    }
}

impl Store for Cached {
    fn last(&self) -> Stored<'_, (i64, Pos)> {
        self.store.last()
    }

    /// Forgets what has changed, also when the outcome is unknown.
    fn commit<'a>(&'a self, batch: &'a Batch) -> Stored<'a, Vec<Verdict>> {
        Box::pin(async move {
            let verdicts = self.store.commit(batch).await;
            self.forget(batch);
            verdicts
        })
    }

    fn keeps_argon2id(&self) -> Stored<'_, bool> {
        self.store.keeps_argon2id()
    }

    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]> {
        self.store.secret(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        memory::tests::Kept,
        suite::{self, Bed, Desk, bare},
    };

    struct Behind(Kept);

    impl Bed for Behind {
        async fn new() -> Self {
            Self(Kept::new().await)
        }

        async fn open(&mut self) -> Arc<dyn Store> {
            Arc::new(Cached::new(self.0.open().await))
        }

        async fn usurp(&self) {
            self.0.usurp().await;
        }
    }

    suite::suite!(Behind);

    fn keys(seed: u8) -> Credentials {
        Credentials { sha256: Some(suite::keys(seed)), ..Credentials::default() }
    }

    async fn cached() -> (Arc<Cached>, Desk, Bare) {
        let store = Kept::new().await.open().await;
        let cached = Arc::new(Cached::new(store));
        let mut desk = Desk::at(cached.clone()).await;
        let juliet = bare("juliet@capulet.lit");
        desk.change(Change::Create(juliet.clone(), keys(1))).await.unwrap();
        (cached, desk, juliet)
    }

    #[tokio::test]
    async fn keys_are_looked_up_once() {
        let (cached, _, juliet) = cached().await;
        assert!(cached.lock().keys.is_empty());
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(keys(1))));
        cached.lock().keys.insert(juliet.clone(), keys(9));
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(keys(9))));
    }

    #[tokio::test]
    async fn what_changes_is_forgotten() {
        let (cached, mut desk, juliet) = cached().await;
        cached.credentials(&juliet).await.unwrap();
        desk.change(Change::Password(juliet.clone(), keys(2))).await.unwrap();
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(keys(2))));
        let more = Credentials { sha1: Some(suite::keys(3)), ..keys(2) };
        desk.change(Change::Upgrade(juliet.clone(), more.clone())).await.unwrap();
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(more)));
        desk.change(Change::Rehash(juliet.clone(), keys(4))).await.unwrap();
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(keys(4))));
        desk.change(Change::Delete(juliet.clone())).await.unwrap();
        assert_eq!(cached.credentials(&juliet).await, Ok(None));
    }

    #[tokio::test]
    async fn strangers_are_not_remembered() {
        let (cached, _, _) = cached().await;
        assert_eq!(cached.credentials(&bare("nobody@capulet.lit")).await, Ok(None));
        assert!(cached.lock().keys.is_empty());
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (cached, mut desk, juliet) = cached().await;
        let begun = cached.lock().forgotten;
        desk.change(Change::Password(juliet.clone(), keys(2))).await.unwrap();
        cached.remember(&juliet, &keys(1), begun);
        assert_eq!(cached.credentials(&juliet).await, Ok(Some(keys(2))));
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_the_limit_says() {
        let (cached, _, _) = cached().await;
        for number in 0..=ACCOUNTS_MAX {
            cached.remember(&bare(&format!("u{number}@capulet.lit")), &keys(1), 1);
        }
        assert_eq!(cached.lock().keys.len(), 1);
    }
}
