//! What is refused and with which condition; what is accepted although it looks odd; and that
//! neither depends on how the bytes were cut.

use super::*;
use StreamCondition::{
    BadFormat, InvalidNamespace, NotWellFormed, PolicyViolation, RestrictedXml, UnsupportedEncoding,
};

/// After a header: stanzas that are fine.
pub(super) const ACCEPTED: &[&str] = &[
    "<message/>",
    "<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<message\n to = 'a@b' \r\n id\t=\t\"2\" ></message\n>",
    "<message><body>é ü 🙂 \u{fffd} \u{7f}\u{85}</body></message>",
    "<message><b>]] ] ]]&gt; > ]&#93;></b></message>",
    "<message><b><![CDATA[]]]]><![CDATA[>]]>]]<![CDATA[>]]></b></message>",
    "<message><b><![CDATA[<x a=']' & &amp; \r\n\r]]]></b></message>",
    "<message><b>&#65;&#x41;&#0000000065;&#x10FFFF;&#x9;&#xA;&#xD;&quot;</b></message>",
    "<message a='&#9;&#10;&#13;&#32;\t\n\r \r\n'/>",
    "<message a=\"'\" b='\"' c='>' d='&apos;&gt;'/>",
    "<message><é:x xmlns:é='urn:é' é:à='·'/><a·b xmlns='urn:a'/></message>",
    "<c:message xmlns:c='jabber:client'><c:body>x</c:body></c:message>",
    "<message xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:space='preserve'/>",
    "<message><x xmlns='u'><x xmlns='u'><y xmlns=''><z xmlns='u'/></y></x></x></message>",
    "<message><x xmlns='a&amp;b&apos;c' xmlns:p='&lt;'><p:y p:z='1'/></x></message>",
    "<message><a xmlns:p='u' xmlns:q='u' p:x='1' x='2'><b q:x='3' q:y='4'/></a></message>",
    "<message>&#32;<body/> text that means nothing <![CDATA[nor this]]></message>",
    "<message><stream:stream/><x xmlns='urn:f'><message xmlns='jabber:client'/></x></message>",
];

