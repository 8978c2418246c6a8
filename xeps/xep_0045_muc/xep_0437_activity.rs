//! XEP-0437: Room Activity Indicators. <https://xmpp.org/extensions/xep-0437.html>
//!
//! A client that shows presence to the service hears in which rooms something was said, without
//! being in them: of those where its account is a member, or more, and has been. First of all where
//! something was said since: since it left, spoke or displayed what there was (XEP-0333). Then of
//! each room once, until it enters that room, or shows presence again. A session is told of at most
//! 500 rooms: at first of those whose addresses come first.
//!
//! The rooms tell the account anyway what it may want to be notified of (XEP-0357), so none of them
//! knows of it, and a room tells nobody else; where very many belong, that is what is addressed to
//! it. The subscription is the session's: it outlives the stream and the process, and ends with
//! unavailable presence. Only accounts of this server have it.

use super::unread;
use engine::{
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    port::Pending,
    session::Session,
    slot::Slot,
    wire::*,
};
use std::collections::BTreeSet;

/// Something was said there.
pub const XEP: Xep = Xep {
    number: 437,
    name: "Room Activity Indicators",
    version: "0.2.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Service, NS),
        Hook::slot::<Subscription>(),
        Hook::Comes(Of::Service, RAI, first),
        Hook::At(Station::Mark, tell_once),
        Hook::At(Station::Keep, subscribe),
        Hook::At(Station::Push, indicate),
    ],
};

const NS: &str = "urn:xmpp:rai:0";
const RAI: Name = Name::new(NS, "rai");
const ACTIVITY: Name = Name::new(NS, "activity");
/// Rooms that one session is told of.
const ROOMS_MAX: usize = 500;

/// What a session has asked for, and been told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Subscription {
    /// The services.
    hosts: BTreeSet<Bare>,
    /// The rooms of which it has been told, since it asked or was in them.
    told: BTreeSet<Bare>,
}

impl Slot for Subscription {
    const KEY: &'static str = "room activity";

    /// A line for each service and each room.
    fn save(&self) -> Option<Vec<u8>> {
        let all = self.hosts.iter().chain(&self.told);
        let lines: Vec<_> = all.map(|one| one.as_str()).collect();
        Some(lines.join("\n").into_bytes())
    }

    fn load(saved: &[u8]) -> Option<Self> {
        let lines = std::str::from_utf8(saved).ok()?.lines();
        let all: Result<Vec<_>, _> = lines.map(Bare::parse).collect();
        let (told, hosts) = all.ok()?.into_iter().partition(|one| one.local().is_some());
        Some(Self { hosts, told })
    }
}

impl Subscription {
    /// Whether the session may be told of this room now.
    fn wants(&self, room: &Bare) -> bool {
        let is_wanted = self.hosts.iter().any(|host| host.domain() == room.domain());
        is_wanted && self.told.len() < ROOMS_MAX
    }

    /// Whether the session is to be told of this room now.
    fn tells(&mut self, room: &Bare) -> bool {
        self.wants(room) && self.told.insert(room.clone())
    }

    fn end(&mut self, host: &Bare) {
        self.hosts.remove(host);
        self.told.retain(|room| room.domain() != host.domain());
    }
}

/// A session shows presence to a service, or to a room, or to nobody any more.
fn subscribe(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Head { kind, from: Some(from), to, .. } = &*passage.stanza.head else { return Verdict::Go };
    if passage.walk != Walk::Sent || *kind != Kind::Presence {
        return Verdict::Go;
    }
    let to = to.as_ref().map(Jid::bare);
    let is_there = match passage.stanza.head.type_str() {
        "" => true,
        "unavailable" => false,
        _ => return Verdict::Go,
    };
    if is_there && to.is_none() {
        return Verdict::Go; // most presence
    }
    let asks = passage.stanza.child(RAI).is_some();
    let Some(session) = session(&mut passage.account.sessions, from) else { return Verdict::Go };
    let subscription = session.slot::<Subscription>();
    match to {
        None => *subscription = Subscription::default(),
        // It hears what is said there itself.
        Some(room) if room.local().is_some() => {
            subscription.told.remove(&room);
        }
        Some(host) if ctx.settings.service(host.domain()).is_some() && (asks || !is_there) => {
            subscription.end(&host);
            if is_there {
                subscription.hosts.insert(host);
            }
        }
        Some(_) => {}
    }
    Verdict::Go
}

