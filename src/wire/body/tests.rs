use super::*;

const START: &str = "<body xmlns='http://jabber.org/protocol/httpbind' ";

fn read(document: &str) -> Result<Body, Flaw> {
    read_within(document, Limits::CLIENT)
}

fn read_within(document: &str, limits: Limits) -> Result<Body, Flaw> {
    let mut decoder = BodyDecoder::new(limits);
    let mut input = document.as_bytes();
    decoder.read(&mut input)?;
    decoder.read(&mut input)?;
    decoder.finish()
}

fn payloads(content: &str) -> String {
    read(&format!("{START}rid='1'>{content}</body>")).unwrap().payloads().concat()
}

#[test]
fn attributes_are_found_by_their_namespace_whatever_the_prefix_is() {
    let body = read(
        "<?xml version='1.0' encoding='utf-8'?>\n\
         <b:body xmlns:b='http://jabber.org/protocol/httpbind' xmlns:other='urn:other' \
         xmlns:x='urn:xmpp:xbosh' other:restart='1' x:restart='true' \
         restart='no' rid='573' xml:lang='de' to='a&amp;b'/> \n",
    )
    .unwrap();
    assert_eq!(body.xmpp("restart").as_deref(), Some("true"));
    assert_eq!(body.xmpp("version"), None);
    assert_eq!(body.attribute("rid").as_deref(), Some("573"));
    assert_eq!(body.attribute("xml:lang").as_deref(), Some("de"));
    assert_eq!(body.attribute("to").as_deref(), Some("a&b"));
    assert!(body.payloads().is_empty());
}

#[test]
fn what_is_in_the_namespace_of_the_wrapper_is_in_jabber_client_xep_0206_2() {
    let said = "<message to='a'><body>Hi &amp; ho</body></message>";
    let meant = "<message xmlns='jabber:client' to='a'><body>Hi &amp; ho</body></message>";
    assert_eq!(payloads(said), meant);
    assert_eq!(payloads(meant), meant);
    let mixed = "<message xmlns='jabber:client' to='a'>\
        <body xmlns='http://jabber.org/protocol/httpbind'>Hi &amp; ho</body></message>";
    assert_eq!(payloads(mixed), meant);
}

#[test]
fn payloads_stand_for_themselves_in_their_order() {
    assert_eq!(
        payloads(
            " <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>a</auth>\n<iq id='1'/><x xmlns=''/>"
        ),
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>a</auth>\
         <iq xmlns='jabber:client' id='1'/><x xmlns=''/>"
    );
}

#[test]
fn an_address_that_is_malformed_stays_malformed() {
    assert_eq!(payloads("<iq to='@@' from=''/>"), "<iq xmlns='jabber:client' to='@@' from=''/>");
}

#[test]
fn what_no_stream_may_hold_no_wrapper_may_at_02() {
    use StreamCondition as Is;
    for (document, condition) in [
        ("<!DOCTYPE body><body/>", Is::RestrictedXml),
        ("<!DOCTYPE b [<!ENTITY a 'b'>]><body/>", Is::RestrictedXml),
        ("<?pi?><body/>", Is::RestrictedXml),
        (&format!("<!-- -->{START}/>"), Is::RestrictedXml),
        (&format!("{START}><!-- --></body>"), Is::RestrictedXml),
        (&format!("{START}><?pi?></body>"), Is::RestrictedXml),
        (&format!("{START}><![CDATA[]]></body>"), Is::RestrictedXml),
        (&format!("{START}><message><body>&foo;</body></message></body>"), Is::RestrictedXml),
        (&format!("{START}>text</body>"), Is::BadFormat),
        (&format!("{START}/><body/>"), Is::NotWellFormed),
        (&format!("{START}></body>x"), Is::NotWellFormed),
        (&format!("{START}>"), Is::NotWellFormed),
        (&format!("{START}><message></body>"), Is::NotWellFormed),
        ("", Is::NotWellFormed),
        ("<body/>", Is::BadFormat),
        ("<body xmlns='jabber:client'/>", Is::BadFormat),
        ("<x xmlns='http://jabber.org/protocol/httpbind'/>", Is::BadFormat),
        (&format!("{START}><message xmlns='jabber:server'/></body>"), Is::InvalidNamespace),
    ] {
        assert_eq!(read(document).unwrap_err().condition, condition, "{document}");
    }
}

#[test]
fn a_wrapper_is_as_big_as_a_stanza_and_its_own_tags_at_54() {
    let big = |payload: usize, times: usize| {
        let payload = format!("<x xmlns='urn:x'>{}</x>", "x".repeat(payload));
        format!("{START}rid='1'>{}</body>", payload.repeat(times))
    };
    let limits = Limits::BEFORE_AUTH;
    assert!(read_within(&big(8000, 1), limits).is_ok());
    for (payload, times) in [(8200, 1), (4000, 4), (10 << 20, 1), (0, 33)] {
        let flaw = read_within(&big(payload, times), limits).unwrap_err();
        assert_eq!(flaw.condition, StreamCondition::PolicyViolation, "{payload} {times}");
    }
    let tags = format!("{START}a='{}'/>", " ".repeat(9000));
    assert!(read_within(&tags, limits).is_err());
    let spaces = format!("{START}>{}</body>", " ".repeat(1 << 20));
    assert!(read_within(&spaces, limits).is_err());
}

#[test]
fn it_stops_behind_the_start_tag_so_that_limits_can_be_set() {
    let document = format!("{START}sid='s'><x xmlns='urn:x'>{}</x></body>", "x".repeat(9000));
    let mut decoder = BodyDecoder::new(Limits::BEFORE_AUTH);
    let (head, mut tail) = document.as_bytes().split_at(30);
    assert!(!decoder.read(&mut { head }).unwrap());
    assert_eq!(decoder.attribute("sid"), None);
    assert!(decoder.read(&mut tail).unwrap());
    assert_eq!(decoder.attribute("sid").as_deref(), Some("s"));
    assert!(tail.starts_with(b"<x"));
    decoder.set_limits(Limits::CLIENT);
    assert!(!decoder.read(&mut tail).unwrap());
    assert_eq!(decoder.finish().unwrap().payloads()[0].len(), 9000 + 21);
}

#[test]
fn a_wrapper_declares_the_prefixes_it_uses() {
    assert_eq!(Wrapper::default().to_text(), "<body xmlns='http://jabber.org/protocol/httpbind'/>");
    let attributes = [("sid", "a'b".into()), ("xmpp:version", "1.0".into())];
    let wrapper = Wrapper { attributes: &attributes, streams: true, payloads: "<a xmlns='b'/>" };
    assert_eq!(
        wrapper.to_text(),
        "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' \
         xmlns:stream='http://etherx.jabber.org/streams' sid='a&apos;b' xmpp:version='1.0'>\
         <a xmlns='b'/></body>"
    );
}
