//! Accounts as wholes: nobody makes any, and those that go come back as the store has them.

use engine::{
    parcel::{Order, Parcel},
    port::{Fault, Online, Pending, Registered, Registrar, Unregistered},
    seal::Spent,
    shard::Input,
    stream::machine::Secret,
    unit::Unit,
    wire::{Bare, Jid, Stanza, Text},
};
use std::{future::ready, net::IpAddr, sync::Mutex};

/// What is to happen because of it.
#[derive(Default)]
pub struct Registry(Mutex<Vec<Input>>, Spent);

impl Registry {
    /// All that has been caused since the last time.
    pub fn caused(&self) -> Vec<Input> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn cause(&self, account: &Bare, order: Order) {
        self.0.lock().unwrap().push(Input::Parcel(Parcel::Order(account.clone(), order)));
    }
}

impl Registrar for Registry {
    fn create<'a>(&'a self, _: &'a Bare, _: Secret) -> Registered<'a> {
        Box::pin(ready(Err(Unregistered::Exists)))
    }

    fn change_password<'a>(
        &'a self,
        account: &'a Bare,
        _: Secret,
        spared: Option<&'a Jid>,
    ) -> Registered<'a> {
        self.cause(account, Order::PasswordChanged { spared: spared.cloned(), unix_ms: 0 });
        Box::pin(ready(Ok(())))
    }

    fn disable<'a>(&'a self, account: &'a Bare, disabled: bool) -> Registered<'a> {
        if disabled {
            self.cause(account, Order::Disabled { unix_ms: 0 });
        }
        Box::pin(ready(Ok(())))
    }

    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a> {
        self.cause(account, Order::Deleted { last, farewells: Vec::new() });
        Box::pin(ready(Ok(())))
    }

    fn admits(&self, _: Option<IpAddr>, _: (u64, u64)) -> bool {
        true
    }

    fn spent(&self) -> &Spent {
        &self.1
    }

    fn count<'a>(&'a self, _: &'a Bare) -> Pending<'a, Result<u64, Fault>> {
        Box::pin(ready(Ok(3)))
    }

    fn online<'a>(&'a self, _: &'a Bare, _: usize) -> Pending<'a, Online> {
        Box::pin(ready(Online::default()))
    }

    fn resources<'a>(&'a self, _: &'a Bare) -> Pending<'a, Vec<Jid>> {
        Box::pin(ready(Vec::new()))
    }

    fn devices<'a>(&'a self, _: &'a Bare) -> Pending<'a, Vec<Text>> {
        Box::pin(ready(Vec::new()))
    }

    fn revoke<'a>(&'a self, account: &'a Bare, device: &'a str, _: Unit) -> Registered<'a> {
        self.cause(account, Order::Revoked { device: device.into(), unix_ms: 0 });
        Box::pin(ready(Ok(())))
    }

    fn end(&self, whom: &Jid) {
        let resource = Some(whom).filter(|whom| !whom.is_bare()).cloned();
        self.cause(&whom.bare(), Order::End(resource));
    }

    fn announce(&self, domain: &Bare, message: Stanza) {
        self.0.lock().unwrap().push(Input::Announce(domain.clone(), message));
    }
}
