//! What a stanza is to somebody whose client sleeps: whether it is worth to be woken for, and what
//! it takes the place of.

use engine::wire::*;

const CARBONS: &str = "urn:xmpp:carbons:2";
const SENT: Name = Name::new(CARBONS, "sent");
const RECEIVED: Name = Name::new(CARBONS, "received");
const FORWARDED: Name = Name::new("urn:xmpp:forward:0", "forwarded");
const MESSAGE: Name = Name::new(ns::CLIENT, "message");
const BODY: Name = Name::new(ns::CLIENT, "body");
const THREAD: Name = Name::new(ns::CLIENT, "thread");
const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
const RECEIPT: Name = Name::new("urn:xmpp:receipts", "received");
const MARKERS: &str = "urn:xmpp:chat-markers:0";
/// Something was said in a room that the client is not in (XEP-0437).
const ACTIVITY: Name = Name::new("urn:xmpp:rai:0", "rai");
const EVENT: Name = Name::new("http://jabber.org/protocol/pubsub#event", "event");
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
const MUC: Name = Name::new(MUC_USER, "x");
const STATUS: Name = Name::new(MUC_USER, "status");
const INVITE: Name = Name::new(MUC_USER, "invite");
const INVITATION: Name = Name::new("jabber:x:conference", "x");
const OMEMO: Name = Name::new("eu.siacs.conversations.axolotl", "encrypted");
const ENCRYPTION: Name = Name::new("urn:xmpp:eme:0", "encryption");
const PROPOSE: Name = Name::new("urn:xmpp:jingle-message:0", "propose");
const RETRACT: Name = Name::new("urn:xmpp:jingle-message:0", "retract");
const DESTROY: Name = Name::new(MUC_USER, "destroy");
/// What only accompanies other content.
const COMPANIONS: [&str; 4] =
    ["urn:xmpp:delay", "urn:xmpp:hints", "urn:xmpp:sid:0", "urn:xmpp:occupant-id:0"];

/// What a stanza is to a sleeping client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// It can wait until the client is awake.
    pub waits: bool,
    /// What it says anew: what was said of that before need not be known any more.
    pub topic: Option<Topic>,
}

/// Of which only the newest matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The presence of this resource, or occupant.
    Presence(Jid),
    /// What this one does in the conversation with that one (XEP-0085), as the addresses of the
    /// message have it.
    State(String, String),
}

/// What somebody who is away is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summons {
    /// Something to be read.
    Message,
    /// A call rings, or rings no more (XEP-0353).
    Call,
}

/// Whether somebody who is away is to be told of this message.
pub fn summons(message: &Stanza) -> Option<Summons> {
    let is_call = |child: Element<'_>| child.is(PROPOSE) || child.is(RETRACT);
    match message.head.type_str() {
        "error" | "headline" => None,
        _ if message.children().any(is_call) => Some(Summons::Call),
        _ => message.children().any(is_readable).then_some(Summons::Message),
    }
}

/// Words, encrypted ones (XEP-0380 says so of any kind), and invitations to a room.
fn is_readable(child: Element<'_>) -> bool {
    let encrypted = child.is(OMEMO) || child.is(ENCRYPTION);
    let invited = child.is(INVITATION) || child.is(MUC) && child.child(INVITE).is_some();
    child.is(BODY) || encrypted || invited
}

const NOW: Weight = Weight { waits: false, topic: None };
const LATER: Weight = Weight { waits: true, topic: None };

/// What this is to a client of that account.
pub fn weigh(stanza: &Stanza, account: &Bare) -> Weight {
    match stanza.kind() {
        Kind::Iq => NOW,
        Kind::Presence => presence(stanza),
        Kind::Message => message(stanza, account),
    }
}

/// Requests of people, and errors, are worth it. Of the presence in a room, that of the client
/// itself is: it says that it is in, or out (XEP-0045 §7.2.2, §10.9).
fn presence(stanza: &Stanza) -> Weight {
    if !matches!(stanza.head.type_str(), "" | "unavailable") {
        return NOW;
    }
    let topic = stanza.head.from.clone().map(Topic::Presence);
    Weight { waits: !stanza.child(MUC).is_some_and(tells_of_itself), topic }
}

fn tells_of_itself(room: Element<'_>) -> bool {
    let own = |status: Element<'_>| status.attribute("code").as_deref() == Some("110");
    room.children().any(|child| child.is(STATUS) && own(child) || child.is(DESTROY))
}

fn message(stanza: &Stanza, account: &Bare) -> Weight {
    let own =
        stanza.head.from.as_ref().is_some_and(|from| from.is_bare() && from.bare() == *account);
    if let Some((sent, copied)) = own.then(|| copied(stanza)).flatten() {
        let address = |name| copied.attribute(name).map(|jid| jid.into_owned());
        let kind = copied.attribute("type").unwrap_or_default();
        let topic =
            Topic::State(address("from").unwrap_or_default(), address("to").unwrap_or_default());
        return content(&kind, &copied.children().collect::<Vec<_>>(), sent, topic);
    }
    let address = |jid: &Option<Jid>| jid.as_ref().map(Jid::to_string).unwrap_or_default();
    let topic = Topic::State(address(&stanza.head.from), address(&stanza.head.to));
    content(stanza.head.type_str(), &stanza.children().collect::<Vec<_>>(), own, topic)
}

/// Of a copy that the account has made (XEP-0280): whether of what it sent, and what.
pub fn copied(stanza: &Stanza) -> Option<(bool, Element<'_>)> {
    let copy = stanza.children().find(|child| child.is(SENT) || child.is(RECEIVED))?;
    Some((copy.is(SENT), copy.child(FORWARDED)?.child(MESSAGE)?))
}

/// `own`: somebody else at the same account says so, on another device.
fn content(kind: &str, children: &[Element<'_>], own: bool, topic: Topic) -> Weight {
    let state = |child: &Element<'_>| child.ns() == CHAT_STATES;
    let topic = children.iter().any(state).then_some(topic);
    let others = children.iter().filter(|child| !state(child) && !is_companion(**child));
    let others: Vec<_> = others.copied().collect();
    let has_body = others.iter().any(|child| child.is(BODY));
    let waits = match kind {
        "error" => false,
        _ if others.is_empty() => topic.is_some(),
        // Notifications of PubSub (XEP-0060), but for those of one's own: they tell what another
        // device has done, such as that all was read, and take a notification from the screen.
        _ if others.iter().any(|child| child.is(EVENT)) => !has_body && !own,
        _ => others.iter().all(|child| is_tick(*child, own)),
    };
    Weight { topic, ..if waits { LATER } else { NOW } }
}

fn is_companion(child: Element<'_>) -> bool {
    let tag = child.is(MUC) && child.children().next().is_none();
    child.is(THREAD) || tag || COMPANIONS.contains(&child.ns())
}

/// That something has arrived, was read, or is to be read, elsewhere (XEP-0184, XEP-0333,
/// XEP-0437): it changes a tick on a
/// screen that nobody looks at. But what the user has read on another device takes the
/// notification from this one.
fn is_tick(child: Element<'_>, own: bool) -> bool {
    let displayed = child.local() == "displayed";
    let marker = child.ns() == MARKERS && child.local() != "markable";
    child.is(RECEIPT) || child.is(ACTIVITY) || marker && !(own && displayed)
}
