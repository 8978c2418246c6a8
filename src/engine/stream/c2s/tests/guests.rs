//! ANONYMOUS (XEP-0175).

use super::*;

const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

fn greeted() -> (Peer, String) {
    let mut peer = Peer::of(Security::Direct, &["montague.lit", "capulet.lit"]);
    peer.settings.anonymous = vec![bare("capulet.lit")];
    let identities = vec![bare("juliet@capulet.lit")];
    let end_point = Some([1].as_slice().into());
    peer.hears(Input::Secured(Tls { identities, end_point, ..Tls::UNKNOWN }));
    let said = peer.says(HEADER);
    (peer, said)
}

fn forgotten(peer: &Peer) -> Vec<&Bare> {
    let forgotten = peer.acts.iter().filter_map(|act| match act {
        Act::Forget(account) => Some(account),
        _ => None,
    });
    forgotten.collect()
}

#[test]
fn where_everybody_stays_unknown_nothing_else_is_offered() {
    let (mut peer, said) = greeted();
    assert!(
        said.contains(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
             <mechanism>ANONYMOUS</mechanism></mechanisms>"
        ),
        "{said}"
    );
    for mechanism in ["PLAIN", "EXTERNAL"] {
        let said = peer.says(&auth(mechanism, &format!("\0juliet\0{PASSWORD}")));
        assert_eq!(said, failure("invalid-mechanism"));
    }
}

#[test]
fn at_11_it_is_offered_nowhere_else() {
    let mut peer = Peer::of(Security::Direct, &["capulet.lit", "montague.lit"]);
    peer.settings.anonymous = vec![bare("montague.lit")];
    peer.hears(Input::Secured(Tls::default()));
    assert!(!peer.says(HEADER).contains("ANONYMOUS"));
    assert_eq!(peer.says(AUTH), failure("invalid-mechanism"));
}

#[test]
fn an_account_that_nobody_can_guess_is_made_xep_0175_2() {
    for auth in [AUTH.to_owned(), auth("ANONYMOUS", "sirhc"), auth("ANONYMOUS", "")] {
        let (mut peer, _) = greeted();
        assert_eq!(peer.says(&auth), SUCCESS);
        assert!(peer.says(HEADER).contains("<bind"));
        peer.says(&bind("x"));
        let account = peer.acts.iter().find_map(|act| match act {
            Act::Submit(account, Said::Bind { .. }) => Some(account.clone()),
            _ => None,
        });
        let account = account.unwrap();
        assert_eq!(account.domain(), "capulet.lit");
        assert_eq!(account.local().map(str::len), Some(40), "160 bits");
    }
}

#[test]
fn what_a_guest_says_about_itself_is_bounded_rfc4505_2() {
    let (mut peer, _) = greeted();
    let said = peer.says(&auth("ANONYMOUS", &"\u{e4}".repeat(256)));
    assert_eq!(said, failure("malformed-request"));
    assert_eq!(peer.says(&auth("ANONYMOUS", &"\u{e4}".repeat(255))), SUCCESS);
}

#[test]
fn when_there_are_too_many_guests_the_next_comes_later_rfc6120_6_5_11() {
    let (mut peer, _) = greeted();
    peer.hospitable = false;
    assert_eq!(peer.says(AUTH), failure("temporary-auth-failure"));
}

#[test]
fn who_never_binds_leaves_no_account_behind() {
    let (mut peer, _) = greeted();
    peer.says(AUTH);
    peer.hears(Input::Gone);
    let [account] = forgotten(&peer)[..] else { panic!("{:?}", peer.acts) };
    assert_eq!(account.domain(), "capulet.lit");
    // It may be that the account refuses, and so never hears that the stream has ended.
    let (mut peer, _) = greeted();
    peer.says(AUTH);
    peer.says(HEADER);
    peer.says(&bind("x"));
    let account = peer.acts.iter().find_map(|act| match act {
        Act::Submit(account, Said::Bind { .. }) => Some(account.clone()),
        _ => None,
    });
    let account = account.unwrap();
    peer.hears(Input::Say(Say::Unbound(StanzaCondition::BadRequest.into())));
    peer.hears(Input::Gone);
    assert_eq!(forgotten(&peer), [&account]);
    // Once a resource is bound the account knows when it ends.
    let (mut peer, _) = greeted();
    peer.says(AUTH);
    peer.says(HEADER);
    peer.says(&bind("x"));
    let jid = account.with_resource("x").unwrap();
    peer.hears(Input::Say(Say::Bound(jid, Vec::new())));
    peer.hears(Input::Gone);
    assert!(forgotten(&peer).is_empty());
    assert!(peer.acts.iter().any(|act| matches!(act, Act::Submit(_, Said::Gone(_)))));
    // Whoever has an account keeps it.
    let mut peer = Peer::authenticated();
    peer.hears(Input::Gone);
    assert!(forgotten(&peer).is_empty());
}
