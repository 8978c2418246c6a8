//! The syntax of tags and references (XML 1.0 §3.1 and §4.1, Namespaces in XML 1.0 §4).
//!
//! Every function looks at a prefix of what may still come and says `None` when it needs more.
//! What it decides on a prefix it decides on every longer input, so that no way of cutting the
//! stream into chunks changes the outcome.

use crate::{Flaw, Limits, chars, names};

/// The most digits of a character reference; XML sets no bound to leading zeros.
const REFERENCE_DIGITS_MAX: usize = 16;

/// The most bytes of an entity name; those that may be used have four.
const ENTITY_NAME_BYTES_MAX: usize = 16;

/// A qualified name within a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QName {
    start: u32,
    /// Where the local part starts; equals `start` when there is no prefix.
    local: u32,
    end: u32,
}

impl QName {
    /// Prefix, colon and local part.
    pub(crate) fn raw<'s>(&self, s: &'s [u8]) -> &'s [u8] {
        &s[self.start as usize..self.end as usize]
    }

    /// The local part.
    pub(crate) fn local<'s>(&self, s: &'s [u8]) -> &'s [u8] {
        &s[self.local as usize..self.end as usize]
    }

    /// The prefix, empty if there is none.
    pub(crate) fn prefix<'s>(&self, s: &'s [u8]) -> &'s [u8] {
        &s[self.start as usize..(self.local as usize).saturating_sub(1).max(self.start as usize)]
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> usize {
        self.end as usize
    }

    /// Bytes of prefix and colon.
    pub(crate) fn local_offset(&self) -> usize {
        (self.local - self.start) as usize
    }
}

/// What an attribute is to Namespaces in XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// No prefix, no namespace.
    Plain,
    /// The prefix `xml`, which needs no declaration.
    Xml,
    /// Any other prefix.
    Prefixed,
    /// `xmlns`.
    Default,
    /// `xmlns:…`.
    Declaration,
}

impl Role {
    /// Whether it declares a namespace.
    pub(crate) fn declares(self) -> bool {
        matches!(self, Self::Default | Self::Declaration)
    }
}

/// An attribute within a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: QName,
    pub(crate) role: Role,
    /// Whether the value is canonical as it stands.
    pub(crate) plain: bool,
    start: u32,
    end: u32,
}

impl Attribute {
    /// The value as it stands between the quotes.
    pub(crate) fn value<'s>(&self, s: &'s [u8]) -> &'s [u8] {
        &s[self.start as usize..self.end as usize]
    }

    /// Where the quotes stand.
    pub(crate) fn quotes(&self) -> (usize, usize) {
        (self.start as usize - 1, self.end as usize)
    }
}

/// A start tag or an empty-element tag; its attributes are in the list that was passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartTag {
    pub(crate) name: QName,
    pub(crate) empty: bool,
    /// Canonical as it stands, but perhaps for the quotes, its end, and whether it says `xmlns`:
    /// single spaces, no prefix, plain values, `xmlns` first.
    pub(crate) tidy: bool,
    /// Bytes from `<` to `>`.
    pub(crate) len: usize,
}

/// Reads the start tag that `s` begins with. `s` starts with `<`.
pub(crate) fn start_tag(
    s: &[u8],
    limits: &Limits,
    attributes: &mut Vec<Attribute>,
) -> Result<Option<StartTag>, Flaw> {
    attributes.clear();
    let Some(name) = qname(s, 1, limits)? else { return Ok(None) };
    let mut at = name.end();
    let mut declarations = 0;
    let mut tidy = name.local_offset() == 0;
    loop {
        let space = chars::space_len(&s[at..]);
        at += space;
        let (empty, len) = match s.get(at..) {
            None | Some([] | [b'/']) => return Ok(None),
            Some([b'>', ..]) => (false, at + 1),
            Some([b'/', b'>', ..]) => (true, at + 2),
            Some([b'/', ..]) => return Err(Flaw::not_well_formed("stray slash in a tag")),
            Some(_) if space == 0 => {
                return Err(Flaw::not_well_formed("no white space before an attribute"));
            }
            Some(_) => {
                let Some((attribute, simple)) = attribute(s, at, limits)? else {
                    return Ok(None);
                };
                let first = attributes.is_empty();
                tidy &= simple && s[at - 1] == b' ' && space == 1;
                tidy &= first || attribute.role == Role::Plain;
                at = attribute.quotes().1 + 1;
                declarations += usize::from(attribute.role.declares());
                add_attribute(s, attribute, attributes)?;
                check_counts(declarations, attributes.len(), limits)?;
                continue;
            }
        };
        return Ok(Some(StartTag { name, empty, tidy, len }));
    }
}

