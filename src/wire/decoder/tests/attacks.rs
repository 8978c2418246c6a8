//! The attacks on framing and XML that have broken XMPP servers, by their catalogue numbers.

#![expect(clippy::disallowed_methods, reason = "a test may ask how long something took")]

use super::*;
use std::time::{Duration, Instant};

/// Feeds a header, then `parts` in turn until the decoder refuses; gives the flaw, how many
/// bytes it took, and the most it held on the way.
fn attack<'p>(limits: Limits, parts: impl Iterator<Item = &'p [u8]>) -> (Flaw, usize, usize) {
    let mut decoder = Decoder::new(Content::Client, limits);
    assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
    let (mut taken, mut held) = (0, 0);
    for part in parts {
        let mut input = part;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(flaw) => return (flaw, taken + part.len() - input.len(), held),
            }
        }
        taken += part.len();
        held = held.max(decoder.held_bytes());
    }
    panic!("not refused");
}

fn policy((flaw, taken, held): (Flaw, usize, usize), limits: Limits) {
    assert_eq!(flaw.condition, StreamCondition::PolicyViolation, "{flaw}");
    assert!(taken <= limits.stanza_bytes_max, "refused after {taken} bytes");
    assert!(held <= 5 * limits.stanza_bytes_max, "held {held} bytes");
}

#[test]
fn at_02_entities_cannot_be_declared_or_used_at_any_stage() {
    let bombs = [
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/'>",
        "<?xml-stylesheet href='http://127.0.0.1:9/'?>",
        "<!-- -->",
    ];
    for bomb in bombs {
        let declared = format!("<?xml version='1.0'?>{bomb}{}", &HEADER[21..]);
        for text in [
            format!("{bomb}{HEADER}"),
            declared,
            format!("{HEADER}{bomb}"),
            format!("{HEADER}<message>{bomb}</message>"),
            format!("{HEADER}<message><body>{bomb}</body></message>"),
        ] {
            let (_, flaw) = decode(&[text.as_bytes()], Limits::BEFORE_AUTH);
            let condition = flaw.map(|flaw| flaw.condition);
            assert_eq!(condition, Some(StreamCondition::RestrictedXml), "{text}");
        }
        let mut framed = Decoder::framed(Content::Client, Limits::CLIENT);
        let flaw = framed.next(&mut bomb.as_bytes()).expect_err("refused");
        assert_eq!(flaw.condition, StreamCondition::RestrictedXml, "{bomb}");
    }
}

#[test]
fn at_02_a_doctype_is_refused_before_its_end_has_come() {
    for start in ["<!", "<?"] {
        let text = format!("{HEADER}{start}D");
        assert!(decode(&[text.as_bytes()], Limits::BEFORE_AUTH).1.is_some());
    }
}

#[test]
fn at_04_an_element_that_never_ends_is_cut_off() {
    let limits = Limits::BEFORE_AUTH;
    let children = std::iter::once(&b"<iq>"[..]).chain(std::iter::repeat(&b"<a/>"[..]));
    let (flaw, taken, _) = attack(limits, children);
    assert_eq!(flaw.why, "too many elements in a stanza");
    assert_eq!(taken, "<iq>".len() + "<a/>".len() * 31);
    policy(attack(limits, std::iter::repeat(&b"<a>"[..])), limits);
    let (flaw, taken, _) = attack(limits, std::iter::repeat(&b"<a>"[..]));
    assert_eq!((flaw.why, taken), ("elements are nested too deep", 3 * 8));
    for text in [&b"x"[..], b"<![CDATA[", b"&#65;", "é".as_bytes(), b" ", b"\r", b">"] {
        let parts = std::iter::once(&b"<iq>"[..])
            .chain(std::iter::once(&b"<a>"[..]))
            .chain(std::iter::repeat(text));
        policy(attack(limits, parts), limits);
    }
}

#[test]
fn at_04_white_space_between_stanzas_costs_nothing() {
    let mut decoder = Decoder::new(Content::Client, Limits::BEFORE_AUTH);
    assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
    let held = decoder.held_bytes();
    for _ in 0..100 {
        assert!(matches!(decoder.next(&mut &[b' '; 1000][..]), Ok(None)));
    }
    assert_eq!(decoder.held_bytes(), held);
    assert!(decoder.is_idle());
}

