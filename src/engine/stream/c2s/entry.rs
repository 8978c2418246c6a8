//! From the end of SASL to the new session in one go (XEP-0388 §2.6, XEP-0386 §4): keys that are
//! missing, the device and its token, the resource; and only then the success.

use super::{C2s, State, task::Tasks};
use crate::{
    ctx::Ctx,
    device::{self, Agent, Device, Issued, Login, Slot, Use},
    parcel::{Claim, Said, Say},
    port::Fault,
    settings::Storage,
    stream::{
        features,
        machine::{Act, Fact, Out, Question},
        sasl::{
            Failure, Ht, Known, Success,
            profile::{Bind, Granted, Says, Wishes},
        },
    },
};
use std::mem;
use wire::{Bare, Jid, Payload, Text};

/// What is left to do before the client hears of its success.
pub(super) struct Entry {
    pub account: Bare,
    /// The mechanism's last words, until they have been said.
    pub words: Option<Vec<u8>>,
    /// What the store has of the account and its device.
    pub known: Known,
    /// Keys that the client wants to add.
    pub tasks: Tasks,
    /// Not written yet.
    agent: Option<Agent>,
    device: Option<Text>,
    by_password: bool,
    /// When the password was set that was shown, or that the token goes back to, in unix ms. What
    /// comes of this login goes back to that one too, whatever the account has by now.
    pub changed: u64,
    by: Option<(Slot, Use)>,
    wish: Option<Ht>,
    /// The token that the client gets.
    token: Option<Issued>,
    claim: Option<Claim>,
    /// What it was told of the claim, when that came to nothing.
    unclaimed: Option<Payload>,
    bind: Option<Bind>,
    /// What it has got, while the archive is looked at.
    bound: Option<(Jid, Vec<Payload>)>,
    /// What the session says meanwhile.
    early: Vec<Say>,
    pub waits: Waits,
}

/// What is waited for.
pub(super) enum Waits {
    /// What the store has of the account and its device.
    Known,
    /// The client, or the store, for a task.
    Task,
    /// The store, to have the device.
    Settled,
    /// The account, to give the session that is claimed, or to bind.
    Account,
    /// The store, for the ends of the archive. They are read once the resource is bound: what is
    /// newer comes to it.
    Ends,
}

/// What a session may say while its archive is looked at. With more the client is told nothing of
/// the archive.
const EARLY_MAX: usize = 16;

impl Entry {
    fn of(success: Success, wishes: Wishes) -> Self {
        let Success { account, words, by_password, changed, token, .. } = success;
        let Wishes { agent, used, token: wish, upgrades, claim, bind } = wishes;
        let (slot, known) = token.unzip();
        Self {
            account,
            words,
            known: known.unwrap_or_default(),
            // Who has shown something else could set a second password.
            tasks: Tasks::of(if by_password { upgrades } else { Vec::new() }),
            by_password,
            changed,
            device: agent.as_ref().map(|agent| agent.id.clone()),
            agent,
            by: slot.zip(used),
            wish,
            token: None,
            claim,
            unclaimed: None,
            bind,
            bound: None,
            early: Vec::new(),
            waits: Waits::Known,
        }
    }

    /// Whether the account has heard of this stream.
    pub(super) fn is_known_to_account(&self) -> bool {
        self.asks_account() || matches!(self.waits, Waits::Ends)
    }

    /// Whether the account is to answer.
    pub(super) fn asks_account(&self) -> bool {
        matches!(self.waits, Waits::Account)
    }

    /// Whether it has used a token in a way that cannot be used twice.
    fn is_counted(&self) -> bool {
        self.by.is_some_and(|(_, used)| used.count.is_some() || used.invalidate)
    }

    /// Whether it is the client's turn.
    pub(super) fn hears(&self) -> bool {
        matches!(self.waits, Waits::Task) && self.tasks.hears()
    }

    /// What the store must have of the device, if that is news.
    fn settle(&mut self, ctx: &Ctx<'_>, since_ms: u64) -> Option<Question> {
        let agent = self.agent.take()?;
        let Self { by_password, changed, by, wish, .. } = *self;
        let login = Login { account: &self.account, agent: &agent, changed, by_password, by, wish };
        let old = self.known.cell.take();
        let kept = old.as_deref().and_then(Device::load);
        let mut device = kept.clone().unwrap_or_else(|| Device::new(since_ms));
        self.token = device.logged_in(ctx, &login);
        let same = kept.is_some_and(|kept| device.is_nearly(&kept));
        let (account, id, new) = (self.account.clone(), agent.id, device.save());
        (!same).then_some(Question::Settle { account, id, old, new })
    }

