//! Requests that the store is read for, beside the line: in order for each who asks, and not
//! before what the same session wrote is committed, so that it finds what it has said.
//! And what messages change of those before them in the log.

use super::{
    Account, Output,
    bucket::Bucket,
    wait::{By, Then, Wait},
};
use crate::{
    ctx::{Ctx, Moment},
    hook::{Replied, Reply},
    parcel::Ticket,
    request::{QUESTIONS_OF_ONE_MAX, have_one_asker, stanzas},
    shard::WorldAnswer,
    unit::{Pos, Unit},
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Bare, Kind, Stanza, StanzaCondition};

/// Requests of its own sessions that an account may be reading the store for; as many again of
/// others.
const QUESTIONS_MAX: usize = 256;
/// Messages whose changes of those before them wait, of the account's own and of those that it has
/// received. What is too much changes nothing: clients hear of the message itself.
const AMENDING_MAX: usize = 32;
/// In which an account's own clients may be told as much of archives as is set.
const MINUTE_MS: u64 = 60_000;

/// What the store is to be read for.
#[derive(Default)]
pub(super) struct Reads {
    asked: BTreeMap<u64, Asked>,
    last: u64,
    /// What is told of archives, a minute's worth at once.
    bucket: Bucket,
    /// Until then the account's own clients are told nothing more out of the store.
    rests: Option<Moment>,
}

struct Asked {
    iq: Stanza,
    settles: Option<By>,
    /// The last unit that its session wrote before.
    after: Option<Ticket>,
    /// What the log has up to here had passed when it was asked.
    released: Pos,
    /// None: it is being read.
    read: Option<WorldAnswer>,
}

impl Reads {
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The first that may be read for now. What messages of the account itself change is changed
    /// before anything else is read: it would be found as it was.
    fn next(&mut self, own: &Bare) -> Option<(u64, Stanza, WorldAnswer)> {
        let mut before = BTreeSet::new();
        let mut all = self.asked.iter();
        let number = match self.asked.iter().find(|(_, asked)| is_message_of(own, &asked.iq)) {
            Some((&number, _)) => number,
            None => loop {
                let (&number, asked) = all.next()?;
                if self.rests.is_some() && asked.settles.is_some() {
                    continue;
                }
                let first = before.insert(asked.iq.head.from.as_ref());
                if first && asked.after.is_none() && asked.read.is_some() {
                    break number;
                }
            },
        };
        let asked = self.asked.get_mut(&number)?;
        Some((number, asked.iq.clone(), asked.read.take()?))
    }
}

impl Account {
    /// Reads the store for a request; refuses it when there are too many.
    pub(super) fn read(
        &mut self,
        iq: Stanza,
        read: WorldAnswer,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let asked = || self.reads.asked.values();
        let alike = asked().filter(|asked| asked.settles.is_some() == settles.is_some()).count();
        let of_one = asked().filter(|asked| have_one_asker(&asked.iq, &iq)).count();
        let insistent = settles.is_none() && of_one >= QUESTIONS_OF_ONE_MAX;
        if insistent || alike >= QUESTIONS_MAX {
            self.refuse(&iq, &StanzaCondition::ResourceConstraint.into(), ctx, out);
            return self.settle_if(settles, ctx, out);
        }
        let after = settles.and_then(|by| self.waiting.last_unit_of(by.link));
        settles.into_iter().for_each(|by| self.hold(by));
        self.reads.last += 1;
        let asked = Asked { iq, settles, after, released: self.released, read: Some(read) };
        self.reads.asked.insert(self.reads.last, asked);
        self.read_next(out);
    }

    /// What stood at this place of the line has gone.
    pub(super) fn read_on(&mut self, gone: Ticket, out: &mut Vec<Output>) {
        let waits = self.reads.asked.values_mut().filter(|asked| asked.after == Some(gone));
        let mut waited = false;
        waits.for_each(|asked| {
            asked.after = None;
            waited = true;
        });
        if waited {
            self.read_next(out);
        }
    }

    /// What the same session asks is read when what has just been written is committed.
    fn put_behind(&mut self, writer: Option<By>) {
        let of = |by: Option<By>| by.map(|by| by.link);
        let after = writer.and_then(|by| self.waiting.last_unit_of(by.link));
        let unread = self.reads.asked.values_mut().filter(|asked| asked.read.is_some());
        unread.filter(|asked| after.is_some() && of(asked.settles) == of(writer)).for_each(
            |asked| {
                asked.after = after;
            },
        );
    }

