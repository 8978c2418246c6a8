//! What a shard hosts at an address.

use super::Output;
use crate::{
    account::{self, Account, Input},
    ctx::Ctx,
    port::Loaded,
    room::Room,
    unit::{OCCUPANTS, Resumable},
};
use wire::Bare;

/// An account or a room.
pub(super) enum Value {
    Account(Box<Account>),
    Room(Box<dyn Room>),
}

impl Value {
    /// What stands at an address, as it was loaded, and its sessions that outlived their streams;
    /// `None`: nothing.
    pub fn load(
        jid: &Bare,
        loaded: Option<Loaded>,
        ctx: &Ctx<'_>,
    ) -> Option<(Self, Vec<Resumable>)> {
        if let Some(service) = ctx.hooks.service(jid.domain(), ctx.settings) {
            return Some((Self::Room(service.room(jid.clone(), loaded, ctx)), Vec::new()));
        }
        let mut loaded = loaded?;
        if !ctx.settings.hosts(jid.domain()) {
            // Of what is served no more, only a room has something to say, to who sat in it.
            let is_occupied = loaded.cells.iter().any(|(table, ..)| **table == *OCCUPANTS.name());
            let service = ctx.hooks.past_service().filter(|_| is_occupied)?;
            return Some((Self::Room(service.room(jid.clone(), Some(loaded), ctx)), Vec::new()));
        }
        let sessions = std::mem::take(&mut loaded.sessions);
        let account = Account::load(jid.clone(), loaded, ctx.unix_ms);
        Some((Self::Account(Box::new(account)), sessions))
    }

    /// Its verb; `out` is told what concerns the shell alone.
    pub fn handle(
        &mut self,
        jid: &Bare,
        ctx: &Ctx<'_>,
        input: Input,
        caused: &mut Vec<account::Output>,
        out: &mut Vec<Output>,
    ) {
        let account = match self {
            Self::Room(room) => return room.handle(ctx, input, caused),
            Self::Account(account) => account,
        };
        let was_here = !account.sessions.is_empty();
        account.handle(ctx, input, caused);
        if was_here && account.sessions.is_empty() && ctx.settings.is_anonymous(jid) {
            out.push(Output::Expire(jid.clone()));
        }
        out.extend(account.trace.fates().map(Output::Fate));
    }

    /// Whether it is an account that is no more.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Account(account) if account.is_deleted)
    }

    pub fn is_idle(&self) -> bool {
        match self {
            Self::Account(account) => account.is_idle(),
            Self::Room(room) => room.is_idle(),
        }
    }

    pub fn weight(&self) -> usize {
        match self {
            Self::Account(account) => account.weight(),
            Self::Room(room) => room.weight(),
        }
    }
}