/// The rooms of the account in which something was said since it was there.
fn first<'a>(presence: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let from = presence.head.from.as_ref().ok_or(StanzaCondition::BadRequest)?;
        let who = from.bare();
        if !world.settings.serves(who.domain()) || world.settings.is_anonymous(&who) {
            return Ok(Reply::After(Vec::new(), None));
        }
        let mut active = Vec::new();
        let rooms = unread::rooms(&who, world).await?.into_iter();
        for room in rooms.filter(|room| room.domain() == world.account.domain()) {
            if unread::has_news(&room, &who, world).await? {
                active.push(room);
            }
        }
        let told = (!active.is_empty()).then(|| indicator(world.account, from, &active));
        Ok(Reply::After(told.into_iter().collect(), None))
    })
}

/// Of what the service tells first, a session is told what it does not hear itself, and has not
/// been told meanwhile.
fn tell_once(passage: &mut Passage<'_>, ctx: &Ctx<'_>) -> Verdict {
    let Head { kind: Kind::Message, from: Some(from), to: Some(to), .. } = &*passage.stanza.head
    else {
        return Verdict::Go;
    };
    if from.local().is_some() || ctx.settings.service(from.domain()).is_none() {
        return Verdict::Go;
    }
    let Some(rai) = passage.stanza.child(RAI) else { return Verdict::Go };
    let host = from.bare();
    let rooms = rai.children().filter_map(|one| Bare::parse(&one.text()).ok());
    let rooms: Vec<_> = rooms.collect();
    let to = to.clone();
    let Some(session) = session(&mut passage.account.sessions, &to) else { return Verdict::Go };
    let news = rooms.into_iter().filter(|room| is_news(session, room));
    let news: Vec<_> = news.collect();
    if news.is_empty() {
        return Verdict::Drop(Why("it hears of those rooms itself"));
    }
    passage.stanza = indicator(&host, &to, &news);
    Verdict::Go
}

/// Something is said in a room: sessions that are not there are told that it is.
fn indicate(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    if passage.news.as_ref().is_none_or(|news| news.again) {
        return Verdict::Go;
    }
    let Some(room) = passage.stanza.head.from.as_ref().map(Jid::bare) else { return Verdict::Go };
    let those = passage.account.sessions.iter_mut();
    let those: Vec<_> =
        those.filter_map(|session| is_news(session, &room).then(|| session.jid.clone())).collect();
    if those.is_empty() {
        return Verdict::Go;
    }
    let Ok(host) = Bare::host(room.domain()) else { return Verdict::Go };
    for to in those {
        passage.also(&to, indicator(&host, &to, std::slice::from_ref(&room)));
    }
    Verdict::Go
}

/// Whether a session is to be told that something was said in this room.
fn is_news(session: &mut Session, room: &Bare) -> bool {
    // Most have asked for nothing, and this is asked for each copy of what is said in a room.
    if !session.slot::<Subscription>().wants(room) {
        return false;
    }
    let is_in = session.directed.iter().any(|to| to.bare() == *room);
    !is_in && session.slot::<Subscription>().tells(room)
}

fn session<'a>(sessions: &'a mut [Session], jid: &Jid) -> Option<&'a mut Session> {
    sessions.iter_mut().find(|session| session.jid == *jid)
}

