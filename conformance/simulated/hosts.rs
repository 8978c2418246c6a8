//! What the shell hosts beside the line: the writer, the store, the answers that read it.

use super::registrar::Lent;
use crate::driver::Broken;
use engine::{
    archive,
    ctx::{Ctx, Moment},
    device::{self, DEVICES},
    hook::{Replied, World},
    parcel::Ticket,
    port::{Fault, Online, Reads, Registrar as _, Store},
    seal::Spent,
    shard::{Input, Output, WorldAnswer, outcome},
    stream::{
        machine::{Fact, Question},
        sasl::{self, Hash},
    },
    unit::{Change, Credentials, Unit},
    wire::{Bare, Stanza},
    writer::{Outcome, Writer, WriterLimits},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use store::Memory;

/// Whose unit it is, and who gave half of it.
type Token = (Bare, Ticket, Option<Bare>);

/// PBKDF2 rounds of a simulated account: nobody attacks it.
const ROUNDS: u32 = 2;

/// The writer and its store.
pub(super) struct Desk {
    writer: Writer<Token>,
    pub(super) store: Memory,
    pub(super) spent: Arc<Spent>,
}

impl Desk {
    /// A store with these accounts.
    pub(super) fn new<'a>(
        ctx: &Ctx<'_>,
        accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Broken> {
        let store = Memory::new(ctx.hooks.at_hand());
        let last = ready(store.last()).map_err(|fault| Broken(fault.to_string()))?;
        let writer = Writer::resume(last, WriterLimits::default());
        let mut desk = Self { writer, store, spent: Arc::default() };
        for (account, password) in accounts {
            let jid = Bare::parse(account).map_err(|why| Broken(format!("{account}: {why}")))?;
            let mut salt = [0; 16];
            ctx.random.fill(&mut salt);
            let unit = Change::Create(jid.clone(), credentials(password, &salt)).into();
            // Nobody waits for ticket 0.
            let pushed = desk.writer.push((jid, Ticket(0), None), unit, ctx.now);
            pushed.map_err(|(_, fault)| Broken(fault.to_string()))?;
        }
        for (_, outcome) in desk.outcomes(ctx.unix_ms).into_iter().flatten() {
            outcome.map_err(|fault| Broken(fault.to_string()))?;
        }
        Ok(desk)
    }

    /// Commits what waits; `None`: nothing does.
    pub(super) fn commit(&mut self, ctx: &Ctx<'_>) -> Option<Vec<Input>> {
        Some(self.outcomes(ctx.unix_ms)?.into_iter().flat_map(told).collect())
    }

    /// Commits a unit, behind what waits already.
    pub(super) fn settle(
        &mut self,
        unit: Unit,
        now: Moment,
        unix_ms: u64,
    ) -> Result<Vec<Input>, Fault> {
        let nobody = (Bare::host("nobody.invalid").expect("an address"), Ticket(0), None);
        self.writer.push(nobody.clone(), unit, now).map_err(|(_, fault)| fault)?;
        let (mut caused, mut changed) = (Vec::new(), Ok(()));
        while let Some(outcomes) = self.outcomes(unix_ms) {
            for (token, outcome) in outcomes {
                match token.0 == nobody.0 {
                    true => changed = outcome.map(drop),
                    false => caused.extend(told((token, outcome))),
                }
            }
        }
        changed.map(|()| caused)
    }

    fn outcomes(&mut self, unix_ms: u64) -> Option<Vec<Outcome<Token>>> {
        let batch = self.writer.next_batch(unix_ms)?;
        let answer = ready(self.store.commit(&batch));
        Some(self.writer.outcome(answer))
    }

    /// Does what a shard wants of the store.
    pub(super) fn serve(&mut self, ctx: &Ctx<'_>, output: Output, online: Online) -> Vec<Input> {
        match output {
            Output::Load(jid) => {
                let loaded = ready(self.store.load(&jid));
                vec![Input::Loaded(jid, loaded)]
            }
            Output::Commit(jid, ticket, unit, recipient) => {
                let pushed = self.writer.push((jid, ticket, recipient), unit, ctx.now).err();
                pushed.into_iter().flat_map(|(token, fault)| told((token, Err(fault)))).collect()
            }
            Output::World { account, number, iq, answer } => {
                let (replied, mut caused) = self.read(ctx, &account, &iq, answer, online);
                caused.push(Input::Answered(account, number, replied));
                caused
            }
            Output::Look(account, session, look) => {
                let page = ready(self.store.page(&account, look.after, look.max));
                vec![Input::Seen(account, session, look, page)]
            }
            Output::Expire(account) => self.expire(ctx, &account),
            Output::Departed(account) => vec![Input::Departed(account)],
            Output::Parcel(_) | Output::Counted(..) | Output::Fate(_) => Vec::new(),
        }
    }

    /// What a request is answered that reads the store, and what happens because of it.
    fn read(
        &mut self,
        ctx: &Ctx<'_>,
        account: &Bare,
        iq: &Stanza,
        answer: WorldAnswer,
        online: Online,
    ) -> (Replied, Vec<Input>) {
        let (store, Ctx { unix_ms, settings, hooks, .. }) = (self.store.share(), *ctx);
        let lent = Lent::new(self, ctx, online);
        let (store, registrar) = (&store, &lent);
        let world = World { store, registrar, account, peer: None, unix_ms, settings, hooks };
        let replied = ready(answer(iq, &world));
        (replied, lent.caused())
    }

    /// Removes the account of a guest; what happens because of it.
    pub(super) fn expire(&mut self, ctx: &Ctx<'_>, account: &Bare) -> Vec<Input> {
        let lent = Lent::new(self, ctx, Online::default());
        // Whoever had it may have removed it before.
        drop(ready(lent.delete(account, None)));
        lent.caused()
    }

    /// Answers a stream; and what happens because of it.
    pub(super) fn find_out(&mut self, ctx: &Ctx<'_>, question: Question) -> (Fact, Vec<Input>) {
        let fact = match question {
            Question::Request { host, iq, answer } => {
                let (replied, caused) = self.read(ctx, &host, &iq, answer, Online::default());
                return (Fact::Replied(replied), caused);
            }
            Question::Guest(account) => {
                let lent = Lent::new(self, ctx, Online::default());
                let made = lent.invite(&account).is_ok();
                return (Fact::Guest(made), lent.caused());
            }
            Question::Credentials(of) => Fact::Credentials(ready(self.store.credentials(&of))),
            Question::Ends(of) => Fact::Ends(ready(archive::ends(&self.store, &of))),
            Question::Account(of) => {
                let found = ready(self.store.credentials(&of));
                Fact::Account(found.map(|found| found.is_some_and(|kept| !kept.disabled)))
            }
            Question::Verify { password, kept, made_up, .. } => {
                sasl::verify(&password.0, &kept, &made_up).map_or(Fact::Busy, Fact::Verified)
            }
            Question::Device(of, id) => Fact::Device(ready(self.store.device(&of, DEVICES, &id))),
            Question::Settle { account, id, old, new } => {
                let unit = ready(device::settle(&self.store, &account, &id, old, new));
                return self.settled(ctx, unit);
            }
            Question::Upgrade(account, keys) => {
                return self.settled(ctx, Ok(Change::Upgrade(account, keys).into()));
            }
        };
        (fact, Vec::new())
    }

    fn settled(&mut self, ctx: &Ctx<'_>, unit: Result<Unit, Fault>) -> (Fact, Vec<Input>) {
        match unit.and_then(|unit| self.settle(unit, ctx.now, ctx.unix_ms)) {
            Ok(caused) => (Fact::Settled(Ok(())), caused),
            Err(fault) => (Fact::Settled(Err(fault)), Vec::new()),
        }
    }
}

pub(super) fn credentials(password: &str, salt: &[u8]) -> Credentials {
    let keys = |hash| Some(sasl::derive(password, salt, ROUNDS, hash));
    Credentials {
        sha1: keys(Hash::Sha1),
        sha256: keys(Hash::Sha256),
        sha512: keys(Hash::Sha512),
        ..Credentials::default()
    }
}

/// An executor: what awaits nothing but a store in memory is ready when it is asked.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// What is told of a unit.
fn told((token, done): Outcome<Token>) -> impl Iterator<Item = Input> {
    let (account, ticket, recipient) = token;
    outcome(account, ticket, recipient, done).map(|(_, input)| input)
}
