//! SASL in the stream (RFC 6120 §6).

use super::*;
use crate::{
    settings::{Argon2id, Storage},
    stream::machine::Secret,
};
use sasl::Hash;

pub(super) const MECHANISMS: [(&str, Hash); 3] =
    [("SCRAM-SHA-512", Hash::Sha512), ("SCRAM-SHA-256", Hash::Sha256), ("SCRAM-SHA-1", Hash::Sha1)];

/// The text that a challenge or success carries.
pub(super) fn carried(said: &str) -> String {
    let (_, rest) = said.split_once('>').unwrap();
    let (text, _) = rest.split_once('<').unwrap();
    String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
}

/// A SCRAM exchange with this GS2 header, bound to this; the last answer.
pub(super) fn scram(
    peer: &mut Peer,
    (name, hash): (&str, Hash),
    gs2: &str,
    bound: &[u8],
    user: &str,
) -> String {
    let first = format!("n={user},r=clientnonce");
    let challenge = peer.says(&auth(name, &format!("{gs2}{first}")));
    if !challenge.starts_with("<challenge") {
        return challenge;
    }
    let gs2 = [gs2.as_bytes(), bound].concat();
    let (client_final, signature) =
        sasl::tests::client_final(hash, PASSWORD, &gs2, &first, &carried(&challenge));
    let answer = peer.says(&response(&client_final));
    if answer.starts_with("<success") {
        assert_eq!(carried(&answer), format!("v={signature}"), "{name}");
    }
    answer
}

#[test]
fn mechanisms_stand_in_order_of_preference_rfc6120_6_3_3() {
    let said = Peer::secured().says(HEADER);
    let (_, features) = said.split_once("<stream:features>").unwrap();
    assert_eq!(
        features,
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
         <mechanism>SCRAM-SHA-512</mechanism><mechanism>SCRAM-SHA-256</mechanism>\
         <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>\
         </stream:features>"
    );
}

#[test]
fn passwords_that_are_kept_by_argon2id_can_only_be_told() {
    let mut peer = Peer::secured();
    peer.settings.passwords.storage = Storage::Argon2id;
    peer.settings.passwords.argon2id = Argon2id { kib: 32, passes: 1, lanes: 1 };
    let said = peer.says(HEADER);
    assert_eq!(said.matches("<mechanism>").count(), 1);
    assert!(said.contains("<mechanism>PLAIN</mechanism>"));
    let said = scram(&mut peer, MECHANISMS[1], "n,,", &[], "juliet");
    assert_eq!(said, failure("invalid-mechanism"));
    let passwords = peer.settings.passwords;
    peer.juliet = Ok(sasl::credentials(PASSWORD, &passwords, &Seeded(Cell::new(1))).unwrap());
    assert_eq!(peer.says(&auth_plain("juliet", "wrong")), failure("not-authorized"));
    assert!(peer.says(&auth_plain("juliet", PASSWORD)).starts_with("<success"));
}

#[test]
fn an_account_of_one_hash_logs_in_by_it_and_by_plain_and_by_no_other() {
    for (mechanism, hash) in MECHANISMS {
        let of_one = || {
            let all = weak_credentials(PASSWORD);
            let mut peer = Peer::greeted();
            peer.juliet = Ok(Credentials {
                sha1: all.sha1.filter(|_| hash == Hash::Sha1),
                sha256: all.sha256.filter(|_| hash == Hash::Sha256),
                sha512: all.sha512.filter(|_| hash == Hash::Sha512),
                ..Credentials::default()
            });
            peer
        };
        assert!(of_one().says(&auth_plain("juliet", PASSWORD)).starts_with("<success"));
        assert_eq!(of_one().says(&auth_plain("juliet", "wrong")), failure("not-authorized"));
        for (other, by) in MECHANISMS {
            let said = scram(&mut of_one(), (other, by), "n,,", &[], "juliet");
            let expected = if by == hash { "<success" } else { &failure("not-authorized") };
            assert!(said.starts_with(expected), "{mechanism} {other} {said}");
        }
    }
}

#[test]
fn scram_authenticates_rfc5802_5() {
    for mechanism in MECHANISMS {
        for gs2 in ["n,,", "y,,", "n,a=juliet@capulet.lit,"] {
            let mut peer = Peer::greeted();
            let said = scram(&mut peer, mechanism, gs2, &[], "juliet");
            assert!(said.starts_with("<success"), "{mechanism:?} {gs2} {said}");
            assert!(peer.says(HEADER).contains("<bind"));
        }
    }
}

