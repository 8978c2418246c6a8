//! A stream as it is said on TCP, taken apart for transports that carry one element at a time.
//!
//! Nothing is checked here: what is not XML must reach the server as it is.

use crate::tree::{CLIENT, Growth, Heard, STREAM, Tree};

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The start tag of a stream.
    Header(Tree),
    /// A whole element, in its namespaces.
    Element(Vec<u8>),
    /// What never becomes an element.
    Rest(Vec<u8>),
    /// The end tag of a stream.
    Close,
}

/// All that is said by these bytes, which begin where an element may begin. White space between
/// elements is not said.
pub fn take_apart(bytes: &[u8]) -> Vec<Said> {
    let (mut said, mut rest) = (Vec::new(), bytes);
    loop {
        rest = rest.trim_ascii_start();
        if let Some(declared) = rest.strip_prefix(b"<?xml ") {
            rest = find(declared, b"?>").map_or(&[], |end| &declared[end..]);
        } else if rest.is_empty() {
            return said;
        } else {
            let end = next(rest, &mut said);
            rest = &rest[end..];
        }
    }
}

/// Takes one thing from the beginning; gives its length.
fn next(rest: &[u8], said: &mut Vec<Said>) -> usize {
    let tag_end = tag_end(rest);
    let name = name(rest);
    if name.starts_with(b"/") {
        let local = name.rsplit(|byte| b":/".contains(byte)).next();
        let is_close = local == Some(b"stream") && tag_end.is_some();
        said.push(if is_close { Said::Close } else { Said::Rest(rest.to_vec()) });
        return tag_end.filter(|_| is_close).unwrap_or(rest.len());
    }
    if name == b"stream" || name.ends_with(b":stream") {
        let end = tag_end.unwrap_or(rest.len());
        let heard = Growth::new().read(&rest[..end]).0.pop();
        let header = match heard {
            Some(Heard::Header(tree)) => Said::Header(tree),
            _ => Said::Rest(rest[..end].to_vec()),
        };
        said.push(header);
        return end;
    }
    match element_end(rest) {
        Some(end) => {
            said.push(Said::Element(qualified(&rest[..end])));
            end
        }
        None => {
            said.push(Said::Rest(qualified(rest)));
            rest.len()
        }
    }
}

/// Where the element that begins here ends: behind the end tag on its own level.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == b'<')?;
        let rest = &bytes[at..];
        let other = [(&b"<!--"[..], &b"-->"[..]), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")];
        if let Some((_, end)) = other.iter().find(|(begin, _)| rest.starts_with(begin)) {
            at += find(rest, end)?;
            continue;
        }
        let end = tag_end(rest)?;
        at += end;
        match rest.get(1) {
            Some(b'!') => continue,
            Some(b'/') => depth = depth.saturating_sub(1),
            _ if rest[..end].ends_with(b"/>") => {}
            _ => depth += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Behind the `>` of the tag that begins here; those in quotes are none.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match quote {
            Some(open) if open == byte => quote = None,
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None if byte == b'>' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Behind `mark`.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some(at + mark.len())
}

/// The name in the tag that begins here.
fn name(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"<").unwrap_or_default();
    let end = bytes.iter().enumerate().position(|(at, byte)| {
        byte.is_ascii_whitespace() || *byte == b'>' || *byte == b'/' && at > 0
    });
    &bytes[..end.unwrap_or(bytes.len())]
}

/// The element with the namespaces that the header of a stream on TCP declares.
fn qualified(element: &[u8]) -> Vec<u8> {
    let behind_name = 1 + name(element).len();
    if !element.starts_with(b"<") || behind_name > element.len() {
        return element.to_vec();
    }
    let tag = &element[..tag_end(element).unwrap_or(element.len())];
    let declares = |what: &[u8]| tag.windows(what.len()).any(|window| window == what);
    let mut made = element[..behind_name].to_vec();
    if !declares(b" xmlns=") {
        made.extend(format!(" xmlns='{CLIENT}'").into_bytes());
    }
    if find(element, b"<stream:").is_some() && !declares(b"xmlns:stream=") {
        made.extend(format!(" xmlns:stream='{STREAM}'").into_bytes());
    }
    made.extend(&element[behind_name..]);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(xml: &str) -> Said {
        Said::Element(xml.as_bytes().to_vec())
    }

    fn taken(bytes: &[u8]) -> Vec<Said> {
        take_apart(bytes)
    }

    #[test]
    fn a_stream_is_said_in_headers_elements_and_its_end() {
        let said = taken(
            b"<?xml version='1.0'?><stream:stream to='a' xmlns='jabber:client' \
              xmlns:stream='http://etherx.jabber.org/streams'> <iq a='>'/>\n<x xmlns='u'>\
              <y/>></x></stream:stream>",
        );
        let Said::Header(header) = &said[0] else { panic!("{said:?}") };
        assert_eq!(header.attribute("to"), Some("a"));
        let rest =
            [element("<iq xmlns='jabber:client' a='>'/>"), element("<x xmlns='u'><y/>></x>")];
        assert_eq!(said[1..3], rest);
        assert_eq!(said[3..], [Said::Close]);
    }

    #[test]
    fn what_only_looks_like_tags_counts_for_nothing() {
        for whole in [
            "<a xmlns='u'><!-- </a> --></a>",
            "<a xmlns='u'><![CDATA[</a>]]></a>",
            "<a xmlns='u'><?b </a>?></a>",
            "<a xmlns='u'><a></a><a/></a>",
            "<a xmlns='u' b='</a>'>'</a>",
        ] {
            let twice = whole.repeat(2);
            assert_eq!(taken(twice.as_bytes()), [element(whole), element(whole)], "{whole}");
        }
    }

    #[test]
    fn what_is_no_element_is_said_as_it_is() {
        for rest in ["text", "</a>", "<a xmlns='u'>", "<a xmlns='u' b='", "<!DOCTYPE a"] {
            let said = taken(rest.as_bytes());
            assert!(matches!(&said[..], [Said::Rest(_)]), "{said:?}");
        }
        let said = taken(b"<!DOCTYPE a><message/>");
        assert_eq!(said.len(), 1);
        assert_eq!(taken(b"<a xmlns='u'></b><c xmlns='u'/>").len(), 2);
        assert_eq!(taken(b" \n"), []);
    }

    #[test]
    fn prefixes_of_streams_are_declared_where_they_are_used() {
        let said = taken(b"<a xmlns='u'><stream:b/></a>");
        let wanted = "<a xmlns:stream='http://etherx.jabber.org/streams' xmlns='u'><stream:b/></a>";
        assert_eq!(said, [element(wanted)]);
    }
}
