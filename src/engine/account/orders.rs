//! What operators do to an account.

use super::{
    Account, Output,
    presence::addressed,
    wait::{Then, Wait},
};
use crate::{
    ctx::Ctx,
    departure::farewells,
    device::{DEVICES_MAX, tables},
    managed::Managed,
    parcel::Order,
    session::Session,
    unit::{Change, Unit},
};
use wire::{Jid, Stanza, StreamCondition, Text};

impl Account {
    pub(super) fn ordered(&mut self, order: Order, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match order {
            Order::Created { unix_ms } => self.keyed = unix_ms,
            Order::Deleted { last, .. } => {
                self.is_deleted = true;
                last.into_iter().for_each(|last| self.send(last, ctx, out));
                // RFC 6121 §3.2.2: who is no longer subscribed has heard `unavailable` before.
                self.depart(StreamCondition::NotAuthorized, Vec::new(), ctx, out);
                let farewells = farewells(&self.jid, self.roster.items());
                farewells.into_iter().for_each(|stanza| self.send(stanza, ctx, out));
            }
            Order::PasswordChanged { spared, unix_ms } => {
                self.keyed = unix_ms;
                let spared = |session: &Session| Some(&session.jid) == spared.as_ref();
                self.end_those(|session| !spared(session), StreamCondition::Reset, ctx, out);
            }
            Order::Disabled { unix_ms } => {
                // Who is logging in has been let in before.
                self.keyed = unix_ms;
                self.end_those(|_| true, StreamCondition::NotAuthorized, ctx, out);
            }
            Order::End(resource) => {
                let meant = |session: &Session| match &resource {
                    Some(jid) => session.jid == *jid,
                    None => true,
                };
                self.end_those(meant, StreamCondition::PolicyViolation, ctx, out);
            }
            Order::Revoked { device, unix_ms } => {
                // First, so that it is not notified of what its session has not got.
                self.forget_device(&device, ctx, out);
                let meant = |session: &Session| session.device.as_ref() == Some(&device);
                self.end_those(meant, StreamCondition::NotAuthorized, ctx, out);
                self.revoked.retain(|(_, at)| is_since(*at, unix_ms, ctx));
                if self.revoked.len() >= DEVICES_MAX {
                    self.revoked.remove(0);
                }
                self.revoked.push((device, unix_ms));
            }
            Order::Hear(stanza) => self.hear_all(&stanza, ctx, out),
        }
    }

    /// What it has is not what the store has, and it is read anew: its sessions too, if they are
    /// there.
    pub(super) fn forget(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let is_kept = |one: &Managed| one.can_be_resumed() && one.is_kept();
        let kept = self.sessions.iter().filter(|one| one.managed.as_deref().is_some_and(is_kept));
        self.outlived = kept.map(|session| session.link).collect();
        let comes_back = !self.outlived.is_empty();
        let seen = self.sessions.iter().filter(|one| comes_back && one.presence.is_some());
        let seen = seen.map(|session| session.jid.clone()).collect();
        self.depart(StreamCondition::InternalServerError, seen, ctx, out);
    }

    /// What XEPs keep of a device that has lost its access. The store has it no more, but for what
    /// was on its way there: that is removed behind it.
    fn forget_device(&mut self, device: &str, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let mut unit = Unit::default();
        for (table, is_of) in tables(ctx.hooks) {
            let at_hand = self.cells.of(table).map(|(key, cell)| (key.to_owned(), cell));
            let under_way = self.waiting.lessons().filter_map(|change| match change {
                Change::Put(at, _, key, cell) if *at == table => Some((key.clone(), &**cell)),
                _ => None,
            });
            let its = at_hand.chain(under_way).filter(|(_, cell)| is_of(cell, device));
            let cut = |(key, _)| Change::Cut(table, self.jid.clone(), key);
            unit.changes.extend(its.map(cut));
        }
        if !unit.is_empty() {
            unit.changes.iter().for_each(|change| self.cells.learn(change));
            let pair = (Some(self.jid.clone().into()), None);
            self.wait(Wait::for_unit(unit, pair, Then::Nothing, None), ctx, out);
        }
    }

    /// Ends every stream, and does not come back as it was.
    fn depart(
        &mut self,
        why: StreamCondition,
        seen: Vec<Jid>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        self.departs = true;
        self.end_those(|_| true, why, ctx, out);
        out.push(Output::Leave(seen));
    }

    pub(super) fn end_those(
        &mut self,
        which: impl Fn(&Session) -> bool,
        why: StreamCondition,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let those = self.sessions.iter().filter(|session| which(session));
        let links: Vec<_> = those.map(|session| session.link).collect();
        links.into_iter().for_each(|link| self.end(link, why, ctx, out));
    }

    /// Every available resource gets this, each under its own address.
    fn hear_all(&mut self, stanza: &Stanza, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let available = self.sessions.iter().filter(|session| session.presence.is_some());
        let jids: Vec<_> = available.map(|session| session.jid.clone()).collect();
        for jid in jids {
            self.write(&jid, addressed(stanza, jid.clone()), ctx, out);
        }
    }

    /// Whether a login that began then knew another password than the present one, or was by what
    /// its device has lost.
    pub(super) fn is_outdated(&self, since: u64, device: Option<&Text>, ctx: &Ctx<'_>) -> bool {
        let of = |revoked: &Text| Some(revoked) == device;
        let revoked = self.revoked.iter().any(|(id, at)| of(id) && is_since(since, *at, ctx));
        revoked || is_since(since, self.keyed, ctx)
    }
}

/// Whether a login that began then may have been under way at that time. One cannot last longer
/// than it may: what seems older began after the clock was put back.
fn is_since(since: u64, at: u64, ctx: &Ctx<'_>) -> bool {
    since < at && at - since <= ctx.settings.limits.auth_ms_max
}
