//! XML as a script sees it: prefixes, quotes and the order of attributes are gone.
//!
//! The parser is not the server's: what the server writes is judged by somebody else's eyes.

use rxml::{Event, Options, Parse, Parser, WithOptions, error::EndOrError};
use std::{collections::BTreeMap, fmt};

/// The namespace of stanzas on a client's stream (RFC 6120 §4.8.2).
pub const CLIENT: &str = "jabber:client";
/// The namespace of a stream's root (RFC 6120 §4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// The namespace of the attributes that speak to the runner.
pub const SCANSION: &str = "scansion";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const STANZAS: [&str; 3] = ["message", "presence", "iq"];
const TOKEN_BYTES_MAX: usize = 4 << 20;

/// One element with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Its namespace.
    pub ns: String,
    /// Its name without a prefix.
    pub local: String,
    /// Namespace (empty for most) and name to value.
    pub attributes: BTreeMap<(String, String), String>,
    /// Elements and text, in order.
    pub nodes: Vec<Node>,
}

/// What is inside an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Tree(Tree),
    /// Text, unescaped.
    Text(String),
}

impl Tree {
    /// The elements inside, in order.
    pub fn children(&self) -> impl Iterator<Item = &Tree> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Tree(tree) => Some(tree),
            Node::Text(_) => None,
        })
    }

    /// The first child of this name.
    pub fn child(&self, ns: &str, local: &str) -> Option<&Tree> {
        self.children().find(|child| child.is(ns, local))
    }

    /// Whether this is its name.
    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.ns == ns && self.local == local
    }

    /// An attribute without namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(&(String::new(), name.to_owned())).map(String::as_str)
    }

    /// Whether it, or an element in it, tells of a language.
    pub fn tells_language(&self) -> bool {
        self.attributes.contains_key(&language()) || self.children().any(Self::tells_language)
    }

    /// The same without the languages of stanzas.
    pub fn without_languages(mut self) -> Self {
        if self.ns == CLIENT && STANZAS.contains(&self.local.as_str()) {
            self.attributes.remove(&language());
        }
        let nodes = self.nodes.into_iter().map(|node| match node {
            Node::Tree(tree) => Node::Tree(tree.without_languages()),
            text @ Node::Text(_) => text,
        });
        Self { nodes: nodes.collect(), ..self }
    }

    /// Its text. Between elements, white space only indents and does not count.
    pub fn text(&self) -> String {
        let text: String = self
            .nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Tree(_) => None,
            })
            .collect();
        if self.children().next().is_some() { text.trim().to_owned() } else { text }
    }

    fn write(&self, parent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.local)?;
        if self.ns != parent {
            write!(f, " xmlns='{}'", escaped(&self.ns))?;
        }
        for ((ns, local), value) in self.attributes.iter().filter(|((ns, _), _)| ns != SCANSION) {
            match ns.as_str() {
                "" => write!(f, " {local}='{}'", escaped(value))?,
                XML => write!(f, " xml:{local}='{}'", escaped(value))?,
                _ => write!(f, " xmlns:a='{}' a:{local}='{}'", escaped(ns), escaped(value))?,
            }
        }
        if self.nodes.is_empty() {
            return f.write_str("/>");
        }
        f.write_str(">")?;
        let indented = self.children().next().is_some();
        for node in &self.nodes {
            match node {
                Node::Tree(tree) => tree.write(&self.ns, f)?,
                Node::Text(text) if indented && text.trim().is_empty() => {}
                Node::Text(text) => f.write_str(&escaped(text))?,
            }
        }
        write!(f, "</{}>", self.local)
    }
}

/// The element as it is sent on a client's stream.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(CLIENT, f)
    }
}

/// The key of `xml:lang`.
fn language() -> (String, String) {
    (XML.to_owned(), "lang".to_owned())
}

/// The text as it stands in XML, inside an element or in any quotes.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\'' => safe.push_str("&apos;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(symbol),
        }
    }
    safe
}

/// The elements in a block of a script, in the namespace of a client's stream.
///
/// # Errors
/// What the parser finds wrong.
pub fn parse_block(block: &str) -> Result<Vec<Tree>, String> {
    let root = format!(
        "<root xmlns='{CLIENT}' xmlns:stream='{STREAM}' xmlns:scansion='{SCANSION}'>{block}</root>"
    );
    let mut growth = Growth::new();
    let (heard, flaw) = growth.read(root.as_bytes());
    if let Some(flaw) = flaw {
        return Err(format!("the block is not XML: {flaw}"));
    }
    let trees = heard.into_iter().filter_map(|heard| match heard {
        Heard::Element(tree) => Some(tree),
        Heard::Header(_) | Heard::Close => None,
    });
    Ok(trees.collect())
}

/// One element that is a document of its own, without anything around it.
///
/// # Errors
/// What the parser finds wrong, or an XML declaration.
pub fn document(mut bytes: &[u8]) -> Result<Tree, String> {
    let mut growth = Growth { rooted: true, ..Growth::new() };
    let mut whole = None;
    loop {
        match growth.parser.parse(&mut bytes, true) {
            Ok(Some(Event::XmlDeclaration(..))) => return Err("an XML declaration".into()),
            Ok(Some(event)) => {
                if let Some(Heard::Element(tree)) = growth.grow(event)? {
                    whole = Some(tree);
                }
            }
            Ok(None) => return whole.ok_or("no element".into()),
            Err(EndOrError::NeedMoreData) => return Err("only part of an element".into()),
            Err(EndOrError::Error(flaw)) => return Err(flaw.to_string()),
        }
    }
}

