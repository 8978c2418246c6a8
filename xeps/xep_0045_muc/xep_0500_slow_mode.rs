//! XEP-0500: MUC Slow Mode. <https://xmpp.org/extensions/xep-0500.html>
//!
//! Who spoke is known by its bare address, and forgotten when the room is: nobody waits longer for
//! that the server was restarted.

use super::{
    names::{BODY, DELAY},
    rank::Affiliation,
    room::Room,
};
use engine::{ctx::Ctx, hook::*, wire::*};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One message, then a pause.
pub const XEP: Xep = Xep {
    number: 500,
    name: "MUC Slow Mode",
    version: "0.1.1",
    status: Status::Complete,
    hooks: &[],
};

/// In the configuration (section 5.1): seconds between two messages; 0: none.
pub const CONFIGURED: &str = "muc#roomconfig_slow_mode_duration";
/// What anybody is told of it (section 5.2).
pub const TOLD: &str = "muc#roominfo_slow_mode_duration";
/// The longest pause, in seconds: a day.
pub const PAUSE_SECONDS_MAX: u64 = 86_400;
/// Who spoke within the pause, and is known: when there are more, the others need not wait.
const SPEAKERS_MAX: usize = 10_000;

/// Who spoke last when, and by what that is known again.
#[derive(Debug, Default)]
pub struct Spoke {
    last: BTreeMap<Bare, (u64, Option<Hash>)>,
}

/// Of what was said, and of the id that its client gave it.
type Hash = [u8; 16];

impl Spoke {
    /// Whether somebody may speak at that time of the Unix clock; then it has spoken. What is said
    /// again, because it is not known whether it came, is no second message.
    fn may_speak(&mut self, who: &Bare, said: Option<Hash>, pause_ms: u64, unix_ms: u64) -> bool {
        let waits = |at: u64| unix_ms < at.saturating_add(pause_ms);
        if let Some((at, last)) = self.last.get(who)
            && waits(*at)
        {
            return said.is_some() && *last == said;
        }
        if self.last.len() >= SPEAKERS_MAX {
            self.last.retain(|_, (at, _)| waits(*at));
        }
        if self.last.len() < SPEAKERS_MAX {
            self.last.insert(who.clone(), (unix_ms, said));
        }
        true
    }
}

impl Room {
    /// Section 6: of messages with a body, from who is neither owner nor admin.
    ///
    /// # Errors
    /// `policy-violation`, for a while.
    pub fn keeps_pace(
        &mut self,
        said: &Stanza,
        who: &Bare,
        ctx: &Ctx<'_>,
    ) -> Result<(), StanzaError> {
        let seconds = self.config.slow_mode_seconds;
        let is_free = self.members.of(who) >= Affiliation::Admin || said.child(BODY).is_none();
        if seconds == 0 || is_free {
            return Ok(());
        }
        if self.spoke.may_speak(who, hash(said), seconds * 1_000, ctx.unix_ms) {
            return Ok(());
        }
        let error = StanzaError::new(ErrorType::Wait, StanzaCondition::PolicyViolation);
        Err(error.with_text(format!("one message in {seconds} seconds is let through here")))
    }
}

/// `None`: its client gave it no id. When it was sent first may be said of it the second time.
fn hash(said: &Stanza) -> Option<Hash> {
    let mut hash = Sha256::new_with_prefix(said.head.id.as_ref()?);
    for child in said.children().filter(|child| !child.is(DELAY)) {
        hash.update("\n");
        hash.update(child.as_str());
    }
    let mut short = Hash::default();
    short.copy_from_slice(&hash.finalize()[..16]);
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_messages_of_one_have_the_pause_between_them_section_6() {
        let (juliet, romeo) = (Bare::parse("juliet@x").unwrap(), Bare::parse("romeo@x").unwrap());
        let said = |id: &str, body: &str| {
            let message = format!("<message id='{id}'><body>{body}</body></message>");
            hash(&Stanza::parse_one(&message).unwrap())
        };
        let (one, two) = (said("1", "hark"), said("2", "hark"));
        let mut spoke = Spoke::default();
        assert!(spoke.may_speak(&juliet, one, 20_000, 1_000));
        assert!(!spoke.may_speak(&juliet, two, 20_000, 20_999));
        assert!(!spoke.may_speak(&juliet, None, 20_000, 20_999));
        assert!(spoke.may_speak(&juliet, one, 20_000, 20_999), "it is sent again");
        assert!(!spoke.may_speak(&juliet, said("1", "more"), 20_000, 20_999), "it is another");
        assert!(spoke.may_speak(&romeo, None, 20_000, 1_001), "another");
        assert!(!spoke.may_speak(&romeo, None, 20_000, 1_002), "nameless messages are two");
        assert!(spoke.may_speak(&juliet, two, 20_000, 21_000));
    }

    #[test]
    fn what_is_sent_again_is_known_though_it_says_when_it_was_sent_first() {
        let hash = |xml: &str| hash(&Stanza::parse_one(xml).unwrap());
        let first = hash("<message id='1'><body>hark</body></message>");
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>";
        assert_eq!(hash(&format!("<message id='1'><body>hark</body>{delay}</message>")), first);
        assert_eq!(hash("<message><body>hark</body></message>"), None);
    }

    #[test]
    fn no_more_are_known_than_a_limit() {
        let mut spoke = Spoke::default();
        for n in 0..=SPEAKERS_MAX {
            let who = Bare::parse(&format!("u{n}@x")).unwrap();
            assert!(spoke.may_speak(&who, None, 1_000, 0));
        }
        assert_eq!(spoke.last.len(), SPEAKERS_MAX);
        let late = Bare::parse("late@x").unwrap();
        assert!(spoke.may_speak(&late, None, 1_000, 1_000));
        assert_eq!(spoke.last.len(), 1);
    }
}
