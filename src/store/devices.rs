//! Devices at hand: one that logs in again by its token is not looked up again. One process writes
//! to a store, and everything it writes passes here, so what is remembered is what is stored.
//!
//! A device is found here by its id only, which nobody but it and its account knows: to whom that
//! is unknown no time tells whether there is such an account. For the same reason keys alone are
//! looked up each time.

use engine::{
    archive::{Found, Search},
    inbox::Inbox,
    port::{Batch, Device, Fault, Loaded, Logged, Reads, Retention, Store, Stored, Verdict},
    unit::{Change, Credentials, Pos, Table},
    wire::Bare,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Accounts whose devices are remembered. One costs about half a KiB, and as much again for each
/// device. One more, and all are forgotten: looking up again is cheap where it is rare.
const ACCOUNTS_MAX: usize = 20_000;
/// Devices of one account that are remembered, those that were looked up last.
const DEVICES_MAX: usize = 4;

/// A store that remembers the devices that log in.
pub struct Devices {
    store: Arc<dyn Store>,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    accounts: HashMap<Bare, Known>,
    /// Counts what was forgotten or changed: a read that began before is not remembered.
    changed: u64,
}

/// What is remembered of an account.
struct Known {
    keys: Credentials,
    /// Its devices.
    cells: Vec<Cell>,
}

/// Table, key and value.
type Cell = (Table, String, Vec<u8>);

impl Known {
    fn cell(&self, at: Table, key: &str) -> Option<&Vec<u8>> {
        let found = self.cells.iter().find(|(table, name, _)| (*table, &**name) == (at, key));
        found.map(|(_, _, cell)| cell)
    }

    fn forget_cell(&mut self, at: Table, key: &str) {
        self.cells.retain(|(table, name, _)| (*table, &**name) != (at, key));
    }

    fn remember_cell(&mut self, cell: Cell) {
        self.forget_cell(cell.0, &cell.1);
        if self.cells.len() >= DEVICES_MAX {
            self.cells.remove(0);
        }
        self.cells.reserve_exact(1);
        self.cells.push(cell);
    }
}

impl Remembered {
    /// This account, to which devices may be added.
    fn account(&mut self, of: &Bare, keys: &Credentials) -> &mut Known {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(of) {
            self.accounts.clear();
        }
        let fresh = || Known { keys: keys.clone(), cells: Vec::new() };
        self.accounts.entry(of.clone()).or_insert_with(fresh)
    }

    /// Something was to be changed; whether it is, is known if it is `done`.
    fn change(&mut self, change: &Change, done: bool) {
        let (at, of, key, new) = match change {
            Change::Create(of, _)
            | Change::Password(of, _)
            | Change::Upgrade(of, _)
            | Change::Rehash(of, _)
            | Change::Disabled(of, _)
            | Change::Delete(of) => {
                self.accounts.remove(of);
                self.changed += 1;
                return;
            }
            Change::Put(at, of, key, new) => (*at, of, key, Some(new)),
            Change::Swap(at, of, key, _, new) => (*at, of, key, new.as_ref()),
            Change::Cut(at, of, key) => (*at, of, key, None),
            _ => return,
        };
        self.changed += 1;
        let Some(known) = self.accounts.get_mut(of) else { return };
        match new.filter(|_| done && known.cell(at, key).is_some()) {
            Some(new) => known.remember_cell((at, key.clone(), new.clone())),
            None => known.forget_cell(at, key),
        }
    }
}

impl Devices {
    /// In front of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, remembered: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, of: &Bare, at: Table, key: &str) -> Result<Option<Device>, Fault> {
        let begun = {
            let remembered = self.lock();
            let known = remembered.accounts.get(of);
            if let Some((known, cell)) = known.and_then(|it| Some((it, it.cell(at, key)?))) {
                return Ok(Some((known.keys.clone(), Some(cell.clone()))));
            }
            remembered.changed
        };
        let found = self.store.device(of, at, key).await?;
        // What is missing is not remembered: strangers could fill the memory with guesses.
        if let Some((keys, Some(cell))) = &found {
            self.remember(of, keys, (at, key.to_owned(), cell.clone()), begun);
        }
        Ok(found)
    }

    fn remember(&self, of: &Bare, keys: &Credentials, cell: Cell, begun: u64) {
        let mut remembered = self.lock();
        if remembered.changed == begun {
            remembered.account(of, keys).remember_cell(cell);
        }
    }

    /// Forgets what has changed, also when the outcome is unknown. Of a device that is known to
    /// have changed it remembers what it is now.
    fn note(&self, batch: &Batch, verdicts: Result<&[Verdict], &Fault>) {
        let mut remembered = self.lock();
        for (number, (unit, _)) in batch.units.iter().enumerate() {
            let verdict = verdicts.ok().and_then(|verdicts| verdicts.get(number));
            let done = verdict.is_some_and(Result::is_ok);
            unit.changes.iter().for_each(|change| remembered.change(change, done));
        }
    }
}