fn indicator(host: &Bare, to: &Jid, rooms: &[Bare]) -> Stanza {
    let head = Head::new(Kind::Message).with_from(host.clone()).with_to(to.clone());
    let rooms = rooms.iter().map(|room| Draft::new(ACTIVITY).text(room.as_str()));
    Stanza::new(head).with(rooms.fold(Draft::new(RAI), Draft::child).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{JULIET, Stage};

    const SERVICE: &str = "conference.wax.example";
    const ASK: &str =
        "<presence to='conference.wax.example'><rai xmlns='urn:xmpp:rai:0'/></presence>";

    fn told(juliet: &mut Stage) -> Vec<String> {
        let written = juliet.written_to("balcony");
        let rai = written.iter().filter_map(|stanza| stanza.child(RAI));
        rai.flat_map(|rai| rai.children().map(|one| one.text().into_owned()).collect::<Vec<_>>())
            .collect()
    }

    fn first_of(rooms: &[&str]) -> String {
        let rooms = rooms.iter().map(|room| format!("<activity>{room}@{SERVICE}</activity>"));
        let rooms: String = rooms.collect();
        format!(
            "<message from='{SERVICE}' to='{JULIET}/balcony'><rai xmlns='{NS}'>{rooms}</rai>\
             </message>"
        )
    }

    #[test]
    fn of_what_the_service_tells_first_a_session_is_told_what_it_does_not_hear_itself() {
        let mut juliet = Stage::of(JULIET);
        juliet.settings.services = vec![(Bare::host(SERVICE).unwrap(), 45)];
        juliet.hears(&first_of(&["a"]));
        assert_eq!(told(&mut juliet), [""; 0], "nobody has asked");
        juliet.says(ASK);
        juliet.says(&format!("<presence to='b@{SERVICE}/juliet'/>"));
        juliet.hears(&first_of(&["a", "b", "c"]));
        let room = |name: &str| format!("{name}@{SERVICE}");
        assert_eq!(told(&mut juliet), [room("a"), room("c")]);
        juliet.hears(&first_of(&["a", "b", "c"]));
        assert_eq!(told(&mut juliet), [""; 0], "once");
        juliet.says(&format!("<presence to='a@{SERVICE}/juliet'/>"));
        juliet.says(&format!("<presence to='a@{SERVICE}/juliet' type='unavailable'/>"));
        juliet.hears(&first_of(&["a", "c"]));
        assert_eq!(told(&mut juliet), [room("a")], "she has been there since");
        juliet.says(ASK);
        juliet.hears(&first_of(&["a", "c"]));
        assert_eq!(told(&mut juliet), [room("a"), room("c")], "she has asked anew");
        juliet.says(&format!("<presence to='{SERVICE}' type='unavailable'/>"));
        juliet.hears(&first_of(&["d"]));
        assert_eq!(told(&mut juliet), [""; 0]);
        juliet.says(ASK);
        juliet.says("<presence type='unavailable'/>");
        juliet.hears(&first_of(&["d"]));
        assert_eq!(told(&mut juliet), [""; 0]);
    }

    #[test]
    fn a_session_that_took_another_nick_and_left_or_was_put_out_is_told_again() {
        let mut juliet = Stage::of(JULIET);
        juliet.settings.services = vec![(Bare::host(SERVICE).unwrap(), 45)];
        juliet.says(ASK);
        let x = |told: &str| format!("<x xmlns='http://jabber.org/protocol/muc#user'>{told}</x>");
        let shows = |juliet: &mut Stage, of_type: &str, nick: &str, told: &str| {
            let head = format!("{of_type} from='b@{SERVICE}/{nick}' to='{JULIET}/balcony'");
            juliet.hears(&format!("<presence {head}>{}</presence>", x(told)));
        };
        let own = "<status code='110'/>";
        let enters = |juliet: &mut Stage, nick: &str| {
            juliet.says(&format!("<presence to='b@{SERVICE}/{nick}'/>"));
            shows(juliet, "", nick, own);
        };
        enters(&mut juliet, "juliet");
        juliet.says(&format!("<presence to='b@{SERVICE}/capulet'/>"));
        let renamed = format!("<status code='303'/>{own}");
        shows(&mut juliet, "type='unavailable'", "juliet", &renamed);
        shows(&mut juliet, "", "capulet", own);
        juliet.hears(&first_of(&["b"]));
        assert_eq!(told(&mut juliet), [""; 0], "she is there");
        juliet.says(&format!("<presence to='b@{SERVICE}/capulet' type='unavailable'/>"));
        juliet.hears(&first_of(&["b"]));
        assert_eq!(told(&mut juliet), [format!("b@{SERVICE}")]);
        let codes =
            ["301", "307", "321", "322", "333"].map(|code| format!("<status code='{code}'/>"));
        for out in codes.into_iter().chain(["<destroy/>".into()]) {
            enters(&mut juliet, "juliet");
            shows(&mut juliet, "type='unavailable'", "juliet", &out);
            juliet.hears(&first_of(&["b"]));
            assert_eq!(told(&mut juliet), [""; 0], "another has left the nick: {out}");
            shows(&mut juliet, "type='unavailable'", "juliet", &format!("{out}{own}"));
            juliet.hears(&first_of(&["b"]));
            assert_eq!(told(&mut juliet), [format!("b@{SERVICE}")], "{out}");
        }
    }

    #[test]
    fn what_a_session_has_asked_for_outlives_the_process() {
        let bare = |jid: &str| Bare::parse(jid).unwrap();
        let mut subscription = Subscription::default();
        assert_eq!(Subscription::load(&subscription.save().unwrap()), Some(<_>::default()));
        assert!(!subscription.tells(&bare("a@rooms.x")));
        subscription.hosts.insert(bare("rooms.x"));
        assert!(subscription.tells(&bare("a@rooms.x")) && !subscription.tells(&bare("a@rooms.x")));
        let saved = subscription.save().unwrap();
        assert_eq!(Subscription::load(&saved), Some(subscription));
        assert_eq!(Subscription::load(b"a@@"), None);
    }

    #[test]
    fn a_session_is_told_of_so_many_rooms() {
        let mut subscription = Subscription::default();
        subscription.hosts.insert(Bare::parse("rooms.x").unwrap());
        let room = |number: usize| Bare::parse(&format!("r{number}@rooms.x")).unwrap();
        assert!((0..ROOMS_MAX).all(|number| subscription.tells(&room(number))));
        assert!(!subscription.tells(&room(ROOMS_MAX)));
    }
}
