//! Messages: sent by a session, received for the account.

use super::{
    Account, Output, settle,
    waiting::{Place, Then, Wait},
};
use crate::{
    ctx::Ctx,
    delivery::{Untaken, untaken},
    parcel::{Link, Owed, Parcel},
    passage::{Ended, Walk, Walked, decide},
    unit::{Committed, Unit},
};
use wire::{Stanza, StanzaCondition, StanzaError};

impl Account {
    /// RFC 6121 §8.2, §10.3.1: without `to` it is for the account itself.
    pub(super) fn message_sent(
        &mut self,
        link: Link,
        mut stanza: Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        stanza.head.to.get_or_insert_with(|| self.jid.clone().into());
        if self.waiting.is_full() {
            self.refuse(&stanza, &StanzaCondition::ResourceConstraint.into(), ctx, out);
            return settle(link, out);
        }
        match decide(Walk::Sent, stanza.clone(), self, ctx) {
            Ok((unit, walked)) => self.pass_on(link, unit, walked, ctx, out),
            Err(ended) => {
                if let Ended::Refused(error) = ended {
                    self.refuse(&stanza, &error, ctx, out);
                }
                settle(link, out);
            }
        }
    }

    /// The sender's half is decided: on to the recipient, wherever it is.
    fn pass_on(
        &mut self,
        link: Link,
        unit: Unit,
        walked: Walked,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let stanza = walked.stanza.clone();
        let Some(to) = stanza.head.to.as_ref().map(|to| to.bare()) else { return };
        let pair = (stanza.head.from.clone(), stanza.head.to.clone());
        if to == self.jid {
            return self.send_to_self(link, unit, walked, ctx, out);
        }
        if !ctx.settings.serves(to.domain()) {
            self.refuse(&stanza, &StanzaCondition::RemoteServerNotFound.into(), ctx, out);
            return settle(link, out);
        }
        let (place, unit, owed) = match unit.is_empty() {
            true => (Place::Ready(Ok(Committed::default())), None, None),
            false => {
                let ticket = self.waiting.ticket();
                let owed = Owed { sender: self.jid.clone(), ticket };
                (Place::Half(ticket), Some(unit), Some(owed))
            }
        };
        let recipient = owed.is_some().then(|| to.clone());
        out.push(Output::Parcel(Parcel::Routed { to, stanza, owed }));
        let (then, settles) = (Then::Walk(vec![walked]), Some(link));
        self.wait(Wait { place, pair, unit, recipient, then, settles }, ctx, out);
    }

    /// Both walks are this account's: one unit, one entry.
    fn send_to_self(
        &mut self,
        link: Link,
        sent: Unit,
        walked: Walked,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let stanza = walked.stanza.clone();
        match self.take(stanza.clone(), ctx) {
            Ok((received, half)) => {
                let (unit, walks) = (sent.join(received), vec![walked, half]);
                self.commit_then_walk(unit, walks, Some(link), ctx, out);
            }
            Err(ended) => {
                if let Ended::Refused(error) = ended {
                    self.refuse(&stanza, &error, ctx, out);
                }
                settle(link, out);
            }
        }
    }

    /// The recipient's half.
    pub(super) fn message_received(
        &mut self,
        stanza: Stanza,
        owed: Option<Owed>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let decided = match self.waiting.is_full() {
            true => Err(Ended::Refused(StanzaCondition::ResourceConstraint.into())),
            false => self.take(stanza.clone(), ctx),
        };
        match (decided, owed) {
            (Ok((unit, walked)), None) => {
                self.commit_then_walk(unit, vec![walked], None, ctx, out);
            }
            (Ok((unit, walked)), Some(owed)) => {
                give_half(&owed, Ok(unit), out);
                let pair = (walked.stanza.head.from.clone(), walked.stanza.head.to.clone());
                let (place, then) = (Place::Theirs(owed), Then::Walk(vec![walked]));
                let (unit, recipient, settles) = (None, None, None);
                self.wait(Wait { place, pair, unit, recipient, then, settles }, ctx, out);
            }
            (Err(Ended::Dropped), Some(owed)) => give_half(&owed, Ok(Unit::default()), out),
            (Err(Ended::Refused(error)), Some(owed)) => give_half(&owed, Err(error), out),
            (Err(Ended::Refused(error)), None) => self.refuse(&stanza, &error, ctx, out),
            (Err(Ended::Dropped), None) => {}
        }
    }

    /// Walks Received up to the commit. What nobody takes and nothing keeps is refused here, for
    /// after the commit nothing is.
    fn take(&mut self, stanza: Stanza, ctx: &Ctx<'_>) -> Result<(Unit, Walked), Ended> {
        let (unit, walked) = decide(Walk::Received, stanza, self, ctx)?;
        if walked.kept.is_some() || !self.takers(&walked.stanza).is_empty() {
            return Ok((unit, walked));
        }
        match untaken(&walked.stanza) {
            Untaken::Ignore => Err(Ended::Dropped),
            Untaken::Refuse(condition) => Err(Ended::Refused(condition.into())),
        }
    }

    fn commit_then_walk(
        &mut self,
        unit: Unit,
        walks: Vec<Walked>,
        settles: Option<Link>,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let pair = walks
            .first()
            .map(|walked| (walked.stanza.head.from.clone(), walked.stanza.head.to.clone()));
        let (place, unit) = match unit.is_empty() {
            true => (Place::Ready(Ok(Committed::default())), None),
            false => (Place::Mine(self.waiting.ticket()), Some(unit)),
        };
        let (pair, then) = (pair.unwrap_or_default(), Then::Walk(walks));
        self.wait(Wait { place, pair, unit, recipient: None, then, settles }, ctx, out);
    }
}

/// Gives the sender what it waits for.
fn give_half(owed: &Owed, half: Result<Unit, StanzaError>, out: &mut Vec<Output>) {
    let (to, ticket) = (owed.sender.clone(), owed.ticket);
    out.push(Output::Parcel(Parcel::Half { to, ticket, half }));
}
