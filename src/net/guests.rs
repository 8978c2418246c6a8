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
            if let Err(error) = remove(&accounts, &account).await {
                tracing::warn!(%error, "a guest's account is left to the next start");
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
    let mark = place(account).map(|(host, local)| Change::Cut(ANONYMOUS, host, local));
    unit.changes.extend(mark);
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