fn add_attribute(s: &[u8], new: Attribute, attributes: &mut Vec<Attribute>) -> Result<(), Flaw> {
    if attributes.iter().any(|other| other.name.raw(s) == new.name.raw(s)) {
        return Err(given_twice(new.role));
    }
    attributes.push(new);
    Ok(())
}

fn check_counts(declarations: usize, attributes: usize, limits: &Limits) -> Result<(), Flaw> {
    if declarations > limits.namespaces_max {
        return Err(Flaw::policy("too many namespace declarations in an element"));
    }
    if attributes - declarations > limits.attributes_max {
        return Err(Flaw::policy("too many attributes in an element"));
    }
    Ok(())
}

fn given_twice(role: Role) -> Flaw {
    Flaw::not_well_formed(match role.declares() {
        true => "namespace declared twice",
        false => "attribute given twice",
    })
}

/// Reads an attribute, and says whether it is of the simple sort.
fn attribute(s: &[u8], at: usize, limits: &Limits) -> Result<Option<(Attribute, bool)>, Flaw> {
    match simple_attribute(s, at, limits) {
        Some(attribute) => Ok(Some((attribute, true))),
        None => Ok(any_attribute(s, at, limits)?.map(|attribute| (attribute, false))),
    }
}

/// Reads what nearly all attributes are: an ASCII name without prefix, and a plain value.
fn simple_attribute(s: &[u8], at: usize, limits: &Limits) -> Option<Attribute> {
    let len = chars::ascii_name_len(&s[at..]);
    let [b'=', quote @ (b'\'' | b'"'), value @ ..] = &s[at + len..] else { return None };
    if !chars::is_ascii_name_start(s[at]) || len > limits.name_bytes_max {
        return None;
    }
    let value_len = chars::plain_value_len(value);
    if value.get(value_len) != Some(quote) {
        return None;
    }
    let (end, start) = ((at + len) as u32, (at + len + 2) as u32);
    let role = if &s[at..at + len] == b"xmlns" { Role::Default } else { Role::Plain };
    let name = QName { start: at as u32, local: at as u32, end };
    Some(Attribute { name, role, plain: true, start, end: start + value_len as u32 })
}

/// Reads name, equals sign and quoted value.
fn any_attribute(s: &[u8], at: usize, limits: &Limits) -> Result<Option<Attribute>, Flaw> {
    let Some(name) = qname(s, at, limits)? else { return Ok(None) };
    let mut at = name.end as usize;
    at += chars::space_len(&s[at..]);
    match s.get(at) {
        None => return Ok(None),
        Some(b'=') => at += 1,
        Some(_) => return Err(Flaw::not_well_formed("attribute without a value")),
    }
    at += chars::space_len(&s[at..]);
    let quote = match s.get(at) {
        None => return Ok(None),
        Some(&quote @ (b'\'' | b'"')) => quote,
        Some(_) => return Err(Flaw::not_well_formed("attribute value without quotes")),
    };
    let start = at + 1;
    let Some((end, plain)) = value(s, start, quote)? else { return Ok(None) };
    let role = match (name.prefix(s), name.local(s)) {
        (b"", b"xmlns") => Role::Default,
        (b"", _) => Role::Plain,
        (b"xmlns", _) => Role::Declaration,
        (b"xml", _) => Role::Xml,
        _ => Role::Prefixed,
    };
    Ok(Some(Attribute { name, role, plain, start: start as u32, end: end as u32 }))
}

/// Finds the closing quote; says also whether the value is canonical as it stands.
fn value(s: &[u8], start: usize, quote: u8) -> Result<Option<(usize, bool)>, Flaw> {
    let mut at = start;
    let mut plain = true;
    loop {
        at += chars::plain_value_len(&s[at..]);
        match s.get(at) {
            None => return Ok(None),
            Some(&byte) if byte == quote => return Ok(Some((at, plain))),
            Some(b'"') => at += 1,
            Some(b'\'' | b'>' | b'\t' | b'\n' | b'\r') => {
                plain = false;
                at += 1;
            }
            Some(b'&') => {
                plain = false;
                let Some((_, len)) = reference(&s[at..])? else { return Ok(None) };
                at += len;
            }
            Some(b'<') => return Err(Flaw::not_well_formed("< in an attribute value")),
            Some(0..0x80) => return Err(chars::CONTROL),
            Some(_) => match chars::wide_len(&s[at..])? {
                0 => return Ok(None),
                len => at += len,
            },
        }
    }
}

