//! Time and chance, for those who may not ask for them.

use engine::ctx::{Moment, Random};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// The monotonic clock of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since it began.
    pub fn now(self) -> Moment {
        Moment(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits for this moment; for none, for ever.
    pub(crate) async fn reaches(self, moment: Option<Moment>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(self.instant(moment)).await,
            None => std::future::pending().await,
        }
    }

    /// The runtime's word for this moment. Never before it: a millisecond has begun when its
    /// number is read, and a timer that came early would find nothing to do.
    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.0 + Duration::from_millis(moment.0)
    }
}

/// Milliseconds since 1970.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Chance: ChaCha20, one generator per thread, seeded from the operating system. A connection
/// that is idle owns no generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chance;

thread_local! {
    static GENERATOR: RefCell<ChaCha20Rng> = RefCell::new(ChaCha20Rng::from_seed(seed()));
}

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        GENERATOR.with(|generator| generator.borrow_mut().fill_bytes(bytes));
    }
}

/// 32 bytes of the operating system's chance.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system gives random bytes");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_have_different_chance() {
        let word = || {
            let mut bytes = [0; 32];
            Chance.fill(&mut bytes);
            bytes
        };
        let other = std::thread::spawn(word).join().unwrap();
        assert_ne!(word(), other);
        assert_ne!(word(), word());
    }
}
