//! Character data: text and CDATA sections (XML 1.0 §2.4 and §2.7), line ends (§2.11).

use crate::canonical::{Canonical, push_text_byte};
use crate::chars;
use crate::{Flaw, tag};

/// What must be remembered of character data from one run to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextState {
    /// Inside of a CDATA section.
    pub(crate) cdata: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// How many `]` came last; more than two count as two. In a CDATA section they are not
    /// written yet, for they may belong to its end.
    brackets: u8,
}

impl TextState {
    /// Something else came between: markup or a reference.
    pub(crate) fn interrupt(&mut self) {
        self.after_return = false;
        self.brackets = 0;
    }

    /// Reads character data up to markup, a reference, or the end of the CDATA section.
    /// Gives how many bytes were used; 0 if the input ends inside of the first character.
    /// Without `out` the text is checked and dropped.
    pub(crate) fn read(
        &mut self,
        s: &[u8],
        mut out: Option<&mut Canonical>,
    ) -> Result<usize, Flaw> {
        let mut at = 0;
        while let Some(&byte) = s.get(at) {
            let plain = chars::plain_text_len(&s[at..]);
            if plain > 0 {
                let run = &s[at..at + plain];
                at += plain;
                let folded = self.after_return && run[0] == b'\n';
                self.flush(&mut out)?;
                put(&mut out, &run[usize::from(folded)..])?;
                continue;
            }
            match byte {
                b'<' | b'&' if !self.cdata => return Ok(at),
                b'>' if self.brackets == 2 && !self.cdata => {
                    return Err(Flaw::not_well_formed("]]> in text"));
                }
                b'>' if self.brackets == 2 => {
                    *self = Self::default();
                    return Ok(at + 1);
                }
                b']' => self.bracket(&mut out)?,
                b'\r' => self.carriage_return(&mut out)?,
                b'<' | b'&' | b'>' => self.escaped(byte, &mut out)?,
                0..0x80 => return Err(chars::CONTROL),
                _ => {
                    let len = chars::wide_len(&s[at..])?;
                    if len == 0 {
                        return Ok(at);
                    }
                    self.flush(&mut out)?;
                    put(&mut out, &s[at..at + len])?;
                    at += len - 1;
                }
            }
            at += 1;
        }
        Ok(at)
    }

    /// Anything but a `]`: those before it were text.
    fn flush(&mut self, out: &mut Option<&mut Canonical>) -> Result<(), Flaw> {
        let held = if self.cdata { usize::from(self.brackets) } else { 0 };
        self.interrupt();
        put(out, &b"]]"[..held])
    }

    fn bracket(&mut self, out: &mut Option<&mut Canonical>) -> Result<(), Flaw> {
        self.after_return = false;
        let written = !self.cdata || self.brackets == 2;
        self.brackets = (self.brackets + 1).min(2);
        if written { put(out, b"]") } else { Ok(()) }
    }

    fn carriage_return(&mut self, out: &mut Option<&mut Canonical>) -> Result<(), Flaw> {
        self.flush(out)?;
        self.after_return = true;
        put(out, b"\n")
    }

    fn escaped(&mut self, byte: u8, out: &mut Option<&mut Canonical>) -> Result<(), Flaw> {
        self.flush(out)?;
        let Some(out) = out else { return Ok(()) };
        out.text(b"")?;
        out.with(|bytes| push_text_byte(byte, bytes))
    }
}

/// Reads a reference in text. Gives its length, `None` if the input ends inside of it.
pub(crate) fn reference(s: &[u8], out: Option<&mut Canonical>) -> Result<Option<usize>, Flaw> {
    let Some((c, len)) = tag::reference(s)? else { return Ok(None) };
    if let Some(out) = out {
        out.text(b"")?;
        out.with(|bytes| {
            for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
                push_text_byte(byte, bytes);
            }
        })?;
    }
    Ok(Some(len))
}

fn put(out: &mut Option<&mut Canonical>, text: &[u8]) -> Result<(), Flaw> {
    match out {
        Some(out) if !text.is_empty() => out.text(text),
        _ => Ok(()),
    }
}