#[test]
fn scram_waits_for_the_first_message_when_it_does_not_come_at_once_rfc6120_6_4_2() {
    let mut peer = Peer::greeted();
    let said =
        peer.says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>");
    assert_eq!(said, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    let said = peer.says(&response("n,,n=juliet,r=abc"));
    assert!(carried(&said).starts_with("r=abc"));
}

#[test]
fn user_names_are_prepared_rfc7622_3_3() {
    for user in ["Juliet", "JULIET", "\u{ff4a}uliet"] {
        let mut peer = Peer::greeted();
        let said = peer.says(&auth_plain(user, PASSWORD));
        assert!(said.starts_with("<success"), "{user} {said}");
    }
    for user in ["juliet@capulet.lit", "ju liet", "a/b"] {
        let mut peer = Peer::greeted();
        assert_eq!(peer.says(&auth_plain(user, PASSWORD)), failure("not-authorized"), "{user}");
    }
}

#[test]
fn a_wrong_password_and_no_account_are_the_same_rfc6120_6_5_10() {
    for (user, password) in [("juliet", "wrong"), ("nobody", PASSWORD)] {
        let said = Peer::greeted().says(&auth_plain(user, password));
        assert_eq!(said, failure("not-authorized"), "{user}");
    }
    for mechanism in MECHANISMS {
        let said = scram(&mut Peer::greeted(), mechanism, "n,,", &[], "nobody");
        assert_eq!(said, failure("not-authorized"));
        let mut peer = Peer::greeted();
        peer.juliet = Ok(weak_credentials("another"));
        let said = scram(&mut peer, mechanism, "n,,", &[], "juliet");
        assert_eq!(said, failure("not-authorized"));
    }
}

#[test]
fn at_16_an_account_that_is_not_there_looks_the_same_at_every_try() {
    let challenge = |user: &str, mechanism: &str| {
        let said = Peer::greeted().says(&auth(mechanism, &format!("n,,n={user},r=abc")));
        let text = carried(&said);
        let (_, salt_and_iterations) = text.split_once(",s=").unwrap();
        let (salt_and_iterations, _) = salt_and_iterations.split_once(",h=").unwrap();
        salt_and_iterations.to_owned()
    };
    let nobody = challenge("nobody", "SCRAM-SHA-1");
    assert_eq!(nobody, challenge("nobody", "SCRAM-SHA-1"));
    assert_ne!(nobody, challenge("nobody2", "SCRAM-SHA-1"));
    assert!(nobody.ends_with(",i=4096"), "{nobody}");
    assert!(challenge("nobody", "SCRAM-SHA-256").ends_with(",i=10000"));
    assert_eq!(nobody.len(), "FEDCBA9876543210FEDCBA==,i=4096".len());
}

#[test]
fn at_16_a_password_is_compared_also_when_there_is_no_account() {
    let mut peer = Peer::greeted();
    peer.answering = false;
    peer.says(&auth_plain("nobody", PASSWORD));
    peer.hears(Input::Fact(Fact::Credentials(Ok(None))));
    let Some(Act::Ask(Question::Verify { password: Secret(password), kept, made_up, .. })) =
        peer.acts.last()
    else {
        panic!("not asked: {:?}", peer.acts);
    };
    assert_eq!(password, PASSWORD);
    assert!(kept.is_empty());
    assert_eq!(made_up.sha256.as_ref().unwrap().iterations, Hash::Sha256.iterations());
    let said = peer.hears(Input::Fact(Fact::Verified(true)));
    assert_eq!(said, failure("not-authorized"), "made-up keys let nobody in");
}

#[test]
fn an_account_without_keys_lets_nobody_in() {
    let mut peer = Peer::greeted();
    peer.juliet = Ok(Credentials::default());
    assert_eq!(peer.says(&auth_plain("juliet", PASSWORD)), failure("not-authorized"));
    let said = scram(&mut peer, MECHANISMS[0], "n,,", &[], "juliet");
    assert_eq!(said, failure("not-authorized"));
}

#[test]
fn only_the_owner_is_told_that_an_account_is_disabled_rfc6120_6_5_2() {
    let disabled = || {
        let mut peer = Peer::greeted();
        peer.juliet = peer.juliet.map(|kept| Credentials { disabled: true, ..kept });
        peer
    };
    let mut peer = disabled();
    assert_eq!(peer.says(&auth_plain("juliet", PASSWORD)), failure("account-disabled"));
    assert_eq!(peer.says(&auth_plain("juliet", "wrong")), failure("not-authorized"));
    for mechanism in MECHANISMS {
        let said = scram(&mut disabled(), mechanism, "n,,", &[], "juliet");
        assert_eq!(said, failure("account-disabled"), "{mechanism:?}");
        let mut peer = disabled();
        peer.juliet = Ok(Credentials { disabled: true, ..weak_credentials("another") });
        let said = scram(&mut peer, mechanism, "n,,", &[], "juliet");
        assert_eq!(said, failure("not-authorized"), "{mechanism:?}");
    }
    assert_eq!(peer.submitted().len(), 0);
}

#[test]
fn at_10_nobody_acts_as_somebody_else_rfc6120_6_5_6() {
    for authzid in ["romeo@capulet.lit", "juliet@montague.lit", "juliet@capulet.lit/x", "juliet"] {
        let said = Peer::greeted().says(&auth("PLAIN", &format!("{authzid}\0juliet\0{PASSWORD}")));
        assert_eq!(said, failure("invalid-authzid"), "{authzid}");
        let gs2 = format!("n,a={authzid},");
        let said = scram(&mut Peer::greeted(), MECHANISMS[2], &gs2, &[], "juliet");
        assert_eq!(said, failure("invalid-authzid"), "{authzid}");
    }
    let own = format!("juliet@capulet.lit\0juliet\0{PASSWORD}");
    assert!(Peer::greeted().says(&auth("PLAIN", &own)).starts_with("<success"));
}

#[test]
fn at_11_a_mechanism_that_is_not_offered_is_invalid_rfc6120_6_5_7() {
    for name in [
        "ANONYMOUS",
        "DIGEST-MD5",
        "EXTERNAL",
        "X-OAUTH2",
        "LOGIN",
        "SCRAM-SHA-1-PLUS",
        "plain",
        "",
    ] {
        let said = Peer::greeted().says(&auth(name, &format!("\0juliet\0{PASSWORD}")));
        assert_eq!(said, failure("invalid-mechanism"), "{name}");
    }
    let said = Peer::greeted().says("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</auth>");
    assert_eq!(said, failure("invalid-mechanism"));
}

#[test]
fn at_17_channel_binding_that_is_not_offered_is_refused_rfc5802_6() {
    let said = scram(&mut Peer::greeted(), MECHANISMS[2], "p=tls-exporter,,", &[], "juliet");
    assert!(said.contains("<not-authorized/>"), "{said}");
}

#[test]
fn an_equals_sign_is_an_empty_message_rfc6120_6_4_2() {
    for mechanism in ["PLAIN", "SCRAM-SHA-1"] {
        let auth = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>=</auth>"
        );
        assert_eq!(Peer::greeted().says(&auth), failure("malformed-request"));
    }
}