/// After a header: what is refused.
const REFUSED: &[(&str, StreamCondition)] = &[
    // RFC 6120 §11.1
    ("<!DOCTYPE x>", RestrictedXml),
    ("<!-- c -->", RestrictedXml),
    ("<?php ?>", RestrictedXml),
    ("<?xml version='1.0'?>", RestrictedXml),
    ("<message><!-- c --></message>", RestrictedXml),
    ("<message><body><?pi?></body></message>", RestrictedXml),
    ("<message><!DOCTYPE x></message>", RestrictedXml),
    ("<message><![cdata[x]]></message>", RestrictedXml),
    ("<message><body>&foo;</body></message>", RestrictedXml),
    ("<message id='&foo;'/>", RestrictedXml),
    ("&foo;", RestrictedXml),
    ("<![CDATA[ ]]>", RestrictedXml),
    ("<message><xml:x/></message>", RestrictedXml),
    // Names that only the fifth edition of XML 1.0 allows
    ("<message><\u{10400}/></message>", RestrictedXml),
    ("<message a\u{feff}='1'/>", RestrictedXml),
    ("<message><\u{660}/></message>", RestrictedXml),
    // XML 1.0: tags
    ("< message/>", NotWellFormed),
    ("<message/ >", NotWellFormed),
    ("<1message/>", NotWellFormed),
    ("<-message/>", NotWellFormed),
    ("<mess&age/>", NotWellFormed),
    ("<mess=age/>", NotWellFormed),
    ("<\u{b7}message/>", NotWellFormed),
    ("<mess\u{d7}age/>", NotWellFormed),
    ("<message>< /message>", NotWellFormed),
    ("<message></ message>", NotWellFormed),
    ("<message></messag>", NotWellFormed),
    ("<message></messages>", NotWellFormed),
    ("<message></message x='1'>", NotWellFormed),
    ("<message><a></b></message>", NotWellFormed),
    ("<message><a></message></a>", NotWellFormed),
    ("<message></stream:stream>", NotWellFormed),
    ("</message>", NotWellFormed),
    // XML 1.0: attributes
    ("<message a/>", NotWellFormed),
    ("<message a=b/>", NotWellFormed),
    ("<message a='b'c='d'/>", NotWellFormed),
    ("<message b<c='x'/>", NotWellFormed),
    ("<message a='<'/>", NotWellFormed),
    ("<message a='1' a='2'/>", NotWellFormed),
    ("<message a='&'/>", NotWellFormed),
    ("<message a='&amp'/>", NotWellFormed),
    ("<message a='&#x;'/>", NotWellFormed),
    ("<message a='\u{1}'/>", NotWellFormed),
    ("<message ='1'/>", NotWellFormed),
    // XML 1.0: text and references
    ("<message><b>]]></b></message>", NotWellFormed),
    ("<message>]]]></message>", NotWellFormed),
    ("<message><b>\u{0}</b></message>", NotWellFormed),
    ("<message><b>\u{1f}</b></message>", NotWellFormed),
    ("<message><b>\u{b}</b></message>", NotWellFormed),
    ("<message><b>\u{fffe}</b></message>", NotWellFormed),
    ("<message><b>\u{ffff}</b></message>", NotWellFormed),
    ("<message a='\u{ffff}'/>", NotWellFormed),
    ("<message>\u{c}</message>", NotWellFormed),
    ("<message><b>&#0;</b></message>", NotWellFormed),
    ("<message><b>&#1;</b></message>", NotWellFormed),
    ("<message><b>&#xD800;</b></message>", NotWellFormed),
    ("<message><b>&#xFFFE;</b></message>", NotWellFormed),
    ("<message><b>&#x110000;</b></message>", NotWellFormed),
    ("<message><b>&#9999999999999;</b></message>", NotWellFormed),
    ("<message><b>&#;</b></message>", NotWellFormed),
    ("<message><b>&#X41;</b></message>", NotWellFormed),
    ("<message><b>&#-1;</b></message>", NotWellFormed),
    ("<message><b>& </b></message>", NotWellFormed),
    ("<message><b>&;</b></message>", NotWellFormed),
    ("<message><b>&amp</b></message>", NotWellFormed),
    ("<message><b>&a<b</b></message>", NotWellFormed),
    ("<message><b><![CDATA[\u{1}]]></b></message>", NotWellFormed),
    // Namespaces in XML 1.0
    ("<message><p:x/></message>", NotWellFormed),
    ("<message p:x='1'/>", NotWellFormed),
    ("<message><a xmlns:p='u'/><p:b/></message>", NotWellFormed),
    ("<message><x xmlns:p=''/></message>", NotWellFormed),
    ("<message><x xmlns:xmlns='u'/></message>", NotWellFormed),
    ("<message><x xmlns:xml='u'/></message>", NotWellFormed),
    ("<message><x xmlns:p='http://www.w3.org/XML/1998/namespace'/></message>", NotWellFormed),
    ("<message><x xmlns='http://www.w3.org/XML/1998/namespace'/></message>", NotWellFormed),
    ("<message><x xmlns:p='http://www.w3.org/2000/xmlns/'/></message>", NotWellFormed),
    ("<message><x xmlns='http://www.w3.org/2000/xmlns/'/></message>", NotWellFormed),
    ("<message><xmlns:x/></message>", NotWellFormed),
    ("<message><x xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/></message>", NotWellFormed),
    ("<message><x xmlns='u' xmlns='v'/></message>", NotWellFormed),
    ("<message><x xmlns:p='u' xmlns:p='u'/></message>", NotWellFormed),
    ("<message><a:b:c/></message>", NotWellFormed),
    ("<message><:a/></message>", NotWellFormed),
    ("<message><a:/></message>", NotWellFormed),
    ("<message><a:1/></message>", NotWellFormed),
    ("<message :a='1'/>", NotWellFormed),
    ("<message xmlns:='1'/>", NotWellFormed),
    // RFC 6120
    ("text", BadFormat),
    ("é", BadFormat),
    ("&amp;", BadFormat),
    ("<message/>text", BadFormat),
    ("<message xmlns='jabber:server'/>", InvalidNamespace),
    ("<foo xmlns='jabber:component:accept'/>", InvalidNamespace),
    ("\u{1}", NotWellFormed),
    ("</stream:stream>text", NotWellFormed),
    ("</stream:stream><message/>", NotWellFormed),
    ("</stream:stream2>", NotWellFormed),
    ("<message><b>&#000000000000000065;</b></message>", RestrictedXml),
    ("<message><b>&aVeryLongEntityNameIndeed;</b></message>", PolicyViolation),
];

