//! Who hears what is said: sessions with a stream at once, those without when they come back, out
//! of the log. So a message costs nothing for who is away, and nothing is lost with a process.

use super::{
    history,
    line::{Asker, Effect, Step},
    names::{BODY, STANZA_ID, stanza_id},
    occupants::Seat,
    rank::Affiliation,
    room::{Room, Turn, send},
    show::addressed,
    subject::is_subject,
};
use engine::{
    account::Output,
    hearing::{Attends, News, Told},
    hook::{Replied, Reply},
    parcel::Parcel,
    unit::Pos,
    wire::*,
};
use std::collections::BTreeSet;

/// In a room with more members than that, those who are not here are not told of what is said.
const NOTIFIED_MEMBERS_MAX: usize = 1_000;

impl Room {
    /// To all who sat when it was said and are not away; what had been said before, to its sender
    /// alone.
    pub fn tell(&mut self, message: Stanza, by: &Jid, step: &Step, turn: &mut Turn<'_, '_>) {
        let pos = step.pos(&self.jid);
        let message = match pos {
            Some(pos) => message.with(stanza_id(&self.jid, pos, turn.ctx.settings)),
            None => message,
        };
        if step.committed.repeated {
            return send(addressed(&message, by), turn.out);
        }
        // What no log has, such as that somebody types, is of no use to who comes back.
        let passes_away = pos.is_none() && (message.child(BODY).is_some() || is_subject(&message));
        let is_private = self.config.is_members_only;
        let news = |nick: &Text| Some(News { nick: nick.clone(), is_private });
        let is_news = pos.is_some() && is_news(&message);
        for (nick, occupant) in self.occupants.iter_mut() {
            let mut news = news(nick).filter(|_| is_news && occupant.who != by.bare());
            for seat in occupant.seats.iter_mut().filter(|seat| seat.since <= step.number) {
                let message = || addressed(&message, &seat.jid);
                match pos {
                    _ if seat.is_away && !passes_away => {}
                    Some(pos) if turn.ctx.settings.hosts(seat.jid.domain()) => {
                        let message = message();
                        tell_one(seat, message, pos, (false, news.take()), turn);
                    }
                    _ => send(message(), turn.out),
                }
            }
            if let Some(news) = news {
                notify(&occupant.who, &message, news, turn);
            }
        }
        if is_news {
            self.tell_members(&message, &by.bare(), turn);
        }
    }

    /// Members who are not here may want to know of it (XEP-0357). Of the many of a large room
    /// nobody is asked.
    fn tell_members(&self, message: &Stanza, by: &Bare, turn: &mut Turn<'_, '_>) {
        if self.members.len() > NOTIFIED_MEMBERS_MAX {
            return;
        }
        let is_private = self.config.is_members_only;
        let here: BTreeSet<_> = self.occupants.iter().map(|(_, occupant)| &occupant.who).collect();
        for (who, member) in self.members.iter() {
            let belongs = member.affiliation >= Affiliation::Member && who != by;
            if belongs && !here.contains(who) {
                let nick = member.nick.clone().or_else(|| who.local().map(Text::from));
                let news = News { nick: nick.unwrap_or_default(), is_private };
                notify(who, message, news, turn);
            }
        }
    }

    /// A session says whether it takes what is said here.
    pub fn attends(&mut self, session: Jid, attends: Attends, turn: &mut Turn<'_, '_>) {
        let Some(seat) = self.occupants.seat_mut(&session) else { return };
        match attends {
            Attends::Away => seat.is_away = true,
            Attends::Back(after) => {
                let mut step = self.step(Asker::Nobody);
                step.effects.push(Effect::CatchUp(session, after));
                self.take(step, turn);
            }
        }
    }

    /// From now on it takes what is said; what is to be read of what it has missed.
    pub fn catch_up(&mut self, session: Jid, after: Option<Pos>) -> Option<Stanza> {
        let seat = self.occupants.seat_mut(&session)?;
        // What was said before it came in is not for it.
        let from = after.unwrap_or_default().max(seat.start);
        (seat.is_away, seat.told) = (false, after.unwrap_or(from));
        if from >= self.released {
            return None;
        }
        let asked = history::missed_by(&self.jid, &session, from);
        self.catches_up = Some(session);
        Some(asked)
    }

    /// It has been read.
    pub fn missed(&mut self, session: &Jid, replied: Replied) -> Vec<Effect> {
        let Some(seat) = self.occupants.seat_mut(session) else { return Vec::new() };
        let (stanzas, more) = match replied {
            Ok(Reply::After(stanzas, more)) => (stanzas, more.is_some()),
            _ => {
                // With the next message it finds that something is missing, and asks again.
                seat.told = self.released;
                return Vec::new();
            }
        };
        if stanzas.is_empty() && more {
            seat.told = self.released;
        }
        let last = stanzas.len().saturating_sub(1);
        let each = stanzas.into_iter().enumerate();
        each.map(|(number, one)| Effect::Retell(one, more && number == last)).collect()
    }

    /// A session is told what it has missed; with more behind it, it is away until it has asked.
    pub fn retell(&mut self, message: Stanza, more: bool, turn: &mut Turn<'_, '_>) {
        let own = |child: &Element<'_>| {
            child.is(STANZA_ID) && child.attribute("by").as_deref() == Some(self.jid.as_str())
        };
        let id = message.children().find(own).and_then(|id| Some(id.attribute("id")?.into_owned()));
        let pos = id.and_then(|id| turn.ctx.settings.names.pos(&self.jid, &id));
        let seat = message.head.to.as_ref().and_then(|to| self.occupants.seat_mut(to));
        let (Some(pos), Some(seat)) = (pos, seat) else { return };
        seat.is_away |= more;
        tell_one(seat, message, pos, (more, None), turn);
    }
}

/// With what it was told before it, so that it misses what is lost on the way.
fn tell_one(
    seat: &mut Seat,
    message: Stanza,
    pos: Pos,
    (more, news): (bool, Option<News>),
    turn: &mut Turn<'_, '_>,
) {
    let told = Told { pos, after: seat.told, more };
    seat.told = pos;
    turn.out.push(Output::Parcel(Parcel::Told { to: seat.jid.bare(), message, told, news }));
}

/// Somebody of this server hears of it wherever they are.
fn notify(who: &Bare, message: &Stanza, news: News, turn: &mut Turn<'_, '_>) {
    if turn.ctx.settings.serves(who.domain()) {
        let message = addressed(message, &who.clone().into());
        turn.out.push(Output::Parcel(Parcel::News { to: who.clone(), message, news }));
    }
}

/// Whether it is something to be read, be it encrypted.
fn is_news(message: &Stanza) -> bool {
    message.children().any(|child| child.is(BODY) || child.local() == "encrypted")
}
