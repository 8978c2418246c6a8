//! What clients say, and others elsewhere: right, wrong, and in between.

use arbitrary::Arbitrary;

/// Who may log in, and as what. The last has no account.
pub const SEATS: [(&str, &str); 6] = [
    ("juliet", "a"),
    ("juliet", "b"),
    ("romeo", "a"),
    ("romeo", "b"),
    ("nurse", "a"),
    ("nobody", "a"),
];

/// Whom a stanza is for.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    None,
    Juliet,
    JulietA,
    JulietB,
    JulietGone,
    Romeo,
    RomeoA,
    RomeoB,
    RomeoUpperCase,
    Nurse,
    NurseA,
    Nobody,
    NobodyA,
    Host,
    HostA,
    Abroad,
    AbroadA,
    AbroadHost,
    Malformed,
}

impl To {
    /// Who has this seat: the resource, or the account.
    pub fn seat(seat: usize, full: bool) -> Self {
        match (seat % SEATS.len(), full) {
            (0, true) => Self::JulietA,
            (1, true) => Self::JulietB,
            (2, true) => Self::RomeoA,
            (3, true) => Self::RomeoB,
            (4, true) => Self::NurseA,
            (_, true) => Self::NobodyA,
            (0 | 1, false) => Self::Juliet,
            (2 | 3, false) => Self::Romeo,
            (4, false) => Self::Nurse,
            (_, false) => Self::Nobody,
        }
    }

    /// The address, prepared; none when there is none.
    pub fn address(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Juliet => "juliet@x",
            Self::JulietA => "juliet@x/a",
            Self::JulietB => "juliet@x/b",
            Self::JulietGone => "juliet@x/gone",
            Self::Romeo | Self::RomeoUpperCase => "romeo@x",
            Self::RomeoA => "romeo@x/a",
            Self::RomeoB => "romeo@x/b",
            Self::Nurse => "nurse@x",
            Self::NurseA => "nurse@x/a",
            Self::Nobody => "nobody@x",
            Self::NobodyA => "nobody@x/a",
            Self::Host => "x",
            Self::HostA => "x/a",
            Self::Abroad => "tybalt@y",
            Self::AbroadA => "tybalt@y/a",
            Self::AbroadHost => "y",
            Self::Malformed => "a@b@c",
        })
    }

    fn attribute(self) -> String {
        match (self, self.address()) {
            (Self::RomeoUpperCase, _) => "to='ROMEO@X'".into(),
            (_, Some(to)) => format!("to='{to}'"),
            (_, None) => String::new(),
        }
    }
}

/// What stands between tags.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Text {
    Empty,
    Short(u8),
    Marks,
    Wide,
    Long,
}

impl Text {
    /// As XML has it.
    fn xml(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Short(number) => number.to_string(),
            Self::Marks => "&lt;&amp;&gt;]]&gt;&quot;&apos;".into(),
            Self::Wide => "\u{e9}\u{1f9a5}\u{200f}".into(),
            Self::Long => "long ".repeat(300),
        }
    }
}

