//! Whatever is asked of an archive, the answer is that of a list, or the error that the documents
//! name (XEP-0313, XEP-0059, XEP-0004).
//!
//! `cargo +nightly fuzz run f6_archive` in `conformance`: of a store in memory, or of that at the
//! URL in `ARCHIVE_STORE`, which is to be empty.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use waxwing_conformance_fuzz::archive::{Archive, Choices};

/// The same every time.
static ARCHIVE: LazyLock<Archive> = LazyLock::new(|| {
    let bytes: Vec<_> =
        (0..20_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let url = std::env::var("ARCHIVE_STORE");
    Archive::filled(url.as_deref().unwrap_or("memory:"), &mut Choices(&bytes))
});

fuzz_target!(|bytes: &[u8]| {
    let _ = ARCHIVE.ask(&mut Choices(bytes));
});
