//! Accounts that are to come back at a moment.

use super::{Hosted, Output, Shard};
use crate::{
    account,
    ctx::{Ctx, Moment},
};

/// Outputs of one `Tick`, behind which the rest of who wants to come back does so with the next:
/// ten rooms may go on telling thousands at once, and thousands of accounts wake together.
const TICK_OUTPUTS_MAX: usize = 64;
/// How many come back in one `Tick`, at most: as many as a millisecond has time for.
const TICKED_MAX: usize = 256;

impl Shard {
    /// When it is to be told `Tick`; `None`: not on its own.
    pub fn wakes(&self) -> Option<Moment> {
        let at_once = (!self.due.is_empty()).then_some(Moment::default());
        at_once.or_else(|| self.wakes.first_key_value().map(|(&at, _)| at))
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
        let later = self.wakes.split_off(&ctx.now.after(1));
        // Who wants to come back at once does so behind all others.
        self.due.extend(std::mem::replace(&mut self.wakes, later).into_values().flatten());
        for _ in 0..TICKED_MAX {
            let Some(jid) = self.due.pop_front() else { return };
            if let Some(Hosted::Here { .. }) = self.hosted.get(&jid) {
                self.run(&jid, account::Input::Tick, ctx, out);
            }
            if out.len() >= TICK_OUTPUTS_MAX {
                return;
            }
        }
    }
}
