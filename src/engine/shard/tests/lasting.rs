//! A toy of XEP-0198: streams that begin with `begin` are counted, and their sessions go on.

use super::*;
use crate::{
    hook::{Claims, Desk},
    managed::Resumption,
    parcel::Claim,
};

const ACK: Name = Name::new("toy", "ack");
const RESUMED: Name = Name::new("toy", "resumed");
const REFUSED: Name = Name::new("toy", "refused");

/// What is sent is kept until it is acknowledged.
pub(super) const COUNTS: Hook = Hook::Write(Desk::Count, |leaving, session, _| {
    session.managed.iter_mut().for_each(|managed| managed.unacked.push(&leaving));
    [leaving].into()
});

/// The session can be claimed by the id `id` for an hour.
pub(super) const LASTS: Hook = Hook::Inline(BEGIN, "toy", |_, session, _| {
    session.manage(Some(Resumption::by("id", 3_600_000)));
    Vec::new()
});

/// So many of what it was sent the client has got.
pub(super) const ACKS: Hook = Hook::Nonza(ACK, |ack, session, _| {
    let h = ack.text().parse().expect("a count");
    session.managed.as_mut().expect("a managed stream").ack(h).expect("so many were sent");
    Ok(Vec::new())
});

pub(super) fn acks(world: &mut World, link: Link, jid: &str, h: usize) {
    let (bare, ack) = (Jid::parse(jid).unwrap().bare(), Draft::new(ACK).text(h.to_string()));
    world.feed(Input::Parcel(Parcel::FromSocket(bare, link, Said::Nonza(ack.finish()))));
}

pub(super) const RESUMES: Hook = Hook::Resumption(&Toy);

struct Toy;

impl Claims for Toy {
    fn read(&self, _: Element<'_>) -> Option<Result<Claim, Payload>> {
        None
    }

    fn granted(&self, _: &Claim, _: u32) -> Payload {
        Draft::new(RESUMED).finish()
    }

    fn refused(&self, _: &Claim, h: Option<u32>) -> Payload {
        let refused = Draft::new(REFUSED);
        match h {
            Some(h) => refused.attribute("h", h.to_string()).finish(),
            None => refused.finish(),
        }
    }

    fn too_high(&self, _: u32, _: u32) -> StreamError {
        wire::StreamCondition::UndefinedCondition.into()
    }

    fn offer(&self) -> Payload {
        Draft::new(RESUMED).finish()
    }
}
