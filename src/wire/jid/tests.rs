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
    assert!(parse(&"a.".repeat(512)).is_ok_and(|jid| jid.len() == 1023));
    assert_eq!(parse(&format!("{}.a", "b".repeat(64))), Err(JidError::DomainTooLong));
    let wide = "é".repeat(512);
    assert_eq!(parse(&format!("{wide}@a")), Err(JidError::LocalTooLong));
    assert_eq!(parse(&format!("a/{wide}")), Err(JidError::ResourceTooLong));
    assert!(parse(&format!("a/{}", "e\u{301}".repeat(511))).is_ok(), "long only before NFC");
}

#[test]
fn localparts_are_user_names_case_mapped_rfc7622_3_3() {
    assert_eq!(parse("Fußball@a").as_deref(), Ok("fußball@a"));
    assert_eq!(parse("ＡＢ@a").as_deref(), Ok("ab@a"), "full width");
    assert_eq!(parse("e\u{301}@a").as_deref(), Ok("é@a"), "NFC");
    assert_eq!(parse("ΣΑΣ@a").as_deref(), Ok("σασ@a"), "case without context");
    assert_eq!(parse("σας@a").as_deref(), Ok("σας@a"), "final sigma is itself");
    assert_eq!(parse("שלום@a").as_deref(), Ok("שלום@a"));
    assert_eq!(parse("l·l@a").as_deref(), Ok("l·l@a"), "a context rule that holds");
    for refused in ["henry\u{2163}@a", "♚@a", "a·b@a", "א1a@a", "＠@a", "\u{200d}@a", "Ꭰ@a"]
    {
        assert_eq!(parse(refused), Err(JidError::LocalForbidden), "{refused}");
    }
    for excluded in "\"&'/:<>@".chars() {
        assert!(Jid::new(Some(&format!("a{excluded}b")), "c", None).is_err(), "{excluded}");
    }
}

#[test]
fn resources_are_opaque_strings_rfc7622_3_4() {
    assert_eq!(parse("a/foo\u{a0}Bar").as_deref(), Ok("a/foo Bar"), "spaces");
    assert_eq!(parse("a/e\u{301}").as_deref(), Ok("a/é"), "NFC");
    for fine in ["💻", "🥳 🤖 🫠", "♚", "\u{2163}", "a@b/c", "אa", "<&'\">", "𞤀"] {
        assert_eq!(parse(&format!("a/{fine}")).as_deref(), Ok(&*format!("a/{fine}")), "{fine}");
    }
    for refused in ["\u{7f}", "\u{85}", "\u{200b}", "\u{fe0f}", "\u{e000}", "\u{180f}", "\u{1160}"]
    {
        assert_eq!(parse(&format!("a/x{refused}")), Err(JidError::ResourceForbidden), "{refused}");
    }
}

#[test]
fn domains_are_u_labels_or_addresses_rfc7622_3_2() {
    for (domain, prepared) in [
        ("xn--mnchen-3ya.EXAMPLE", "münchen.example"),
        ("MÜNCHEN.example.", "münchen.example"),
        ("münchen。example。", "münchen.example"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("faß.de", "faß.de"),
        ("a_b.example", "a_b.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
    ] {
        assert_eq!(parse(domain).as_deref(), Ok(prepared));
    }
    for refused in [
        "a b",
        "a..b",
        "-a",
        "a-",
        ".a",
        "a..",
        "[::1",
        "[::1]:5",
        "[1.2.3.4]",
        "xn--a",
        "a!b",
        "é,",
    ] {
        assert_eq!(parse(refused), Err(JidError::DomainForbidden), "{refused}");
    }
    assert_eq!(parse("."), Err(JidError::DomainEmpty));
    assert_eq!(parse("。"), Err(JidError::DomainEmpty));
    assert_eq!(parse(&"ü".repeat(64)), Err(JidError::DomainTooLong));
}

#[test]
fn preparing_twice_is_preparing_once() {
    for c in ('\u{80}'..='\u{1ffff}').step_by(17) {
        for text in [format!("a{c}@b"), format!("b/{c}"), format!("a{c}b.c"), format!("{c}@a")] {
            let Ok(once) = Jid::parse(&text) else { continue };
            let twice = Jid::parse(once.as_str());
            assert_eq!(twice.as_ref().map(Jid::as_str), Ok(once.as_str()), "{text}");
            assert_eq!(once.local(), twice.as_ref().expect("a jid").local(), "{text}");
        }
    }
}

#[test]
fn a_map_can_be_asked_with_prepared_text() {
    let jid = Jid::parse("A@B").expect("a jid");
    let map = std::collections::HashMap::from([(jid.clone(), 1)]);
    assert_eq!(map.get("a@b"), Some(&1));
    let bare = jid.bare();
    assert_eq!(bare.with_resource("x").expect("a jid").as_str(), "a@b/x");
    assert_eq!(Bare::host("B").expect("a host").local(), None);
    assert_eq!(format!("{bare:>5}|{bare:?}"), "  a@b|\"a@b\"");
}

#[test]
fn whose_an_address_is_is_known_without_making_another() {
    let account = Bare::parse("juliet@capulet.example").unwrap();
    for (text, is_hers) in [
        ("juliet@capulet.example", true),
        ("juliet@capulet.example/balcony", true),
        ("JULIET@Capulet.Example/balcony", true),
        ("capulet.example", false),
        ("capulet.example/juliet", false),
        ("juliet@capulet.example.org", false),
        ("romeo@capulet.example", false),
        ("@capulet.example", false),
        ("", false),
    ] {
        assert_eq!(account.owns(text), is_hers, "{text}");
        assert_eq!(Jid::parse(text).is_ok_and(|jid| jid.is_of(&account)), is_hers, "{text}");
    }
}
