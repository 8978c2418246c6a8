//! Which elements are open, and what prefixes mean there (Namespaces in XML 1.0 §6).

use crate::decoder::Content;
use crate::tag::{Attribute, QName, Role, StartTag};
use crate::{Flaw, Limits, StreamCondition, ns};

/// Keeps at most this many bytes of spare memory between two stanzas.
const KEPT_BYTES_MAX: usize = 2048;

/// A namespace in scope. Equal values mean equal URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ns {
    /// No namespace.
    None,
    /// That of the prefix `xml`.
    Xml,
    /// The URI of the binding with this index, the first of those in scope that have the URI.
    Bound(u32),
}

#[derive(Clone, Copy, Debug)]
struct Binding {
    /// Bytes of the prefix; the URI follows it up to the next binding.
    prefix_len: u32,
    start: u32,
    end: u32,
    ns: Ns,
    /// Whether the URI is a content namespace.
    content: bool,
}

/// An element whose end tag has not come.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Where its name starts in `names`, and its local part.
    name: u32,
    local: u32,
    /// How many bindings there were outside.
    bindings: u32,
    ns: Ns,
    default: Ns,
    /// In a content namespace, and so are all elements around it up to the stanza.
    content: bool,
}

/// What the canonical form needs to know of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entered {
    pub(crate) ns: Ns,
    /// Whether the namespace differs from that of the parent.
    pub(crate) says_ns: bool,
    /// Whether it is, like everything around it, in a content namespace.
    pub(crate) content: bool,
}

/// The open elements and the declarations in scope.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    levels: Vec<Level>,
    names: Vec<u8>,
    bindings: Vec<Binding>,
    /// Prefix and URI of each binding.
    bytes: Vec<u8>,
    /// The default namespace outside of all elements.
    default: Option<Ns>,
    /// Another name of the content namespace.
    alias: Option<&'static str>,
}

impl Scope {
    /// Another URI by which the content namespace goes.
    pub(crate) fn set_alias(&mut self, uri: &'static str) {
        self.alias = Some(uri);
    }

    /// Whether it is that URI.
    pub(crate) fn is_alias(&self, uri: &[u8]) -> bool {
        self.alias.is_some_and(|alias| alias.as_bytes() == uri)
    }

    /// Declares the default namespace outside of all elements.
    pub(crate) fn set_default(&mut self, uri: &str) {
        let ns = self.bind(b"", |out| out.extend_from_slice(uri.as_bytes()));
        self.default = Some(ns);
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// The name of the innermost element, as in its start tag.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.levels.last().map(|level| &self.names[level.name as usize..])
    }

    /// The local part of that name.
    pub(crate) fn local(&self) -> &[u8] {
        self.levels.last().map_or(&[], |level| &self.names[level.local as usize..])
    }

    /// The default namespace inside of the innermost element.
    pub(crate) fn default_ns(&self) -> Ns {
        let outside = self.default.unwrap_or(Ns::None);
        self.levels.last().map_or(outside, |level| level.default)
    }

    /// The URI as it stands in canonical bytes, escaped; empty for none.
    pub(crate) fn uri(&self, ns: Ns) -> &[u8] {
        match ns {
            Ns::None => b"",
            Ns::Xml => ns::XML.as_bytes(),
            Ns::Bound(index) => {
                let binding = &self.bindings[index as usize];
                &self.bytes[(binding.start + binding.prefix_len) as usize..binding.end as usize]
            }
        }
    }

    /// Enters an element: takes its declarations, resolves its name and those of its attributes.
    pub(crate) fn enter(
        &mut self,
        s: &[u8],
        tag: &StartTag,
        attributes: &[Attribute],
        limits: &Limits,
    ) -> Result<Entered, Flaw> {
        let outside = self.bindings.len();
        let mut default = self.default_ns();
        let mut prefixed = false;
        for attribute in attributes {
            match attribute.role {
                Role::Plain | Role::Xml => {}
                Role::Prefixed => prefixed = true,
                Role::Default => default = self.declare_default(s, attribute)?,
                Role::Declaration => self.declare_prefix(s, attribute)?,
            }
        }
        if self.bindings.len() > limits.namespaces_max + limits.depth_max {
            return Err(Flaw::policy("too many namespace declarations in scope"));
        }
        let ns = self.element_ns(tag.name.prefix(s), default)?;
        if prefixed {
            self.check_prefixed(s, attributes)?;
        }
        let (parent, in_content) = match self.levels.last() {
            Some(level) => (level.ns, level.content),
            None => (Ns::None, true),
        };
        let content = in_content && self.is_content(ns);
        let says_ns = if in_content { !content } else { ns != parent };
        self.push(
            s,
            &tag.name,
            Level { bindings: outside as u32, ns, default, content, name: 0, local: 0 },
        );
        Ok(Entered { ns, says_ns, content })
    }

    /// Leaves the innermost element.
    pub(crate) fn leave(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        self.names.truncate(level.name as usize);
        self.bindings.truncate(level.bindings as usize);
        self.bytes.truncate(self.bindings.last().map_or(0, |binding| binding.end as usize));
    }

