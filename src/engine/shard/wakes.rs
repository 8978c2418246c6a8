//! Accounts that are to come back at a moment.

use super::{Hosted, Output, Shard};
use crate::{
    account,
    ctx::{Ctx, Moment},
};

impl Shard {
    /// When it is to be told `Tick`; `None`: not on its own.
    pub fn wakes(&self) -> Option<Moment> {
        self.wakes.first_key_value().map(|(&at, _)| at)
    }

    pub(super) fn tick(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        while let Some(due) = self.wakes.first_entry().filter(|due| *due.key() <= ctx.now) {
            for jid in due.remove() {
                if let Some(Hosted::Here { .. }) = self.hosted.get(&jid) {
                    self.run(&jid, account::Input::Tick, ctx, out);
                }
            }
        }
    }
}
