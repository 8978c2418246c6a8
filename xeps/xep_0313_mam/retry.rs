//! By what a message is known that is sent again because its acknowledgement was lost.

use super::xep_0359_ids::{STANZA_ID, origin_id};
use engine::{unit::Pos, wire::*};
use sha2::{Digest, Sha256};

const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

/// How long an origin-id is remembered, which is made for this (XEP-0359 §2.2).
const ORIGIN_ID_MS: u64 = 24 * 3_600_000;
/// How long an id is, which some make anew with each stream (RFC 6120 §8.1.3).
const ID_MS: u64 = 15 * 60_000;

/// A message that its sender gave an id.
pub(super) struct Retry {
    /// A hash of who says what to whom under which id.
    pub key: i64,
    /// Only what stands in the log behind this may be the same.
    pub since: Pos,
    /// Whether the same may be meant twice within a stream.
    pub repeatable: bool,
}

/// What `account` sends; `None`: it says nothing by which it would be known again.
pub(super) fn retry(message: &Stanza, account: &Bare, unix_ms: u64) -> Option<Retry> {
    let origin = origin_id(message);
    let repeatable = origin.is_none();
    let id = origin.as_deref().or(message.head.id.as_deref())?;
    let window = if repeatable { ID_MS } else { ORIGIN_ID_MS };
    let since = i64::try_from(unix_ms.saturating_sub(window)).unwrap_or_default();
    let since = Pos(since.saturating_mul(1 << 20));
    Some(Retry { key: key(message, account, id), since, repeatable })
}

/// It must be the same tomorrow, and after a restart. Another content is another message: whoever
/// gives all of them the same id loses none.
fn key(message: &Stanza, account: &Bare, id: &str) -> i64 {
    let to = message.head.to.as_ref().map_or_else(|| account.clone(), Jid::bare);
    let mut hash = Sha256::new();
    let mut take = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    [account.as_str(), to.as_str(), message.head.type_str(), id].into_iter().for_each(&mut take);
    let said = message.children().filter(|child| !child.is(DELAY) && !child.is(STANZA_ID));
    said.for_each(|child| take(child.as_str()));
    let mut short = [0; 8];
    short.copy_from_slice(&hash.finalize()[..8]);
    i64::from_be_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn known(attributes: &str, content: &str) -> Option<(i64, u64, bool)> {
        let message = format!("<message {attributes}>{content}</message>");
        let message = Stanza::parse_one(&message).unwrap();
        let retry = retry(&message, &Bare::parse("romeo@x").unwrap(), NOW)?;
        Some((retry.key, NOW - (retry.since.0 >> 20) as u64, retry.repeatable))
    }

    fn key(attributes: &str, content: &str) -> i64 {
        known(attributes, content).unwrap().0
    }

    const TO: &str = "to='juliet@x' type='chat'";
    const BODY: &str = "<body>hark</body>";
    const ORIGIN: &str = "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>";

    #[test]
    fn who_gives_no_id_is_not_known_again() {
        assert_eq!(known(TO, BODY), None);
        assert_eq!(known(TO, "<origin-id xmlns='urn:xmpp:sid:0' id=''/>"), None);
        let (_, window, repeatable) = known(&format!("{TO} id='1'"), BODY).unwrap();
        assert_eq!((window, repeatable), (15 * 60_000, true));
        let (_, window, repeatable) = known(TO, &(BODY.to_owned() + ORIGIN)).unwrap();
        assert_eq!((window, repeatable), (24 * 3_600_000, false));
    }

    #[test]
    fn a_key_is_the_same_after_a_restart() {
        assert_eq!(key(&format!("{TO} id='1'"), BODY), -8_052_885_877_812_374_586);
    }

    #[test]
    fn a_retry_from_another_resource_with_a_delay_is_known() {
        let said = key(TO, &(BODY.to_owned() + ORIGIN));
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";
        let foreign = "<stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='2'/>";
        let again = format!("{BODY}{delay}{ORIGIN}{foreign}");
        assert_eq!(key("to='juliet@x/balcony' type='chat' id='7' from='romeo@x/r'", &again), said);
    }

    #[test]
    fn what_differs_is_another() {
        let said = key(&format!("{TO} id='1'"), BODY);
        for (attributes, content) in [
            ("to='juliet@x' type='chat' id='2'", BODY),
            ("to='juliet@x' id='1'", BODY),
            ("to='nurse@x' type='chat' id='1'", BODY),
            ("to='juliet@x' type='chat' id='1'", "<body>Hark</body>"),
            ("to='juliet@x' type='chat' id='1'", "<body>hark</body><thread>t</thread>"),
            ("to='juliet@x' type='chat' id='1'", ""),
        ] {
            assert_ne!(key(attributes, content), said, "{attributes} {content}");
        }
    }
}
