//! Any document, well-formed or not: the same verdict as rxml, a validating parser written by
//! others, the same meaning, and the same outcome however the bytes are cut.

use super::*;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use rxml::{Parse, WithOptions};

use crate::Jid;

/// What a document means: its events, namespaces resolved, text joined.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Start(String, String, BTreeMap<(String, String), String>),
    Text(String),
    End,
}

/// The items of a whole document as rxml sees them; `None` if it refuses any of it.
fn rxml_items(document: &[u8]) -> Option<Vec<Item>> {
    let options = rxml::Options { max_token_length: 1 << 20, ..Default::default() };
    let mut parser = rxml::Parser::with_options(options);
    let lines = line_ends(document);
    let mut input = &lines[..];
    let mut items = Vec::new();
    while let Some(event) = parser.parse(&mut input, true).ok()? {
        match event {
            rxml::Event::XmlDeclaration(..) => {}
            rxml::Event::StartElement(_, (ns, local), attributes) => {
                let attributes = attributes
                    .into_iter()
                    .map(|((ns, name), value)| ((ns.to_string(), name.to_string()), value))
                    .collect();
                items.push(Item::Start(ns.to_string(), local.to_string(), attributes));
            }
            rxml::Event::Text(_, more) => match items.last_mut() {
                Some(Item::Text(text)) => text.push_str(&more),
                _ => items.push(Item::Text(more)),
            },
            rxml::Event::EndElement(_) => items.push(Item::End),
        }
    }
    Some(items)
}

/// XML 1.0 §2.11, done beforehand, and no byte order mark: rxml refuses both it and a lone
/// carriage return.
fn line_ends(document: &[u8]) -> Vec<u8> {
    let document = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
    let mut lines = Vec::with_capacity(document.len());
    for (at, &byte) in document.iter().enumerate() {
        match byte {
            b'\r' if document.get(at + 1) == Some(&b'\n') => {}
            b'\r' => lines.push(b'\n'),
            _ => lines.push(byte),
        }
    }
    lines
}

/// What the canonical form changes on purpose: content namespaces are one, text between
/// stanzas and between the children of a stanza is gone, addresses are prepared.
fn normalize(items: Vec<Item>) -> Vec<Item> {
    let mut path: Vec<(bool, bool)> = Vec::new(); // in content, is a stanza
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Start(mut ns, local, mut attributes) => {
                let parent = if path.len() < 2 { true } else { path[path.len() - 1].0 };
                let content = parent && Content::ALL.iter().any(|one| one.ns() == ns);
                if content {
                    ns = ns::CLIENT.to_owned();
                }
                let name = Kind::from_name(local.as_bytes());
                let stanza = path.len() == 1 && content && name.is_some();
                if stanza {
                    prepare(&mut attributes);
                }
                path.push((content, stanza));
                out.push(Item::Start(ns, local, attributes));
            }
            Item::Text(_) if path.len() < 2 || path[path.len() - 1].1 => {}
            Item::Text(text) => out.push(Item::Text(text)),
            Item::End => {
                path.pop();
                out.push(Item::End);
            }
        }
    }
    out
}

fn prepare(attributes: &mut BTreeMap<(String, String), String>) {
    for name in ["from", "to"] {
        let key = (String::new(), name.to_owned());
        if let Some(address) = attributes.remove(&key)
            && let Ok(jid) = Jid::parse(&address)
        {
            attributes.insert(key, jid.as_str().to_owned());
        }
    }
}

/// The canonical bytes of all frames, in a stream again; `None` if the document is not complete
/// or not accepted.
fn canonical(document: &[u8], limits: Limits) -> Result<Option<Vec<u8>>, Flaw> {
    let mut decoder = Decoder::new(Content::Client, limits);
    let mut input = document;
    let mut out = b"<s xmlns='jabber:client'>".to_vec();
    let mut closed = false;
    while let Some(frame) = decoder.next(&mut input)? {
        match frame {
            Frame::Open(_) => {}
            Frame::Stanza(stanza) => stanza.write(Framing::Stream, &mut out),
            Frame::Element(payload) => out.extend_from_slice(payload.as_str().as_bytes()),
            Frame::Close => closed = true,
        }
    }
    out.extend_from_slice(b"</s>");
    Ok(closed.then_some(out))
}

/// Where we refuse on purpose what XML would allow; and where rxml 0.14 overlooks something:
/// it lets a namespace be declared twice in one tag, and that of xmlns be the default.
fn is_stricter(flaw: &Flaw) -> bool {
    use StreamCondition::{BadFormat, InvalidNamespace, PolicyViolation};
    matches!(flaw.condition, BadFormat | InvalidNamespace | PolicyViolation)
        || matches!(
            flaw.why,
            "element with the prefix xml"
                | "name that some XML parsers refuse"
                | "namespace declared twice"
                | "namespace of xmlns declared as the default"
                | "character reference is too long"
                | "CDATA section directly in the stream"
        )
}

