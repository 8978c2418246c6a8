//! Handshakes one by one. The keys of one take longer than ten messages do: when five hundred
//! people come at once, as after a network has been away, who is here already would wait for all
//! of them.

use std::{
    future::poll_fn,
    num::NonZero,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Everything that is ready has its turn first. Tokio's own `yield_now` comes back before all of
/// that, as soon as sockets have been looked at: what is told to five thousand in slices would be
/// told to all of them before anybody else goes on.
pub(crate) async fn give_way() {
    let mut was_last = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut was_last, true) {
            return Poll::Ready(());
        }
        // Who is woken while it runs stands behind all others.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Where they wait, each for its turn: at one time as many go on as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Turnstile(Arc<Semaphore>);

impl Default for Turnstile {
    fn default() -> Self {
        Self::of(thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl Turnstile {
    fn of(cores: usize) -> Self {
        Self(Arc::new(Semaphore::new(cores)))
    }

    pub(crate) fn waits(&self) -> Waits {
        Waits { turnstile: self.0.clone(), turn: None }
    }
}

/// Somebody who waits there, again and again.
pub(crate) struct Waits {
    turnstile: Arc<Semaphore>,
    turn: Option<Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>>,
}

impl Waits {
    /// Ready when it may go on, for once. Behind it everything that is ready has its turn before
    /// the next does.
    ///
    /// # Panics
    /// Outside a runtime.
    pub(crate) fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.turn.get_or_insert_with(|| {
            let turnstile = self.turnstile.clone();
            Box::pin(async { turnstile.acquire_owned().await.ok() })
        });
        let permit = ready!(turn.as_mut().poll(cx));
        self.turn = None;
        tokio::spawn(async {
            give_way().await;
            drop(permit);
        });
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_gives_way_goes_on_behind_all_who_are_ready() {
        let told = Arc::new(Mutex::new(String::new()));
        let say = |word: char| {
            let told = told.clone();
            async move { told.lock().unwrap().push(word) }
        };
        let last = say('l');
        let others: Vec<_> = (0..200).map(|_| say('o')).collect();
        let polite = tokio::spawn(async {
            let others = others.into_iter().map(tokio::spawn);
            let others: Vec<_> = others.collect();
            give_way().await;
            last.await;
            others
        });
        for other in polite.await.unwrap() {
            other.await.unwrap();
        }
        assert_eq!(told.lock().unwrap().find('l'), Some(200));
    }

    #[tokio::test]
    async fn between_two_who_come_all_others_have_their_turn() {
        let (turnstile, told) = (Turnstile::of(1), Arc::new(Mutex::new(String::new())));
        let comers = (0..50).map(|_| {
            let (mut waits, told) = (turnstile.waits(), told.clone());
            tokio::spawn(async move {
                for _ in 0..2 {
                    poll_fn(|cx| waits.poll_pass(cx)).await;
                    told.lock().unwrap().push('c');
                }
            })
        });
        let comers: Vec<_> = comers.collect();
        let here = tokio::spawn({
            let told = told.clone();
            async move {
                loop {
                    told.lock().unwrap().push('h');
                    give_way().await;
                }
            }
        });
        for comer in comers {
            comer.await.unwrap();
        }
        here.abort();
        let told = told.lock().unwrap();
        assert_eq!(told.matches('c').count(), 100);
        assert!(!told.contains("cc"), "{told}");
    }

    #[tokio::test]
    async fn who_goes_away_while_it_waits_keeps_nobody_waiting() {
        let turnstile = Turnstile::of(1);
        let (mut first, mut gone, mut last) =
            (turnstile.waits(), turnstile.waits(), turnstile.waits());
        poll_fn(|cx| first.poll_pass(cx)).await;
        assert!(poll_fn(|cx| Poll::Ready(gone.poll_pass(cx))).await.is_pending());
        drop(gone);
        poll_fn(|cx| last.poll_pass(cx)).await;
    }
}