/// RFC 6120 §13.9.1; the bits that fill up the last character are zeros.
#[test]
fn what_is_not_base64_is_incorrect_encoding_rfc6120_6_5_5() {
    for text in ["*", "AA", "AA=", "A A==", "AA==\n", "AA==AA==", "==", "=AAA", "AB=="] {
        let said = Peer::greeted().says(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{text}</auth>"
        ));
        assert_eq!(said, failure("incorrect-encoding"), "{text}");
    }
    let mut peer = Peer::greeted();
    peer.says(&auth("SCRAM-SHA-1", "n,,n=juliet,r=abc"));
    let said = peer.says("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>*</response>");
    assert_eq!(said, failure("incorrect-encoding"));
}

#[test]
fn what_the_mechanism_cannot_read_is_malformed_rfc6120_6_5_8() {
    for (mechanism, message) in
        [("PLAIN", "juliet"), ("PLAIN", "\0juliet\0"), ("SCRAM-SHA-1", "n,,m=x,n=a,r=b")]
    {
        let said = Peer::greeted().says(&auth(mechanism, message));
        assert_eq!(said, failure("malformed-request"), "{message:?}");
    }
    let said = Peer::greeted().says(&response("out of the blue"));
    assert_eq!(said, failure("malformed-request"));
}

#[test]
fn a_store_that_is_away_is_not_the_clients_fault_rfc6120_6_5_11() {
    let mut peer = Peer::greeted();
    peer.juliet = Err(Fault::Away("gone".to_owned()));
    assert_eq!(peer.says(&auth_plain("juliet", PASSWORD)), failure("temporary-auth-failure"));
    let said = scram(&mut peer, MECHANISMS[1], "n,,", &[], "juliet");
    assert_eq!(said, failure("temporary-auth-failure"));
}

#[test]
fn who_has_failed_too_often_is_told_to_come_later_rfc6120_6_5_11() {
    let told = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/>\
        <text xml:lang='en'>Too many logins have failed. Try again later.</text></failure>";
    for (user, password) in [("juliet", PASSWORD), ("juliet", "wrong"), ("nobody", PASSWORD)] {
        let mut peer = Peer::greeted();
        peer.answering = false;
        peer.says(&auth_plain(user, password));
        assert_eq!(peer.hears(Input::Fact(Fact::Throttled)), told);
        peer.says(&auth("SCRAM-SHA-1", &format!("n,,n={user},r=abc")));
        assert_eq!(peer.hears(Input::Fact(Fact::Throttled)), told);
    }
}

