//! One node: everything has its home here.

use engine::{
    parcel::Parcel,
    port::{Cluster, Node},
    wire::{Bare, StanzaError},
};

/// A cluster of one.
pub struct Alone {
    me: Node,
    deliver: Box<dyn Fn(Parcel) + Send + Sync>,
}

impl Alone {
    /// `deliver` puts a parcel where it belongs on this node; it never waits.
    pub fn new(me: Node, deliver: impl Fn(Parcel) + Send + Sync + 'static) -> Self {
        Self { me, deliver: Box::new(deliver) }
    }
}

impl Cluster for Alone {
    fn home(&self, _: &Bare) -> Node {
        self.me
    }

    fn carry(&self, _: Node, parcel: Parcel) -> Result<(), StanzaError> {
        (self.deliver)(parcel);
        Ok(())
    }
}
