//! The process of a room on the stage ends, and begins again.

use super::House;
use engine::{account::Input, hearing::Attends, wire::*};

impl House {
    /// The process ends. What was not committed has not happened. When it begins again these
    /// sessions are not there any more.
    pub fn ends(&mut self, lost: &[Jid]) {
        (self.room, self.leaves) = (None, false);
        self.commits.clear();
        self.reads.clear();
        self.waiting.clear();
        lost.iter().for_each(|jid| drop(self.directed.remove(jid)));
    }

    /// It ends, and begins again, before anybody says anything.
    pub fn restarts(&mut self, lost: &[Jid]) -> Vec<Stanza> {
        self.ends(lost);
        if !self.cells.keys().any(|(table, ..)| *table == engine::unit::OCCUPANTS.name()) {
            return Vec::new();
        }
        let mut left = self.wakes();
        left.extend(self.all_come_back());
        left
    }

    /// The sessions of this server are there again that are in the room.
    pub fn all_come_back(&mut self) -> Vec<Stanza> {
        let mut left = Vec::new();
        // Accounts of other servers know nothing of logs.
        let is_ours = |jid: &Jid| self.settings.hosts(jid.domain());
        let has_heard = |jid: &Jid| self.heard.contains_key(jid);
        let there = self.directed.iter().filter(|(jid, to)| !to.is_empty() || has_heard(jid));
        let there = there.filter(|(jid, _)| is_ours(jid));
        let there = there.filter(|(jid, _)| self.unread.as_ref() != Some(*jid));
        let there: Vec<_> = there.map(|(jid, _)| jid.clone()).collect();
        for jid in there {
            let back = Attends::Back(self.heard.get(&jid).copied());
            left.extend(self.plays(Input::Attends(jid, back)));
        }
        left
    }

    /// What a session was told of the room is not written yet when the process ends.
    pub fn forgets(&mut self, session: &str) {
        self.heard.retain(|jid, _| jid.as_str() != session);
    }

    /// Nor that it has come in.
    pub fn is_not_in(&mut self, session: &str) {
        self.directed.retain(|jid, _| jid.as_str() != session);
    }

    /// Whether a room asks a client of another server whether it is there (XEP-0199).
    pub(super) fn is_pinged(&self, stanza: &Stanza) -> bool {
        let is_ping = stanza.child(Name::new("urn:xmpp:ping", "ping")).is_some();
        let is_rooms = stanza.head.from.as_ref().is_some_and(Jid::is_bare);
        is_ping && is_rooms && !self.mute && self.unread != stanza.head.to
    }

    /// The client does, or its server for it, in a word that is no client's: that there is none.
    pub(super) fn answers_ping(&self, client: &Jid, ping: &Stanza) -> Input {
        let is_there = self.directed.get(client).is_some_and(|to| !to.is_empty());
        let refused = || ping.refused(&StanzaCondition::RecipientUnavailable.into());
        let refused = (!is_there).then(refused).flatten();
        Input::Routed(refused.unwrap_or_else(|| ping.result()), None)
    }
}