    /// A message that is in the log now may change those before it.
    pub(super) fn amend(&mut self, message: Stanza, read: WorldAnswer, out: &mut Vec<Output>) {
        let is_own = is_message_of(&self.jid, &message);
        let alike = self.reads.asked.values().filter(|asked| {
            asked.iq.kind() == Kind::Message && is_message_of(&self.jid, &asked.iq) == is_own
        });
        if alike.count() < AMENDING_MAX {
            let (settles, after, read) = (None, None, Some(read));
            self.reads.last += 1;
            let asked = Asked { iq: message, settles, after, released: self.released, read };
            self.reads.asked.insert(self.reads.last, asked);
            self.read_next(out);
        }
    }

    fn change(&mut self, number: u64, replied: Replied, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let changes = match replied {
            Ok(Reply::Write(changes, _)) => changes,
            _ => Vec::new(),
        };
        let pair = (Some(self.jid.clone().into()), Some(self.jid.clone().into()));
        let wait = Wait::for_unit(Unit::of(changes), pair, Then::Amended(number), None);
        self.wait(wait, ctx, out);
    }

    /// What it changes is changed, or cannot be.
    pub(super) fn amended(&mut self, number: u64, out: &mut Vec<Output>) {
        self.reads.asked.remove(&number);
        self.read_next(out);
    }

    fn read_next(&mut self, out: &mut Vec<Output>) {
        while let Some((number, iq, read)) = self.reads.next(&self.jid) {
            out.push(Output::World(number, iq, read));
        }
    }

    /// The store has been read.
    pub(super) fn answered(
        &mut self,
        number: u64,
        replied: Replied,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.reads.asked.get(&number).is_some_and(|asked| asked.iq.kind() == Kind::Message) {
            return self.change(number, replied, ctx, out);
        }
        let Some(asked) = self.reads.asked.remove(&number) else { return };
        let Asked { iq, settles, released, .. } = asked;
        let has_all = |reply: &Reply| ctx.hooks.catches_up(&iq, reply, ctx.settings);
        let reader = settles.filter(|_| replied.as_ref().is_ok_and(has_all));
        if settles.is_some() {
            self.spend(told(&replied), ctx, out);
        }
        match replied {
            Ok(Reply::Write(changes, last)) => {
                let pair = (Some(self.jid.clone().into()), iq.head.from.clone());
                let unit = Unit { changes, ..Unit::default() };
                let then = Then::Answer(iq.clone(), stanzas(&iq, Ok(Reply::Write(vec![], last))));
                self.wait(Wait::for_unit(unit, pair, then, settles), ctx, out);
                self.put_behind(settles);
            }
            Ok(Reply::Noting(changes, replied)) => {
                self.commit_quietly(Unit::of(changes), ctx, out);
                self.reply(&iq, *replied, settles, ctx, out);
            }
            replied => self.reply(&iq, replied, settles, ctx, out),
        }
        // Behind its answer: what it does not read follows.
        reader.into_iter().for_each(|by| self.has_read(by.link, released, ctx, out));
        self.read_next(out);
    }

    /// Its clients have been told so much. What is too much is not refused, but waits: who
    /// catches up by itself need know of no limit, and its stream has no credit for more meanwhile.
    fn spend(&mut self, told: u64, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        let holds = ctx.settings.limits.archive_messages_per_minute_max;
        if told == 0 || holds == 0 {
            return;
        }
        let takes_ms = (told * MINUTE_MS).div_ceil(holds);
        self.reads.rests = self.reads.bucket.take(takes_ms, MINUTE_MS, ctx.now);
        self.reads.rests.into_iter().for_each(|at| self.wake(at, out));
    }

    /// There may be something in the bucket again.
    pub(super) fn read_paced(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        match self.reads.rests {
            Some(at) if at > ctx.now => self.wake(at, out),
            Some(_) => {
                self.reads.rests = None;
                self.read_next(out);
            }
            None => {}
        }
    }

    fn reply(
        &mut self,
        iq: &Stanza,
        replied: Replied,
        settles: Option<By>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        stanzas(iq, replied).into_iter().for_each(|stanza| self.send(stanza, ctx, out));
        self.settle_if(settles, ctx, out);
    }
}

/// What an answer costs: each message of a page, and the page.
fn told(replied: &Replied) -> u64 {
    match replied {
        Ok(Reply::After(told, _)) => u64::try_from(told.len() + 1).unwrap_or(u64::MAX),
        Ok(Reply::Noting(_, replied)) => self::told(replied),
        _ => 0,
    }
}

/// Whether it is a message of this account's, and no request.
fn is_message_of(account: &Bare, message: &Stanza) -> bool {
    let from = message.head.from.as_ref();
    message.kind() == Kind::Message && from.is_some_and(|from| from.bare() == *account)
}