#[test]
fn at_06_a_big_stanza_leaves_no_memory_behind() {
    let mut decoder = Decoder::new(Content::Client, Limits::CLIENT);
    assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
    let attributes: String = (0..100).map(|i| format!(" a{i}=''")).collect();
    let uri = "u".repeat(100_000);
    let deep = "<x xmlns=''><y>".repeat(30) + &"</y></x>".repeat(30);
    let text = "t".repeat(100_000);
    let xml = format!("<iq{attributes} xmlns:p='{uri}'><p:z>{deep}</p:z><b>{text}</b></iq>");
    let chunks = xml.as_bytes().chunks(1000);
    let frames = chunks.filter(|chunk| decoder.next(&mut &**chunk).expect("fine").is_some());
    assert_eq!(frames.count(), 1);
    let held = decoder.held_bytes() + size_of::<Decoder>();
    assert!(held <= 8 * 1024, "an idle decoder holds {held} bytes");
}

#[test]
fn at_05_one_tag_cannot_cost_much() {
    let many = |item: fn(usize) -> String| {
        let items: String = (0..80_000).map(item).collect();
        format!("<message{items}/>")
    };
    let before = Limits::BEFORE_AUTH;
    let roomy = Limits { stanza_bytes_max: 64 << 20, ..Limits::CLIENT };
    for (text, why) in [
        (many(|i| format!(" a{i}=''")), "too many attributes in an element"),
        (many(|i| format!(" xmlns:a{i}='u'")), "too many namespace declarations in an element"),
        (many(|_| " a='1'".into()), "attribute given twice"),
        (format!("<{}/>", "n".repeat(200_000)), "name is too long"),
        (format!("<message {}='1'/>", "n".repeat(200_000)), "name is too long"),
        (format!("<message a='{}'/>", "v".repeat(10_000)), "stanza is too big"),
    ] {
        let limits = if why == "stanza is too big" { before } else { roomy };
        let started = Instant::now();
        let (flaw, taken, _) = attack(limits, std::iter::once(text.as_bytes()));
        assert_eq!(flaw.why, why);
        assert!(taken <= before.stanza_bytes_max, "{why}: {taken} bytes");
        // Far more than it takes, for other tests run beside it; quadratic would be minutes.
        assert!(started.elapsed() < Duration::from_secs(2), "{why}: {:?}", started.elapsed());
    }
}

#[test]
fn at_05_declarations_in_scope_are_bounded() {
    let level: String = (0..32).map(|i| format!(" xmlns:a{i}='urn:{i}'")).collect();
    let text = format!("<x{level}>").repeat(64);
    let (flaw, ..) = attack(Limits::CLIENT, std::iter::once(text.as_bytes()));
    assert_eq!(flaw.why, "too many namespace declarations in scope");
}

#[test]
fn at_05_canonical_bytes_cannot_grow_beyond_the_limit() {
    let long = "u".repeat(4000);
    let text = format!("<x xmlns='urn:x' xmlns:p='{long}'>{}", "<p:y/>".repeat(1000));
    let limits = Limits::CLIENT;
    policy(attack(limits, std::iter::once(text.as_bytes())), limits);
    let text = format!("<x xmlns='urn:x'>{}", ">".repeat(limits.stanza_bytes_max / 2));
    policy(attack(limits, std::iter::once(text.as_bytes())), limits);
}

#[test]
fn at_05_byte_by_byte_takes_linear_time() {
    let limits = Limits { stanza_bytes_max: 16 << 20, ..Limits::CLIENT };
    for (open, fill) in [
        ("<message a='", ">"),
        ("<message a='", "x"),
        ("<message><a>", "]"),
        ("<message ", " "),
        ("<message><a></a", " "),
        ("<message><a><![CDATA[", "]"),
    ] {
        let mut decoder = Decoder::new(Content::Client, limits);
        assert!(matches!(decoder.next(&mut HEADER.as_bytes()), Ok(Some(Frame::Open(_)))));
        assert!(matches!(decoder.next(&mut open.as_bytes()), Ok(None)));
        let started = Instant::now();
        for _ in 0..1 << 20 {
            assert!(matches!(decoder.next(&mut fill.as_bytes()), Ok(None)));
        }
        // Quadratic would be hours.
        assert!(started.elapsed() < Duration::from_secs(60), "{open}: {:?}", started.elapsed());
    }
}

