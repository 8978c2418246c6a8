//! Where orders are placed: one for each name, some at the same time, so that none waits for
//! another that does not get on.

use super::{
    Acme, Challenges, Failure,
    order::{self, Given, Refused},
};
use crate::{
    certificate::now,
    limits::{ACME_ORDER_TIME_MAX, ACME_ORDERS_MAX},
    meters::Meters,
};
use instant_acme::Account;
use std::{collections::HashSet, sync::Arc};
use tokio::{sync::Mutex, task::JoinSet, time::timeout};

/// Orders under way.
pub(crate) struct Desk {
    challenges: Arc<Challenges>,
    meters: Arc<Meters>,
    orders: JoinSet<String>,
    names: HashSet<String>,
    account: Arc<Mutex<Option<Account>>>,
}

impl Desk {
    pub(crate) fn new(challenges: Arc<Challenges>, meters: Arc<Meters>) -> Self {
        let (orders, names, account) = Default::default();
        Self { challenges, meters, orders, names, account }
    }

    /// The operator may have chosen another authority.
    pub(crate) fn forget_account(&mut self) {
        self.account = Arc::default();
    }

    /// Orders for these names, unless that is under way, as many as there is room for.
    pub(crate) fn order(&mut self, acme: &Acme, names: Vec<String>) {
        for name in names {
            if self.orders.len() < ACME_ORDERS_MAX && self.names.insert(name.clone()) {
                let order = Placed {
                    acme: acme.clone(),
                    name,
                    challenges: self.challenges.clone(),
                    meters: self.meters.clone(),
                    account: self.account.clone(),
                };
                self.orders.spawn(order.run());
            }
        }
    }

    /// Waits for one to be over; never while none is under way.
    pub(crate) async fn done(&mut self) {
        match self.orders.join_next().await {
            Some(Ok(name)) => drop(self.names.remove(&name)),
            // It has panicked, and its name is lost: it may be ordered again.
            Some(Err(_)) => self.names.clear(),
            None => std::future::pending().await,
        }
    }
}

/// One order.
struct Placed {
    acme: Acme,
    name: String,
    challenges: Arc<Challenges>,
    meters: Arc<Meters>,
    account: Arc<Mutex<Option<Account>>>,
}

impl Placed {
    /// Goes through with it, and keeps what has become of it.
    async fn run(self) -> String {
        let (name, shelf) = (&self.name, self.acme.shelf());
        let before = shelf.failure(name);
        let failures = before.as_ref().map_or(0, |before| before.failures);
        let given = timeout(ACME_ORDER_TIME_MAX, self.place(failures)).await;
        let kept = given.unwrap_or(Err(Refused::Late)).and_then(|Given { chain, key }| {
            shelf.put(name, &chain, &key)?;
            Ok(())
        });
        match kept {
            Ok(()) => {
                self.meters.ordered("ok");
                tracing::info!(name, "a certificate was ordered");
                shelf.set_failure(name, None);
            }
            Err(refused) => {
                self.meters.ordered("failed");
                let failure = Failure::after(before, now(), refused.to_string());
                let Failure { failures, next, why } = &failure;
                let again_seconds = next - now();
                tracing::error!(name, failures, again_seconds, why, "no certificate was ordered");
                shelf.set_failure(name, Some(&failure));
                if refused.is_for_the_account() {
                    *self.account.lock().await = None;
                    shelf.forget_account();
                }
            }
        }
        self.name
    }

    async fn place(&self, failures: u32) -> Result<Given, Refused> {
        let account = self.account().await?;
        let way = self.acme.challenge(failures);
        order::order(&account, &self.name, way, &self.challenges).await
    }

    /// The same for all orders; the first makes it.
    async fn account(&self) -> Result<Account, Refused> {
        let mut account = self.account.lock().await;
        if let Some(account) = &*account {
            return Ok(account.clone());
        }
        let made = order::account(&self.acme).await?;
        Ok(account.insert(made).clone())
    }
}
