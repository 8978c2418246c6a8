//! One bound resource, in its account's value: its presence, its desks, its slots.

use crate::{
    ctx::Ctx,
    hook::{Desk, Leaving, Output},
    parcel::Link,
    slot::{Kept, Plan, Slot},
};
use std::{any::TypeId, collections::BTreeSet, sync::Arc};
use wire::{Element, Jid, Payload, Stanza, StreamCondition, StreamError, Text};

/// One bound resource. Its socket may be on another node.
pub struct Session {
    /// Its stream. All teardown goes by this, never by the address.
    pub link: Link,
    /// Its full address.
    pub jid: Jid,
    /// The device that it is on, if it said so.
    pub device: Option<Text>,
    /// Its last presence while it is available (RFC 6121 §4).
    pub presence: Option<Stanza>,
    /// Of that presence; -128 to 127 (RFC 6121 §4.7.2.3).
    pub priority: i8,
    /// It has asked for the roster, so it gets pushes (RFC 6121 §2.1.6).
    pub interested: bool,
    /// Who got directed presence from it and must hear of its end (RFC 6121 §4.6).
    pub directed: BTreeSet<Jid>,
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
    pub fn bound(link: Link, jid: Jid, plans: &Arc<[Plan]>) -> Self {
        Self {
            link,
            jid,
            device: None,
            presence: None,
            priority: 0,
            interested: false,
            directed: BTreeSet::new(),
            plans: plans.clone(),
            slots: plans.iter().map(|_| None).collect(),
        }
    }

    /// The state that a XEP keeps here under its private type.
    pub fn slot<T: Slot>(&mut self) -> &mut T {
        let number = self.plans.iter().position(|plan| (plan.id)() == TypeId::of::<T>());
        let number = number.expect("a slot stands among the hooks of its XEP");
        let slot = self.slots[number].get_or_insert_with(self.plans[number].fresh);
        slot.downcast_mut().expect("a slot holds the type it is numbered for")
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
    pub fn write(&mut self, leaving: Leaving, ctx: &Ctx<'_>, to: &mut impl FnMut(Written)) {
        self.pass(Desk::Hold, leaving, ctx, to);
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
                Output::Stanza(leaving) => self.pass(Desk::Count, leaving, ctx, to),
            }
        }
    }

    /// Most stanzas pass alone: they are not gathered anew at each desk.
    fn pass(&mut self, from: Desk, leaving: Leaving, ctx: &Ctx<'_>, to: &mut impl FnMut(Written)) {
        let Some((&(_, first), writes)) = ctx.hooks.writes(from).split_first() else {
            return to(Written::Stanza(leaving.stanza));
        };
        let mut passing = first(leaving, self, ctx);
        for &(_, write) in writes {
            passing = match passing.pop() {
                Some(one) if passing.is_empty() => write(one, self, ctx),
                last => {
                    let all = passing.into_iter().chain(last);
                    all.flat_map(|one| write(one, self, ctx)).collect()
                }
            };
        }
        passing.into_iter().map(|one| Written::Stanza(one.stanza)).for_each(to);
    }
}