    /// The claim to a session, as the account is told it.
    fn claim(&mut self, since: u64) -> Option<Said> {
        let (claim, device) = (self.claim.take()?, self.device.clone());
        Some(Said::Resume { claim, since, device })
    }

    /// The wish for a resource, as the account is told it.
    fn bind(&mut self, ctx: &Ctx<'_>, since: u64) -> Option<Said> {
        let Bind { tag, inline } = self.bind.take()?;
        let device = self.device.clone();
        let tag = tag.unwrap_or_default();
        let own = match &device {
            Some(id) => device::alias(ctx.settings, &self.account, id),
            None => ctx.token(),
        };
        let tagged = format!("{tag}/{own}");
        // A tag that cannot stand in an address is left out (XEP-0386 §4.2).
        let fit = !tag.is_empty() && self.account.with_resource(&tagged).is_ok();
        let resource = Some(if fit { tagged } else { own }.into());
        Some(Said::Bind { resource, since, device, inline, reads: true })
    }
}

/// A login and nothing else.
pub(super) fn granted<'a>(account: &'a Bare, words: Option<&'a [u8]>) -> Granted<'a> {
    Granted { account, words, bound: None, claimed: None, token: None }
}

impl C2s {
    /// The client has shown who it is.
    pub(super) fn enter(&mut self, ctx: &Ctx<'_>, success: Success, wishes: Wishes, out: &mut Out) {
        let mut entry = Box::new(Entry::of(success, wishes));
        if ctx.settings.passwords.storage != Storage::Scram {
            entry.tasks = Tasks::of(Vec::new());
        }
        // Nobody comes back to a guest's account.
        let lasts = self.guest.is_none();
        entry.wish =
            entry.wish.filter(|wish| lasts && Ht::offered(self.tls()).any(|ht| ht == *wish));
        let asks = entry.by.is_none() && (entry.device.is_some() || entry.tasks.are_left());
        if asks {
            let id = entry.device.clone().unwrap_or_default();
            out.acts.push(Act::Ask(Question::Device(entry.account.clone(), id)));
            self.state = State::Entering(entry);
        } else {
            self.go_in(ctx, entry, out);
        }
    }

    /// The first that is left to do.
    pub(super) fn go_in(&mut self, ctx: &Ctx<'_>, mut entry: Box<Entry>, out: &mut Out) {
        if let Some(hash) = entry.tasks.begin(&entry.known.credentials) {
            let words = entry.words.take();
            self.says(Says::Task(hash, words.as_deref()), out);
            entry.waits = Waits::Task;
        } else if let Some(question) = entry.settle(ctx, self.since) {
            out.acts.push(Act::Ask(question));
            entry.waits = Waits::Settled;
        } else if let Some(said) = entry.claim(self.since).or_else(|| entry.bind(ctx, self.since)) {
            out.acts.push(Act::Submit(entry.account.clone(), said));
            entry.waits = Waits::Account;
        } else {
            return self.entered(ctx, &entry, None, out);
        }
        self.state = State::Entering(entry);
    }

    /// The world answers.
    pub(super) fn entering(
        &mut self,
        ctx: &Ctx<'_>,
        mut entry: Box<Entry>,
        fact: Fact,
        out: &mut Out,
    ) {
        match (&entry.waits, fact) {
            (Waits::Known, Fact::Device(Ok(Some((credentials, cell))))) => {
                entry.known = Known { credentials, cell };
                self.go_in(ctx, entry, out);
            }
            (Waits::Task | Waits::Settled, Fact::Settled(Ok(()))) => self.go_in(ctx, entry, out),
            // The same device has logged in meanwhile: this use of its token is one of before.
            (Waits::Settled, Fact::Settled(Err(Fault::Refused(_)))) if entry.is_counted() => {
                self.failure(ctx, Failure::NotAuthorized, out);
            }
            // Deleted since it has logged in.
            (Waits::Known, Fact::Device(Ok(None))) => {
                self.failure(ctx, Failure::NotAuthorized, out);
            }
            // Without them it has logged in and bound all the same.
            (Waits::Ends, fact) => {
                let ends = ctx.hooks.ends().zip(match fact {
                    Fact::Ends(Ok(ends)) => Some(ends),
                    _ => None,
                });
                let told = ends.map(|(tell, ends)| tell(&entry.account, ends, ctx.settings));
                self.welcome(ctx, entry, told, out);
            }
            _ => self.failure(ctx, Failure::TemporaryAuthFailure, out),
        }
    }