/// Reads a qualified name. `None` also when the input ends where the name could go on.
fn qname(s: &[u8], start: usize, limits: &Limits) -> Result<Option<QName>, Flaw> {
    let mut local = start;
    let Some(mut at) = ncname(s, start, start + limits.name_bytes_max)? else { return Ok(None) };
    if s[at] == b':' {
        local = at + 1;
        let Some(end) = ncname(s, local, start + limits.name_bytes_max)? else { return Ok(None) };
        at = end;
    }
    if s[at] == b':' {
        return Err(Flaw::not_well_formed("two colons in a name"));
    }
    Ok(Some(QName { start: start as u32, local: local as u32, end: at as u32 }))
}

/// Reads a name without colon; gives its end, after which there is at least one byte.
fn ncname(s: &[u8], start: usize, end_max: usize) -> Result<Option<usize>, Flaw> {
    let mut at = start;
    loop {
        if at > start {
            at += chars::ascii_name_len(&s[at..]);
        }
        if at > end_max {
            return Err(Flaw::policy("name is too long"));
        }
        match s.get(at) {
            None => return Ok(None),
            Some(&byte) if at == start && chars::is_ascii_name_start(byte) => at += 1,
            Some(0..0x80) if at == start => {
                return Err(Flaw::not_well_formed("name starts with a wrong character"));
            }
            Some(0..0x80) => return Ok(Some(at)),
            Some(_) => match chars::wide_char(&s[at..])? {
                None => return Ok(None),
                Some((c, len)) if names::starts_name(c) => at += len,
                Some((c, len)) if at > start && names::continues_name(c) => at += len,
                Some((c, _)) if names::in_fifth_edition(c, at == start) => {
                    return Err(Flaw::restricted("name that some XML parsers refuse"));
                }
                Some(_) => return Err(Flaw::not_well_formed("wrong character in a name")),
            },
        }
    }
}

/// Reads the reference that `s` begins with, and its length. `s` starts with `&`.
pub(crate) fn reference(s: &[u8]) -> Result<Option<(char, usize)>, Flaw> {
    match s.get(1..) {
        None | Some([]) => Ok(None),
        Some([b'#', ..]) => character_reference(s),
        Some(_) => entity_reference(s),
    }
}

/// The five entities that need no declaration (XML 1.0 §4.6); others are restricted
/// (RFC 6120 §11.1).
fn entity_reference(s: &[u8]) -> Result<Option<(char, usize)>, Flaw> {
    let Some(end) = ncname(s, 1, ENTITY_NAME_BYTES_MAX)? else { return Ok(None) };
    if s[end] != b';' {
        return Err(Flaw::not_well_formed("& that starts no reference"));
    }
    let c = match &s[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"apos" => '\'',
        b"quot" => '"',
        _ => return Err(Flaw::restricted("reference to an entity that is not predefined")),
    };
    Ok(Some((c, end + 1)))
}

fn character_reference(s: &[u8]) -> Result<Option<(char, usize)>, Flaw> {
    let (radix, start) = match s.get(2) {
        None => return Ok(None),
        Some(b'x') => (16, 3),
        Some(_) => (10, 2),
    };
    let mut code = 0_u32;
    let mut at = start;
    loop {
        let Some(&byte) = s.get(at) else { return Ok(None) };
        if byte == b';' && at > start {
            break;
        }
        let Some(digit) = char::from(byte).to_digit(radix) else {
            return Err(Flaw::not_well_formed("character reference without digits"));
        };
        code = code.saturating_mul(radix).saturating_add(digit);
        at += 1;
        if at - start > REFERENCE_DIGITS_MAX {
            return Err(Flaw::restricted("character reference is too long"));
        }
    }
    match char::from_u32(code) {
        Some(c) if chars::is_xml_char(c) => Ok(Some((c, at + 1))),
        _ => Err(Flaw::not_well_formed("reference to a character that XML forbids")),
    }
}

/// Reads the end tag that `s` begins with, which must be that of `name`; gives its length.
/// `s` starts with `</`.
pub(crate) fn end_tag(s: &[u8], name: &[u8]) -> Result<Option<usize>, Flaw> {
    let rest = &s[2..];
    let known = rest.len().min(name.len());
    if rest[..known] != name[..known] {
        return Err(Flaw::not_well_formed("end tag of another element"));
    }
    let at = 2 + known + chars::space_len(&rest[known..]);
    match s.get(at) {
        None => Ok(None),
        Some(b'>') => Ok(Some(at + 1)),
        Some(_) => Err(Flaw::not_well_formed("end tag of another element")),
    }
}
