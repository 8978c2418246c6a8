use super::*;
use crate::{Name, Stanza};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>";

/// All frames, then the flaw if there was one.
fn decode(chunks: &[&[u8]], limits: Limits) -> (Vec<String>, Option<Flaw>) {
    let mut decoder = Decoder::new(Content::Client, limits);
    let mut frames = Vec::new();
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => frames.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(flaw) => return (frames, Some(flaw)),
            }
        }
        assert!(input.is_empty(), "all input is taken");
    }
    (frames, None)
}

/// The stanza after a header.
fn stanza(xml: &str) -> Stanza {
    match frame(xml) {
        Frame::Stanza(stanza) => stanza,
        other => panic!("{other:?}"),
    }
}

fn frame(xml: &str) -> Frame {
    let mut decoder = Decoder::new(Content::Client, Limits::CLIENT);
    assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
    decoder.next(&mut xml.as_bytes()).expect("no flaw").expect("a frame")
}

#[test]
fn a_stream_is_opened_and_closed_rfc6120_4_2() {
    let mut decoder = Decoder::new(Content::Client, Limits::BEFORE_AUTH);
    let text = format!("{HEADER} <iq id='1' type='get'/>\n</stream:stream>");
    let mut input = text.as_bytes();
    let Ok(Some(Frame::Open(open))) = decoder.next(&mut input) else { panic!("no header") };
    assert_eq!((&*open.name, &*open.ns, &*open.prefix), ("stream", ns::STREAM, "stream"));
    assert_eq!(open.default_ns.as_deref(), Some(ns::CLIENT));
    assert_eq!(open.to.as_deref(), Some("example.com"));
    assert!(open.element().is(Name::new(ns::STREAM, "stream")));
    assert!(matches!(decoder.next(&mut input), Ok(Some(Frame::Stanza(_)))));
    assert!(matches!(decoder.next(&mut input), Ok(Some(Frame::Close))));
    assert!(matches!(decoder.next(&mut input), Ok(None)));
    decoder.restart();
    assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
}

#[test]
fn prefixes_are_gone_from_elements_and_declared_on_attributes() {
    let xml = "<message xmlns:d='urn:d' xmlns:e='urn:e'><d:x><d:y/><e:z d:a=\"'\" b='\t&#9;'/>\
               </d:x><stream:t><body xmlns='jabber:client'/></stream:t></message>";
    assert_eq!(
        &*stanza(xml).to_text(),
        "<message><x xmlns='urn:d'><y/><z xmlns='urn:e' xmlns:d='urn:d' d:a='&apos;' b=' &#9;'/>\
         </x><t xmlns='http://etherx.jabber.org/streams'><body xmlns='jabber:client'/></t>\
         </message>"
    );
}

#[test]
fn content_children_say_no_namespace_on_any_stream() {
    let xml = "<message><body xmlns='jabber:client'>1</body><body xmlns='jabber:server'>2</body>\
               <x xmlns=''/></message>";
    assert_eq!(
        &*stanza(xml).to_text(),
        "<message><body>1</body><body>2</body><x xmlns=''/></message>"
    );
}

#[test]
fn text_is_kept_in_children_and_dropped_between_them() {
    let xml = "<message>\n<body>a\r\nb\rc&#13;<![CDATA[<&]]>]]]]>&gt;</body> x <b><![CDATA[]]></b>\
               </message>";
    assert!(frame_flaw(xml).is_some(), "]]> in text");
    let xml = "<message>\n<body>a\r\nb\rc&#13;<![CDATA[<&]>]]]]>]&gt;</body> x <b><![CDATA[]]></b>\
               </message>";
    assert_eq!(
        &*stanza(xml).to_text(),
        "<message><body>a\nb\nc&#13;&lt;&amp;]&gt;]]]&gt;</body><b/></message>"
    );
}

fn frame_flaw(xml: &str) -> Option<Flaw> {
    let text = format!("{HEADER}{xml}");
    decode(&[text.as_bytes()], Limits::CLIENT).1
}

#[test]
fn a_nonza_keeps_its_text() {
    let Frame::Element(payload) = frame("<auth xmlns='urn:s'>AGE=</auth>") else { panic!() };
    assert_eq!(payload.as_str(), "<auth xmlns='urn:s'>AGE=</auth>");
}

#[test]
fn any_chunking_gives_the_same() {
    let text =
        format!("{HEADER}<message to='é@x'><body>é&amp;\r\n]]</body></message> </stream:stream>");
    let whole = decode(&[text.as_bytes()], Limits::CLIENT);
    assert_eq!(whole.0.len(), 3);
    assert_eq!(whole.1, None);
    for at in 0..text.len() {
        let (one, two) = text.as_bytes().split_at(at);
        assert_eq!(decode(&[one, two], Limits::CLIENT), whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(decode(&bytes, Limits::CLIENT), whole);
}
