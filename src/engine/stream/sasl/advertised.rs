//! What a stream offers to somebody who wants to log in, by what is known of its connection:
//! mechanisms, and types of channel binding for those that bind.

use super::{Binding, Hash, Mechanism};
use crate::{ctx::Ctx, stream::machine::Tls};
use base64::{Engine, prelude::BASE64_STANDARD};
use wire::Bare;

/// What a stream offers to somebody who wants to log in. Nothing that is not in it is accepted.
#[derive(Clone, Debug)]
pub struct Advertised<'a> {
    /// The domain that the stream is for.
    pub domain: &'a Bare,
    /// What is known of its connection.
    pub tls: &'a Tls,
    /// In our order of preference (RFC 6120 §6.3.3).
    pub mechanisms: Vec<Mechanism>,
}

impl<'a> Advertised<'a> {
    /// What is offered on a secure stream for this domain.
    pub fn on(ctx: &Ctx<'_>, domain: &'a Bare, tls: &'a Tls) -> Self {
        let anonymous = ctx.settings.is_anonymous(domain);
        let offered = |mechanism: &Mechanism| match mechanism {
            Mechanism::Anonymous => anonymous,
            _ if anonymous => false,
            Mechanism::External => identities(tls, domain).next().is_some(),
            Mechanism::ScramPlus(_) => bindings(tls).next().is_some(),
            Mechanism::Scram(_) | Mechanism::Plain => true,
        };
        let suits = |mechanism: &Mechanism| mechanism.suits(&ctx.settings.passwords);
        let mechanisms = Mechanism::ALL.into_iter().filter(suits).filter(offered).collect();
        Self { domain, tls, mechanisms }
    }

    /// The addresses at this domain that the client has proven to be its own.
    pub(super) fn identities(&self) -> impl Iterator<Item = &'a Bare> {
        identities(self.tls, self.domain)
    }

    /// Whether this is offered.
    pub fn has(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    /// Whether a mechanism is offered that binds the channel.
    pub fn binds(&self) -> bool {
        self.mechanisms.iter().any(|mechanism| matches!(mechanism, Mechanism::ScramPlus(_)))
    }

    /// The types of channel binding that this connection has.
    pub fn bindings(&self) -> impl Iterator<Item = (Binding, &'a [u8])> {
        bindings(self.tls)
    }

    /// What tells the client that nobody has taken anything away from what was offered
    /// (XEP-0474 §5.1), in base64.
    pub(super) fn hash(&self, by: Hash) -> String {
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names.join("\u{1e}")
        };
        let mut all = sorted(self.mechanisms.iter().map(|it| it.name()).collect());
        let bindings: Vec<_> = self.bindings().map(|(binding, _)| binding.name()).collect();
        if !bindings.is_empty() {
            all.push('\u{1f}');
            all += &sorted(bindings);
        }
        BASE64_STANDARD.encode(by.digest(all.as_bytes()))
    }
}

fn identities<'a>(tls: &'a Tls, domain: &Bare) -> impl Iterator<Item = &'a Bare> {
    tls.identities.iter().filter(|identity| identity.domain() == domain.domain())
}

fn bindings(tls: &Tls) -> impl Iterator<Item = (Binding, &[u8])> {
    Binding::ALL.into_iter().filter_map(|it| Some((it, it.data(tls)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_the_example_of_xep_0474_5_3() {
        let tls = Tls {
            exporter: Some([0; 32]),
            end_point: Some([0; 32].as_slice().into()),
            ..Tls::default()
        };
        let domain = Bare::host("example.org").unwrap();
        let mechanisms = vec![Mechanism::ScramPlus(Hash::Sha1), Mechanism::Scram(Hash::Sha1)];
        let advertised = Advertised { domain: &domain, tls: &tls, mechanisms };
        assert_eq!(advertised.hash(Hash::Sha1), "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    }

    #[test]
    fn without_channel_bindings_only_mechanisms_are_hashed_xep_0474_5_1() {
        let (domain, tls) = (Bare::host("example.org").unwrap(), Tls::default());
        let mechanisms = vec![Mechanism::Scram(Hash::Sha256), Mechanism::Plain];
        let advertised = Advertised { domain: &domain, tls: &tls, mechanisms };
        let digest = Hash::Sha256.digest(b"PLAIN\x1eSCRAM-SHA-256");
        assert_eq!(advertised.hash(Hash::Sha256), BASE64_STANDARD.encode(digest));
    }
}