    /// The account has given the session that was claimed, or bound the resource, or refused: then
    /// the client has logged in all the same, and may ask again as RFC 6120 §7 has it.
    pub(super) fn answered(&mut self, ctx: &Ctx<'_>, say: Say, out: &mut Out) {
        let State::Entering(mut entry) = mem::replace(&mut self.state, State::Secure) else {
            return;
        };
        match say {
            Say::Unresumed(told) => {
                entry.unclaimed = Some(told);
                self.go_in(ctx, entry, out);
            }
            Say::Resumed(jid, told) => self.reentered(ctx, &entry, jid, &told, out),
            Say::Bound(jid, begun) => {
                entry.bound = Some((jid, begun));
                self.look(ctx, entry, out);
            }
            _ => self.entered(ctx, &entry, None, out),
        }
        self.resume(ctx, out);
    }

    /// The resource is bound; on to what is told of the archive.
    fn look(&mut self, ctx: &Ctx<'_>, mut entry: Box<Entry>, out: &mut Out) {
        if ctx.hooks.ends().is_none() {
            return self.welcome(ctx, entry, None, out);
        }
        out.acts.push(Act::Ask(Question::Ends(entry.account.clone())));
        entry.waits = Waits::Ends;
        self.state = State::Entering(entry);
    }

    /// The session says something of which the client does not know yet that it has begun.
    pub(super) fn early(&mut self, ctx: &Ctx<'_>, say: Say, out: &mut Out) {
        match mem::replace(&mut self.state, State::Secure) {
            State::Entering(mut entry) if matches!(entry.waits, Waits::Ends) => {
                entry.early.push(say);
                if entry.early.len() < EARLY_MAX {
                    self.state = State::Entering(entry);
                    return;
                }
                self.welcome(ctx, entry, None, out);
                self.resume(ctx, out);
            }
            other => self.state = other,
        }
    }

    /// The resource is bound; this is told of the archive.
    fn welcome(
        &mut self,
        ctx: &Ctx<'_>,
        mut entry: Box<Entry>,
        told: Option<Payload>,
        out: &mut Out,
    ) {
        let (bound, early) = (entry.bound.take(), mem::take(&mut entry.early));
        let bound = bound.map(|(jid, begun)| (jid, told.into_iter().chain(begun).collect()));
        self.entered(ctx, &entry, bound, out);
        for say in early {
            self.say(ctx, say, out);
        }
    }

    /// The session is its own again: no features follow (XEP-0198 §9), but what it has missed.
    fn reentered(&mut self, ctx: &Ctx<'_>, entry: &Entry, jid: Jid, told: &Payload, out: &mut Out) {
        let granted = Granted {
            claimed: Some((Some(&jid), told)),
            token: entry.token.as_ref(),
            ..granted(&entry.account, entry.words.as_deref())
        };
        self.says(Says::Success(granted), out);
        self.tried(Ok(()), out);
        self.decoder.set_limits(ctx.settings.limits.after_auth);
        self.is_bound(ctx, entry.account.clone(), jid);
    }

    /// All is done: the success, and at once what can be negotiated next (XEP-0388 §2.6.1). The
    /// stream goes on as it is.
    fn entered(
        &mut self,
        ctx: &Ctx<'_>,
        entry: &Entry,
        bound: Option<(Jid, Vec<Payload>)>,
        out: &mut Out,
    ) {
        let granted = Granted {
            bound: bound.as_ref().map(|(jid, begun)| (jid, &**begun)),
            claimed: entry.unclaimed.as_ref().map(|told| (None, told)),
            token: entry.token.as_ref(),
            ..granted(&entry.account, entry.words.as_deref())
        };
        self.says(Says::Success(granted), out);
        self.tried(Ok(()), out);
        self.decoder.set_limits(ctx.settings.limits.after_auth);
        if let Some(advertised) = self.advertised(ctx) {
            let (framing, is_bound) = (self.framing, bound.is_some());
            out.say(|out| features::authenticated(ctx, &advertised, framing, is_bound, out));
        }
        match bound {
            Some((jid, _)) => self.is_bound(ctx, entry.account.clone(), jid),
            None => {
                self.device.clone_from(&entry.device);
                self.state = State::Authenticated(entry.account.clone());
            }
        }
    }
}
