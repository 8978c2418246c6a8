//! What costs milliseconds of CPU, or the memory of Argon2id, runs beside the event loop: so much
//! at once, and so much that waits for its turn.

use crate::{clock::Chance, limits::Limits};
use engine::{
    settings::Passwords,
    stream::{machine::Secret, sasl},
    unit::Credentials,
};
use std::{num::NonZero, sync::Arc, thread};
use tokio::{sync::Semaphore, task};

/// Hashes passwords.
pub(crate) struct Hashing {
    passwords: Passwords,
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Hashing {
    pub(crate) fn new(limits: &Limits, passwords: Passwords) -> Arc<Self> {
        let running = match limits.hashes_running_max {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            max => max,
        };
        let running = Arc::new(Semaphore::new(running));
        let waiting = Semaphore::new(limits.hashes_waiting_max);
        Arc::new(Self { passwords, running, waiting })
    }

    /// Whether the password is the one that is kept; with it what is to be kept instead, when it
    /// is not kept as the operator wants it. `None`: too much is asked at once.
    pub(crate) async fn verify(
        &self,
        Secret(password): Secret,
        kept: Credentials,
        made_up: Credentials,
    ) -> Option<(bool, Option<Credentials>)> {
        let passwords = self.passwords;
        let verify = move || {
            let right = sasl::verify(&password, &kept, &made_up)?;
            if !right || sasl::is_kept_so(&kept, &passwords) {
                return Some((right, None));
            }
            let better = sasl::credentials(&password, &passwords, &Chance);
            let changed = kept.changed;
            Some((right, better.map(|better| Credentials { changed, ..better })))
        };
        self.run(verify).await
    }

    /// What is kept of a new password. `None`: too much is asked at once.
    pub(crate) async fn derive(&self, Secret(password): Secret) -> Option<Credentials> {
        let passwords = self.passwords;
        self.run(move || sasl::credentials(&password, &passwords, &Chance)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        hash: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let place = self.waiting.try_acquire().ok()?;
        let turn = self.running.clone().acquire_owned().await.ok()?;
        drop(place);
        // The turn is over when the hash is, also when nobody waits for it any more.
        let hashing = task::spawn_blocking(move || {
            let hashed = hash();
            drop(turn);
            hashed
        });
        hashing.await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::settings::{Argon2id, Storage};
    use std::sync::mpsc;

    fn hashing(running: usize, waiting: usize) -> Arc<Hashing> {
        let limits = Limits {
            hashes_running_max: running,
            hashes_waiting_max: waiting,
            ..Limits::default()
        };
        Hashing::new(&limits, Passwords::default())
    }

    #[tokio::test]
    async fn whoever_gives_up_makes_no_room_before_the_hash_is_done() {
        let hashing = hashing(1, 2);
        let (done, wait) = mpsc::channel::<()>();
        let (begun, runs) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let hashing = hashing.clone();
            async move {
                let hash = move || {
                    begun.send(()).unwrap();
                    wait.recv().ok()
                };
                hashing.run(hash).await
            }
        });
        runs.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let second = hashing.run(|| Some(2));
        tokio::pin!(second);
        let pending = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(second.as_mut().poll(cx).is_pending())
        });
        assert!(pending.await, "two at once");
        done.send(()).unwrap();
        assert_eq!(second.await, Some(2));
    }

    #[tokio::test]
    async fn more_than_may_wait_are_told_at_once() {
        let hashing = hashing(1, 1);
        let turn = hashing.running.clone().acquire_owned().await.unwrap();
        let waits = tokio::spawn({
            let hashing = hashing.clone();
            async move { hashing.run(|| Some(1)).await }
        });
        while hashing.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.run(|| Some(2)).await, None);
        drop(turn);
        assert_eq!(waits.await.unwrap(), Some(1));
        assert_eq!(hashing.run(|| Some(3)).await, Some(3));
    }

    #[tokio::test]
    async fn a_password_that_is_kept_in_another_way_will_be_kept_as_wanted() {
        let argon2id = Argon2id { kib: 32, passes: 1, lanes: 1 };
        let passwords = Passwords { storage: Storage::Argon2id, argon2id, mixed: false };
        let slow = Hashing::new(&Limits::default(), passwords);
        let kept = hashing(1, 1).derive(Secret("pencil".into())).await.unwrap();
        let kept = Credentials { changed: 7, ..kept };
        let none = Credentials::default();
        let said = slow.verify(Secret("pencil".into()), kept.clone(), none.clone()).await.unwrap();
        let (true, Some(better)) = said else { panic!("{said:?}") };
        assert!(better.sha256.is_none() && better.argon2id.is_some());
        assert_eq!(better.changed, 7);
        let said = slow.verify(Secret("pencil".into()), better, none.clone()).await;
        assert_eq!(said, Some((true, None)));
        assert_eq!(slow.verify(Secret("wrong".into()), kept, none).await, Some((false, None)));
    }
}
