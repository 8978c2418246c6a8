//! Accounts of people who stay unknown (XEP-0175): made at their login, removed when their last
//! session has ended, or at the next start when this process ends before.

use crate::registrar::Accounts;
use engine::{
    departure::departure,
    parcel::Order,
    port::{Fault, Reads, Unregistered},
    unit::{ANONYMOUS, Change, Credentials, Unit},
    wire::Bare,
};
use tokio::runtime::Handle;

/// Makes the account, without a password. Should whoever asked for it give up meanwhile, it is
/// removed again.
pub(crate) async fn make(accounts: &Accounts, account: Bare) -> bool {
    let mut unclaimed = Unclaimed { accounts, account: Some(account.clone()) };
    let Some((host, local)) = place(&account) else { return false };
    let mark = Change::Put(ANONYMOUS, host, local, Vec::new());
    let changes = vec![Change::Create(account.clone(), Credentials::default()), mark];
    let unit = Unit { changes, ..Unit::default() };
    let made = accounts.settle(&account, unit, |unix_ms| Order::Created { unix_ms }).await;
    unclaimed.account = None;
    if let Err(error) = &made {
        tracing::warn!(%error, "no account could be made for a guest");
    }
    made.is_ok()
}

/// Removes the account, in a task of its own.
pub(crate) fn expire(accounts: &Accounts, account: Bare) {
    expire_all(accounts, vec![account]);
}

/// Removes these accounts, one after the other, in a task of its own.
pub(crate) fn expire_all(accounts: &Accounts, all: Vec<Bare>) {
    // Without a runtime the process ends: its next start removes them.
    let Ok(runtime) = Handle::try_current() else { return };
    let accounts = accounts.clone();
    accounts.post.work().begin();
    runtime.spawn(async move {
        for account in all {
            match remove(&accounts, &account).await {
                Ok(()) => {}
                Err(error @ Unregistered::Fault(Fault::Refused(_))) => {
                    tracing::debug!(%account, %error, "no guest's account, or gone already");
                }
                Err(error) => {
                    tracing::warn!(%error, "a guest's account is left to the next start");
                }
            }
        }
        accounts.post.work().done();
    });
}

/// Those whose sessions an earlier process did not see end.
///
/// # Errors
/// The store is away.
pub(crate) async fn left(store: &dyn Reads, domains: &[Bare]) -> Result<Vec<Bare>, Fault> {
    let mut all = Vec::new();
    for domain in domains {
        let names = store.cells(ANONYMOUS, domain).await?;
        let named = |(name, _): (String, _)| Bare::parse(&format!("{name}@{domain}")).ok();
        all.extend(names.into_iter().filter_map(named));
    }
    Ok(all)
}

async fn remove(accounts: &Accounts, account: &Bare) -> Result<(), Unregistered> {
    let loaded = accounts.store.load(account).await.map_err(Unregistered::Fault)?;
    let roster = loaded.map(|loaded| loaded.roster).unwrap_or_default();
    let (mut unit, farewells) = departure(account, &roster);
    // Refused, and nothing of it happens, when it is not a guest's: the domain may have been of
    // another kind before.
    let marked = |(host, local)| Change::Swap(ANONYMOUS, host, local, Some(Vec::new()), None);
    unit.changes.extend(place(account).map(marked));
    accounts.settle(account, unit, |_| Order::Deleted { last: None, farewells }).await
}

fn place(account: &Bare) -> Option<(Bare, String)> {
    Some((Bare::host(account.domain()).ok()?, account.local()?.to_owned()))
}

/// An account that is being made, until somebody is told that it is theirs.
struct Unclaimed<'a> {
    accounts: &'a Accounts,
    account: Option<Bare>,
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if let Some(account) = self.account.take() {
            expire(self.accounts, account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;
    use engine::{port::Registrar, stream::machine::Secret};
    use std::sync::Arc;
    use store::Memory;

    #[tokio::test]
    async fn a_guest_goes_and_who_was_here_before_the_guests_stays() {
        let store = Arc::new(Memory::new(&[]));
        let host = Bare::host("x").unwrap();
        let accounts = Operator::of("x", store.clone()).await.accounts;
        let [juliet, guest] = ["juliet@x", "guest@x"].map(|jid| Bare::parse(jid).unwrap());
        accounts.create(&juliet, Secret("secret".into())).await.unwrap();
        assert!(make(&accounts, guest.clone()).await);
        let refused = remove(&accounts, &juliet).await;
        assert!(matches!(refused, Err(Unregistered::Fault(Fault::Refused(_)))), "{refused:?}");
        remove(&accounts, &guest).await.unwrap();
        assert!(store.credentials(&juliet).await.unwrap().is_some());
        assert_eq!(store.credentials(&guest).await, Ok(None));
        assert_eq!(left(&*store, &[host]).await, Ok(Vec::new()));
    }
}