fn check(document: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let ours = canonical(document, Limits::OWN);
    let theirs = rxml_items(document);
    match &ours {
        Ok(Some(bytes)) => {
            let theirs = theirs.map(normalize);
            prop_assert!(theirs.is_some(), "rxml refuses {:?}", lossy(document));
            let again = rxml_items(bytes).map(normalize);
            prop_assert!(again.is_some(), "rxml refuses our {:?}", lossy(bytes));
            let tail = |items: Option<Vec<Item>>| items.map(|mut items| items.split_off(1));
            prop_assert_eq!(tail(again), tail(theirs), "{:?}", lossy(document));
            prop_assert_eq!(&canonical(bytes, Limits::OWN), &ours, "not idempotent");
        }
        Err(flaw) if is_stricter(flaw) => {}
        _ => prop_assert!(theirs.is_none(), "{:?} refuses {:?}", ours, lossy(document)),
    }
    for limits in [Limits::CLIENT, Limits { stanza_bytes_max: 100, ..Limits::BEFORE_AUTH }] {
        let whole = decode(&[document], limits);
        let bytes: Vec<&[u8]> = document.chunks(1).collect();
        prop_assert_eq!(decode(&bytes, limits), whole.clone(), "{:?}", lossy(document));
        prop_assert_eq!(decode(&pieces(document, cuts), limits), whole, "{:?}", lossy(document));
    }
    Ok(())
}

fn pieces<'d>(document: &'d [u8], cuts: &[usize]) -> Vec<&'d [u8]> {
    let mut rest = document;
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Things that have confused parsers, to be put anywhere.
const TOKENS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "</a>",
    "<a>",
    "<a/>",
    "<p:a/>",
    "'",
    "\"",
    "=",
    " ",
    "\t",
    "\r\n",
    "\r",
    "&",
    ";",
    "&amp;",
    "&lt;",
    "&#13;",
    "&#x41;",
    "&#0;",
    "&#xD800;",
    "&foo;",
    "]]>",
    "]]",
    "<![CDATA[",
    "<![CDATA[x]]>",
    "<!--",
    "<?",
    "<?xml version='1.0'?>",
    ":",
    "a:b",
    " xmlns='urn:n'",
    " xmlns:p='urn:p'",
    " xmlns:q='urn:p'",
    " xmlns=''",
    " xmlns:p=''",
    " a='1'",
    " p:a='2'",
    " q:a='3'",
    " xml:lang='en'",
    "xmlns",
    "xml:",
    "é",
    "·",
    "×",
    "🙂",
    "\u{fffe}",
    "\u{1}",
    "\u{85}",
    "\u{feff}",
    "</stream:stream>",
    "<message>",
    "</message>",
    " to='a@b/\u{e9}'",
    "jabber:client",
    "jabber:server",
    "http://www.w3.org/XML/1998/namespace",
    "http://www.w3.org/2000/xmlns/",
    "text",
];

fn text() -> impl Strategy<Value = String> + Clone {
    let piece =
        select(&["x", " ", "\n", "é", "🙂", "&amp;", "&#10;", "&#13;", "]]", "\"", "\r\n"][..]);
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn attribute() -> impl Strategy<Value = String> + Clone {
    const NAMES: &[&str] = &["a", "b", "id", "type", "to", "from", "xml:lang", "p:a", "p:b", "é"];
    (select(NAMES), text(), any::<bool>()).prop_map(|(name, value, double)| {
        let value = value.replace('"', "&quot;");
        if double { format!(" {name}=\"{value}'>\"") } else { format!(" {name} = '{value}\"'") }
    })
}

fn element() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &["a", "p:a", "q:b", "body", "message", "iq", "stream:x"];
    const DECLARATIONS: &[&str] =
        &["", "", " xmlns='urn:n'", " xmlns:p='urn:p'", " xmlns='jabber:client'", " xmlns=''"];
    let tag = (select(NAMES), vec(attribute(), 0..3), select(DECLARATIONS));
    let leaf = text().prop_map(|text| text.replace("]]", "]"));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (tag.clone(), vec(inner, 0..4)).prop_map(|((name, attributes, declaration), children)| {
            let (attributes, children) = (attributes.concat(), children.concat());
            format!("<{name}{declaration}{attributes}>{children}</{name}>")
        })
    })
}

fn document() -> impl Strategy<Value = String> {
    let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:p='urn:pp' \
         xmlns:q='urn:q' xmlns:stream='http://etherx.jabber.org/streams'>";
    let stanza = (select(&["message", "presence", "iq"][..]), vec(attribute(), 0..4), element())
        .prop_map(|(name, attributes, child)| {
            format!("<{name}{}>{child}</{name}>\n", attributes.concat())
        });
    vec(stanza, 0..3).prop_map(move |all| format!("{header}{}</stream:stream>", all.concat()))
}

/// Removes, puts in or repeats something at a place.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..4_u8, select(TOKENS), any::<u8>());
    (document(), vec(edit, 0..4)).prop_map(|(document, edits)| {
        let mut bytes = document.into_bytes();
        for (index, what, token, byte) in edits {
            let at = index.index(bytes.len());
            match what {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = byte,
                _ => drop(bytes.splice(at..at, token.bytes())),
            }
        }
        bytes
    })
}

/// Shown as text when a test fails.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

fn config() -> ProptestConfig {
    let persistence = FileFailurePersistence::Off;
    ProptestConfig { failure_persistence: Some(Box::new(persistence)), ..Default::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn documents_mean_to_us_what_they_mean_to_rxml(
        document in document(), cuts in vec(0..40_usize, 0..6),
    ) {
        check(document.as_bytes(), &cuts)?;
    }

    #[test]
    fn broken_documents_are_refused_when_rxml_refuses_them(
        document in mutated().prop_map(Bytes), cuts in vec(0..40_usize, 0..6),
    ) {
        check(&document.0, &cuts)?;
    }
}
