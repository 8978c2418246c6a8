//! The reference: what every other store must equal, and the simulator's. Its futures are ready
//! at once, whatever polls them.

mod data;
mod rooms;
mod walk;

use crate::search::says;
use data::{Data, Log};
use engine::{
    archive::{Found, Search},
    inbox::Inbox,
    port::{Batch, Device, Fault, Loaded, Logged, Reads, Retention, Store, Stored, Verdict},
    unit::{Credentials, Entry, Pos, Table},
    wire::Bare,
};
use std::{
    collections::BTreeSet,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A store in memory.
///
/// The data live as long as one of the handles to them; `reopen` is what a restart of the
/// process is to the other stores.
pub struct Memory {
    data: Arc<Mutex<Data>>,
    epoch: i64,
    at_hand: Vec<Table>,
}

impl Memory {
    /// An empty store. The cells of the tables `at_hand` come with a loaded account.
    pub fn new(at_hand: &[Table]) -> Self {
        Self::open(Arc::default(), at_hand.to_vec())
    }

    /// Opens the same data again: the handles of before are fenced from now on.
    #[must_use = "the old handle is fenced"]
    pub fn reopen(&self) -> Self {
        Self::open(self.data.clone(), self.at_hand.clone())
    }

    /// Another handle, of the same process.
    pub fn share(&self) -> Self {
        let Self { data, epoch, at_hand } = self;
        Self { data: data.clone(), epoch: *epoch, at_hand: at_hand.clone() }
    }

    fn open(data: Arc<Mutex<Data>>, at_hand: Vec<Table>) -> Self {
        let epoch = lock(&data).take();
        Self { data, epoch, at_hand }
    }

    fn read<T: Send + 'static>(&self, look: impl FnOnce(&Data) -> T) -> Stored<'_, T> {
        ready(Ok(look(&lock(&self.data))))
    }
}

fn lock(data: &Mutex<Data>) -> MutexGuard<'_, Data> {
    data.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ready<'a, T: Send + 'a>(outcome: Result<T, Fault>) -> Stored<'a, T> {
    Box::pin(std::future::ready(outcome))
}

impl Reads for Memory {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        self.read(|data| data.account(of).map(|account| account.credentials.clone()))
    }

    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>> {
        self.read(|data| data.load(account, &self.at_hand))
    }

    fn accounts<'a>(
        &'a self,
        domain: &'a Bare,
        after: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        self.read(|data| data.accounts(domain, after, max))
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64> {
        self.read(|data| data.count(domain))
    }

    fn disabled<'a>(&'a self, domain: &'a Bare, max: usize) -> Stored<'a, (u64, Vec<Bare>)> {
        self.read(|data| data.disabled(domain, max))
    }

    fn cell<'a>(&'a self, at: Table, of: &'a Bare, key: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        self.read(|data| data.log(of)?.cells.get(&at)?.get(key).cloned())
    }

    fn device<'a>(&'a self, of: &'a Bare, at: Table, key: &'a str) -> Stored<'a, Option<Device>> {
        self.read(|data| {
            let cell = data.log(of).and_then(|log| log.cells.get(&at)?.get(key).cloned());
            data.account(of).map(|account| (account.credentials.clone(), cell))
        })
    }

    fn cells<'a>(&'a self, at: Table, of: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        self.read(|data| {
            let cells = data.log(of).and_then(|log| log.cells.get(&at));
            let cells = cells.into_iter().flatten();
            cells.map(|(key, value)| (key.clone(), value.clone())).collect()
        })
    }

    fn affiliated<'a>(
        &'a self,
        who: &'a Bare,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
        self.read(|data| data.affiliated(who, after, max))
    }

    fn cells_from<'a>(
        &'a self,
        at: Table,
        of: &'a Bare,
        from: &'a str,
        max: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        self.read(|data| {
            let cells = data.log(of).and_then(|log| log.cells.get(&at));
            let from = (Bound::Included(from), Bound::Unbounded);
            let cells = cells.map(|cells| cells.range::<str, _>(from)).into_iter().flatten();
            cells.take(max).map(|(key, value)| (key.clone(), value.clone())).collect()
        })
    }

    fn page<'a>(&'a self, log: &'a Bare, after: Pos, max: usize) -> Stored<'a, Vec<Logged>> {
        self.read(|data| {
            let entries = data
                .log(log)
                .map(|log| log.entries.range((Bound::Excluded(after), Bound::Unbounded)));
            let entries = entries.into_iter().flatten().take(max);
            entries.map(|(&pos, entry)| Logged { pos, entry: entry.clone() }).collect()
        })
    }

    fn search<'a>(&'a self, log: &'a Bare, what: &'a Search) -> Stored<'a, Found> {
        self.read(|data| search(data.log(log), what))
    }

    fn inbox<'a>(&'a self, of: &'a Bare) -> Stored<'a, Inbox> {
        self.read(|data| data.log(of).map(|log| log.inbox.clone()).unwrap_or_default())
    }

    fn entries<'a>(&'a self, log: &'a Bare, at: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        self.read(|data| {
            let log = data.log(log);
            let at: BTreeSet<_> = at.iter().copied().collect();
            let entry = |pos| Some(Logged { pos, entry: log?.entries.get(&pos)?.clone() });
            at.into_iter().filter_map(entry).collect()
        })
    }
}

