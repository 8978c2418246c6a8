//! What DNS can be asked, and what it answers. The port behind which the resolver stands.

use std::{future::Future, net::IpAddr, pin::Pin};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A and AAAA.
    Address,
    /// SRV (RFC 2782).
    Srv,
    /// TXT.
    Txt,
    /// CAA (RFC 8659).
    Caa,
    /// TLSA (RFC 6698).
    Tlsa,
}

/// One record of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// The name that was asked for is another name for this one.
    Alias(String),
    /// SRV.
    Srv(Srv),
    /// TXT.
    Txt(String),
    /// CAA.
    Caa(Caa),
    /// TLSA; what it pins is not looked into.
    Tlsa,
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// The lowest is tried first.
    pub priority: u16,
    /// The port.
    pub port: u16,
    /// The host, without a dot at its end; empty: the service is decidedly not there.
    pub target: String,
}

/// Who may issue certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// `issue`, `issuewild`, `iodef` …
    pub tag: String,
    /// Such as `ca.example; accounturi=…`.
    pub value: String,
}

/// Why there is no answer, not even that there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The name server says that it cannot: SERVFAIL, REFUSED …
    Failed(String),
    /// Nobody said anything.
    Silent(String),
}

/// What there is; empty: DNS says that there is nothing.
pub type Answer = Result<Vec<Record>, Unanswered>;

/// DNS.
pub trait Records: Sync {
    /// Asks for a name, which has no dot at its end.
    fn ask<'a>(
        &'a self,
        name: &'a str,
        kind: Kind,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

#[cfg(test)]
pub mod fake {
    use super::*;
    use std::collections::BTreeMap;

    /// A zone in memory; what is not in it is not there.
    #[derive(Default)]
    pub struct Fake(BTreeMap<(String, Kind), Answer>);

    impl Fake {
        pub fn with(mut self, name: &str, kind: Kind, records: &[Record]) -> Self {
            self.0.insert((name.to_owned(), kind), Ok(records.to_vec()));
            self
        }

        pub fn srv(self, name: &str, port: u16, target: &str) -> Self {
            let srv = Srv { priority: 0, port, target: target.to_owned() };
            self.with(name, Kind::Srv, &[Record::Srv(srv)])
        }

        pub fn address(self, name: &str, addresses: &[&str]) -> Self {
            let address = |it: &&str| Record::Address(it.parse().unwrap());
            self.with(name, Kind::Address, &addresses.iter().map(address).collect::<Vec<_>>())
        }

        pub fn unanswered(mut self, name: &str, kind: Kind, why: Unanswered) -> Self {
            self.0.insert((name.to_owned(), kind), Err(why));
            self
        }
    }

    impl Records for Fake {
        fn ask<'a>(
            &'a self,
            name: &'a str,
            kind: Kind,
        ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
            let answer = self.0.get(&(name.to_owned(), kind)).cloned().unwrap_or(Ok(Vec::new()));
            Box::pin(std::future::ready(answer))
        }
    }
}
