//! Characters of XML 1.0 (fifth edition): what may stand in names, in text, anywhere.

use crate::{Flaw, StreamCondition};

/// May be copied to canonical text as it is.
const TEXT: u8 = 1;
/// May be copied to a canonical attribute value as it is.
const VALUE: u8 = 2;
/// May start a name without colon.
const NAME_START: u8 = 4;
/// May continue a name without colon.
const NAME: u8 = 8;
/// White space (XML 1.0 §2.3).
const SPACE: u8 = 16;

/// What each ASCII byte may be; nothing above.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        let mut class = 0;
        if byte >= 0x20 && !matches!(byte, b'&' | b'<' | b'>') {
            class |= if byte == b']' { 0 } else { TEXT };
            class |= if matches!(byte, b'\'' | b'"') { 0 } else { VALUE };
        }
        if matches!(byte, b'\t' | b'\n') {
            class |= TEXT;
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            class |= SPACE;
        }
        if byte.is_ascii_alphabetic() || byte == b'_' {
            class |= NAME_START | NAME;
        }
        if byte.is_ascii_digit() || matches!(byte, b'-' | b'.') {
            class |= NAME;
        }
        table[byte as usize] = class;
        byte += 1;
    }
    table
}

fn run(bytes: &[u8], class: u8) -> usize {
    let end = bytes.iter().position(|&byte| CLASS[usize::from(byte)] & class == 0);
    end.unwrap_or(bytes.len())
}

/// Leading bytes that canonical text holds as they are.
pub(crate) fn plain_text_len(bytes: &[u8]) -> usize {
    let at = whole_chunks(bytes, |byte| {
        (byte < 0x20) & (byte != b'\t') & (byte != b'\n')
            | (byte >= 0x80)
            | (byte == b'&')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b']')
    });
    at + run(&bytes[at..], TEXT)
}

/// Leading bytes that a canonical attribute value holds as they are.
pub(crate) fn plain_value_len(bytes: &[u8]) -> usize {
    let at = whole_chunks(bytes, |byte| {
        !(0x20..0x80).contains(&byte)
            | (byte == b'&')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b'\'')
            | (byte == b'"')
    });
    at + run(&bytes[at..], VALUE)
}

/// Bytes of the leading chunks without any byte to stop at. Free of branches, so that the
/// compiler looks at the bytes of a chunk all at once.
fn whole_chunks(bytes: &[u8], stops: impl Fn(u8) -> bool) -> usize {
    const CHUNK: usize = 16;
    let (chunks, _) = bytes.as_chunks::<CHUNK>();
    let stop = chunks.iter().position(|chunk| chunk.iter().fold(false, |any, &b| any | stops(b)));
    stop.unwrap_or(chunks.len()) * CHUNK
}

/// Leading white space.
pub(crate) fn space_len(bytes: &[u8]) -> usize {
    run(bytes, SPACE)
}

/// Leading bytes of ASCII that may continue a name; a colon may not.
pub(crate) fn ascii_name_len(bytes: &[u8]) -> usize {
    run(bytes, NAME)
}

/// White space (XML 1.0 §2.3).
pub(crate) fn is_space(byte: u8) -> bool {
    CLASS[usize::from(byte)] & SPACE != 0
}

/// An ASCII byte that may start a name; a colon may not.
pub(crate) fn is_ascii_name_start(byte: u8) -> bool {
    CLASS[usize::from(byte)] & NAME_START != 0
}

/// `Char` of XML 1.0 §2.2.
pub(crate) fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// The leading character, which is not ASCII, and its length; `None` if the bytes end inside it.
pub(crate) fn wide_char(bytes: &[u8]) -> Result<Option<(char, usize)>, Flaw> {
    let width = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        Some(_) => return Err(NOT_UTF8),
        None => return Ok(None),
    };
    match std::str::from_utf8(&bytes[..width.min(bytes.len())]) {
        Ok(text) => match text.chars().next() {
            Some(c) if !is_xml_char(c) => Err(NOT_A_CHAR),
            c => Ok(c.map(|c| (c, width))),
        },
        Err(error) if error.error_len().is_some() => Err(NOT_UTF8),
        Err(_) => Ok(None),
    }
}

/// Leading bytes that are whole characters above ASCII. 0 if the bytes end inside the first. What
/// is wrong is told when nothing stands before it, so that it cannot depend on how the bytes were
/// cut whether that or a limit is met first.
pub(crate) fn wide_len(bytes: &[u8]) -> Result<usize, Flaw> {
    let run = &bytes[..bytes.iter().position(u8::is_ascii).unwrap_or(bytes.len())];
    let (utf8, error) = match std::str::from_utf8(run) {
        Ok(_) => (run.len(), None),
        Err(error) => (error.valid_up_to(), Some(error)),
    };
    let forbidden =
        run[..utf8].windows(3).position(|three| matches!(three, [0xef, 0xbf, 0xbe | 0xbf]));
    match (forbidden.unwrap_or(utf8), forbidden, error) {
        (0, Some(_), _) => Err(NOT_A_CHAR),
        (0, None, Some(error)) if error.error_len().is_some() || run.len() < bytes.len() => {
            Err(NOT_UTF8)
        }
        (valid, ..) => Ok(valid),
    }
}

/// Badly encoded is as bad as otherwise encoded (RFC 6120 §4.9.3.22).
const NOT_UTF8: Flaw = Flaw::new(StreamCondition::UnsupportedEncoding, "bytes that are not UTF-8");
const NOT_A_CHAR: Flaw = Flaw::not_well_formed("character that XML forbids");
/// A control character, standing as it is.
pub(crate) const CONTROL: Flaw = NOT_A_CHAR;
