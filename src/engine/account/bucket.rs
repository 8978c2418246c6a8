//! What may be done at once, and after that no faster than evenly.

use crate::ctx::Moment;

/// It is emptied at once, and fills evenly. What is in it is told by how long it took to come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// When it is full again.
    full: Moment,
}

impl Bucket {
    /// So much is taken out, whether it is there or not, of what comes in `holds_ms`. When there is
    /// something in it again, if there is nothing now.
    pub fn take(&mut self, ms: u64, holds_ms: u64, now: Moment) -> Option<Moment> {
        self.full = self.full.max(now).after(ms);
        let again = Moment(self.full.0.saturating_sub(holds_ms));
        (again > now).then_some(again)
    }

    /// When there will be so much in it; none: there is.
    pub fn lacks(mut self, ms: u64, holds_ms: u64, now: Moment) -> Option<Moment> {
        self.take(ms, holds_ms, now)
    }

    /// Whether nothing is missing in it: it is as if nothing had ever been taken.
    pub fn is_full(&self, now: Moment) -> bool {
        self.full <= now
    }
}