#[test]
fn who_cannot_be_looked_at_now_is_told_to_come_later_rfc6120_6_5_11() {
    let mut peer = Peer::greeted();
    peer.answering = false;
    peer.says(&auth_plain("juliet", PASSWORD));
    peer.hears(Input::Fact(Fact::Credentials(Ok(Some(weak_credentials(PASSWORD))))));
    assert_eq!(peer.hears(Input::Fact(Fact::Busy)), failure("temporary-auth-failure"));
}

#[test]
fn abort_is_answered_with_aborted_rfc6120_6_4_4() {
    let mut peer = Peer::greeted();
    peer.says(&auth("SCRAM-SHA-1", "n,,n=juliet,r=abc"));
    let said = peer.says("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert_eq!(said, failure("aborted"));
    assert!(scram(&mut peer, MECHANISMS[0], "n,,", &[], "juliet").starts_with("<success"));
}

#[test]
fn another_auth_gives_up_the_one_under_way_rfc6120_6_4_2() {
    let mut peer = Peer::greeted();
    let said = peer.says(&auth("SCRAM-SHA-1", "n,,n=juliet,r=abc"));
    assert!(said.starts_with("<challenge"), "{said}");
    let said = peer.says(&auth_plain("juliet", PASSWORD));
    assert_eq!(said, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
}

#[test]
fn tries_are_counted_rfc6120_6_4_5() {
    let mut peer = Peer::greeted();
    let max = peer.settings.limits.auth_tries_max;
    for _ in 1..max {
        assert_eq!(peer.says(&auth_plain("juliet", "wrong")), failure("not-authorized"));
    }
    let said = peer.fails(&auth_plain("juliet", "wrong"), "policy-violation");
    assert!(said.starts_with(&failure("not-authorized")));
}

#[test]
fn authenticated_is_authenticated_rfc6120_6_4_6() {
    Peer::authenticated().fails(&auth_plain("juliet", PASSWORD), "policy-violation");
    let mut peer = Peer::bound();
    peer.fails(&auth_plain("juliet", PASSWORD), "policy-violation");
}

#[test]
fn a_stanza_before_authentication_ends_the_stream_rfc6120_4_9_3_12() {
    for xml in
        ["<message/>", &bind("x"), "<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>"]
    {
        Peer::greeted().fails(xml, "not-authorized");
    }
}

#[test]
fn nothing_is_read_while_the_world_is_asked() {
    let mut peer = Peer::greeted();
    peer.answering = false;
    peer.says(&format!("{}{HEADER}{}", auth_plain("juliet", PASSWORD), bind("balcony")));
    assert!(!peer.machine.hungry());
    peer.hears(Input::Fact(Fact::Credentials(Ok(Some(weak_credentials(PASSWORD))))));
    assert!(!peer.machine.hungry());
    let said = peer.hears(Input::Fact(Fact::Verified(true)));
    assert!(said.starts_with("<success") && said.contains("<bind"), "{said}");
    let submitted = peer.submitted();
    let [Said::Bind { resource: Some(resource), .. }] = &submitted[..] else {
        panic!("{submitted:?}");
    };
    assert_eq!(&**resource, "balcony");
}

#[test]
fn any_chunking_gives_the_same_login() {
    let all = format!("{HEADER}{}{HEADER}{}", auth_plain("juliet", PASSWORD), bind("balcony"));
    let mut whole = Peer::secured();
    let expected = whole.says(&all);
    for size in 1..all.len() {
        let mut peer = Peer::secured();
        let mut said = String::new();
        for chunk in all.as_bytes().chunks(size) {
            said += &peer.hears(Input::Bytes(chunk));
        }
        assert_eq!(said, expected, "chunks of {size}");
        assert_eq!(format!("{:?}", peer.acts), format!("{:?}", whole.acts));
    }
}

#[test]
fn each_login_is_told_once_with_its_mechanism() {
    let mut peer = Peer::greeted();
    scram(&mut peer, MECHANISMS[2], "n,,", &[], "nobody");
    peer.says(&auth("ANONYMOUS", "x"));
    peer.says(&auth_plain("juliet", PASSWORD));
    let tried = peer.acts.iter().filter_map(|act| match act {
        Act::Tried(mechanism, outcome) => Some((*mechanism, *outcome)),
        _ => None,
    });
    assert_eq!(
        tried.collect::<Vec<_>>(),
        [
            ("SCRAM-SHA-1", Err(sasl::Failure::NotAuthorized)),
            ("none", Err(sasl::Failure::InvalidMechanism)),
            ("PLAIN", Ok(())),
        ]
    );
}
