use super::*;

const CANONICAL: &str = "<a xmlns='urn:a' k='1&lt;&apos;2' xml:lang='en'>x<b/>y &amp; z\
                         <c xmlns='urn:c'><a xmlns='urn:a'>in</a><d/></c><b>2</b></a>";
const A: Name = Name::new("urn:a", "a");
const B: Name = Name::new("urn:a", "b");
const C: Name = Name::new("urn:c", "c");

fn view() -> Element<'static> {
    Element::new(CANONICAL, ns::CLIENT)
}

#[test]
fn names_and_attributes_are_read_in_place() {
    assert!(view().is(A) && !view().is(C));
    assert_eq!((view().ns(), view().local()), ("urn:a", "a"));
    assert_eq!(view().attribute("k").as_deref(), Some("1<'2"));
    assert_eq!(view().attribute("xml:lang").as_deref(), Some("en"));
    assert_eq!(view().attribute("xmlns"), None);
    assert_eq!(view().attribute("lang"), None);
}

#[test]
fn text_is_that_of_the_element_itself() {
    assert_eq!(view().text(), "xy & z");
    assert_eq!(view().child(C).expect("c").text(), "");
}

#[test]
fn children_inherit_the_namespace() {
    let names: Vec<_> = view().children().map(|child| (child.ns(), child.local())).collect();
    assert_eq!(names, [("urn:a", "b"), ("urn:c", "c"), ("urn:a", "b")]);
    let c = view().child(C).expect("c");
    assert_eq!(c.child(Name::new("urn:c", "d")).expect("d").as_str(), "<d/>");
    assert_eq!(c.child(A).expect("a").text(), "in");
    assert_eq!(view().child(B).expect("b").children().count(), 0);
}

#[test]
fn a_payload_taken_from_inside_stands_alone() {
    let b = view().child(B).expect("b").to_payload();
    assert_eq!(b.as_str(), "<b xmlns='urn:a'/>");
    assert!(b.element().is(B));
    let message = Payload::from_canonical(
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='a'><body/>\
         </message></forwarded>",
    );
    let inner = message.element().child(Name::new(ns::CLIENT, "message")).expect("message");
    assert_eq!(inner.to_payload().as_str(), "<message to='a'><body/></message>");
}

#[test]
fn an_element_without_content_is_empty_both_ways() {
    for canonical in ["<a/>", "<a k='v'/>", "<a></a>"] {
        let element = Element::new(canonical, "");
        assert_eq!(element.text(), "");
        assert_eq!(element.children().count(), 0);
        assert_eq!(element.local(), "a");
    }
}

#[test]
fn a_byte_order_mark_in_text_is_text() {
    let element = Element::new("<a xmlns='urn:a'>\u{feff}x<b/>\u{feff}</a>", "");
    assert_eq!(element.text(), "\u{feff}x\u{feff}");
    assert_eq!(element.child(B).expect("b").as_str(), "<b/>");
    assert_eq!(element.children().count(), 1);
    let element = Element::new("<a xmlns='urn:a'>\u{feff}</a>", "");
    assert_eq!(element.text(), "\u{feff}");
}

#[test]
fn a_name_that_only_begins_alike_is_another() {
    let is = |canonical, ns, local| Element::new(canonical, ns::CLIENT).is(Name::new(ns, local));
    assert!(is("<a/>", ns::CLIENT, "a") && is("<a k='v'/>", ns::CLIENT, "a"));
    assert!(is("<a xmlns='urn:a'/>", "urn:a", "a") && is("<a xmlns=''/>", "", "a"));
    for other in ["<ab xmlns='urn:a'/>", "<a xmlns='urn:ab'/>", "<a xmlns='urn:'/>", "<a/>"] {
        assert!(!is(other, "urn:a", "a"), "{other}");
    }
    assert!(!is("<a xmlns='urn:a'/>", ns::CLIENT, "a"));
}
