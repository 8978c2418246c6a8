//! Accounts as wholes, in the simulated world. What is done is done at once; whom it concerns hears
//! of it with what happens next.

use super::hosts::{Desk, credentials, ready};
use engine::{
    ctx::Ctx,
    departure::departure,
    parcel::{Order, Parcel},
    port::{Fault, Online, Pending, Reads, Registered, Registrar, Unregistered},
    seal::Spent,
    shard::Input,
    stream::machine::Secret,
    unit::{Change, Credentials, Unit},
    wire::{Bare, Jid, Stanza, Text},
};
use std::{
    future,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The desk, lent for one question.
pub(super) struct Lent<'a> {
    desk: Mutex<(&'a mut Desk, Vec<Input>)>,
    salt: Vec<u8>,
    now: (engine::ctx::Moment, u64),
    online: Online,
    spent: Arc<Spent>,
}

impl<'a> Lent<'a> {
    pub(super) fn new(desk: &'a mut Desk, ctx: &Ctx<'_>, online: Online) -> Self {
        let mut salt = vec![0; 16];
        ctx.random.fill(&mut salt);
        let now = (ctx.now, ctx.unix_ms);
        let spent = desk.spent.clone();
        Self { desk: Mutex::new((desk, Vec::new())), salt, now, online, spent }
    }

    /// What happens because of it.
    pub(super) fn caused(self) -> Vec<Input> {
        self.desk.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    fn lock(&self) -> MutexGuard<'_, (&'a mut Desk, Vec<Input>)> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, account: &Bare) -> Option<Credentials> {
        ready(self.lock().0.store.credentials(account)).ok().flatten()
    }

    /// Makes an account without a password.
    pub(super) fn invite(&self, account: &Bare) -> Result<(), Unregistered> {
        let change = Change::Create(account.clone(), Credentials::default());
        self.settle(account, change.into(), Order::Created { unix_ms: self.now.1 })
    }

    fn settle(
        &self,
        account: &Bare,
        unit: Unit,
        order: impl Into<Option<Order>>,
    ) -> Result<(), Unregistered> {
        let mut lent = self.lock();
        let (desk, caused) = &mut *lent;
        let (now, unix_ms) = self.now;
        caused.extend(desk.settle(unit, now, unix_ms).map_err(Unregistered::Fault)?);
        let told = order.into().map(|order| Parcel::Order(account.clone(), order));
        caused.extend(told.map(Input::Parcel));
        Ok(())
    }
}

fn done<'a>(outcome: Result<(), Unregistered>) -> Registered<'a> {
    Box::pin(future::ready(outcome))
}

impl Registrar for Lent<'_> {
    fn create<'a>(&'a self, account: &'a Bare, Secret(password): Secret) -> Registered<'a> {
        done(match (self.kept(account).is_some(), password.is_empty()) {
            (true, _) => Err(Unregistered::Exists),
            (_, true) => Err(Unregistered::Unfit),
            _ => {
                let unix_ms = self.now.1;
                let keys = credentials(&password, &self.salt);
                let keys = Credentials { changed: unix_ms, ..keys };
                let order = Order::Created { unix_ms };
                self.settle(account, Change::Create(account.clone(), keys).into(), order)
            }
        })
    }

    fn change_password<'a>(
        &'a self,
        account: &'a Bare,
        Secret(password): Secret,
        spared: Option<&'a Jid>,
    ) -> Registered<'a> {
        done(match (self.kept(account), password.is_empty()) {
            (None, _) => Err(Unregistered::Missing),
            (_, true) => Err(Unregistered::Unfit),
            (Some(before), _) => {
                let unix_ms = self.now.1;
                let changed = unix_ms.max(before.changed + 1);
                let keys = credentials(&password, &self.salt);
                let keys = Credentials { changed, ..keys };
                let order = Order::PasswordChanged { spared: spared.cloned(), unix_ms };
                self.settle(account, Change::Password(account.clone(), keys).into(), order)
            }
        })
    }

    fn disable<'a>(&'a self, account: &'a Bare, disabled: bool) -> Registered<'a> {
        let unix_ms = self.now.1;
        let order = disabled.then_some(Order::Disabled { unix_ms });
        let change = Change::Disabled(account.clone(), disabled).into();
        let known = self.kept(account).ok_or(Unregistered::Missing);
        done(known.and_then(|_| self.settle(account, change, order)))
    }

    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a> {
        let loaded = ready(self.lock().0.store.load(account));
        let Ok(Some(loaded)) = loaded else { return done(Err(Unregistered::Missing)) };
        let (unit, farewells) = departure(account, &loaded.roster);
        done(self.settle(account, unit, Order::Deleted { last, farewells }))
    }

    fn admits(&self, _: Option<IpAddr>, _: (u64, u64)) -> bool {
        true
    }

    fn spent(&self) -> &Spent {
        &self.spent
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Pending<'a, Result<u64, Fault>> {
        let count = ready(self.lock().0.store.count(domain));
        Box::pin(future::ready(count))
    }

    fn online<'a>(&'a self, _: &'a Bare, max: usize) -> Pending<'a, Online> {
        Box::pin(future::ready(Online::default().and(self.online.clone(), max)))
    }

    fn resources<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Jid>> {
        let mut resources = self.online.resources.clone();
        resources.retain(|jid| jid.bare() == *account);
        Box::pin(future::ready(resources))
    }

    fn devices<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Text>> {
        let mine = self.online.devices.iter().filter(|(of, _)| of == account);
        Box::pin(future::ready(mine.map(|(_, device)| device.clone()).collect()))
    }

    fn revoke<'a>(&'a self, account: &'a Bare, device: &'a str, unit: Unit) -> Registered<'a> {
        let order = Order::Revoked { device: device.into(), unix_ms: self.now.1 };
        done(self.settle(account, unit, order))
    }

    fn end(&self, whom: &Jid) {
        let resource = Some(whom).filter(|whom| !whom.is_bare()).cloned();
        let order = Parcel::Order(whom.bare(), Order::End(resource));
        self.lock().1.push(Input::Parcel(order));
    }

    fn announce(&self, domain: &Bare, message: Stanza) {
        self.lock().1.push(Input::Announce(domain.clone(), message));
    }
}
