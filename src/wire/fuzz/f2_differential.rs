//! The same verdict as libexpat and libxml2, and the same meaning: of the document, and of the
//! canonical bytes that would be routed (stanza smuggling).
#![no_main]

use judges::{expat, libxml2, ours, tree};
use libfuzzer_sys::fuzz_target;
use wire::{Flaw, StreamCondition};

fuzz_target!(|document: &[u8]| {
    let (by_expat, by_libxml2) = (expat::items(document), libxml2::items(document));
    match ours::canonical(document) {
        Ok(Some(bytes)) => {
            let meant = tree::normalize(by_expat.expect("expat accepts what we accept"));
            let other = tree::normalize(by_libxml2.expect("libxml2 accepts what we accept"));
            assert_eq!(folded(&meant), folded(&other), "expat and libxml2 agree");
            let ours = expat::items(&bytes).map(tree::normalize).expect("expat reads our bytes");
            assert_eq!(ours[1..], meant[1..], "expat reads what was meant");
            let ours = libxml2::items(&bytes).map(tree::normalize).expect("libxml2 does");
            assert_eq!(ours[1..], meant[1..], "libxml2 reads what was meant");
        }
        Ok(None) => {
            assert_eq!((by_expat, by_libxml2), (None, None), "not complete");
        }
        Err(flaw) if is_stricter(&flaw) => {}
        Err(flaw) => {
            assert_eq!(by_expat.filter(|_| !expat_lets_through(&flaw)), None, "{flaw}");
            assert_eq!(by_libxml2.filter(|_| !libxml2_lets_through(&flaw)), None, "{flaw}");
        }
    }
});

/// libxml2 2.9 leaves a lone carriage return in a CDATA section as it is, which XML 1.0 §2.11
/// makes a line feed. In the bytes that are routed none is left, so there the two agree exactly.
fn folded(items: &[tree::Item]) -> Vec<tree::Item> {
    let fold = |item: &tree::Item| match item {
        tree::Item::Text(text) => tree::Item::Text(text.replace('\r', "\n")),
        other => other.clone(),
    };
    items.iter().map(fold).collect()
}

/// What XML allows and RFC 6120 §11, the limits or prudence forbid.
fn is_stricter(flaw: &Flaw) -> bool {
    use StreamCondition as Is;
    matches!(
        flaw.condition,
        Is::RestrictedXml
            | Is::BadFormat
            | Is::InvalidNamespace
            | Is::PolicyViolation
            | Is::UnsupportedEncoding
    )
}

/// Where expat is laxer than the specifications.
fn expat_lets_through(_flaw: &Flaw) -> bool {
    false
}

/// Where libxml2 is laxer than the specifications.
fn libxml2_lets_through(_flaw: &Flaw) -> bool {
    false
}
