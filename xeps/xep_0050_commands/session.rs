//! Sessions of commands (section 3.3). The id says when the session began and is sealed for who
//! gives the command, for this host and for this command, so that nothing need be kept.

use super::{NS, refused};
use engine::{
    hook::World,
    seal::{is_sealed, seal},
    wire::*,
};

/// How long a form may be filled in, in milliseconds.
const SESSION_MS_MAX: u64 = 3_600_000;

/// Who does what where.
pub(super) struct Session<'a> {
    pub by: &'a Jid,
    pub node: &'static str,
    pub world: &'a World<'a>,
}

impl Session<'_> {
    /// The id of one that begins with this request.
    pub fn begin(&self, iq: &Stanza) -> String {
        let ms = self.world.unix_ms.to_string();
        // Two that begin in the same millisecond differ by the id of their request.
        let id = iq.head.id.as_deref().unwrap_or_default();
        let request = seal(&self.world.settings.secret, &["request", self.by.as_str(), id]);
        let sealed = self.seal(&ms, &request);
        format!("{ms}-{request}-{sealed}")
    }

    /// Whether it goes on.
    ///
    /// # Errors
    /// `bad-sessionid` when the id is of no session, of another's or of another command's.
    /// `session-expired` when it began too long ago.
    pub fn goes_on(&self, id: &str) -> Result<(), StanzaError> {
        let parts = id.split_once('-').and_then(|(ms, rest)| Some((ms, rest.split_once('-')?)));
        let (ms, (request, by)) = parts.ok_or_else(|| refused("bad-sessionid"))?;
        if !is_sealed(&self.world.settings.secret, &self.words(ms, request), by) {
            return Err(refused("bad-sessionid"));
        }
        let began = ms.parse().unwrap_or(0);
        match self.world.unix_ms.saturating_sub(began) <= SESSION_MS_MAX {
            true => Ok(()),
            false => Err(expired()),
        }
    }

    fn seal(&self, ms: &str, request: &str) -> String {
        seal(&self.world.settings.secret, &self.words(ms, request))
    }

    fn words<'w>(&'w self, ms: &'w str, request: &'w str) -> [&'w str; 6] {
        [NS, self.by.as_str(), self.world.account.as_str(), self.node, ms, request]
    }
}

/// Section 4.4: it is no longer active.
pub(super) fn expired() -> StanzaError {
    let what = Draft::new(Name::new(NS, "session-expired")).finish();
    StanzaError::from(StanzaCondition::NotAllowed).with_app(what)
}
