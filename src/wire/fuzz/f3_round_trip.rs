//! Any stanza that is built with `Draft` comes back through the decoder as it was.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wire::{
    Content, Decoder, Draft, Element, Frame, Framing, Head, Jid, Kind, Limits, Name, Payload,
    Stanza, Text, ns,
};

#[derive(Arbitrary, Debug)]
struct Message {
    id: Option<String>,
    type_: Option<String>,
    lang: Option<String>,
    from: Option<String>,
    children: Vec<Node>,
    framed: bool,
    take: u8,
}

#[derive(Arbitrary, Debug)]
struct Node {
    name: u8,
    one: Option<String>,
    other: Option<String>,
    content: Vec<Part>,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Text(String),
    Child(Node),
    Payload(Node),
}

const NAMES: &[Name] = &[
    Name::new(ns::CLIENT, "body"),
    Name::new(ns::CLIENT, "message"),
    Name::new("urn:a", "a"),
    Name::new("urn:a", "b"),
    Name::new("urn:b", "a"),
    Name::new("", "a"),
    Name::new(ns::STREAM, "stream"),
];
/// Deeper nodes are left out.
const DEPTH_MAX: usize = 30;

fuzz_target!(|message: Message| {
    let stanza = build(&message);
    let mut bytes = Vec::new();
    let framing = if message.framed { Framing::Framed } else { Framing::Stream };
    stanza.write(framing, &mut bytes);
    let limits = Limits { stanza_bytes_max: 1 << 24, elements_max: 1 << 20, ..Limits::CLIENT };
    let mut decoder = match framing {
        Framing::Framed => Decoder::framed(Content::Client, limits),
        Framing::Stream => Decoder::new(Content::Client, limits),
    };
    if framing == Framing::Stream {
        let header = "<stream:stream xmlns='jabber:client' xmlns:stream='urn:s'>";
        let opened = decoder.next(&mut header.as_bytes());
        assert!(matches!(opened, Ok(Some(Frame::Open(_)))));
    }
    let mut input = &bytes[..];
    let frame = decoder.next(&mut input).expect("well-formed");
    let Some(Frame::Stanza(again)) = frame else { panic!("{frame:?}") };
    assert!(input.is_empty() && decoder.is_idle());
    assert_eq!(again, stanza);
    assert_eq!(again.head.id.as_deref(), message.id.as_deref().map(carried).as_deref());
    assert_eq!(again.child_count(), message.children.len());
    for (child, node) in again.children().zip(&message.children) {
        compare(child, node, 0);
    }
    take_out(&again, message.take);
});

fn build(message: &Message) -> Stanza {
    let mut head = Head::new(Kind::Message);
    let text = |text: &String| Text::from(carried(text));
    head.id = message.id.as_ref().map(text);
    head.type_ = message.type_.as_ref().map(text);
    head.lang = message.lang.as_ref().map(text);
    head.from = message.from.as_deref().and_then(|from| Jid::parse(from).ok());
    message.children.iter().fold(Stanza::new(head), |stanza, node| stanza.with(payload(node, 0)))
}

fn payload(node: &Node, depth: usize) -> Payload {
    draft(node, depth).finish()
}

fn name(node: &Node) -> Name {
    NAMES[usize::from(node.name) % NAMES.len()]
}

fn draft(node: &Node, depth: usize) -> Draft {
    let mut draft = Draft::new(name(node));
    if let Some(one) = &node.one {
        draft = draft.attribute("one", one);
    }
    if let Some(other) = &node.other {
        draft = draft.attribute("xml:lang", other);
    }
    if depth >= DEPTH_MAX {
        return draft;
    }
    for part in &node.content {
        draft = match part {
            Part::Text(text) => draft.text(text),
            Part::Child(node) => draft.child(self::draft(node, depth + 1)),
            Part::Payload(node) => draft.payload(&payload(node, depth + 1)),
        };
    }
    draft
}

fn compare(element: Element<'_>, node: &Node, depth: usize) {
    assert!(element.is(name(node)), "{element:?}");
    assert_eq!(element.attribute("one").as_deref(), node.one.as_deref().map(carried).as_deref());
    let lang = element.attribute("xml:lang");
    assert_eq!(lang.as_deref(), node.other.as_deref().map(carried).as_deref());
    if depth >= DEPTH_MAX {
        return;
    }
    let mut text = String::new();
    let mut children = element.children();
    for part in &node.content {
        match part {
            Part::Text(more) => text.push_str(&carried(more)),
            Part::Child(node) | Part::Payload(node) => {
                compare(children.next().expect("a child"), node, depth + 1);
            }
        }
    }
    assert!(children.next().is_none());
    assert_eq!(element.text(), text);
}

/// What XML cannot carry is replaced.
fn carried(text: &str) -> String {
    let forbidden = |c: char| {
        matches!(c, '\u{fffe}' | '\u{ffff}') || c < ' ' && !matches!(c, '\t' | '\n' | '\r')
    };
    text.replace(forbidden, "\u{fffd}")
}

fn take_out(stanza: &Stanza, which: u8) {
    let name = NAMES[usize::from(which) % NAMES.len()];
    let kept = stanza.clone().without(name);
    assert!(kept.child(name).is_none());
    let count = stanza.children().filter(|child| child.is(name)).count();
    assert_eq!(kept.child_count() + count, stanza.child_count());
    let again = Stanza::parse_one(&kept.to_text()).expect("well-formed");
    assert_eq!(again, kept);
}
