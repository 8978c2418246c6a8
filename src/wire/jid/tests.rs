use super::*;

fn parse(text: &str) -> Result<String, JidError> {
    Jid::parse(text).map(|jid| jid.as_str().to_owned())
}

#[test]
fn parts_are_split_at_the_first_slash_then_the_first_at_rfc7622_3_1() {
    let jid = Jid::parse("juliet@example.com/a@b/c").expect("a jid");
    assert_eq!(jid.local(), Some("juliet"));
    assert_eq!(jid.domain(), "example.com");
    assert_eq!(jid.resource(), Some("a@b/c"));
    assert_eq!(jid.bare().as_str(), "juliet@example.com");
    assert!(jid.bare().is_bare() && !jid.is_bare());
    let host = Jid::parse("example.com/x@y").expect("a jid");
    assert_eq!((host.local(), host.domain()), (None, "example.com"));
    assert_eq!(host.resource(), Some("x@y"));
}

#[test]
fn ascii_is_case_mapped_but_for_the_resource() {
    assert_eq!(
        parse("JuLiet@EXAMPLE.Com./Balcony A").as_deref(),
        Ok("juliet@example.com/Balcony A")
    );
}

#[test]
fn empty_and_forbidden_parts_are_named() {
    assert_eq!(parse(""), Err(JidError::DomainEmpty));
    assert_eq!(parse("@a"), Err(JidError::LocalEmpty));
    assert_eq!(parse("a@"), Err(JidError::DomainEmpty));
    assert_eq!(parse("a/"), Err(JidError::ResourceEmpty));
    assert_eq!(parse("a b@c"), Err(JidError::LocalForbidden));
    assert_eq!(parse("a\"b@c"), Err(JidError::LocalForbidden));
    assert_eq!(parse("a@b@c"), Err(JidError::DomainForbidden));
    assert_eq!(parse("a..b"), Err(JidError::DomainForbidden));
    assert_eq!(parse("a@b/\u{1}"), Err(JidError::ResourceForbidden));
    assert_eq!(Bare::parse("a@b/c"), Err(JidError::HasResource));
}

#[test]
fn each_part_has_at_most_1023_octets_rfc7622_3_1() {
    let long = "x".repeat(1023);
    assert!(parse(&format!("{long}@a/{long}")).is_ok());
    assert_eq!(parse(&format!("{long}x@a")), Err(JidError::LocalTooLong));
    assert_eq!(parse(&format!("a/{long}x")), Err(JidError::ResourceTooLong));
    assert_eq!(parse(&"a.".repeat(513)), Err(JidError::DomainTooLong));
}