#[test]
fn at_07_the_outcome_at_the_limit_does_not_depend_on_chunks() {
    for limit in [64, 65, 66, 80, 90, 100, 128, 256, 300] {
        let limits = Limits { stanza_bytes_max: limit, ..Limits::CLIENT };
        for xml in [
            "<message to='a@b'><body>0123456789 &amp; &#x41; é 🙂 ]]&gt; 0123</body></message>",
            "<message><body><![CDATA[0123456789 0123456789 0123456789]]]></body></message>",
            "<message to='a@b'><body>0123456789012345678901234567890123456789012345678\u{1}</body>",
            "<message a='01234567890123456789012345678901234567890123456789012345678\u{1}'/>",
            "<message><b xmlns='0123456789012345678901234567890123456789'>>>>>>>>>>></b></message>",
        ] {
            let header = "<s xmlns='jabber:client'>";
            let text = format!("{header}{xml}").into_bytes();
            let whole = decode(&[&text], limits);
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(decode(&bytes, limits), whole, "{xml} within {limit}");
            for at in 0..text.len() {
                let (one, two) = text.split_at(at);
                assert_eq!(decode(&[one, two], limits), whole, "{xml} within {limit} at {at}");
            }
        }
    }
}

/// Found by fuzzing: the canonical form of `<b>` is longer than what was received.
#[test]
fn at_07_bytes_that_are_not_utf8_at_the_limit_do_not_depend_on_chunks() {
    let text = b"<a><b>x>y\xef\xbb\xbf\x86</b></a>";
    for limit in 8..64 {
        let limits = Limits { stanza_bytes_max: limit, ..Limits::CLIENT };
        let whole = decode(&[text], limits);
        for at in 0..text.len() {
            let (one, two) = text.split_at(at);
            assert_eq!(decode(&[one, two], limits), whole, "within {limit} at {at}");
        }
    }
}

#[test]
fn at_07_a_frame_of_exactly_the_limit_passes() {
    let xml = "<message><body>0123456789</body></message>";
    for (limit, passes) in [(xml.len(), true), (xml.len() - 1, false)] {
        let limits = Limits { stanza_bytes_max: limit, ..Limits::CLIENT };
        let text = format!("<s xmlns='jabber:client'>{xml}");
        let (frames, flaw) = decode(&[text.as_bytes()], limits);
        assert_eq!((frames.len() == 2, flaw.is_none()), (passes, passes));
    }
}

#[test]
fn at_07_what_looks_like_markup_stays_data() {
    let nasty = "</body></message><message to='victim@x'>]]>&lt;&'\"";
    let escaped = nasty.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let attribute = escaped.replace('\'', "&apos;");
    let xml = format!("<message id='{attribute}'><body a='{attribute}'>{escaped}</body></message>");
    let stanza = stanza(&xml);
    assert_eq!(stanza.child_count(), 1);
    assert_eq!(stanza.head.id.as_deref(), Some(nasty));
    let body = stanza.child(Name::new(ns::CLIENT, "body")).expect("body");
    assert_eq!(body.text(), nasty);
    assert_eq!(body.attribute("a").as_deref(), Some(nasty));
    assert_eq!(stanza.to_text().matches("<message").count(), 1);
    assert_eq!(Stanza::parse_one(&stanza.to_text()), Ok(stanza));
}

#[test]
fn at_07_a_stanza_inside_of_a_stanza_is_a_child_of_it() {
    let stanza = stanza("<message><message xmlns='urn:o'/><stream:stream/></message>");
    assert_eq!(stanza.child_count(), 2);
    let nested = "<x xmlns='urn:f'><message to='a@b'/></x>";
    assert!(matches!(frame(nested), Frame::Element(_)));
}

#[test]
fn at_07_prefixes_of_the_stream_can_be_rebound_without_harm() {
    let stanza = stanza("<message xmlns:stream='urn:mine'><stream:error/></message>");
    assert!(stanza.child(Name::new("urn:mine", "error")).is_some());
    assert_eq!(&*stanza.to_text(), "<message><error xmlns='urn:mine'/></message>");
}

#[test]
fn at_08_errors_echo_the_id_escaped() {
    let stanza = stanza("<iq type='get' id=\"'/&gt;&lt;message/>\" from='a@b/&apos;&gt;&lt;x'/>");
    let error = crate::StanzaCondition::BadRequest.into();
    let text = stanza.refused(&error).expect("an answer").to_text();
    let again = Stanza::parse_one(&text).expect("well-formed");
    assert_eq!(again.head.id.as_deref(), Some("'/><message/>"));
    assert_eq!(again.head.to, stanza.head.from);
    assert_eq!(again.child_count(), 1);
}
