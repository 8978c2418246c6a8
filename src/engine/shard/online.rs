//! Who is online in a shard, and what an operator sees of an account.

use super::{Hosted, Shard, value::Value};
use crate::port::Online;
use wire::Bare;

impl Shard {
    /// The accounts of this domain that have sessions.
    #[expect(clippy::iter_over_hash_type, reason = "sorted before anybody sees the order")]
    pub(super) fn busy(&self, domain: &Bare) -> Vec<Bare> {
        let mut busy = Vec::new();
        for (jid, hosted) in &self.hosted {
            if jid.domain() == domain.domain() && !hosted.sessions().is_empty() {
                busy.push(jid.clone());
            }
        }
        busy.sort();
        busy
    }

    pub(super) fn online(&self, whom: &Bare, max: usize) -> Online {
        let busy = match self.hosted.get(whom).map(Hosted::sessions) {
            _ if whom.local().is_none() => self.busy(whom),
            None | Some([]) => Vec::new(),
            Some(_) => vec![whom.clone()],
        };
        let traced = self.hosted.get(whom).map_or_else(Vec::new, Hosted::traced);
        let is_here = |jid: &&Bare| {
            let sessions = self.hosted.get(*jid).map(Hosted::sessions).unwrap_or_default();
            sessions.iter().any(|session| session.is_attached())
        };
        let accounts = busy.iter().filter(is_here).count();
        let mut online = Online { accounts, traced, ..Online::default() };
        let sessions = busy.iter().filter_map(|jid| self.hosted.get(jid));
        for session in sessions.flat_map(Hosted::sessions).filter(|one| one.is_attached()) {
            online.available += usize::from(session.presence.is_some());
            if online.resources.len() < max {
                online.resources.push(session.jid.clone());
                let device = session.device.clone();
                online.devices.extend(device.map(|device| (session.jid.bare(), device)));
            }
        }
        online
    }
}

impl Hosted {
    /// Where the last messages of the account went.
    fn traced(&self) -> Vec<String> {
        match self {
            Self::Here { value: Value::Account(account), .. } => account.trace.lines(),
            Self::Loading(_) | Self::Here { .. } => Vec::new(),
        }
    }
}