/// What comes along a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Its root's start tag.
    Header(Tree),
    /// A whole child of the root.
    Element(Tree),
    /// Its root's end tag.
    Close,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(tree) => write!(f, "the stream header {tree}"),
            Self::Element(tree) => write!(f, "{tree}"),
            Self::Close => f.write_str("the end tag of the stream"),
        }
    }
}

/// Reads a stream, cut anywhere, into what comes along it.
pub struct Growth {
    parser: Parser,
    open: Vec<Tree>,
    rooted: bool,
}

impl Default for Growth {
    fn default() -> Self {
        Self::new()
    }
}

impl Growth {
    /// Before a stream header.
    pub fn new() -> Self {
        let options = Options { max_token_length: TOKEN_BYTES_MAX, ..Options::default() };
        Self { parser: Parser::with_options(options), open: Vec::new(), rooted: false }
    }

    /// What has become whole, and what is wrong with the rest.
    pub fn read(&mut self, mut bytes: &[u8]) -> (Vec<Heard>, Option<String>) {
        let mut heard = Vec::new();
        loop {
            match self.parser.parse(&mut bytes, false) {
                Ok(Some(event)) => match self.grow(event) {
                    Ok(whole) => heard.extend(whole),
                    Err(flaw) => return (heard, Some(flaw)),
                },
                Ok(None) | Err(EndOrError::NeedMoreData) => return (heard, None),
                Err(EndOrError::Error(flaw)) => return (heard, Some(flaw.to_string())),
            }
        }
    }

    fn grow(&mut self, event: Event) -> Result<Option<Heard>, String> {
        match event {
            Event::XmlDeclaration(..) => Ok(None),
            Event::StartElement(_, (ns, local), attributes) => {
                let attributes = attributes
                    .into_iter()
                    .map(|((ns, local), value)| ((ns.to_string(), local.to_string()), value));
                let tree = Tree {
                    ns: ns.to_string(),
                    local: local.to_string(),
                    attributes: attributes.collect(),
                    nodes: Vec::new(),
                };
                if self.rooted {
                    self.open.push(tree);
                    return Ok(None);
                }
                self.rooted = true;
                Ok(Some(Heard::Header(tree)))
            }
            Event::EndElement(_) => Ok(self.close()),
            Event::Text(_, text) => self.text(text).map(|()| None),
        }
    }

    fn close(&mut self) -> Option<Heard> {
        let Some(tree) = self.open.pop() else { return Some(Heard::Close) };
        let Some(parent) = self.open.last_mut() else { return Some(Heard::Element(tree)) };
        parent.nodes.push(Node::Tree(tree));
        None
    }

    fn text(&mut self, text: String) -> Result<(), String> {
        let Some(parent) = self.open.last_mut() else {
            let white = text.chars().all(|symbol| symbol.is_ascii_whitespace());
            return if white { Ok(()) } else { Err(format!("text between stanzas: {text}")) };
        };
        match parent.nodes.last_mut() {
            Some(Node::Text(begun)) => begun.push_str(&text),
            _ => parent.nodes.push(Node::Text(text)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stanzas_lose_their_languages() {
        let one = |block| parse_block(block).unwrap().remove(0);
        let spoken = one("<message xml:lang='en'><body xml:lang='it'>a</body>\
            <f xmlns='u'><iq xmlns='jabber:client' xml:lang='en'/></f></message>");
        assert!(spoken.tells_language());
        let plain = one("<message><body xml:lang='it'>a</body>\
            <f xmlns='u'><iq xmlns='jabber:client'/></f></message>");
        assert_eq!(spoken.without_languages(), plain);
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same() {
        let stream = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
            xmlns:stream='http://etherx.jabber.org/streams'> <message><body>a&lt;b</body>\
            </message>\n<presence/></stream:stream>";
        let whole = Growth::new().read(stream.as_bytes()).0;
        assert_eq!(whole.len(), 4);
        let mut growth = Growth::new();
        let dripped: Vec<_> =
            stream.as_bytes().iter().flat_map(|byte| growth.read(&[*byte]).0).collect();
        assert_eq!(whole, dripped);
        let Heard::Element(message) = &whole[1] else { panic!("{whole:?}") };
        assert_eq!(message.to_string(), "<message><body>a&lt;b</body></message>");
    }

    #[test]
    fn what_a_restricted_parser_refuses_is_a_flaw() {
        for bad in ["<a><!--x--></a>", "<a><?x y?></a>", "<a>&nbsp;</a>", "<a><b></a>", "<a>\u{1}"]
        {
            assert!(Growth::new().read(bad.as_bytes()).1.is_some(), "{bad}");
        }
        let (_, flaw) = Growth::new().read(b"<a> stray </a>");
        assert!(flaw.is_some());
    }

    #[test]
    fn a_document_is_one_element_and_nothing_else() {
        let tree = document(b"<a xmlns='urn:a'><b>c</b></a>").unwrap();
        assert_eq!(tree.children().next().unwrap().text(), "c");
        for bad in [
            "",
            " ",
            "<a>",
            "<a/><b/>",
            "<a/>text",
            "text<a/>",
            "<a:b/>",
            "<?xml version='1.0'?><a/>",
            "<a><!--x--></a>",
        ] {
            assert!(document(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn indentation_is_not_content() {
        let blocks = parse_block("<a>\n\t<b> x </b>\n</a>").unwrap();
        assert_eq!(blocks[0].to_string(), "<a><b> x </b></a>");
    }
}
