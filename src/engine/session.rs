//! One bound resource, in its account's value: its presence, its desks, its slots.

use crate::{
    account::Recipients,
    ctx::{Ctx, Moment},
    handled::Handled,
    hearing::Hearings,
    hook::{Desk, Leaving, Leavings, Output, Write},
    managed::{Managed, Resumption},
    parcel::Link,
    replay::{Replay, Telling},
    slot::{Kept, Plan, Slot, slot},
    unacked::Lacking,
    unit::Pos,
};
use std::{collections::BTreeSet, sync::Arc};
use wire::{Element, Jid, Payload, Stanza, StreamCondition, StreamError, Text};

/// Places of the log that one session remembers, of what it got before it was available.
const HAD_MAX: usize = 256;

/// One bound resource. Its socket may be on another node.
pub struct Session {
    /// Its stream. All teardown goes by this, never by the address.
    pub link: Link,
    /// Its full address.
    pub jid: Jid,
    /// The device that it is on, if it said so.
    pub device: Option<Text>,
    /// By what its client is known when it comes again.
    pub(crate) known_as: Option<Text>,
    /// What the archive shows up to here its client has read itself, or does.
    pub(crate) reads: Pos,
    /// Its last presence while it is available (RFC 6121 §4).
    pub presence: Option<Stanza>,
    /// Of that presence; -128 to 127 (RFC 6121 §4.7.2.3).
    pub priority: i8,
    /// Its client has said that nobody looks at it: what can wait is told when somebody does. Of
    /// the stream, so it survives neither that nor a restart.
    pub inactive: bool,
    /// It has asked for the roster, so it gets pushes (RFC 6121 §2.1.6).
    pub interested: bool,
    /// Who got directed presence from it and must hear of its end (RFC 6121 §4.6).
    pub directed: BTreeSet<Jid>,
    /// To whom it has spoken lately, where that has a limit.
    pub(crate) recipients: Option<Box<Recipients>>,
    /// Random, never given twice: by it the log knows what it has said.
    pub id: i64,
    /// What it has said, and what of that has been dealt with.
    pub handled: Handled,
    /// Its stream is managed (XEP-0198).
    pub managed: Option<Box<Managed>>,
    /// What is told to it out of the log.
    pub(crate) replay: Option<Box<Replay>>,
    /// What the log has up to here has been told out of it.
    pub(crate) told: Pos,
    /// What it alone has got while it did not take what is for the account: it need not be told
    /// that when it does. At most `HAD_MAX`.
    pub(crate) had: Vec<Pos>,
    /// Where the first of what the log has stands that a hook has held back.
    pub(crate) held: Option<Pos>,
    /// What it hears of the rooms that it is in.
    pub(crate) hearings: Hearings,
    plans: Arc<[Plan]>,
    slots: Box<[Option<Kept>]>,
}

/// What reaches the socket.
#[derive(Clone, Debug)]
pub enum Written {
    /// Counted as XEP-0198 counts.
    Stanza(Stanza),
    /// Never counted.
    Nonza(Payload),
}

impl Session {
    /// A resource just bound; nobody knows of it yet.
    pub fn bound(link: Link, jid: Jid, id: i64, plans: &Arc<[Plan]>) -> Self {
        Self {
            link,
            jid,
            device: None,
            known_as: None,
            reads: Pos::default(),
            presence: None,
            priority: 0,
            inactive: false,
            interested: false,
            directed: BTreeSet::new(),
            recipients: None,
            id,
            handled: Handled::default(),
            managed: None,
            replay: None,
            told: Pos::default(),
            had: Vec::new(),
            held: None,
            hearings: Hearings::default(),
            plans: plans.clone(),
            slots: plans.iter().map(|_| None).collect(),
        }
    }

    /// The state that a XEP keeps here under its private type.
    pub fn slot<T: Slot>(&mut self) -> &mut T {
        slot(&self.plans, &mut self.slots)
    }

