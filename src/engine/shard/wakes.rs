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

    /// The process is about to end: nobody will come back to a note within the second.
    #[expect(clippy::iter_over_hash_type, reason = "sorted before anybody sees the order")]
    pub(super) fn note(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let mut here = Vec::new();
        for (jid, hosted) in &self.hosted {
            if matches!(hosted, Hosted::Here { .. }) {
                here.push(jid.clone());
            }
        }
        here.sort();
        for jid in here {
            self.run(&jid, account::Input::Note, ctx, out);
        }
    }

    pub(super) fn tick(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        // Who wants to come back at once does so behind what else has come meanwhile.
        let later = self.wakes.split_off(&ctx.now.after(1));
        for jid in std::mem::replace(&mut self.wakes, later).into_values().flatten() {
            if let Some(Hosted::Here { .. }) = self.hosted.get(&jid) {
                self.run(&jid, account::Input::Tick, ctx, out);
            }
        }
    }
}
