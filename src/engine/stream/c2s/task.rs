//! Keys that an account lacks, added by who has shown that it knows the password (XEP-0480).

use super::{C2s, State, entry::Waits};
use crate::{
    ctx::Ctx,
    stream::{
        machine::{Act, Out, Question},
        sasl::{
            self, Failure, Hash,
            profile::{Said, Says},
        },
    },
    unit::Credentials,
};
use std::mem;

/// What the client wants to add.
pub(super) struct Tasks {
    left: Vec<Hash>,
    under_way: Option<Task>,
}

/// One of them.
enum Task {
    /// The client must begin.
    Offered(Hash),
    /// The client must salt its password.
    Salting(Hash, Vec<u8>),
    /// The store must have it.
    Written,
}

impl Tasks {
    pub(super) fn of(mut wishes: Vec<Hash>) -> Self {
        wishes.dedup();
        Self { left: wishes, under_way: None }
    }

    pub(super) fn are_left(&self) -> bool {
        !self.left.is_empty()
    }

    pub(super) fn hears(&self) -> bool {
        matches!(self.under_way, Some(Task::Offered(_) | Task::Salting(..)))
    }

    /// The next for which the account has no keys. One whose password is kept otherwise has none
    /// on purpose.
    pub(super) fn begin(&mut self, kept: &Credentials) -> Option<Hash> {
        let lacks = |hash: &Hash| hash.keys(kept).is_none() && kept.argon2id.is_none();
        let at = self.left.iter().position(lacks);
        let hash = at.map(|at| self.left.swap_remove(at));
        self.under_way = hash.map(Task::Offered);
        hash
    }
}

impl C2s {
    /// The client says something about the task.
    pub(super) fn task(&mut self, ctx: &Ctx<'_>, said: Result<Said, Failure>, out: &mut Out) {
        let State::Entering(mut entry) = mem::replace(&mut self.state, State::Secure) else {
            return;
        };
        let under_way = entry.tasks.under_way.take();
        match (said, under_way) {
            (Ok(Said::Task(Some(hash))), Some(Task::Offered(offered))) if hash == offered => {
                let salt = sasl::salt(ctx.random);
                self.says(Says::Salt(&salt, hash.iterations()), out);
                entry.tasks.under_way = Some(Task::Salting(hash, salt));
            }
            (Ok(Said::Salted(password)), Some(Task::Salting(hash, salt)))
                if password.len() == hash.bytes() =>
            {
                let keys = sasl::salted(&password, salt, hash.iterations(), hash);
                let added = hash.alone(keys);
                let added = Credentials { changed: entry.changed, ..added };
                out.acts.push(Act::Ask(Question::Upgrade(entry.account.clone(), added)));
                entry.tasks.under_way = Some(Task::Written);
            }
            (Ok(Said::Abort), _) => return self.failure(ctx, Failure::Aborted, out),
            (Err(failure), _) => return self.failure(ctx, failure, out),
            (Ok(_), _) => return self.failure(ctx, Failure::MalformedRequest, out),
        }
        entry.waits = Waits::Task;
        self.state = State::Entering(entry);
    }
}