fn search(log: Option<&Log>, what: &Search) -> Found {
    let Search { after, before, with, flags, words, newest, max, count_max, looked_at_max } = what;
    let until = before.map_or(Bound::Unbounded, Bound::Excluded);
    if before.is_some_and(|before| before <= *after) {
        return Found { count: Some(0).filter(|_| *count_max > 0), ..Found::default() };
    }
    let all = log.map(|log| log.entries.range((Bound::Excluded(*after), until)));
    let all = all.into_iter().flatten();
    let mut found: Vec<_> = all
        .filter(|(_, entry)| entry.flags.has(*flags))
        .filter(|(_, entry)| with.as_ref().is_none_or(|with| entry.peer == *with))
        .collect();
    if *newest {
        found.reverse();
    }
    let (mut looked_at, mut last, mut is_whole) = (0, None, true);
    if let Some(words) = words {
        // No words are in nothing.
        found.retain(|_| !words.is_empty());
        let looked_at_max = looked_at_max.filter(|_| !words.is_empty());
        is_whole = looked_at_max.is_none_or(|max| found.len() < max);
        found.truncate(looked_at_max.unwrap_or(usize::MAX));
        (looked_at, last) = (found.len(), found.last().map(|(pos, _)| **pos));
        found.retain(|(_, entry)| says(entry, words));
    }
    let count = Some(found.len() as u64).filter(|count| count <= count_max && *count_max > 0);
    let is_full = found.len() > *max;
    found.truncate(*max);
    let logged = |(pos, entry): (&Pos, &Entry)| Logged { pos: *pos, entry: entry.clone() };
    let mut entries: Vec<_> = found.into_iter().map(logged).collect();
    if *newest {
        entries.reverse();
    }
    Found {
        entries,
        more: is_full || !is_whole,
        count: count.filter(|_| is_whole),
        looked_at,
        stopped: last.filter(|_| !is_whole && !is_full),
    }
}

impl Store for Memory {
    fn last(&self) -> Stored<'_, (i64, Pos)> {
        ready(lock(&self.data).last(self.epoch))
    }

    fn commit<'a>(&'a self, batch: &'a Batch) -> Stored<'a, Vec<Verdict>> {
        ready(lock(&self.data).commit(self.epoch, batch))
    }

    fn resumable<'a>(
        &'a self,
        unix_ms: u64,
        after: Option<&'a Bare>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        self.read(|data| data.resumable(unix_ms, after, max))
    }

    fn keeps_argon2id(&self) -> Stored<'_, bool> {
        self.read(Data::keeps_argon2id)
    }

    fn secret(&self, fresh: [u8; 32]) -> Stored<'_, [u8; 32]> {
        ready(Ok(lock(&self.data).secret(fresh)))
    }

    /// It looks through everything.
    fn index(&self) -> Stored<'_, u64> {
        ready(Ok(0))
    }

    fn purge<'a>(&'a self, what: &'a Retention) -> Stored<'a, u64> {
        ready(Ok(lock(&self.data).purge(what)))
    }

    fn sync(&self) -> Stored<'_, ()> {
        ready(Ok(()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::suite::{self, Bed};

    pub(crate) struct Kept(Memory);

    impl Bed for Kept {
        async fn new() -> Self {
            Self(Memory::new(&[suite::AT_HAND]))
        }

        async fn open(&mut self) -> Arc<dyn Store> {
            self.0 = self.0.reopen();
            Arc::new(self.0.share())
        }

        async fn usurp(&self) {
            drop(self.0.reopen());
        }
    }

    suite::suite!(Kept);

    #[test]
    fn its_futures_are_ready_at_once() {
        use std::task::{Context, Poll, Waker};
        let memory = Memory::new(&[]);
        let mut context = Context::from_waker(Waker::noop());
        let mut last = memory.last();
        assert_eq!(last.as_mut().poll(&mut context), Poll::Ready(Ok((0, Pos(0)))));
    }
}
