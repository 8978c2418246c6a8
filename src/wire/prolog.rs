//! What may stand before the root: a byte order mark, the XML declaration, white space
//! (XML 1.0 §2.8, RFC 6120 §11.4 to §11.6).

use crate::{Flaw, StreamCondition, chars};

/// What the very start of a document turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A byte order mark or an XML declaration of this many bytes.
    Skip(usize),
    /// Neither: the document goes on at once.
    Nothing,
    /// More bytes are needed to tell.
    More,
}

const DECLARATION: &[u8] = b"<?xml";
const OTHER_ENCODING: Flaw =
    Flaw::new(StreamCondition::UnsupportedEncoding, "encoding other than UTF-8");
const BAD_DECLARATION: Flaw = Flaw::not_well_formed("malformed XML declaration");

/// Looks for a byte order mark. `s` is not empty.
pub(crate) fn byte_order_mark(s: &[u8]) -> Result<Start, Flaw> {
    match s {
        [0xef, 0xbb, 0xbf, ..] => Ok(Start::Skip(3)),
        [0xef] | [0xef, 0xbb] => Ok(Start::More),
        [0xfe | 0xff | 0x00, ..] | [b'<', 0x00, ..] => Err(OTHER_ENCODING),
        [b'<'] => Ok(Start::More),
        _ => Ok(Start::Nothing),
    }
}

/// Looks for an XML declaration. `s` is not empty.
pub(crate) fn declaration(s: &[u8]) -> Result<Start, Flaw> {
    let known = s.len().min(DECLARATION.len());
    if s[..known] != DECLARATION[..known] {
        return Ok(Start::Nothing);
    }
    match s.get(DECLARATION.len()) {
        None => Ok(Start::More),
        Some(&byte) if chars::is_space(byte) => Fields { s, at: DECLARATION.len() }.read(),
        Some(_) => Ok(Start::Nothing),
    }
}

/// The pseudo-attributes of the declaration, in their fixed order.
struct Fields<'s> {
    s: &'s [u8],
    at: usize,
}

impl Fields<'_> {
    fn read(mut self) -> Result<Start, Flaw> {
        let mut last = 0;
        loop {
            let space = chars::space_len(&self.s[self.at..]);
            self.at += space;
            match &self.s[self.at..] {
                [] | [b'?'] => return Ok(Start::More),
                [b'?', b'>', ..] if last > 0 => return Ok(Start::Skip(self.at + 2)),
                [b'?', ..] => return Err(BAD_DECLARATION),
                _ if space == 0 => return Err(BAD_DECLARATION),
                _ => {}
            }
            let Some(field) = self.field(last)? else { return Ok(Start::More) };
            last = field;
        }
    }

    /// Reads one field that may follow the field number `last`; gives its own number.
    fn field(&mut self, last: usize) -> Result<Option<usize>, Flaw> {
        let names: [&[u8]; 3] = [b"version", b"encoding", b"standalone"];
        let allowed = match last {
            0 => 0..1,
            1 => 1..3,
            2 => 2..3,
            _ => 0..0,
        };
        let rest = &self.s[self.at..];
        for name in &names[allowed.clone()] {
            let known = rest.len().min(name.len());
            if rest[..known] == name[..known] && known < name.len() {
                return Ok(None);
            }
        }
        let found = allowed.into_iter().find(|&index| rest.starts_with(names[index]));
        let index = found.ok_or(BAD_DECLARATION)?;
        self.at += names[index].len();
        let Some(value) = self.value()? else { return Ok(None) };
        check_field(index, value)?;
        Ok(Some(index + 1))
    }

    fn value(&mut self) -> Result<Option<&[u8]>, Flaw> {
        self.at += chars::space_len(&self.s[self.at..]);
        match self.s.get(self.at) {
            None => return Ok(None),
            Some(b'=') => self.at += 1,
            Some(_) => return Err(BAD_DECLARATION),
        }
        self.at += chars::space_len(&self.s[self.at..]);
        let quote = match self.s.get(self.at) {
            None => return Ok(None),
            Some(&quote @ (b'\'' | b'"')) => quote,
            Some(_) => return Err(BAD_DECLARATION),
        };
        let start = self.at + 1;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let len = self.s[start..].iter().position(|&byte| !allowed(byte));
        let Some(len) = len else { return Ok(None) };
        if self.s[start + len] != quote || len == 0 {
            return Err(BAD_DECLARATION);
        }
        self.at = start + len + 1;
        Ok(Some(&self.s[start..start + len]))
    }
}

fn check_field(index: usize, value: &[u8]) -> Result<(), Flaw> {
    let valid = match index {
        0 if value == b"1.0" => true,
        0 => return Err(Flaw::new(StreamCondition::BadFormat, "XML version other than 1.0")),
        1 if value.eq_ignore_ascii_case(b"utf-8") => true,
        1 if value[0].is_ascii_alphabetic() && !value.contains(&b':') => {
            return Err(OTHER_ENCODING);
        }
        1 => false,
        _ => matches!(value, b"yes" | b"no"),
    };
    if valid { Ok(()) } else { Err(BAD_DECLARATION) }
}
