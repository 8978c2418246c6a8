//! Preparation is idempotent and bounded, and keeps the parts apart; on ASCII it is the same as
//! that of the `jid` crate, which follows RFC 6122, but for the list below.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Bare, Jid, JidError};

fuzz_target!(|text: &str| {
    let ours = Jid::parse(text);
    if let Ok(jid) = &ours {
        check(jid);
    }
    if text.is_ascii() && !differs_on_purpose(text) {
        let theirs = jid::Jid::new(text);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours.as_str(), theirs.as_str()),
            (Err(_), Err(_)) => {}
            // It takes any ASCII in a domain and labels of any length: RFC 5890 does not.
            (Err(JidError::DomainForbidden | JidError::DomainTooLong), Ok(_)) => {}
            _ => panic!("{text:?}: {ours:?}, but jid says {theirs:?}"),
        }
    }
});

fn check(jid: &Jid) {
    for part in [jid.local(), Some(jid.domain()), jid.resource()].into_iter().flatten() {
        assert!((1..=1023).contains(&part.len()), "{} octets", part.len());
    }
    assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(jid), "idempotent");
    let parts = Jid::new(jid.local(), jid.domain(), jid.resource());
    assert_eq!(parts.as_ref(), Ok(jid), "from its parts");
    let bare = jid.bare();
    assert_eq!(Bare::parse(bare.as_str()).as_ref(), Ok(&bare));
    assert_eq!((bare.local(), bare.domain()), (jid.local(), jid.domain()));
    if let Some(resource) = jid.resource() {
        assert_eq!(bare.with_resource(resource).as_ref(), Ok(jid));
    }
}

/// Where RFC 7622 or DNS and the `jid` crate part.
fn differs_on_purpose(text: &str) -> bool {
    let bare = text.split('/').next().unwrap_or_default();
    let domain = bare.split_once('@').map_or(bare, |(_, domain)| domain);
    // A final dot is removed (RFC 7622 §3.2); A-labels become U-labels; addresses in brackets.
    // Hyphens in the third and fourth place are reserved (RFC 5890 §2.3.1), yet in use.
    let reserved = |label: &str| label.get(2..4) == Some("--");
    // DNS ends at 253 octets, addresses at 1023.
    let long = domain.len() > 253;
    long || domain.ends_with('.') || domain.contains('[') || domain.split('.').any(reserved)
}
