//! Guessing passwords takes time: failed logins are counted, delay those that follow, and then
//! those are refused for a while.
//!
//! Three counts, so that a stranger who guesses does not lock out the owner:
//!
//! - of an account from one address: delayed, then refused. The owner comes from elsewhere.
//! - of an address, whatever the accounts: delayed, then refused. Not of loopback, where a proxy
//!   may stand for everybody.
//! - of an account, wherever from: only ever delayed.
//!
//! The first two have no meaning where all seem to come from one address, and can be switched off.
//!
//! An account that does not exist is counted like one that does.

mod count;
mod table;

use crate::limits::Limits;
pub(crate) use count::{Count, Pace};
use engine::{ctx::Moment, stream::sasl::Failure, wire::Bare};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
pub(crate) use table::Table;

/// Logins of one account from one address that are under way at once: more than all its clients are
/// that come back together. A guesser gets so many tries before the first failure is known.
const UNDER_WAY_MAX: u64 = 256;

/// What has failed lately.
#[derive(Debug)]
pub(crate) struct Logins {
    /// `None`: all seem to come from one address.
    pairs: Option<Pace>,
    /// The same.
    addresses: Option<Pace>,
    accounts: Pace,
    delay_ms_max: u64,
    lately: Mutex<Lately>,
}

#[derive(Debug)]
struct Lately {
    pairs: Table<(Bare, IpAddr), Pair>,
    addresses: Table<IpAddr, Count>,
    accounts: Table<Bare, Count>,
}

/// An account and an address that tries to log in to it.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    count: Count,
    under_way: u64,
}

/// What becomes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It goes on after so many ms.
    After(u64),
    /// It is refused, whatever the password is.
    Refused,
}

/// A login under way. It is over when it is dropped.
#[derive(Debug)]
pub(crate) struct Attempt {
    logins: Arc<Logins>,
    account: Bare,
    address: IpAddr,
    admission: Admission,
}

impl Logins {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let pace = |max| Pace::new(max, limits.login_failures_ms);
        let if_any = |max| Some(max).filter(|max| *max > 0).map(pace);
        let entries = limits.login_failures_kept_max;
        Arc::new(Self {
            pairs: if_any(limits.login_failures_max),
            addresses: if_any(limits.login_failures_per_address_max),
            accounts: pace(limits.login_failures_per_account_max),
            delay_ms_max: limits.login_delay_ms_max,
            lately: Mutex::new(Lately {
                pairs: Table::new(entries),
                addresses: Table::new(entries),
                accounts: Table::new(entries),
            }),
        })
    }

    /// Somebody at this address (of IPv6, its /64) wants to log in to this account.
    pub(crate) fn begin(self: &Arc<Self>, account: Bare, address: IpAddr, now: Moment) -> Attempt {
        let admission = self.admit(&account, address, now.0);
        Attempt { logins: self.clone(), account, address, admission }
    }

    fn admit(&self, account: &Bare, address: IpAddr, now: u64) -> Admission {
        let mut lately = self.lately();
        let key = (account.clone(), address);
        let (pair, under_way) =
            lately.pairs.get(&key).map_or_else(Default::default, |it| (it.count, it.under_way));
        let by_address = lately.addresses.get(&address).copied().unwrap_or_default();
        let by_account = lately.accounts.get(account).copied().unwrap_or_default();
        // Once one has failed, no more are under way than may fail.
        let room = match self.pairs.map(|pace| (pace.max, pair.level(now, &pace))) {
            None | Some((_, 0)) => UNDER_WAY_MAX,
            Some((max, level)) => max.saturating_sub(level),
        };
        if pair.is_full(now) || under_way >= room || by_address.is_full(now) {
            return Admission::Refused;
        }
        lately.pairs.entry(key).under_way += 1;
        let delays = [
            self.pairs.map_or(0, |pace| pair.delay(now, &pace, self.delay_ms_max)),
            self.addresses.map_or(0, |pace| by_address.delay(now, &pace, self.delay_ms_max)),
            by_account.delay(now, &self.accounts, self.delay_ms_max),
        ];
        Admission::After(delays.into_iter().max().unwrap_or_default())
    }

    fn failed(&self, account: &Bare, address: IpAddr, now: u64) {
        let mut lately = self.lately();
        if let Some(pace) = self.pairs {
            lately.pairs.entry((account.clone(), address)).count.add(now, &pace);
        }
        lately.accounts.entry(account.clone()).add(now, &self.accounts);
        if let Some(pace) = self.addresses.filter(|_| !address.is_loopback()) {
            lately.addresses.entry(address).add(now, &pace);
        }
    }

    fn succeeded(&self, account: &Bare, address: IpAddr) {
        // Whoever knows the password has mistyped it before.
        if let Some(pair) = self.lately().pairs.get_mut(&(account.clone(), address)) {
            pair.count = Count::default();
        }
    }

    fn over(&self, account: &Bare, address: IpAddr) {
        let mut lately = self.lately();
        let key = (account.clone(), address);
        let Some(pair) = lately.pairs.get_mut(&key) else { return };
        pair.under_way = pair.under_way.saturating_sub(1);
        if pair.under_way == 0 && pair.count == Count::default() {
            lately.pairs.remove(&key);
        }
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// What becomes of it.
    pub(crate) fn admission(&self) -> Admission {
        self.admission
    }

    /// To which account.
    pub(crate) fn account(&self) -> &Bare {
        &self.account
    }

    /// It has ended. What was not let in counts for nothing, nor does what never came to a
    /// password, or was our own fault.
    pub(crate) fn ended(self, outcome: Result<(), Failure>, now: Moment) {
        match (self.admission, outcome) {
            (Admission::Refused, _) => {}
            (_, Ok(())) => self.logins.succeeded(&self.account, self.address),
            (_, Err(failure)) if failure.as_str() == Failure::NotAuthorized.as_str() => {
                self.logins.failed(&self.account, self.address, now.0);
            }
            (_, Err(_)) => {}
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.admission != Admission::Refused {
            self.logins.over(&self.account, self.address);
        }
    }
}

#[cfg(test)]
mod tests;