    /// Whether its client has a stream.
    pub fn is_attached(&self) -> bool {
        self.managed.as_ref().is_none_or(|managed| managed.detached.is_none())
    }

    /// Whether it takes what is for the account (RFC 6121 §8.5.2.1.1).
    pub fn takes_messages(&self) -> bool {
        self.presence.is_some() && self.priority >= 0
    }

    /// Whether it hears who is no longer there (RFC 6121 §4.5.3): also while nobody sees it any
    /// more, as its client may come back to it, and believes in all that it had seen.
    pub(crate) fn hears_of_ends(&self) -> bool {
        let is_hidden = self.managed.as_ref().is_some_and(|managed| managed.hidden.is_some());
        self.presence.is_some() || is_hidden
    }

    /// It gets what the log has there, whether it takes what is for the account or not.
    pub(crate) fn gets(&mut self, pos: Pos) {
        if !self.takes_messages() && self.had.len() < HAD_MAX {
            self.had.push(pos);
        }
    }

    /// Whether it is told what it has missed, and what is new waits behind that.
    pub(crate) fn is_behind(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.goes_on())
    }

    /// Until when its client is waited for, which may read what it has missed. One without a
    /// stream is not.
    pub(crate) fn hopes_until(&self) -> Option<Moment> {
        let replay = self.replay.as_ref().filter(|_| self.is_attached())?;
        replay.patience.filter(|_| replay.state == Telling::Hopes)
    }

    /// Its stream is managed from now on; counting begins here (XEP-0198 §3).
    pub fn manage(&mut self, resumption: Option<Resumption>) {
        self.managed = Some(Box::new(Managed::from_now(&self.handled, resumption)));
    }

    /// Whether it has a stream that it cannot be left for another: the store is told nothing of it
    /// until it can. It is said once each time that something has changed.
    pub(crate) fn is_kept_no_more(&mut self) -> bool {
        let attached = self.is_attached();
        let managed = self.managed.as_mut().filter(|one| attached && !one.can_be_resumed());
        managed.is_some_and(|managed| std::mem::take(&mut managed.changed))
    }

    /// So many stanzas of a managed stream have been dealt with.
    pub fn h(&self) -> Option<u32> {
        Some(self.managed.as_ref()?.h(self.handled.settled()))
    }

    /// The same, as the client may be told (see [`Managed::h_told`]).
    pub fn h_told(&self) -> Option<u32> {
        Some(self.managed.as_ref()?.h_told(self.handled.settled()))
    }

    /// Whether the client may be told that so many of what it said have been dealt with.
    pub fn tells(&self, said: u64) -> bool {
        let settled = self.handled.settled();
        said <= self.managed.as_ref().map_or(settled, |managed| managed.told(settled))
    }

    /// The client comes back, and has got what stands at `got`: what is not at hand of the rest is
    /// told out of the log. Requests behind that wait until then.
    pub(crate) fn catch_up(&mut self, got: Vec<Pos>, now: Pos, until: Moment) {
        let Some(managed) = &mut self.managed else { return };
        let newest = managed.unacked.iter().filter_map(|sent| sent.pos).max();
        let Lacking { places, following } = managed.unacked.take_lacking();
        if let Some(replay) = &mut self.replay {
            replay.lacks(&places);
            // Behind what it got when it came back before.
            let exact = replay.exact;
            replay.skip.extend(got.into_iter().filter(|pos| *pos > exact));
            replay.skip.retain(|pos| !places.contains(pos));
        } else if let Some(newest) = newest.filter(|_| !places.is_empty()) {
            let mut replay = Replay::missed(newest);
            replay.lacks(&places);
            self.replay = Some(Box::new(replay));
        }
        for (last, stanza) in following {
            let left = match &mut self.replay {
                Some(replay) => replay.behind.push(stanza.into(), last, until).err(),
                None => Some(stanza.into()),
            };
            left.into_iter().for_each(|leaving| managed.unacked.push(&leaving));
        }
        self.replay.iter_mut().for_each(|replay| replay.news = now);
    }

    /// Whether it has just come back after the process ended.
    pub(crate) fn recovers(&self, now: Moment) -> bool {
        let until = self.managed.as_ref().and_then(|managed| managed.recovers);
        until.is_some_and(|until| until > now)
    }

    /// It is away and there is no room for more that the log has: from here on the log tells it.
    pub(crate) fn falls_behind(&mut self, pos: Pos) {
        let kept = self.managed.iter().flat_map(|managed| managed.unacked.iter());
        let skip = kept.filter_map(|sent| sent.pos).filter(|kept| *kept >= pos).collect();
        let mut replay = Replay { skip, ..Replay::missed(Pos(pos.0 - 1)) };
        replay.behind.is_unread(pos);
        self.replay = Some(Box::new(replay));
    }

    /// What survives a restart, by name.
    pub fn save(&self) -> Vec<(&'static str, Vec<u8>)> {
        let slots = self.plans.iter().zip(&self.slots);
        slots.filter_map(|(plan, slot)| Some((plan.key, (plan.save)(slot.as_ref()?)?))).collect()
    }

    /// What `save` gave before a restart.
    pub fn load(&mut self, saved: &[(&str, Vec<u8>)]) {
        for (plan, slot) in self.plans.iter().zip(&mut self.slots) {
            let saved = saved.iter().find(|(key, _)| *key == plan.key);
            *slot = saved.and_then(|(_, bytes)| (plan.load)(bytes));
        }
    }

    /// Writes what of a stanza, and of what was held before it, reaches the socket now.
    pub fn write(&mut self, leaving: Leaving, ctx: &Ctx<'_>, to: &mut dyn FnMut(Written)) {
        let (pos, told, mut passes) = (leaving.pos, leaving.room(), false);
        self.pass(Desk::Hold, leaving, ctx, &mut |written| {
            passes = true;
            to(written);
        });
        // What passes takes along what was held before it.
        let follows = self.hearings.first_following();
        self.held = if passes { follows } else { self.held.or(pos) };
        self.hearings.holds(told.as_ref().map(|(by, pos)| (by, *pos)), passes);
    }

    /// Writes what has waited for what a room had to tell: no hook holds it back once more.
    pub fn follow(&mut self, leaving: Leaving, ctx: &Ctx<'_>, to: &mut dyn FnMut(Written)) {
        let passing = self.through(ctx.hooks.writes(Desk::Count), [leaving].into(), ctx);
        passing.into_iter().map(|one| Written::Stanza(one.stanza)).for_each(to);
    }

    /// What a hook says to an element that is not a stanza; it goes on to [`Session::say`].
    ///
    /// # Errors
    /// `unsupported-stanza-type` when nobody hears it (RFC 6120 §4.9.3.24), or what its hearer
    /// finds wrong.
    pub fn hear(&mut self, nonza: &Payload, ctx: &Ctx<'_>) -> Result<Vec<Output>, StreamError> {
        let hear = ctx.hooks.hears(nonza.element());
        let hear = hear.ok_or(StreamCondition::UnsupportedStanzaType)?;
        hear(nonza.element(), self, ctx)
    }

    /// What a hook answers to an element that the session begins with; nothing when nobody knows
    /// it (XEP-0386 §3.2 offers what is known).
    pub fn begin(&mut self, element: Element<'_>, ctx: &Ctx<'_>) -> Vec<Payload> {
        ctx.hooks.begins(element).map_or_else(Vec::new, |begin| begin(element, self, ctx))
    }

    /// Writes what of a hook's words reaches the socket now.
    pub fn say(&mut self, outputs: Vec<Output>, ctx: &Ctx<'_>, to: &mut impl FnMut(Written)) {
        for output in outputs {
            match output {
                Output::Nonza(payload) => to(Written::Nonza(payload)),
                Output::Stanza(leaving) => {
                    self.hearings.holds(None, true);
                    self.held.take_if(|held| leaving.pos >= Some(*held));
                    self.pass(Desk::Count, leaving, ctx, to);
                    self.held = self.held.or(self.hearings.first_following());
                }
            }
        }
    }

    /// Most stanzas pass alone: they are not gathered anew at each desk.
    fn pass(&mut self, from: Desk, leaving: Leaving, ctx: &Ctx<'_>, to: &mut dyn FnMut(Written)) {
        let writes = ctx.hooks.writes(from);
        let (hold, count) =
            writes.split_at(writes.partition_point(|&(desk, _)| desk < Desk::Count));
        let mut passing = self.through(hold, [leaving].into(), ctx);
        // What a room's log tells is in its order anyway, and is the most.
        let waits = |one: &Leaving| one.told.is_none() && one.stanza.kind() != wire::Kind::Iq;
        if self.hearings.len() > 0 && passing.iter().any(waits) && self.is_attached() {
            let hearings = &mut self.hearings;
            let precede = |one| hearings.precedes(one, ctx.now);
            passing = passing.into_iter().flat_map(precede).collect();
        }
        let passing = self.through(count, passing, ctx);
        passing.into_iter().map(|one| Written::Stanza(one.stanza)).for_each(to);
    }

    fn through(
        &mut self,
        writes: &[(Desk, Write)],
        mut passing: Leavings,
        ctx: &Ctx<'_>,
    ) -> Leavings {
        for &(_, write) in writes {
            passing = match passing.pop() {
                Some(one) if passing.is_empty() => write(one, self, ctx),
                last => {
                    let all = passing.into_iter().chain(last);
                    all.flat_map(|one| write(one, self, ctx)).collect()
                }
            };
        }
        passing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ctx::Random,
        hook::{Hook, Status, Xep},
        hooks::Hooks,
        port::Node,
        settings::Settings,
        unit::Pos,
    };
    use wire::Bare;

    struct Zero;

    impl Random for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    /// Holds messages of the type `headline`.
    const HOLDS: Xep = Xep {
        number: 1,
        name: "Holds",
        version: "1",
        status: Status::Complete,
        hooks: &[Hook::Write(Desk::Hold, |leaving, _, _| {
            let waits = leaving.stanza.head.type_str() == "headline";
            if waits { Leavings::new() } else { [leaving].into() }
        })],
    };

    fn message(kind: &str, pos: i64) -> Leaving {
        let stanza = Stanza::parse_one(&format!("<message type='{kind}'/>")).unwrap();
        Leaving { pos: Some(Pos(pos)), ..Leaving::from(stanza) }
    }

    #[test]
    fn it_is_known_from_where_on_a_hook_holds_what_the_log_has() {
        let hooks = Hooks::of(&[&HOLDS]);
        let settings = Settings::of(vec![Bare::host("x").unwrap()], [0; 32]);
        let (now, unix_ms) = Default::default();
        let ctx =
            Ctx { now: Moment(now), unix_ms, random: &Zero, settings: &settings, hooks: &hooks };
        let link = Link { node: Node(1), number: 1 };
        let jid = Jid::parse("juliet@x/balcony").unwrap();
        let mut session = Session::bound(link, jid, 7, hooks.plans());
        let mut held = |kind: &str, pos: i64| {
            session.write(message(kind, pos), &ctx, &mut |_| {});
            session.held
        };
        assert_eq!(held("chat", 1), None);
        assert_eq!(held("headline", 2), Some(Pos(2)));
        assert_eq!(held("headline", 3), Some(Pos(2)));
        assert_eq!(held("chat", 4), None, "with what passes goes what was held");
        assert_eq!(held("headline", 5), Some(Pos(5)));
        let mut say = |leaving: Leaving| {
            session.say(vec![Output::Stanza(leaving)], &ctx, &mut |_| {});
            session.held
        };
        let ours = Leaving { pos: None, ..message("", 0) };
        assert_eq!(say(ours), Some(Pos(5)), "of something else nothing can be told");
        assert_eq!(say(message("headline", 5)), None, "it is released");
    }
}
