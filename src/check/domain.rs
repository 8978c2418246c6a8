//! A served domain, as DNS and certificates spell it.

use std::net::IpAddr;

/// Domains that are nobody's on the internet (RFC 2606, RFC 6761, RFC 6762).
const RESERVED: [&str; 5] = ["localhost", "test", "example", "invalid", "local"];

/// A served domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// As the settings spell it.
    pub name: String,
    /// In ASCII (RFC 5890), without a dot at its end.
    pub ascii: String,
}

impl Domain {
    /// Of what the settings say.
    pub fn of(name: &str) -> Self {
        let ascii = idna::domain_to_ascii(name).unwrap_or_else(|_| name.to_owned());
        Self { name: name.to_owned(), ascii: ascii.trim_end_matches('.').to_owned() }
    }

    /// It is an address, which has no records.
    pub fn is_address(&self) -> bool {
        self.name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    }

    /// Nobody can have put it into the DNS of the internet.
    pub fn is_reserved(&self) -> bool {
        let last = self.ascii.rsplit('.').next().unwrap_or_default();
        RESERVED.contains(&last) || !self.ascii.contains('.')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_a_laptop_are_known() {
        for name in ["localhost", "a.localhost", "chat.test", "intranet", "example", "my.local"] {
            assert!(Domain::of(name).is_reserved(), "{name}");
        }
        for name in ["example.org", "test.example.org", "localhost.org"] {
            assert!(!Domain::of(name).is_reserved(), "{name}");
        }
        assert!(Domain::of("[::1]").is_address() && Domain::of("127.0.0.1").is_address());
        assert_eq!(Domain::of("bücher.example.org").ascii, "xn--bcher-kva.example.org");
    }
}
