//! What the store has of an account's sessions, and of what has been delivered to it: written a
//! little later than it happens, read when the account is.

use super::{
    Account, Output,
    replay::earlier,
    resume::Expired,
    wait::{By, Noted, Then, Wait},
};
use crate::{
    behind::BEHIND_MS_MAX,
    ctx::{Ctx, Moment},
    parcel::Link,
    port::Node,
    replay::Replay,
    saved::{self, Saved},
    session::Session,
    unit::{Change, Pos, Resumable, Unit},
};
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::Jid;

/// How long what has changed in a session may be other than the store has it.
const NOTE_MS: u64 = 1_000;
/// The same of one that has just come back after the process ended: what is told it out of the log
/// need not be told again when it ends once more.
const RECOVERY_NOTE_MS: u64 = 100;
/// Sessions of one account that can be resumed no more, and of which the count is known still.
const EXPIRED_MAX: usize = 16;
/// Of a session with a stream: it ends when that has ended.
const NEVER: u64 = i64::MAX as u64;

/// A link that no stream has: of a session that was loaded.
fn no_link(id: i64) -> Link {
    Link { node: Node(0), number: id.unsigned_abs() }
}

/// Loading.
impl Account {
    /// The sessions that the store has: they wait for their clients, as if their streams had ended
    /// just now. Whoever saw them sees them still.
    pub(super) fn revive(
        &mut self,
        kept: Vec<Resumable>,
        gone: Vec<Jid>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        self.gone = gone;
        let mut unit = Unit::default();
        for row in kept {
            let h = u32::try_from(row.h & i64::from(u32::MAX)).unwrap_or_default();
            let Ok(token) = <[u8; 32]>::try_from(&*row.token) else { continue };
            let lives = row.expires > ctx.unix_ms;
            match lives.then(|| self.revived(&row, token, h, ctx)).flatten() {
                Some(session) => {
                    // By a number of its own: what it says again is not what it said before.
                    unit.changes.push(Change::Unsession(self.jid.clone(), row.id));
                    self.sessions.push(session);
                }
                None => unit.changes.extend(self.end_kept((token, h, row.id))),
            }
        }
        if let Some(until) = self.overdue_at() {
            self.wake(until, out);
        }
        // At once with what it becomes: else a process that ends between would have lost it.
        self.note_with(unit, ctx, out);
    }

    fn revived(&self, row: &Resumable, token: [u8; 32], h: u32, ctx: &Ctx<'_>) -> Option<Session> {
        let jid = self.jid.with_resource(&row.resource).ok()?;
        let mut saved = Saved::read(&row.state)?;
        let mut behind = saved.behind(&self.jid, row.mark, ctx.now.after(BEHIND_MS_MAX));
        behind.is_unread(self.released);
        let id = ctx.number();
        let mut session = Session::bound(no_link(id), jid, id, ctx.hooks.plans());
        session.device.clone_from(&row.device);
        let acked = u32::try_from(row.out & i64::from(u32::MAX)).unwrap_or_default();
        saved.load(&mut session, token, h, acked);
        let managed = session.managed.as_mut()?;
        let ms = managed.resumption.as_ref()?.ms;
        let left = if row.expires == NEVER { ms } else { row.expires - ctx.unix_ms };
        managed.detached = Some(ctx.now.after(left.min(ms)));
        let until = ctx.now.after(ctx.settings.limits.revived_shown_ms);
        managed.shown = session.presence.is_some().then_some(until);
        managed.unacked.is_away(true);
        session.replay = Some(Box::new(Replay { behind, ..Replay::missed(row.mark) }));
        Some(session)
    }

    /// Of one that can be resumed no more its count is known for a while. What is to be forgotten
    /// by the store instead.
    pub(super) fn end_kept(&mut self, ended: Expired) -> Option<Change> {
        let is_full = self.expired.len() >= EXPIRED_MAX;
        let eldest = is_full.then(|| self.expired.remove(0));
        self.expired.push(ended);
        eldest.map(|(.., id)| Change::Unsession(self.jid.clone(), id))
    }
}

/// Writing.
impl Account {
    /// Something is to be written within the second.
    pub(super) fn note(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let recovers = self.sessions.iter().any(|session| session.recovers(ctx.now));
        let at = ctx.now.after(if recovers { RECOVERY_NOTE_MS } else { NOTE_MS });
        if self.notes_at.is_none_or(|before| at < before) {
            self.notes_at = Some(at);
            self.wake(at, out);
        }
    }

    /// The count of a session that was killed is raised by what it said that the logs have. So what
    /// it said before, and no log has, must be written before: it will not be said again.
    pub(super) fn note_unlogged(
        &mut self,
        link: Link,
        logs: bool,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(managed) = self.session(link).and_then(|one| one.managed.as_mut()) else { return };
        match logs {
            false => managed.unlogged = true,
            true if managed.unlogged && managed.changed => self.note_now(ctx, out),
            true => {}
        }
    }

    /// Writes all that the store has otherwise, also what would not be worth it if it could be
    /// written later: what waits for who is away, and no log has.
    pub(super) fn note_all(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let managed = self.sessions.iter_mut().filter_map(|one| one.managed.as_mut());
        managed.for_each(|managed| managed.changed = true);
        self.note_now(ctx, out);
    }

    /// Writes what of the sessions, and of what has been delivered, the store has otherwise.
    pub(super) fn note_now(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.note_with(Unit::default(), ctx, out);
    }

