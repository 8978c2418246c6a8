//! What happens in a world in which nobody comes back to a session.

use crate::{
    toy,
    words::{Body, Mood, Payload, Priority, To, Tone, Words},
    world::{Habits, World},
};
use arbitrary::Arbitrary;
use engine::{
    hook::Xep, hooks::Hooks, parcel::Order, port::Fault, stream::machine::Input, wire::Jid,
};
use std::sync::LazyLock;

/// Every XEP, and one that keeps messages.
static KEEPING: LazyLock<Vec<&'static Xep>> =
    LazyLock::new(|| xeps::ALL.iter().copied().chain([&toy::XEP]).collect());

/// One of them.
#[derive(Arbitrary, Debug)]
pub enum Event {
    Comes(u8),
    Says(u8, Words),
    /// To all that see it.
    Shows(u8, bool),
    /// To another's account, or resource.
    Chats(u8, u8, bool),
    Asks(u8, u8),
    ShowsOne(u8, u8, bool),
    /// One asks to see the other, who says yes or no.
    Befriends(u8, u8, bool),
    SaysAs(u8, From, Words),
    Answers(u8, bool),
    Nonza(u8, Nonza),
    Babbles(u8, Babble),
    Closes(u8),
    Breaks(u8),
    Shutdown(u8),
    Abroad(Words),
    Commits,
    CommitFails,
    StoreAway,
    Loads,
    LoadFails,
    Reads(u8),
    ReadFails(u8),
    Ordered(u8, Ordered),
    Holds,
    Flows,
    Passes(u16),
    Settles,
}

/// Who a client says it is.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum From {
    Itself,
    Account,
    Other,
    Malformed,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Nonza {
    Ask,
    /// To a count, mostly one that can be.
    Ack(u8),
    Enable,
    EnableResumable,
    Inactive,
    Active,
    Unknown,
    Auth,
    Space,
}

/// What the operator does.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Ordered {
    Deleted,
    Password,
    PasswordSpared,
    End,
    /// It is enabled again before anybody comes back.
    Disabled,
}

/// No element, or half of one.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Babble {
    Bytes([u8; 4]),
    StartTag,
    EndTag,
    Text,
    Comment,
    Header,
}

impl Babble {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::StartTag => b"<message to='romeo@x'><body>",
            Self::EndTag => b"</body></message>",
            Self::Text => b"hark",
            Self::Comment => b"<!-- hark -->",
            Self::Header => b"<?xml version='1.0'?><stream:stream>",
        }
    }
}

/// How a world begins.
#[derive(Arbitrary, Debug)]
pub struct Start {
    keeps: bool,
    federates: bool,
    loads: bool,
    commits: bool,
    /// Of whom are there already.
    there: u8,
}

impl Start {
    /// The world.
    pub fn world(&self) -> World {
        let hooks = Hooks::of(if self.keeps { &KEEPING } else { xeps::ALL });
        let habits = Habits {
            hooks,
            loads: true,
            commits: true,
            keeps: self.keeps,
            federates: self.federates,
        };
        let mut world = World::new(habits);
        for seat in (0..8).filter(|seat| self.there >> seat & 1 == 1) {
            world.connect(seat);
            world.flow();
            let here = Words::Presence(To::None, Mood::Available, Priority::None);
            world.newest_says(&here);
            world.flow();
        }
        world.is_late(!self.loads, !self.commits);
        world
    }
}

