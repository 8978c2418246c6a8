//! What a XEP remembers about a session, under a private type of its own.

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