    /// Gives memory back that only an unusual element needed.
    pub(crate) fn shrink(&mut self) {
        if self.held_bytes() > KEPT_BYTES_MAX {
            self.levels.shrink_to_fit();
            self.bindings.shrink_to_fit();
            self.names.shrink_to_fit();
            self.bytes.shrink_to_fit();
        }
    }

    /// What a prefix is bound to.
    pub(crate) fn lookup(&self, prefix: &[u8]) -> Result<Ns, Flaw> {
        if prefix == b"xml" {
            return Ok(Ns::Xml);
        }
        let bound = self.bindings.iter().rev().find(|binding| self.prefix(binding) == prefix);
        bound.map(|binding| binding.ns).ok_or(Flaw::not_well_formed("undeclared prefix"))
    }

    /// Marks the innermost element as the stream root: what is inside of it has no parent.
    pub(crate) fn make_root(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.content = true;
        }
    }

    /// Bytes on the heap.
    pub(crate) fn held_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
            + self.bindings.capacity() * size_of::<Binding>()
            + self.names.capacity()
            + self.bytes.capacity()
    }

    fn push(&mut self, s: &[u8], name: &QName, level: Level) {
        let start = self.names.len();
        self.names.extend_from_slice(name.raw(s));
        let local = start + name.local_offset();
        self.levels.push(Level { name: start as u32, local: local as u32, ..level });
    }

    fn prefix(&self, binding: &Binding) -> &[u8] {
        &self.bytes[binding.start as usize..][..binding.prefix_len as usize]
    }

    fn is_content(&self, ns: Ns) -> bool {
        matches!(ns, Ns::Bound(index) if self.bindings[index as usize].content)
    }

    fn element_ns(&self, prefix: &[u8], default: Ns) -> Result<Ns, Flaw> {
        match prefix {
            b"" => Ok(default),
            b"xmlns" => Err(Flaw::not_well_formed("element with the prefix xmlns")),
            b"xml" => Err(Flaw::restricted("element with the prefix xml")),
            _ => self.lookup(prefix),
        }
    }

    /// All prefixes are declared, and no two attributes have the same expanded name.
    fn check_prefixed(&self, s: &[u8], attributes: &[Attribute]) -> Result<(), Flaw> {
        let prefixed = |attribute: &&Attribute| attribute.role == Role::Prefixed;
        for (at, attribute) in attributes.iter().enumerate().filter(|(_, one)| prefixed(one)) {
            let ns = self.lookup(attribute.name.prefix(s))?;
            let local = attribute.name.local(s);
            for other in attributes[..at].iter().filter(prefixed) {
                if other.name.local(s) == local && self.lookup(other.name.prefix(s))? == ns {
                    return Err(Flaw::not_well_formed("attribute given twice"));
                }
            }
        }
        Ok(())
    }

    fn declare_default(&mut self, s: &[u8], attribute: &Attribute) -> Result<Ns, Flaw> {
        let ns = self.bind_value(b"", s, attribute);
        let uri = self.uri(ns);
        if uri == ns::XML.as_bytes() {
            return Err(RESERVED);
        }
        if uri == ns::XMLNS.as_bytes() {
            return Err(Flaw::not_well_formed("namespace of xmlns declared as the default"));
        }
        Ok(if uri.is_empty() { Ns::None } else { ns })
    }

    fn declare_prefix(&mut self, s: &[u8], attribute: &Attribute) -> Result<(), Flaw> {
        let prefix = attribute.name.local(s);
        let ns = self.bind_value(prefix, s, attribute);
        let uri = self.uri(ns);
        let xml = prefix == b"xml";
        if prefix == b"xmlns" || uri == ns::XMLNS.as_bytes() || xml != (uri == ns::XML.as_bytes()) {
            return Err(RESERVED);
        }
        if uri.is_empty() {
            return Err(Flaw::not_well_formed("prefix declared for no namespace"));
        }
        Ok(())
    }

    fn bind_value(&mut self, prefix: &[u8], s: &[u8], attribute: &Attribute) -> Ns {
        self.bind(prefix, |out| crate::canonical::escape_value(attribute, s, out))
    }

    fn bind(&mut self, prefix: &[u8], write_uri: impl FnOnce(&mut Vec<u8>)) -> Ns {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(prefix);
        write_uri(&mut self.bytes);
        let uri = &self.bytes[start + prefix.len()..];
        let same = (0..self.bindings.len()).find(|&index| self.uri(Ns::Bound(index as u32)) == uri);
        let ns = Ns::Bound(same.unwrap_or(self.bindings.len()) as u32);
        let content =
            Content::ALL.iter().any(|content| content.ns().as_bytes() == uri) || self.is_alias(uri);
        self.bindings.push(Binding {
            prefix_len: prefix.len() as u32,
            start: start as u32,
            end: self.bytes.len() as u32,
            ns,
            content,
        });
        ns
    }
}

const RESERVED: Flaw = Flaw::not_well_formed("reserved prefix or namespace declared");

/// Where a first-level element stands that is in the content namespace of another kind of stream.
pub(crate) const OTHER_CONTENT: Flaw =
    Flaw::new(StreamCondition::InvalidNamespace, "content namespace of another kind of stream");
