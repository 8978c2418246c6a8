//! Sessions and their streams: how they begin, what is said beside stanzas, how they end.

use super::{Account, Output, readers::known_as, to_socket};
use crate::{
    ctx::Ctx,
    hook::Feel,
    parcel::{Link, Parcel, Say},
    session::Session,
    unit::Change,
};
use wire::{Payload, StanzaCondition, StreamCondition, Text};

/// What a new session shall be.
pub(super) struct Wish {
    pub resource: Option<Text>,
    pub device: Option<Text>,
    pub inline: Vec<Payload>,
    pub reads: bool,
}

impl Account {
    /// RFC 6120 §7. A resource that is taken goes to the newcomer (§7.7.2.2): the older stream
    /// is most often the one that its owner has lost. So is that of the same device (XEP-0386 §4).
    pub(super) fn bind(&mut self, link: Link, wish: Wish, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Wish { resource, device, inline, reads } = wish;
        // A resource that goes with a login (XEP-0386) is the server's own.
        let known_as = known_as(device.as_ref(), resource.as_ref().filter(|_| !reads));
        let resource = resource.map_or_else(|| ctx.token(), |wish| wish.to_string());
        let Ok(jid) = self.jid.with_resource(&resource) else {
            let refused = Say::Unbound(StanzaCondition::BadRequest.into());
            return out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        };
        let same = |session: &Session| {
            session.jid == jid || (device.is_some() && session.device == device)
        };
        self.end_those(same, StreamCondition::Conflict, ctx, out);
        if !self.makes_room(ctx, out) {
            let refused = Say::Unbound(StanzaCondition::ResourceConstraint.into());
            return out.push(Output::Parcel(Parcel::ToSocket(link, refused)));
        }
        let mut session = Session::bound(link, jid.clone(), ctx.number(), ctx.hooks.plans());
        (session.device, session.known_as) = (device, known_as);
        if reads {
            // XEP-0386 §3.2: what waits is not sent, as the archive provides it. What the archive
            // does not show, nobody else would tell.
            session.reads = self.released;
        }
        let begin = |one: &Payload| session.begin(one.element(), ctx);
        let begun = inline.iter().flat_map(begin).collect();
        out.push(Output::Parcel(Parcel::ToSocket(link, Say::Bound(jid, begun))));
        // Most accounts have one: a vector that grows on its own would make room for four.
        self.sessions.reserve_exact(1);
        self.sessions.push(session);
        self.feel(link, ctx.hooks.bound(), ctx, out);
        self.counted(link, ctx, out);
    }

    /// For one session more, if need be by the end of one that nobody has come back to: sessions
    /// that their clients have left for good shut nobody out. Whether there is.
    fn makes_room(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) -> bool {
        while self.sessions.len() >= ctx.settings.limits.sessions_max {
            let Some(place) = self.longest_away(ctx.now) else { return false };
            self.abandon(place, true, ctx, out);
        }
        true
    }

    pub(super) fn feel(
        &mut self,
        link: Link,
        feels: &[Feel],
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.session(link) else { return };
        for feel in feels {
            let said = feel(session, ctx);
            session.say(said, ctx, &mut |written| out.push(to_socket(link, written)));
        }
    }

    pub(super) fn hear(
        &mut self,
        link: Link,
        nonza: &Payload,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.session(link) else { return };
        let slept = session.inactive;
        match session.hear(nonza, ctx) {
            Ok(said) => {
                let wakes = slept && !session.inactive;
                session.say(said, ctx, &mut |written| out.push(to_socket(link, written)));
                if wakes {
                    self.looks_again(link, out);
                }
                self.counted(link, ctx, out);
            }
            Err(error) => {
                out.push(Output::Parcel(Parcel::ToSocket(link, Say::End(error))));
                self.leave(link, ctx, out);
            }
        }
    }

    /// What a managed stream may have said of its counts.
    pub(super) fn counted(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let Some(place) = self.sessions.iter().position(|one| one.link == link) else { return };
        let Some(managed) = &self.sessions[place].managed else { return };
        if managed.is_new() {
            self.note_now(ctx, out);
        }
        self.take_acks(place, ctx, out);
    }

    /// Ends a stream that the account has had enough of.
    pub(super) fn end(
        &mut self,
        link: Link,
        why: StreamCondition,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        // Who waits for its client has no stream to be told.
        if self.session(link).is_none_or(|session| session.is_attached()) {
            out.push(Output::Parcel(Parcel::ToSocket(link, Say::End(why.into()))));
        }
        self.leave(link, ctx, out);
    }

    /// A session ends, and nobody can come back to it.
    pub(super) fn leave(&mut self, link: Link, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(place) = self.sessions.iter().position(|session| session.link == link) {
            self.leave_at(place, true, ctx, out);
        }
    }

    /// Its presence is withdrawn, then it is forgotten; by the store too, if it is told to.
    pub(super) fn leave_at(
        &mut self,
        place: usize,
        forget: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let link = self.sessions[place].link;
        self.showing.take(link);
        self.withdraw(link, None, ctx, out);
        let mut session = self.sessions.remove(place);
        self.disappoint(&mut session, ctx, out);
        self.sessions.shrink_to_fit();
        for feel in ctx.hooks.unbound() {
            feel(&mut session, ctx);
        }
        let is_kept = session.managed.as_ref().is_some_and(|managed| managed.is_kept());
        if forget && is_kept && !self.departs {
            let change = Change::Unsession(self.jid.clone(), session.id);
            self.commit_quietly(change.into(), ctx, out);
        }
        self.give_back(&session, ctx, out);
        if self.sessions.is_empty() {
            // Nothing may keep the account here until it would be written.
            self.note_now(ctx, out);
        }
    }
}
