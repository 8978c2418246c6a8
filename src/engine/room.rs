//! What stands at the addresses of a service: values like accounts, each with a log of its own.
//! What they are is a XEP's to say; the engine hosts them.

use crate::{
    account::{Input, Output},
    ctx::Ctx,
    port::Loaded,
    settings::Settings,
};
use std::fmt::Debug;
use wire::{Bare, Stanza};

/// A service at domains of its own; every address there that has a local part is a room
/// (XEP-0045 §2).
pub trait Service: Sync {
    /// Its domains on a server with these settings.
    fn hosts(&self, settings: &Settings) -> Vec<Bare>;
    /// What it is, as service discovery tells it.
    fn identity(&self) -> Identity;
    /// The room of this address, as it was loaded; `None`: the store has no log of it. A room that
    /// does not want to be there says `Output::Leave`. At a domain that is served no more: who sits
    /// in it is to be told so.
    fn room(&self, jid: Bare, loaded: Option<Loaded>, ctx: &Ctx<'_>) -> Box<dyn Room>;
    /// Whether a room tells a session by this presence that it is there, or that it is not though
    /// it never left; `None`: neither. By that its account knows where it is, and what to say when
    /// the room asks.
    fn sits(&self, presence: &Stanza) -> Option<bool>;
}

/// What a service is (XEP-0030 §3.1).
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The category.
    pub category: &'static str,
    /// The type.
    pub kind: &'static str,
    /// For humans.
    pub name: &'static str,
}

/// A room at its home. A value with one synchronous verb.
pub trait Room: Send + Debug {
    /// The one verb. A room has no sessions: it hears `Routed`, `Attends`, `Departed`, `Committed`,
    /// `Answered`, `Tick` and `Note`. Who waits for its half of a unit is given an empty one when
    /// the room has written what it keeps of the stanza: its log is the one that counts.
    fn handle(&mut self, ctx: &Ctx<'_>, input: Input, out: &mut Vec<Output>);
    /// Whether it has anything of this account, be it in what waits: then it is told when that is
    /// no more.
    fn knows(&self, account: &Bare) -> bool;
    /// Whether nothing would be lost if it were forgotten.
    fn is_idle(&self) -> bool;
    /// About what it takes in memory, in bytes.
    fn weight(&self) -> usize;
}
