//! What a XEP remembers about a session, under a private type of its own.

use crate::{account::Account, ctx::Ctx};
use std::any::{Any, TypeId};

/// State of one XEP with one session.
pub trait Slot: Any + Send + Default {
    /// Its name on disk.
    const KEY: &'static str;

    /// Its bytes on disk. Without `save` and `load` it is lost at a restart, and `waxwing life`
    /// says so.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// What `save` wrote; `None` starts afresh.
    fn load(_saved: &[u8]) -> Option<Self> {
        None
    }
}

/// A slot whose type only its XEP knows.
pub type Kept = Box<dyn Any + Send>;

impl Account {
    /// What a XEP remembers of the account under its private type while it is in memory: until
    /// nobody has used it for long.
    pub fn slot<T: Slot>(&mut self, ctx: &Ctx<'_>) -> &mut T {
        if self.slots.is_empty() {
            self.slots = ctx.hooks.plans().iter().map(|_| None).collect();
        }
        slot(ctx.hooks.plans(), &mut self.slots)
    }
}

/// Among these slots, which are by these plans, that of this type.
pub(crate) fn slot<'a, T: Slot>(plans: &[Plan], slots: &'a mut [Option<Kept>]) -> &'a mut T {
    let number = plans.iter().position(|plan| (plan.id)() == TypeId::of::<T>());
    let number = number.expect("a slot stands among the hooks of its XEP");
    let slot = slots[number].get_or_insert_with(plans[number].fresh);
    slot.downcast_mut().expect("a slot holds the type it is numbered for")
}

/// How a slot is made and saved. Its number is its place among the plans of all XEPs.
#[derive(Clone, Copy)]
pub struct Plan {
    /// The slot's name on disk.
    pub key: &'static str,
    pub(crate) id: fn() -> TypeId,
    pub(crate) fresh: fn() -> Kept,
    pub(crate) save: fn(&Kept) -> Option<Vec<u8>>,
    pub(crate) load: fn(&[u8]) -> Option<Kept>,
}

impl Plan {
    pub(crate) const fn of<T: Slot>() -> Self {
        Self {
            key: T::KEY,
            id: TypeId::of::<T>,
            fresh: || Box::<T>::default(),
            save: |slot| slot.downcast_ref::<T>()?.save(),
            load: |saved| Some(Box::new(T::load(saved)?)),
        }
    }
}
