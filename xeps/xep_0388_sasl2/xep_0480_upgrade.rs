//! XEP-0480: SASL Upgrade Tasks. <https://xmpp.org/extensions/xep-0480.html>

use base64::{Engine, prelude::BASE64_STANDARD};
use engine::{
    ctx::Ctx,
    hook::*,
    settings::Storage,
    stream::sasl::{Failure, Hash},
    wire::*,
};

/// An account that came with keys of one hash gains those of the others.
pub const XEP: Xep = Xep {
    number: 480,
    name: "SASL Upgrade Tasks",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[],
};

const NS: &str = "urn:xmpp:sasl:upgrade:0";
const SCRAM: &str = "urn:xmpp:scram-upgrade:0";
const UPGRADE: Name = Name::new(NS, "upgrade");
const HASH: Name = Name::new(SCRAM, "hash");
/// Those worth to be added: whoever asks speaks SASL2, and so one of these.
const HASHES: [Hash; 2] = [Hash::Sha512, Hash::Sha256];

fn name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "UPGR-SCRAM-SHA-1",
        Hash::Sha256 => "UPGR-SCRAM-SHA-256",
        Hash::Sha512 => "UPGR-SCRAM-SHA-512",
    }
}

fn named(text: &str) -> Option<Hash> {
    HASHES.into_iter().find(|&hash| name(hash) == text)
}

/// Section 3.1: to everybody alike, so that nobody learns what an account has.
pub(super) fn features(ctx: &Ctx<'_>) -> impl Iterator<Item = Draft> {
    let kept = ctx.settings.passwords.storage == Storage::Scram;
    let hashes = HASHES.into_iter().filter(move |_| kept);
    hashes.map(|hash| Draft::new(UPGRADE).text(name(hash)))
}

/// Section 3.2.
pub(super) fn wishes(authenticate: Element<'_>) -> Vec<Hash> {
    let asked: Vec<_> = authenticate.children().filter(|child| child.is(UPGRADE)).collect();
    let is_asked = |hash: &Hash| asked.iter().any(|upgrade| upgrade.text() == name(*hash));
    HASHES.into_iter().filter(is_asked).collect()
}

/// `<task/>` of XEP-0388 §2.6.3.
pub(super) fn task(hash: Hash) -> Draft {
    super::named("task").text(name(hash))
}

/// The hash of the task that the client begins, if it is one.
pub(super) fn next(element: Element<'_>) -> Option<Hash> {
    named(&element.attribute("task")?)
}

/// Section 4.
pub(super) fn salt(salt: &[u8], iterations: u32) -> Draft {
    Draft::new(Name::new(SCRAM, "salt"))
        .attribute("iterations", iterations.to_string())
        .text(BASE64_STANDARD.encode(salt))
}

/// Section 4.
pub(super) fn salted(task_data: Element<'_>) -> Result<Vec<u8>, Failure> {
    let hash = task_data.child(HASH).ok_or(Failure::MalformedRequest)?;
    super::decode(hash)
}
