use super::*;
use crate::{Framing, Kind, Name, Stanza};

mod attacks;
mod oracle;
mod refused;

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
fn what_is_written_is_read_back_and_written_the_same() {
    for xml in refused::ACCEPTED {
        let stanza = stanza(xml);
        let text = stanza.to_text();
        let again = Stanza::parse_one(&text).expect("canonical");
        assert_eq!(again, stanza, "{xml}");
        assert_eq!(again.to_text(), text, "{xml}");
        let mut framed = Vec::new();
        stanza.write(Framing::Framed, &mut framed);
        let mut decoder = Decoder::framed(Content::Client, Limits::CLIENT);
        match decoder.next(&mut &framed[..]) {
            Ok(Some(Frame::Stanza(again))) => assert_eq!(again, stanza, "{xml}"),
            other => panic!("{xml}: {other:?}"),
        }
    }
}

#[test]
fn prefixes_of_the_stream_header_are_known_in_every_stanza() {
    let header = HEADER.replace(" to=", " xmlns:d='urn:d' to=");
    let xml = "<presence d:k='1'><d:x d:k='2' k='3'/></presence>";
    let text = format!("{header}{xml}{xml}");
    let mut decoder = Decoder::new(Content::Client, Limits::BEFORE_AUTH);
    let mut input = text.as_bytes();
    assert!(matches!(decoder.next(&mut input), Ok(Some(Frame::Open(_)))));
    for _ in 0..2 {
        let Ok(Some(Frame::Stanza(stanza))) = decoder.next(&mut input) else { panic!("stanza") };
        assert_eq!(
            &*stanza.to_text(),
            "<presence xmlns:d='urn:d' d:k='1'>\
             <x xmlns='urn:d' xmlns:d='urn:d' d:k='2' k='3'/></presence>"
        );
        assert_eq!(Stanza::parse_one(&stanza.to_text()), Ok(stanza));
    }
}

#[test]
fn attributes_and_line_ends_are_normalized_xml_2_11_and_3_3_3() {
    let xml = "<message id='a\r\nb\tc&#10;&#xD;&quot;&lt;' k=\"it's > &amp;\"/>";
    let stanza = stanza(xml);
    assert_eq!(stanza.head.id.as_deref(), Some("a b c\n\r\"<"));
    assert_eq!(
        &*stanza.to_text(),
        "<message id='a b c&#10;&#13;\"&lt;' k='it&apos;s &gt; &amp;'/>"
    );
}

#[test]
fn addresses_that_are_none_are_flagged() {
    let stanza = stanza("<message from='a@b@c' to=''/>");
    assert!(stanza.head.from_malformed && stanza.head.to_malformed);
    assert_eq!((&stanza.head.from, &stanza.head.to), (&None, &None));
    let stanza = self::stanza("<message from='&#x61;@b'/>");
    assert_eq!(stanza.head.from.as_ref().expect("an address").as_str(), "a@b");
    assert!(!stanza.head.from_malformed && !stanza.head.to_malformed);
}

#[test]
fn a_resource_that_was_spelled_otherwise_is_flagged() {
    for (to, is_respelled) in [
        ("A@b", false),
        ("A@B/Nurse", false),
        ("a@b/nurs&#xe9;", false),
        ("a@b/nurse\u{301}", true),
        ("a@b/the\u{a0}nurse", true),
    ] {
        let stanza = stanza(&format!("<presence to='{to}'/>"));
        assert!(stanza.head.to.is_some(), "{to}");
        assert_eq!(stanza.head.to_respelled, is_respelled, "{to}");
    }
}

#[test]
fn a_server_stream_has_its_own_content_namespace_rfc6120_4_8_3() {
    let header = HEADER.replace("jabber:client", "jabber:server");
    let mut decoder = Decoder::new(Content::Server, Limits::SERVER);
    let text = format!("{header}<message><body>1</body></message><message xmlns='jabber:client'/>");
    let mut input = text.as_bytes();
    assert!(matches!(decoder.next(&mut input), Ok(Some(Frame::Open(_)))));
    let Ok(Some(Frame::Stanza(stanza))) = decoder.next(&mut input) else { panic!("no stanza") };
    assert!(stanza.child(Name::new(ns::CLIENT, "body")).is_some());
    let flaw = decoder.next(&mut input).expect_err("a client stanza");
    assert_eq!(flaw.condition, StreamCondition::InvalidNamespace);
    assert_eq!(decoder.next(&mut &b"<message/>"[..]).expect_err("final"), flaw);
}

#[test]
fn a_root_that_is_an_empty_tag_opens_and_closes() {
    let mut decoder = Decoder::new(Content::Client, Limits::BEFORE_AUTH);
    let mut input = &b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1'/>"[..];
    let Ok(Some(Frame::Open(open))) = decoder.next(&mut input) else { panic!("no root") };
    assert_eq!(open.element().attribute("rid").as_deref(), Some("1"));
    assert!(matches!(decoder.next(&mut input), Ok(Some(Frame::Close))));
    assert!(matches!(decoder.next(&mut input), Ok(None)));
}

#[test]
fn a_byte_order_mark_and_a_declaration_may_come_first_rfc6120_11_4() {
    let root = &HEADER["<?xml version='1.0'?>".len()..];
    for start in [
        "",
        "\u{feff}",
        "<?xml version='1.0'?>",
        "\u{feff}<?xml version=\"1.0\" encoding='utf-8' ?>\n ",
        "<?xml\nversion = '1.0' standalone='yes'?>\r\n",
        " \n",
    ] {
        let text = format!("{start}{root}");
        assert_eq!(decode(&[text.as_bytes()], Limits::BEFORE_AUTH).0.len(), 1, "{start:?}");
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(decode(&bytes, Limits::BEFORE_AUTH).0.len(), 1, "{start:?}");
    }
}
