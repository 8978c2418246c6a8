//! Accounts that nobody uses: they stay in memory until there are too many.

use super::{Hosted, Shard};
use wire::Bare;

/// Accounts kept in memory though nobody uses them, the least recently used forgotten first.
pub const IDLE_ACCOUNTS_MAX: usize = 10_000;
/// What those accounts may weigh together, in bytes.
pub const IDLE_BYTES_MAX: usize = 64 << 20;

/// Since when nobody uses an account, and what it weighs.
#[derive(Clone, Copy)]
pub(super) struct Idle {
    pub since: u64,
    pub bytes: usize,
}

impl Shard {
    pub(super) fn wake(&mut self, idle: Option<Idle>) {
        let Some(Idle { since, bytes }) = idle else { return };
        self.idle.remove(&since);
        self.idle_bytes -= bytes;
    }

    /// Nobody uses it: it stays until there are too many of its kind.
    pub(super) fn lull(&mut self, jid: &Bare, bytes: usize) {
        self.turn += 1;
        if let Some(Hosted::Here { idle, .. }) = self.hosted.get_mut(jid) {
            *idle = Some(Idle { since: self.turn, bytes });
        }
        self.idle.insert(self.turn, jid.clone());
        self.idle_bytes += bytes;
        while self.idle.len() > IDLE_ACCOUNTS_MAX || self.idle_bytes > IDLE_BYTES_MAX {
            let Some((_, jid)) = self.idle.pop_first() else { return };
            if let Some(Hosted::Here { idle: Some(idle), .. }) = self.hosted.remove(&jid) {
                self.idle_bytes -= idle.bytes;
            }
        }
    }
}
