//! A XEP that keeps every message with a body in the logs of both sides, as an archive does.

use engine::{
    ctx::Ctx,
    hook::{Hook, Station, Status, Verdict, Xep},
    passage::Passage,
    unit::Flags,
    wire::{Kind, Name},
};

pub const XEP: Xep = Xep {
    number: 9999,
    name: "Toy",
    version: "1",
    status: Status::Partial("fuzzing"),
    hooks: &[Hook::At(Station::Keep, keep)],
};

const BODY: Name = Name::new("jabber:client", "body");

fn keep(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    if passage.stanza.kind() == Kind::Message && passage.stanza.child(BODY).is_some() {
        passage.keep(Flags::ARCHIVE, |stanza, _, _, _| stanza);
    }
    Verdict::Go
}