impl Reads for Devices {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        self.store.credentials(of)
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

    fn disabled<'a>(&'a self, domain: &'a Bare, max: usize) -> Stored<'a, (u64, Vec<Bare>)> {
        self.store.disabled(domain, max)
    }

    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        self.store.cell(at, of, key)
    }

    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>> {
        Box::pin(self.look_up(of, at, key))
    }

    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        self.store.cells(at, of)
    }

    fn affiliated<'a>(
        &'a self,
        who: &'a Bare,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
        self.store.affiliated(who, after, max)
    }

    fn cells_from<'a>(
        &'a self,
        at: Table,
        of: &'a Bare,
        from: &'a str,
        max: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        self.store.cells_from(at, of, from, max)
    }

    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>> {
        self.store.page(log, after, max)
    }

    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found> {
        self.store.search(log, what)
    }

    fn inbox<'a>(&'a self, of: &'a Bare) -> Stored<'a, Inbox> {
        self.store.inbox(of)
    }

    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        self.store.entries(log, at)
    }
}

impl Store for Devices {
    /// Asked when the outcome of a batch is unknown: what was read meanwhile may be of before it.
    fn last(&self) -> Stored<'_, (i64, Pos)> {
        Box::pin(async move {
            let last = self.store.last().await;
            let mut remembered = self.lock();
            remembered.accounts.clear();
            remembered.changed += 1;
            last
        })
    }

    fn commit<'a>(&'a self, batch: &'a Batch) -> Stored<'a, Vec<Verdict>> {
        Box::pin(async move {
            let verdicts = self.store.commit(batch).await;
            self.note(batch, verdicts.as_deref());
            verdicts
        })
    }

    fn keeps_argon2id(&self) -> Stored<'_, bool> {
        self.store.keeps_argon2id()
    }

    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]> {
        self.store.secret(fresh)
    }

    fn resumable<'a>(
        &'a self,
        unix_ms: u64,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        self.store.resumable(unix_ms, after, max)
    }

    fn index(&self) -> Stored<'_, u64> {
        self.store.index()
    }

    fn purge<'a>(&'a self, what: &'a Retention) -> Stored<'a, u64> {
        self.store.purge(what)
    }

    fn sync(&self) -> Stored<'_, ()> {
        self.store.sync()
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
            Arc::new(Devices::new(self.0.open().await))
        }

        async fn usurp(&self) {
            self.0.usurp().await;
        }
    }

    suite::suite!(Behind);

    fn keys(seed: u8) -> Credentials {
        Credentials { sha256: Some(suite::keys(seed)), ..Credentials::default() }
    }

    async fn devices() -> (Arc<Devices>, Desk, Bare) {
        let store = Kept::new().await.open().await;
        let devices = Arc::new(Devices::new(store));
        let mut desk = Desk::at(devices.clone()).await;
        let juliet = bare("juliet@capulet.lit");
        desk.change(Change::Create(juliet.clone(), keys(1))).await.unwrap();
        (devices, desk, juliet)
    }

    const DEVICES: Table = Table::named("device");

    fn swap(of: &Bare, old: Option<&[u8]>, new: Option<&[u8]>) -> Change {
        let owned = |cell: Option<&[u8]>| cell.map(<[u8]>::to_vec);
        Change::Swap(DEVICES, of.clone(), "phone".into(), owned(old), owned(new))
    }

    async fn phone(devices: &Devices, of: &Bare) -> Option<Vec<u8>> {
        let found = devices.device(of, DEVICES, "phone").await.unwrap();
        let (found, cell) = found.expect("the account is there");
        assert_eq!(found, keys(1));
        cell
    }

    fn remembered(devices: &Devices, of: &Bare) -> Option<Vec<u8>> {
        devices.lock().accounts.get(of)?.cell(DEVICES, "phone").cloned()
    }

    #[tokio::test]
    async fn a_device_is_looked_up_once() {
        let (devices, mut desk, juliet) = devices().await;
        assert_eq!(phone(&devices, &juliet).await, None);
        assert!(devices.lock().accounts.is_empty());
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        assert_eq!(phone(&devices, &juliet).await, Some(b"one".into()));
        let other = (DEVICES, "phone".to_owned(), b"other".to_vec());
        devices.lock().accounts.get_mut(&juliet).unwrap().remember_cell(other);
        assert_eq!(phone(&devices, &juliet).await, Some(b"other".into()));
    }

    #[tokio::test]
    async fn a_device_that_changes_is_remembered_as_it_is_then() {
        let (devices, mut desk, juliet) = devices().await;
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        phone(&devices, &juliet).await;
        desk.change(swap(&juliet, Some(b"one"), Some(b"two"))).await.unwrap();
        assert_eq!(remembered(&devices, &juliet), Some(b"two".into()));
        // Refused: nothing is known of what is there instead.
        desk.change(swap(&juliet, Some(b"one"), Some(b"three"))).await.unwrap_err();
        assert_eq!(remembered(&devices, &juliet), None);
        assert_eq!(phone(&devices, &juliet).await, Some(b"two".into()));
        desk.change(Change::Cut(DEVICES, juliet.clone(), "phone".into())).await.unwrap();
        assert_eq!(remembered(&devices, &juliet), None);
        assert_eq!(phone(&devices, &juliet).await, None);
    }

    #[tokio::test]
    async fn the_devices_of_an_account_whose_password_changes_are_forgotten() {
        let (devices, mut desk, juliet) = devices().await;
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        phone(&devices, &juliet).await;
        let new = Credentials { changed: 1, ..keys(2) };
        desk.change(Change::Password(juliet.clone(), new.clone())).await.unwrap();
        assert_eq!(remembered(&devices, &juliet), None);
        let found = devices.device(&juliet, DEVICES, "phone").await.unwrap();
        assert_eq!(found, Some((new, Some(b"one".into()))));
    }

    #[tokio::test]
    async fn no_more_devices_of_an_account_are_remembered_than_the_limit_says() {
        let (devices, mut desk, juliet) = devices().await;
        for number in 0..=DEVICES_MAX {
            let key = number.to_string();
            desk.change(Change::Put(DEVICES, juliet.clone(), key.clone(), vec![1])).await.unwrap();
            devices.device(&juliet, DEVICES, &key).await.unwrap();
        }
        let remembered = devices.lock();
        let known = &remembered.accounts[&juliet];
        assert_eq!(known.cells.len(), DEVICES_MAX);
        assert!(known.cell(DEVICES, "0").is_none());
    }

    #[tokio::test]
    async fn the_device_of_who_changes_in_any_way_is_forgotten() {
        let (devices, mut desk, juliet) = devices().await;
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        let more = Credentials { sha1: Some(suite::keys(3)), ..keys(1) };
        for change in [
            Change::Upgrade(juliet.clone(), more),
            Change::Rehash(juliet.clone(), keys(1)),
            Change::Delete(juliet.clone()),
        ] {
            devices.device(&juliet, DEVICES, "phone").await.unwrap();
            assert_eq!(remembered(&devices, &juliet), Some(b"one".into()));
            desk.change(change).await.unwrap();
            assert_eq!(remembered(&devices, &juliet), None);
        }
        assert_eq!(devices.device(&juliet, DEVICES, "phone").await, Ok(None));
    }

    #[tokio::test]
    async fn who_does_not_know_a_device_finds_nothing_sooner_at_16() {
        let (devices, mut desk, juliet) = devices().await;
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        phone(&devices, &juliet).await;
        devices.lock().accounts.get_mut(&juliet).unwrap().keys = keys(9);
        assert_eq!(devices.credentials(&juliet).await, Ok(Some(keys(1))));
        let other = devices.device(&juliet, DEVICES, "laptop").await;
        assert_eq!(other, Ok(Some((keys(1), None))));
        let nobody = bare("nobody@capulet.lit");
        assert_eq!(devices.device(&nobody, DEVICES, "phone").await, Ok(None));
        assert_eq!(devices.lock().accounts.len(), 1);
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (devices, mut desk, juliet) = devices().await;
        let begun = devices.lock().changed;
        desk.change(swap(&juliet, None, Some(b"two"))).await.unwrap();
        devices.remember(&juliet, &keys(1), (DEVICES, "phone".into(), b"one".into()), begun);
        assert_eq!(remembered(&devices, &juliet), None);
        assert_eq!(phone(&devices, &juliet).await, Some(b"two".into()));
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_the_limit_says() {
        let (devices, ..) = devices().await;
        let begun = devices.lock().changed;
        for number in 0..=ACCOUNTS_MAX {
            let of = bare(&format!("u{number}@capulet.lit"));
            devices.remember(&of, &keys(1), (DEVICES, "phone".into(), vec![1]), begun);
        }
        assert_eq!(devices.lock().accounts.len(), 1);
    }

    #[tokio::test]
    async fn what_was_read_while_an_outcome_was_unknown_is_forgotten() {
        let (devices, mut desk, juliet) = devices().await;
        desk.change(swap(&juliet, None, Some(b"one"))).await.unwrap();
        phone(&devices, &juliet).await;
        let begun = devices.lock().changed;
        devices.last().await.unwrap();
        assert_eq!(remembered(&devices, &juliet), None);
        devices.remember(&juliet, &keys(1), (DEVICES, "phone".into(), b"one".into()), begun);
        assert_eq!(remembered(&devices, &juliet), None);
    }
}