/// In place of a header.
const REFUSED_STARTS: &[(&[u8], StreamCondition)] = &[
    (b"\xff\xfe<\x00", UnsupportedEncoding),
    (b"\xfe\xff\x00<", UnsupportedEncoding),
    (b"<\x00?\x00", UnsupportedEncoding),
    (b"\x00<\x00?", UnsupportedEncoding),
    (b"\x00\x00\xfe\xff", UnsupportedEncoding),
    (b"<?xml version='1.0' encoding='UTF-16'?>", UnsupportedEncoding),
    (b"<?xml version='1.0' encoding='iso-8859-1'?>", UnsupportedEncoding),
    (b"<?xml version='1.1'?>", BadFormat),
    (b"<?xml version='1.0'encoding='utf-8'?>", NotWellFormed),
    (b"<?xml encoding='utf-8' version='1.0'?>", NotWellFormed),
    (b"<?xml version='1.0' encoding='1'?>", NotWellFormed),
    (b"<?xml version='1.0' encoding=''?>", NotWellFormed),
    (b"<?xml version='1.0' standalone='maybe'?>", NotWellFormed),
    (b"<?xml version='1.0' standalone='no' encoding='utf-8'?>", NotWellFormed),
    (b"<?xml version='1.0' version='1.0'?>", NotWellFormed),
    (b"<?xml version='1.0\"?>", NotWellFormed),
    (b"<?xml version='1.0'?x", NotWellFormed),
    (b"<?xml ?>", NotWellFormed),
    (b"<?xml?>", RestrictedXml),
    (b"<?xml-stylesheet?>", RestrictedXml),
    (b" <?xml version='1.0'?>", RestrictedXml),
    (b"<?xml version='1.0'?><?xml version='1.0'?>", RestrictedXml),
    (b"<!DOCTYPE stream:stream>", RestrictedXml),
    (b"<!-- c -->", RestrictedXml),
    (b"<![CDATA[x]]>", RestrictedXml),
    (b"x", NotWellFormed),
    (b"&#32;", NotWellFormed),
    (b"</stream:stream>", NotWellFormed),
    (b"<stream:stream>", NotWellFormed),
    (b"\xef\xbb\xbf\xef\xbb\xbf<a>", NotWellFormed),
    (b"\xef\xbb<a>", NotWellFormed),
    (b"<a><a><a></b>", NotWellFormed),
];

/// Byte sequences that are not UTF-8 (RFC 3629 §3), put wherever bytes may stand.
const NOT_UTF8: &[&[u8]] = &[
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8",
    b"\xfe",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x99",
    b"\xc3\xc3",
];

/// The outcome, after making sure that it is the same for every cut in two and for single bytes.
fn in_all_chunks(text: &[u8]) -> (Vec<String>, Option<Flaw>) {
    let whole = decode(&[text], Limits::CLIENT);
    for at in 0..text.len() {
        let (one, two) = text.split_at(at);
        assert_eq!(decode(&[one, two], Limits::CLIENT), whole, "{:?} cut at {at}", lossy(text));
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(decode(&bytes, Limits::CLIENT), whole, "{:?} byte by byte", lossy(text));
    whole
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[test]
fn what_is_fine_is_accepted_in_any_chunks() {
    for xml in ACCEPTED {
        let text = format!("{HEADER}{xml} {xml}\n</stream:stream> \n");
        let (frames, flaw) = in_all_chunks(text.as_bytes());
        assert_eq!(flaw, None, "{xml}");
        assert_eq!(frames.len(), 4, "{xml}");
    }
}

#[test]
fn what_is_not_is_refused_in_any_chunks_with_the_right_condition_rfc6120_4_9_3() {
    for (xml, condition) in REFUSED {
        let text = format!("{HEADER}{xml}");
        let (_, flaw) = in_all_chunks(text.as_bytes());
        assert_eq!(flaw.map(|flaw| flaw.condition), Some(*condition), "{xml}");
    }
}

#[test]
fn wrong_starts_are_refused_in_any_chunks_rfc6120_11() {
    for (start, condition) in REFUSED_STARTS {
        // Whatever is cut at its end goes on with something that cannot belong to it.
        let text = [start, &b"<stream"[..]].concat();
        let (_, flaw) = in_all_chunks(&text);
        assert_eq!(flaw.map(|flaw| flaw.condition), Some(*condition), "{}", lossy(start));
    }
}

#[test]
fn at_07_bytes_that_are_not_utf8_are_refused_everywhere_rfc6120_4_9_3_22() {
    for bad in NOT_UTF8 {
        for (before, after) in [
            ("<message><b>", "</b></message>"),
            ("<message><b>é", "é</b></message>"),
            ("<message><b><![CDATA[", "]]></b></message>"),
            ("<message>", "</message>"),
            ("<message a='", "'/>"),
            ("<message xmlns:p='", "'/>"),
            ("<message><a", "/></message>"),
            ("<message a", "='1'/>"),
            ("<message></message", ">"),
            ("", "<message/>"),
            ("<message><b>&", ";</b></message>"),
        ] {
            let text = [HEADER.as_bytes(), before.as_bytes(), bad, after.as_bytes()].concat();
            let (_, flaw) = in_all_chunks(&text);
            let condition = flaw.map(|flaw| flaw.condition);
            // An end tag is compared with its start, byte by byte.
            let ascii = before.contains("</");
            let expected = if ascii { NotWellFormed } else { UnsupportedEncoding };
            assert_eq!(condition, Some(expected), "{bad:x?} in {before}{after}");
        }
    }
}