    /// The same, in the unit of this.
    fn note_with(&mut self, mut unit: Unit, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.notes_at = None;
        if self.departs {
            return;
        }
        // Of those that are there still it is said anew whether the store is to have them.
        let gone = std::mem::take(&mut self.unforgotten).into_iter();
        let gone = gone.filter(|id| self.place(*id).is_none());
        unit.changes.extend(gone.map(|id| Change::Unsession(self.jid.clone(), id)));
        if self.delivered > self.delivered_noted {
            self.delivered_noted = self.delivered;
            unit.changes.push(Change::Delivered(self.jid.clone(), self.delivered));
        }
        // What is in the log is released in the order of its places: what stands behind this has
        // not been yet.
        let (released, jid) = (self.released, self.jid.clone());
        let mut unkept = Vec::new();
        for session in &mut self.sessions {
            if let Some(row) = row(session, released, ctx) {
                unit.changes.push(Change::Session(jid.clone(), Box::new(row)));
            }
            if session.is_kept_no_more() {
                match session.managed.as_mut().filter(|managed| managed.is_kept()) {
                    Some(managed) => {
                        managed.unwrites();
                        unit.changes.push(Change::Unsession(jid.clone(), session.id));
                    }
                    None => unkept.push(session.link),
                }
            }
        }
        if !unit.is_empty() {
            self.commit_quietly(unit, ctx, out);
        }
        // They wait for nothing more: what they asked for is answered.
        unkept.into_iter().for_each(|link| self.feel(link, ctx.hooks.settled(), ctx, out));
    }

    /// Commits what nobody waits for.
    pub(super) fn commit_quietly(&mut self, unit: Unit, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let pair = (Some(self.jid.clone().into()), None);
        let mut noted = Noted { gone: Vec::new(), counts: Vec::new() };
        for change in &unit.changes {
            match change {
                Change::Unsession(_, id) => {
                    let place = self.place(*id);
                    let managed = place.and_then(|place| self.sessions[place].managed.as_ref());
                    noted.gone.push((*id, managed.map_or(0, |managed| managed.notes)));
                }
                Change::Session(_, row) => noted.counts.push((row.id, row.h)),
                _ => {}
            }
        }
        let then = Then::Noted(noted);
        self.wait(Wait::for_unit(unit, pair, then, None), ctx, out);
    }

    /// It was: the clients may be told so.
    pub(super) fn noted(&mut self, noted: &Noted, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        for &(id, note) in &noted.gone {
            let Some(place) = self.place(id) else { continue };
            let session = &mut self.sessions[place];
            session.managed.iter_mut().for_each(|managed| managed.is_forgotten(note));
            let link = session.link;
            self.feel(link, ctx.hooks.settled(), ctx, out);
        }
        for &(id, h) in &noted.counts {
            let Some(place) = self.place(id) else { continue };
            let session = &mut self.sessions[place];
            let (settled, link) = (session.handled.settled(), session.link);
            let attached = session.is_attached();
            let Some(managed) = &mut session.managed else { continue };
            let h = u32::try_from(h & i64::from(u32::MAX)).unwrap_or_default();
            managed.keeps(managed.settled_at(h, settled));
            match attached {
                true => self.feel(link, ctx.hooks.settled(), ctx, out),
                false => self.resume(id, ctx, out),
            }
        }
    }

    /// The log has what a stream said, and by that the count of the stream.
    pub(super) fn is_kept(&mut self, by: By) {
        let session = self.session(by.link);
        if let Some(managed) = session.and_then(|session| session.managed.as_mut()) {
            managed.keeps(by.covers);
        }
    }

    /// It was not written: within the second all of it is tried once more.
    pub(super) fn note_again(&mut self, noted: &Noted, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if self.departs {
            return;
        }
        self.unforgotten.extend(noted.gone.iter().map(|(id, _)| id));
        self.delivered_noted = Pos::default();
        for managed in self.sessions.iter_mut().filter_map(|one| one.managed.as_mut()) {
            (managed.changed, managed.written) = (true, managed.written.min(1));
        }
        self.note(ctx, out);
    }

    /// Comes back then at the latest.
    pub(super) fn wake(&mut self, at: Moment, out: &mut Vec<Output>) {
        let first = earlier(self.wakes, at);
        if self.wakes != Some(first) {
            self.wakes = Some(first);
            out.push(Output::Wake(first));
        }
    }
}

/// What the store is to have of a session; none when it has it already.
fn row(session: &mut Session, released: Pos, ctx: &Ctx<'_>) -> Option<Resumable> {
    let h = session.h()?;
    let managed = session.managed.as_ref().filter(|one| one.changed && one.can_be_resumed())?;
    let resumption = managed.resumption.as_ref()?;
    // What the log has before, it has got, or it is among what is not acknowledged.
    let told = session.replay.as_ref().map(|replay| replay.after);
    let held = session.held.map(|held| Pos(held.0 - 1));
    let mark = released.min(told.unwrap_or(released)).min(held.unwrap_or(released));
    let expires = match managed.detached {
        Some(until) => ctx.unix_ms + until.0.saturating_sub(ctx.now.0),
        None => NEVER,
    };
    let row = Resumable {
        id: session.id,
        token: resumption.token.to_vec(),
        resource: session.jid.resource().unwrap_or_default().into(),
        device: session.device.clone(),
        h: i64::from(h),
        out: i64::from(managed.unacked.acked()),
        mark,
        state: saved::save(session, managed),
        expires,
    };
    let mut hasher = DefaultHasher::new();
    (row.h, row.out, row.mark.0, &row.state, row.expires == NEVER).hash(&mut hasher);
    let hash = hasher.finish();
    let (is_done, settled) = (session.handled.is_done(), session.handled.settled());
    let managed = session.managed.as_mut()?;
    managed.changed = false;
    managed.unlogged &= !is_done;
    managed.writes(hash, settled).then_some(row)
}
