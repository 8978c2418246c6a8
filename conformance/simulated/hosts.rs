//! What the shell hosts beside the line: the writer, the store, the answers that read it.

use crate::driver::Broken;
use engine::{
    ctx::Ctx,
    hook::World,
    parcel::Ticket,
    port::{Reads, Store},
    shard::{Input, Output},
    stream::{
        machine::{Fact, Question},
        sasl::{self, Hash},
    },
    unit::{Change, Credentials, Unit},
    wire::Bare,
    writer::{Outcome, Writer, WriterLimits},
};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};
use store::Memory;

/// PBKDF2 rounds of a simulated account: nobody attacks it.
const ROUNDS: u32 = 2;

/// The writer and its store.
pub(super) struct Desk {
    writer: Writer<(Bare, Ticket)>,
    store: Memory,
}

impl Desk {
    /// A store with these accounts.
    pub(super) fn new<'a>(
        ctx: &Ctx<'_>,
        accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Broken> {
        let store = Memory::new(&[]);
        let last = ready(store.last()).map_err(|fault| Broken(fault.to_string()))?;
        let mut desk = Self { writer: Writer::resume(last, WriterLimits::default()), store };
        for (account, password) in accounts {
            let jid = Bare::parse(account).map_err(|why| Broken(format!("{account}: {why}")))?;
            let changes = vec![Change::Create(jid.clone(), credentials(password, ctx))];
            let unit = Unit { changes, ..Unit::default() };
            // Nobody waits for ticket 0.
            let pushed = desk.writer.push((jid, Ticket(0)), unit, ctx.now);
            pushed.map_err(|(_, fault)| Broken(fault.to_string()))?;
        }
        for (_, outcome) in desk.outcomes(ctx).into_iter().flatten() {
            outcome.map_err(|fault| Broken(fault.to_string()))?;
        }
        Ok(desk)
    }

    /// Commits what waits; `None`: nothing does.
    pub(super) fn commit(&mut self, ctx: &Ctx<'_>) -> Option<Vec<Input>> {
        let outcomes = self.outcomes(ctx)?.into_iter();
        Some(outcomes.map(|((jid, ticket), done)| Input::Committed(jid, ticket, done)).collect())
    }

    fn outcomes(&mut self, ctx: &Ctx<'_>) -> Option<Vec<Outcome<(Bare, Ticket)>>> {
        let batch = self.writer.next_batch(ctx.unix_ms)?;
        let answer = ready(self.store.commit(&batch));
        Some(self.writer.outcome(answer))
    }

    /// Does what a shard wants of the store.
    pub(super) fn serve(&mut self, ctx: &Ctx<'_>, output: Output) -> Option<Input> {
        match output {
            Output::Load(jid) => {
                let loaded = ready(self.store.load(&jid));
                Some(Input::Loaded(jid, loaded))
            }
            Output::Commit(jid, ticket, unit) => {
                let ((jid, ticket), fault) =
                    self.writer.push((jid, ticket), unit, ctx.now).err()?;
                Some(Input::Committed(jid, ticket, Err(fault)))
            }
            Output::World { account, number, iq, answer } => {
                let world = World { store: &self.store, account: &account };
                let replied = ready(answer(&iq, &world));
                Some(Input::Answered(account, number, replied))
            }
            Output::Parcel(_) => None,
        }
    }

    /// Answers a stream.
    pub(super) fn find_out(&self, question: Question) -> Fact {
        match question {
            Question::Credentials(of) => Fact::Credentials(ready(self.store.credentials(&of))),
            Question::Verify { password, keys } => Fact::Verified(sasl::verify(&password.0, &keys)),
        }
    }
}

fn credentials(password: &str, ctx: &Ctx<'_>) -> Credentials {
    let keys = |hash| {
        let mut salt = [0; 16];
        ctx.random.fill(&mut salt);
        Some(sasl::derive(password, &salt, ROUNDS, hash))
    };
    Credentials { sha1: keys(Hash::Sha1), sha256: keys(Hash::Sha256), sha512: keys(Hash::Sha512) }
}

/// An executor: what awaits nothing but a store in memory is ready when it is asked.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}
