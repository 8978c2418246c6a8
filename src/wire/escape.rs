//! The one way of escaping: `&` `<` `>` everywhere, `'` and white space other than the space in
//! attribute values, and a carriage return as a reference, since XML 1.0 §2.11 would fold it.

use std::borrow::Cow;

/// Appends text content. A character that XML cannot carry becomes U+FFFD.
pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    escape(text, false, out);
}

/// Appends an attribute value, without the quotes.
pub(crate) fn value(value: &str, out: &mut Vec<u8>) {
    escape(value, true, out);
}

/// Appends ` name='value'`.
pub(crate) fn attribute(name: &str, attribute_value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    value(attribute_value, out);
    out.push(b'\'');
}

/// How long a text is as an attribute's value; as content it is no longer than that.
pub fn escaped_len(text: &str) -> usize {
    let grows = |byte: u8| match byte {
        b'\'' => "&apos;".len() - 1,
        b'&' | b'\r' | b'\n' => "&amp;".len() - 1,
        b'<' | b'>' | b'\t' => "&lt;".len() - 1,
        0..0x20 => "\u{fffd}".len() - 1,
        _ => 0,
    };
    text.len() + text.bytes().map(grows).sum::<usize>()
}

/// Whether this may have to be escaped, somewhere.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'&' | b'<' | b'>' | b'\'' | 0xef)
}

fn escape(text: &str, in_value: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    // Nearly nothing has to be: found out for many bytes at once, without a way out in between.
    if !bytes.iter().fold(false, |special, &byte| special | is_special(byte)) {
        return out.extend_from_slice(bytes);
    }
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let (escaped, width): (&[u8], usize) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'\r' => (b"&#13;", 1),
            b'\'' if in_value => (b"&apos;", 1),
            b'\t' if in_value => (b"&#9;", 1),
            b'\n' if in_value => (b"&#10;", 1),
            b'\t' | b'\n' => continue,
            0..0x20 => ("\u{fffd}".as_bytes(), 1),
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => ("\u{fffd}".as_bytes(), 3),
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(escaped);
        from = at + width;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Undoes [`text`] and [`value`].
pub(crate) fn unescape(canonical: &str) -> Cow<'_, str> {
    // Canonical bytes hold no reference that XML does not know.
    quick_xml::escape::unescape(canonical).unwrap_or(Cow::Borrowed(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        for plain in ["", "a", "a&b", "&amp;", "'\"<>&]]>", "\t\r\n x ", "é&é", "&&"] {
            for in_value in [false, true] {
                let mut out = Vec::new();
                escape(plain, in_value, &mut out);
                let canonical = String::from_utf8(out).expect("UTF-8");
                assert!(!canonical.contains(['<', '>', '\r']), "{canonical}");
                assert_eq!(unescape(&canonical), plain);
                assert!(canonical.len() <= escaped_len(plain));
                assert!(!in_value || canonical.len() == escaped_len(plain), "{canonical}");
            }
        }
    }

    #[test]
    fn what_xml_cannot_carry_becomes_a_replacement_character() {
        let mut out = Vec::new();
        text("a\u{0}b\u{1f}\u{ffff}c\u{fffe}", &mut out);
        assert_eq!(out, "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}".as_bytes());
        assert_eq!(out.len(), escaped_len("a\u{0}b\u{1f}\u{ffff}c\u{fffe}"));
    }
}
