//! Rooms, when an account is no more.

use super::{Hosted, Output, Shard, is_room, value::Value};
use crate::{account, ctx::Ctx};
use wire::Bare;

impl Shard {
    /// The store has let go of what they had of it, and whoever takes the name later is nobody to
    /// them. Of one that is being read, or is to be, it may have been read before.
    #[expect(clippy::iter_over_hash_type, reason = "sorted before anybody sees the order")]
    pub(super) fn departed(&mut self, account: &Bare, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let mut rooms = Vec::new();
        for (jid, hosted) in &self.hosted {
            let may_know = match hosted {
                Hosted::Loading(_) | Hosted::Here { leaves: Some(_), .. } => is_room(jid, ctx),
                Hosted::Here { value: Value::Room(room), .. } => room.knows(account),
                Hosted::Here { .. } => false,
            };
            if may_know {
                rooms.push(jid.clone());
            }
        }
        rooms.sort();
        for room in rooms {
            self.hand_over(room, account::Input::Departed(account.clone()), ctx, out);
        }
    }
}