/// A stanza, but for its number.
#[derive(Arbitrary, Clone, Debug)]
pub enum Words {
    Message(To, Tone, Body),
    Presence(To, Mood, Priority),
    Request(To, bool, Payload),
    Roster(To, Contact, Labels),
    Unroster(To, Contact),
    /// Nobody has asked.
    Answer(To, Verdict),
    /// An iq that breaks RFC 6120 §8.2.3.
    Wrong(To, Flaw),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Tone {
    None,
    Normal,
    Chat,
    Groupchat,
    Headline,
    Error,
    Unknown,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Body {
    Text(Text),
    Typing,
    Both,
    Private,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Available,
    Unavailable,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Probe,
    Error,
    Unknown,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Priority {
    None,
    Of(i8),
    Words,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Payload {
    Known(u8),
    KnownWith(u8, Contact),
    Unknown(Text),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Contact {
    Juliet,
    Romeo,
    Nurse,
    Nobody,
    Abroad,
    Resource,
    Host,
    Malformed,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Labels {
    None,
    Group(Text),
    SameGroupTwice,
    TwoItems,
    NoItem,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Result,
    Error,
    /// A result has one child at most.
    TwoChildren,
    NoId,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Flaw {
    NoId,
    NoType,
    UnknownType,
    NoChild,
    TwoChildren,
}

/// What is asked for; what nobody knows is `service-unavailable`.
const KNOWN: [(&str, &str); 20] = [
    ("urn:xmpp:ping", "ping"),
    ("http://jabber.org/protocol/disco#info", "query"),
    ("http://jabber.org/protocol/disco#items", "query"),
    ("jabber:iq:version", "query"),
    ("urn:xmpp:time", "time"),
    ("jabber:iq:roster", "query"),
    ("jabber:iq:last", "query"),
    ("jabber:iq:private", "query"),
    ("vcard-temp", "vCard"),
    ("jabber:iq:register", "query"),
    ("urn:xmpp:blocking", "blocklist"),
    ("urn:xmpp:blocking", "block"),
    ("urn:xmpp:blocking", "unblock"),
    ("http://jabber.org/protocol/commands", "command"),
    ("urn:ietf:params:xml:ns:xmpp-bind", "bind"),
    ("urn:ietf:params:xml:ns:xmpp-session", "session"),
    ("urn:xmpp:carbons:2", "enable"),
    ("urn:xmpp:mam:2", "query"),
    ("http://jabber.org/protocol/pubsub", "pubsub"),
    ("jabber:iq:privacy", "query"),
];

impl Contact {
    fn address(self) -> &'static str {
        match self {
            Self::Juliet => "juliet@x",
            Self::Romeo => "romeo@x",
            Self::Nurse => "nurse@x",
            Self::Nobody => "nobody@x",
            Self::Abroad => "tybalt@y",
            Self::Resource => "romeo@x/a",
            Self::Host => "x",
            Self::Malformed => "@",
        }
    }
}

impl Mood {
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "",
            Self::Unavailable => "unavailable",
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
            Self::Probe => "probe",
            Self::Error => "error",
            Self::Unknown => "here",
        }
    }
}

impl Words {
    pub fn to(&self) -> To {
        match self {
            Self::Message(to, ..) | Self::Presence(to, ..) | Self::Request(to, ..) => *to,
            Self::Roster(to, ..) | Self::Unroster(to, _) => *to,
            Self::Answer(to, _) | Self::Wrong(to, _) => *to,
        }
    }

    /// Whether it is a message that may not be lost.
    pub fn has_body(&self) -> bool {
        matches!(self, Self::Message(_, _, Body::Text(_) | Body::Both))
    }

    /// The stanza with this number.
    pub fn xml(&self, number: usize, from: &str) -> String {
        let to = self.to().attribute();
        let iq = |kind: &str, content: &str| {
            format!("<iq {from} {to} type='{kind}' id='q{number}'>{content}</iq>")
        };
        match self {
            Self::Message(_, tone, body) => {
                let tone = match tone {
                    Tone::None => "",
                    Tone::Normal => "type='normal'",
                    Tone::Chat => "type='chat'",
                    Tone::Groupchat => "type='groupchat'",
                    Tone::Headline => "type='headline'",
                    Tone::Error => "type='error'",
                    Tone::Unknown => "type='telegram'",
                };
                let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
                let content = match body {
                    Body::Text(text) => format!("<body>{}</body>", text.xml()),
                    Body::Typing => typing.into(),
                    Body::Both => format!("<body>{number}</body>{typing}"),
                    Body::Private => "<private xmlns='urn:xmpp:carbons:2'/>".into(),
                };
                format!("<message {from} {to} {tone} id='m{number}'>{content}</message>")
            }
            Self::Presence(_, mood, priority) => {
                let mood = match mood {
                    Mood::Available => String::new(),
                    mood => format!("type='{}'", mood.name()),
                };
                let priority = match priority {
                    Priority::None => String::new(),
                    Priority::Of(priority) => format!("<priority>{priority}</priority>"),
                    Priority::Words => "<priority>high</priority>".into(),
                };
                format!("<presence {from} {to} {mood} id='p{number}'>{priority}</presence>")
            }
            Self::Request(_, set, payload) => iq(if *set { "set" } else { "get" }, &payload.xml()),
            Self::Roster(_, contact, labels) => {
                iq("set", &roster(contact.address(), labels, number))
            }
            Self::Unroster(_, contact) => {
                let item = format!("<item jid='{}' subscription='remove'/>", contact.address());
                iq("set", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"))
            }
            Self::Answer(_, verdict) => match verdict {
                Verdict::Result => iq("result", ""),
                Verdict::Error => iq("error", "<error type='cancel'/>"),
                Verdict::TwoChildren => iq("result", "<q xmlns='q'/><q xmlns='q'/>"),
                Verdict::NoId => format!("<iq {from} {to} type='result'/>"),
            },
            Self::Wrong(_, flaw) => match flaw {
                Flaw::NoId => format!("<iq {from} {to} type='get'><q xmlns='q'/></iq>"),
                Flaw::NoType => format!("<iq {from} {to} id='q{number}'><q xmlns='q'/></iq>"),
                Flaw::UnknownType => iq("ask", "<q xmlns='q'/>"),
                Flaw::NoChild => iq("get", ""),
                Flaw::TwoChildren => iq("set", "<q xmlns='q'/><q xmlns='q'/>"),
            },
        }
    }
}

impl Payload {
    fn xml(self) -> String {
        match self {
            Self::Known(which) => {
                let (ns, name) = KNOWN[usize::from(which) % KNOWN.len()];
                format!("<{name} xmlns='{ns}'/>")
            }
            Self::KnownWith(which, contact) => {
                let (ns, name) = KNOWN[usize::from(which) % KNOWN.len()];
                let item = format!("<item jid='{}' node='n'/>", contact.address());
                format!("<{name} xmlns='{ns}' node='n' action='execute'>{item}</{name}>")
            }
            Self::Unknown(text) => format!("<q xmlns='q'>{}</q>", text.xml()),
        }
    }
}

fn roster(jid: &str, labels: &Labels, number: usize) -> String {
    let item = |groups: &str| format!("<item jid='{jid}' name='n{number}'>{groups}</item>");
    let items = match labels {
        Labels::None => item(""),
        Labels::Group(group) => item(&format!("<group>{}</group>", group.xml())),
        Labels::SameGroupTwice => item("<group>g</group><group>g</group>"),
        Labels::TwoItems => item("").repeat(2),
        Labels::NoItem => String::new(),
    };
    format!("<query xmlns='jabber:iq:roster'>{items}</query>")
}
