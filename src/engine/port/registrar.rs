//! Accounts as wholes: made, changed, removed; who is online.

use super::{Fault, Pending};
use crate::{seal::Spent, stream::machine::Secret, unit::Unit};
use std::{fmt, net::IpAddr};
use wire::{Bare, Jid, Stanza, Text};

/// What may be done to accounts by somebody other than themselves. Whoever asks has been found to
/// be allowed to. All that is written passes the one writer, and is durable when the answer comes.
pub trait Registrar: Send + Sync {
    /// Makes an account. It fails by `Exists`, `Unfit` or `Fault`.
    fn create<'a>(&'a self, account: &'a Bare, password: Secret) -> Registered<'a>;
    /// Gives an account another password. Its sessions end, but for the stream of `spared`.
    ///
    /// # Errors
    /// `Missing`, `Unfit`, `Fault`.
    fn change_password<'a>(
        &'a self,
        account: &'a Bare,
        password: Secret,
        spared: Option<&'a Jid>,
    ) -> Registered<'a>;
    /// Lets nobody log in to an account, whose sessions end, or lets them again. Nothing of what it
    /// owns changes. It fails by `Missing` or `Fault`.
    fn disable<'a>(&'a self, account: &'a Bare, disabled: bool) -> Registered<'a>;
    /// Removes an account with everything it owned, and tells its contacts that it no longer
    /// subscribes nor may be subscribed to. Its sessions end, `last` written before.
    ///
    /// # Errors
    /// `Missing`, `Fault`.
    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a>;
    /// Whether one more account may be made by somebody from there, and counts it: at most so many
    /// by all, and by one of them, within an hour.
    fn admits(&self, peer: Option<IpAddr>, maxima: (u64, u64)) -> bool;
    /// What may be used but once, and has been.
    fn spent(&self) -> &Spent;
    /// How many accounts of a domain there are.
    fn count<'a>(&'a self, domain: &'a Bare) -> Pending<'a, Result<u64, Fault>>;
    /// Who of a domain is online: all of them counted, at most `max` of them named.
    fn online<'a>(&'a self, domain: &'a Bare, max: usize) -> Pending<'a, Online>;
    /// The devices that an account is connected from, in no order.
    fn devices<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Text>>;
    /// The addresses of an account's bound resources, in no order.
    fn resources<'a>(&'a self, account: &'a Bare) -> Pending<'a, Vec<Jid>>;
    /// Ends the sessions of an account, or the one of this resource.
    fn end(&self, whom: &Jid);
    /// Takes its access from a device of an account by what is to be written for it (see
    /// [`revocation`](crate::device::revocation)), and ends its sessions. It fails by a `Fault`
    /// only.
    fn revoke<'a>(&'a self, account: &'a Bare, device: &'a str, unit: Unit) -> Registered<'a>;
    /// Sends a message to every available resource of a domain.
    fn announce(&self, domain: &Bare, message: Stanza);
}

/// Whether it was done.
pub type Registered<'a> = Pending<'a, Result<(), Unregistered>>;

/// Why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unregistered {
    /// There is such an account already.
    Exists,
    /// There is no such account.
    Missing,
    /// The password is empty or too long.
    Unfit,
    /// Our side failed.
    Fault(Fault),
}

impl fmt::Display for Unregistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("the account exists already"),
            Self::Missing => f.write_str("the account does not exist"),
            Self::Unfit => f.write_str("the password is empty or too long"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Unregistered {}

/// Who is online.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Online {
    /// Accounts with a bound resource.
    pub accounts: usize,
    /// Their resources that are available (RFC 6121 §4.2).
    pub available: usize,
    /// The addresses of bound resources, in no order.
    pub resources: Vec<Jid>,
    /// Of which accounts the devices are that said which they are, in no order.
    pub devices: Vec<(Bare, Text)>,
    /// Of one account: where its last messages went.
    pub traced: Vec<String>,
}

impl Online {
    /// Both, with at most `max` resources.
    pub fn and(mut self, other: Self, max: usize) -> Self {
        self.accounts += other.accounts;
        self.available += other.available;
        self.resources.extend(other.resources);
        self.resources.truncate(max);
        self.devices.extend(other.devices);
        self.devices.truncate(max);
        self.traced.extend(other.traced);
        self
    }
}
