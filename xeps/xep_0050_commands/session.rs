//! Sessions of commands (section 3.3). The id says when the session began and is sealed for who
//! gives the command, for this host and for this command, so that nothing need be kept but which
//! sessions have ended, until they would have been over anyway.

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
    /// `session-expired` when it began too long ago. Whether it has ended, `end` tells.
    pub fn goes_on(&self, id: &str) -> Result<(), StanzaError> {
        let parts = id.split_once('-').and_then(|(ms, rest)| Some((ms, rest.split_once('-')?)));
        let (ms, (request, by)) = parts.ok_or_else(|| refused("bad-sessionid"))?;
        if !is_sealed(&self.world.settings.secret, &self.words(ms, request), by) {
            return Err(refused("bad-sessionid"));
        }
        match self.world.unix_ms <= until(id) {
            true => Ok(()),
            false => Err(expired()),
        }
    }

    /// Ends it; whether it had not ended before. It is over when what was asked for has been done
    /// or is no longer wanted (section 3.3).
    pub fn end(&self, id: &str) -> bool {
        self.world.registrar.spent().spend(id, until(id))
    }

    /// What would have ended it was refused: it may be mended and asked for again.
    pub fn resume(&self, id: &str) {
        self.world.registrar.spent().restore(id, until(id));
    }

    fn seal(&self, ms: &str, request: &str) -> String {
        seal(&self.world.settings.secret, &self.words(ms, request))
    }

    fn words<'w>(&'w self, ms: &'w str, request: &'w str) -> [&'w str; 6] {
        [NS, self.by.as_str(), self.world.account.as_str(), self.node, ms, request]
    }
}

/// When the session of this id is over at the latest, in milliseconds since 1970.
fn until(id: &str) -> u64 {
    let began = id.split('-').next().and_then(|ms| ms.parse().ok());
    began.unwrap_or(0_u64).saturating_add(SESSION_MS_MAX)
}

/// Section 4.4: it is no longer active.
pub(super) fn expired() -> StanzaError {
    let what = Draft::new(Name::new(NS, "session-expired")).finish();
    StanzaError::from(StanzaCondition::NotAllowed).with_app(what)
}
