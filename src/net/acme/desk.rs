//! Where orders are placed: one for each name, some at the same time, so that none waits for
//! another that does not get on.

use super::{
    Acme, Challenges, Failure,
    order::{self, Given, Refused},
    renewal,
};
use crate::{
    certificate::now,
    limits::{ACME_ORDER_TIME_MAX, ACME_ORDERS_MAX},
    meters::Meters,
};
use instant_acme::Account;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::{sync::Mutex, task::JoinSet, time::timeout};

/// Orders under way.
pub(crate) struct Desk {
    challenges: Arc<Challenges>,
    meters: Arc<Meters>,
    orders: JoinSet<(String, Option<Failure>)>,
    names: HashSet<String>,
    /// Of names whose last order has failed. They are on the shelf too, but a disk that is full
    /// must not keep us from knowing.
    failures: HashMap<String, Failure>,
    account: Arc<Mutex<Option<Account>>>,
}

impl Desk {
    pub(crate) fn new(challenges: Arc<Challenges>, meters: Arc<Meters>) -> Self {
        let (orders, names, failures, account) = Default::default();
        Self { challenges, meters, orders, names, failures, account }
    }

    /// The operator may have chosen another authority.
    pub(crate) fn forget_account(&mut self) {
        self.account = Arc::default();
        self.failures.clear();
    }

    /// Orders for these names, unless that is under way, as many as there is room for.
    pub(crate) fn order(&mut self, acme: &Acme, names: Vec<String>) {
        let now = now();
        for name in names {
            let before = self.failures.get(&name).cloned();
            if before.as_ref().is_some_and(|before| now < before.due(now)) {
                continue;
            }
            if self.orders.len() < ACME_ORDERS_MAX && self.names.insert(name.clone()) {
                let order = Placed {
                    acme: acme.clone(),
                    name,
                    before,
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
            Some(Ok((name, failure))) => {
                self.names.remove(&name);
                match failure {
                    Some(failure) => drop(self.failures.insert(name, failure)),
                    None => drop(self.failures.remove(&name)),
                }
            }
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
    /// Why the one before failed, when that is remembered.
    before: Option<Failure>,
    challenges: Arc<Challenges>,
    meters: Arc<Meters>,
    account: Arc<Mutex<Option<Account>>>,
}

impl Placed {
    /// Goes through with it, and keeps what has become of it.
    async fn run(mut self) -> (String, Option<Failure>) {
        let shelf = self.acme.shelf();
        let before = self.before.take().or_else(|| shelf.failure(&self.name));
        let name = &self.name;
        let failures = before.as_ref().map_or(0, |before| before.failures);
        let given = timeout(ACME_ORDER_TIME_MAX, self.place(failures)).await;
        let kept = given.unwrap_or(Err(Refused::Late)).and_then(|Given { chain, key }| {
            let certificate = shelf.put(name, &chain, &key)?;
            // By a clock that is wrong it may be due as soon as it is there.
            if now() < renewal(Some(&certificate)) { Ok(()) } else { Err(Refused::Due) }
        });
        match kept {
            Ok(()) => {
                self.meters.ordered("ok");
                tracing::info!(name, "a certificate was ordered");
                shelf.set_failure(name, None);
                (self.name, None)
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
                (self.name, Some(failure))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_keeps_nothing_does_not_make_us_ask_again_and_again() {
        crate::tls::install_provider();
        let nowhere = tempfile::NamedTempFile::new().unwrap();
        let acme = Acme {
            directory: "https://localhost/directory".to_owned(),
            contact: None,
            domains: Vec::new(),
            challenges: vec![crate::acme::Challenge::Http],
            root: None,
            folder: nowhere.path().to_owned(),
        };
        let mut desk = Desk::new(Arc::default(), Arc::new(Meters::new()));
        desk.order(&acme, vec!["a.example".to_owned()]);
        desk.done().await;
        assert!(acme.is_due("a.example", None), "nothing is written down");
        desk.order(&acme, vec!["a.example".to_owned(), "b.example".to_owned()]);
        assert_eq!(desk.orders.len(), 1, "the other one's");
        // Each time it waits longer.
        desk.failures.get_mut("a.example").unwrap().next = 0;
        desk.done().await;
        desk.order(&acme, vec!["a.example".to_owned()]);
        desk.done().await;
        assert_eq!(desk.failures["a.example"].failures, 2);
    }
}