/// Something happens to a world.
pub fn happens(world: &mut World, event: Event) {
    let at = usize::from;
    match event {
        Event::Comes(seat) => world.connect(at(seat)),
        Event::Says(stream, words) => world.says(at(stream), &words, ""),
        Event::Shows(..)
        | Event::Chats(..)
        | Event::Asks(..)
        | Event::ShowsOne(..)
        | Event::Befriends(..) => converse(world, &event),
        Event::SaysAs(stream, from, words) => {
            let from = match from {
                From::Itself => "from='juliet@x/a'",
                From::Account => "from='juliet@x'",
                From::Other => "from='romeo@x/b'",
                From::Malformed => "from='@'",
            };
            world.says(at(stream), &words, from);
        }
        Event::Answers(stream, with_error) => world.answers(at(stream), with_error),
        Event::Nonza(stream, nonza) => {
            let ack;
            let xml: &[u8] = match nonza {
                Nonza::Ask => b"<r xmlns='urn:xmpp:sm:3'/>",
                Nonza::Ack(h) => {
                    ack = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", h % 16);
                    ack.as_bytes()
                }
                Nonza::Enable => b"<enable xmlns='urn:xmpp:sm:3'/>",
                Nonza::EnableResumable => {
                    b"<enable xmlns='urn:xmpp:sm:3' resume='true' max='600'/>"
                }
                Nonza::Active => b"<active xmlns='urn:xmpp:csi:0'/>",
                Nonza::Inactive => b"<inactive xmlns='urn:xmpp:csi:0'/>",
                Nonza::Unknown => b"<nonza xmlns='q'/>",
                Nonza::Auth => b"<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
                Nonza::Space => b" \n",
            };
            world.stream_hears(at(stream), Input::Bytes(xml));
        }
        Event::Babbles(stream, ref babble) => world.babbles(at(stream), babble.bytes()),
        Event::Closes(stream) => world.stream_hears(at(stream), Input::Bytes(b"</stream:stream>")),
        Event::Breaks(stream) => world.stream_hears(at(stream), Input::Gone),
        Event::Shutdown(stream) => world.stream_hears(at(stream), Input::Shutdown),
        Event::Abroad(words) => world.abroad_says(&words),
        Event::Commits => drop(world.commit(None)),
        Event::CommitFails => drop(world.commit(Some(Fault::Refused("fuzz".into())))),
        Event::StoreAway => drop(world.commit(Some(Fault::Away("fuzz".into())))),
        Event::Loads => world.read_on(None),
        Event::LoadFails => world.read_on(Some(Fault::Away("fuzz".into()))),
        Event::Reads(which) => drop(world.answer(at(which), false)),
        Event::ReadFails(which) => drop(world.answer(at(which), true)),
        Event::Ordered(seat, order) => {
            let order = match order {
                Ordered::Deleted => Order::Deleted { last: None, farewells: Vec::new() },
                Ordered::Password => Order::PasswordChanged { spared: None, unix_ms: 0 },
                Ordered::PasswordSpared => {
                    let spared = Jid::parse("juliet@x/a").ok();
                    Order::PasswordChanged { spared, unix_ms: 0 }
                }
                Ordered::End => Order::End(None),
                Ordered::Disabled => Order::Disabled { unix_ms: 0 },
            };
            world.order(at(seat), order);
        }
        Event::Holds => world.holds = true,
        Event::Flows => world.holds = false,
        Event::Passes(seconds) => world.passes(u64::from(seconds % 1_000) * 1_000),
        Event::Settles => world.settle(),
    }
}

/// What people do most.
fn converse(world: &mut World, event: &Event) {
    let at = |stream: &u8| usize::from(*stream);
    let presence = |to, mood| Words::Presence(to, mood, Priority::None);
    let shows = |there: &bool| if *there { Mood::Available } else { Mood::Unavailable };
    match event {
        Event::Shows(by, there) => world.says(at(by), &presence(To::None, shows(there)), ""),
        Event::ShowsOne(by, to, there) => {
            let to = To::seat(at(to), true);
            world.says(at(by), &presence(to, shows(there)), "");
        }
        Event::Chats(by, to, full) => {
            let to = To::seat(at(to), *full);
            world.says(at(by), &Words::Message(to, Tone::Chat, Body::Both), "");
        }
        Event::Asks(by, to) => {
            let to = To::seat(at(to), true);
            world.says(at(by), &Words::Request(to, false, Payload::Known(0)), "");
        }
        Event::Befriends(by, other, yes) => {
            let Some((mine, theirs)) = world.seat(at(by)).zip(world.seat(at(other))) else {
                return;
            };
            let asks = presence(To::seat(theirs, false), Mood::Subscribe);
            let answers = if *yes { Mood::Subscribed } else { Mood::Unsubscribed };
            world.says(at(by), &asks, "");
            world.flow();
            world.says(at(other), &presence(To::seat(mine, false), answers), "");
        }
        _ => {}
    }
}
