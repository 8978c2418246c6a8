//! Whom somebody wants to be. Nobody can tell by the time until they are answered whether there is
//! such an account (attack class: enumeration by time): each time the store is asked, once, and
//! nothing of it is remembered, or who has logged in lately would be found sooner than who does
//! not exist; and what little its answers differ by is lost in whole steps of time.

use engine::{
    device::DEVICES,
    port::{Device, Fault, Reads},
    unit::Credentials,
    wire::Bare,
};
use std::time::Duration;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

/// An answer takes a whole number of these: some times what a store takes that is well.
const STEP: Duration = Duration::from_millis(2);

/// What is kept of this account's password.
pub(crate) async fn credentials(
    store: &dyn Reads,
    turns: &Semaphore,
    of: &Bare,
) -> Result<Option<Credentials>, Fault> {
    in_steps(turns, store.credentials(of)).await
}

/// What is kept of this account's password, and of its device of this id.
pub(crate) async fn device(
    store: &dyn Reads,
    turns: &Semaphore,
    of: &Bare,
    id: &str,
) -> Result<Option<Device>, Fault> {
    in_steps(turns, store.device(of, DEVICES, id)).await
}

async fn in_steps<T>(turns: &Semaphore, read: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let turn = turns.acquire().await;
    let found = read.await;
    drop(turn);
    sleep_until(begun + whole_steps(begun.elapsed())).await;
    found
}

/// What an answer takes that could be given after that.
fn whole_steps(took: Duration) -> Duration {
    let steps = took.as_micros().div_ceil(STEP.as_micros()).max(1);
    STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{
        archive::{Found, Search},
        inbox::Inbox,
        port::{Loaded, Logged, Store, Stored},
        unit::{Change, Pos, Table},
        wire::Bare,
    };
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use store::Memory;

    /// Counts what a login asks for. Of anything else it would be the first to hear.
    struct Counting {
        store: Arc<dyn Store>,
        reads: AtomicU32,
    }

    impl Counting {
        fn count(&self) -> &dyn Store {
            self.reads.fetch_add(1, Ordering::Relaxed);
            &*self.store
        }
    }

    impl Reads for Counting {
        fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
            self.count().credentials(of)
        }

        fn device<'a>(
            &'a self,
            of: &'a Bare,
            at: Table,
            key: &'a str,
        ) -> Stored<'a, Option<Device>> {
            self.count().device(of, at, key)
        }

        fn load<'a>(&'a self, _: &'a Bare) -> Stored<'a, Option<Loaded>> {
            unreachable!()
        }

        fn accounts<'a>(
            &'a self,
            _: &'a Bare,
            _: Option<&'a str>,
            _: usize,
        ) -> Stored<'a, Vec<Bare>> {
            unreachable!()
        }

        fn count<'a>(&'a self, _: &'a Bare) -> Stored<'a, u64> {
            unreachable!()
        }

        fn disabled<'a>(&'a self, _: &'a Bare, _: usize) -> Stored<'a, (u64, Vec<Bare>)> {
            unreachable!()
        }

        fn cell<'a>(&'a self, _: Table, _: &'a Bare, _: &'a str) -> Stored<'a, Option<Vec<u8>>> {
            unreachable!()
        }

        fn cells<'a>(&'a self, _: Table, _: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
            unreachable!()
        }

        fn affiliated<'a>(
            &'a self,
            _: &'a Bare,
            _: Option<&'a Bare>,
            _: usize,
        ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
            unreachable!()
        }

        fn cells_from<'a>(
            &'a self,
            _: Table,
            _: &'a Bare,
            _: &'a str,
            _: usize,
        ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
            unreachable!()
        }

        fn page<'a>(&'a self, _: &'a Bare, _: Pos, _: usize) -> Stored<'a, Vec<Logged>> {
            unreachable!()
        }

        fn search<'a>(&'a self, _: &'a Bare, _: &'a Search) -> Stored<'a, Found> {
            unreachable!()
        }

        fn inbox<'a>(&'a self, _: &'a Bare) -> Stored<'a, Inbox> {
            unreachable!()
        }

        fn entries<'a>(&'a self, _: &'a Bare, _: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
            unreachable!()
        }
    }

    #[tokio::test]
    async fn at_16_who_exists_costs_the_store_what_who_does_not_costs_each_time() {
        let store: Arc<dyn Store> = Arc::new(Memory::new(&[]));
        let juliet = Bare::parse("juliet@x").unwrap();
        let writer = crate::operator::Operator::of("x", store.clone()).await.accounts.writer;
        let create = Change::Create(juliet.clone(), Credentials::default());
        writer.commit(create.into()).await.unwrap();
        let counting = Counting { store, reads: AtomicU32::new(0) };
        let turns = Semaphore::new(1);
        for (account, exists) in [("juliet@x", true), ("nobody@x", false)] {
            let account = Bare::parse(account).unwrap();
            for _ in 0..2 {
                let found = credentials(&counting, &turns, &account).await.unwrap();
                assert_eq!(found.is_some(), exists);
                assert_eq!(counting.reads.swap(0, Ordering::Relaxed), 1);
                let found = device(&counting, &turns, &account, "phone").await.unwrap();
                assert_eq!(found.is_some(), exists);
                assert_eq!(counting.reads.swap(0, Ordering::Relaxed), 1);
            }
        }
    }

    #[test]
    fn at_16_an_answer_takes_whole_steps_of_time() {
        let answered = |micros| whole_steps(Duration::from_micros(micros));
        for micros in [0, 1, 90, 400, 1_999, 2_000] {
            assert_eq!(answered(micros), STEP);
        }
        for micros in [2_001, 3_500, 4_000] {
            assert_eq!(answered(micros), 2 * STEP);
        }
        assert_eq!(answered(4_001), 3 * STEP);
    }
}
