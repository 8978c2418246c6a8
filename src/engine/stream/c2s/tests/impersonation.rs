//! Who may, acts as another account (RFC 6120 §6.3.8).

use super::{
    authentication::{MECHANISMS, carried, scram},
    *,
};

/// Where juliet has shown her certificate, and these may.
fn greeted(impersonators: &[&str]) -> Peer {
    let mut peer = Peer::of(Security::Direct, &["capulet.lit", "montague.lit", "guests.lit"]);
    peer.settings.impersonators = impersonators.iter().map(|account| bare(account)).collect();
    peer.settings.anonymous = vec![Bare::host("guests.lit").unwrap()];
    let identities = vec![bare("juliet@capulet.lit")];
    peer.hears(Input::Secured(Tls { identities, ..Tls::UNKNOWN }));
    assert!(peer.says(HEADER).contains("<mechanism>"));
    peer
}

fn as_romeo(peer: &mut Peer, mechanism: &str, password: &str) -> String {
    match MECHANISMS.iter().find(|(name, _)| *name == mechanism) {
        Some(scrams) if password == PASSWORD => {
            scram(peer, *scrams, "n,a=romeo@montague.lit,", &[], "juliet")
        }
        Some(scrams) => scram(peer, *scrams, "n,a=romeo@montague.lit,", &[], "nobody"),
        None if mechanism == "EXTERNAL" => peer.says(&auth(mechanism, "romeo@montague.lit")),
        None => {
            let message = format!("romeo@montague.lit\0juliet\0{password}");
            peer.says(&auth(mechanism, &message))
        }
    }
}

const ALL: [&str; 5] = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "EXTERNAL"];

#[test]
fn who_may_gets_a_session_of_the_other_account_by_its_own_password_rfc6120_6_3_8() {
    for mechanism in ALL {
        let mut peer = greeted(&["nurse@capulet.lit", "juliet@capulet.lit"]);
        let said = as_romeo(&mut peer, mechanism, PASSWORD);
        assert!(said.starts_with("<success"), "{mechanism} {said}");
        let told = peer.acts.iter().filter_map(|act| match act {
            Act::Impersonates(by, account) => Some((by.as_str(), account.as_str())),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [("juliet@capulet.lit", "romeo@montague.lit")]);
        assert!(peer.says(HEADER).contains("<bind"), "{mechanism}");
        peer.says(&bind("orchard"));
        let Some(Act::Submit(account, Said::Bind { device, .. })) =
            peer.acts.iter().find(|act| matches!(act, Act::Submit(..)))
        else {
            panic!("{mechanism} is not bound");
        };
        assert_eq!((account, device), (&bare("romeo@montague.lit"), &None));
    }
}

#[test]
fn who_may_acts_as_itself_all_the_same() {
    for authzid in ["", "juliet@capulet.lit", "JULIET@capulet.lit"] {
        let mut peer = greeted(&["juliet@capulet.lit"]);
        let said = peer.says(&auth("PLAIN", &format!("{authzid}\0juliet\0{PASSWORD}")));
        assert!(said.starts_with("<success"), "{authzid} {said}");
        assert!(!peer.acts.iter().any(|act| matches!(act, Act::Impersonates(..))));
    }
}

#[test]
fn at_10_who_may_not_is_told_when_it_has_shown_who_it_is() {
    for mechanism in ALL {
        let mut peer = greeted(&["nurse@capulet.lit"]);
        let said = as_romeo(&mut peer, mechanism, PASSWORD);
        assert_eq!(said, failure("invalid-authzid"), "{mechanism}");
        assert_eq!(peer.submitted().len(), 0);
    }
    for impersonator in ["nurse@capulet.lit", "juliet@capulet.lit"] {
        for mechanism in &ALL[..4] {
            let said = as_romeo(&mut greeted(&[impersonator]), mechanism, "wrong");
            assert_eq!(said, failure("not-authorized"), "{mechanism} {impersonator}");
        }
    }
}

#[test]
fn at_16_nothing_tells_who_may() {
    for user in ["juliet", "nurse", "nobody"] {
        let first = format!("n,a=romeo@montague.lit,n={user},r=abc");
        let said = greeted(&["juliet@capulet.lit"]).says(&auth("SCRAM-SHA-256", &first));
        assert!(carried(&said).starts_with("r=abc"), "{user} {said}");
    }
}

#[test]
fn only_an_account_of_this_server_is_acted_as() {
    for authzid in [
        "nobody@capulet.lit",
        "romeo@elsewhere.lit",
        "romeo@guests.lit",
        "romeo@montague.lit/orchard",
        "montague.lit",
        "romeo",
        "*@montague.lit",
        "@",
    ] {
        for mechanism in ["PLAIN", "EXTERNAL"] {
            let message = match mechanism {
                "PLAIN" => &*format!("{authzid}\0juliet\0{PASSWORD}"),
                _ => authzid,
            };
            let mut peer = greeted(&["juliet@capulet.lit"]);
            let said = peer.says(&auth(mechanism, message));
            assert_eq!(said, failure("invalid-authzid"), "{mechanism} {authzid}");
        }
    }
}

#[test]
fn who_is_disabled_acts_as_nobody_rfc6120_6_5_2() {
    for mechanism in ALL {
        let mut peer = greeted(&["juliet@capulet.lit"]);
        peer.juliet = peer.juliet.map(|kept| Credentials { disabled: true, ..kept });
        let said = as_romeo(&mut peer, mechanism, PASSWORD);
        assert_eq!(said, failure("account-disabled"), "{mechanism}");
    }
}

#[test]
fn a_store_that_is_away_does_not_say_that_the_other_account_is_not_there() {
    let mut peer = greeted(&["juliet@capulet.lit"]);
    peer.answering = false;
    as_romeo(&mut peer, "EXTERNAL", PASSWORD);
    peer.hears(Input::Fact(Fact::Credentials(peer.juliet.clone().map(Some))));
    let asked = peer.acts.iter().filter_map(|act| match act {
        Act::Ask(Question::Account(account)) => Some(account.as_str()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["romeo@montague.lit"]);
    let away = Fault::Away("gone".to_owned());
    let said = peer.hears(Input::Fact(Fact::Account(Err(away))));
    assert_eq!(said, failure("temporary-auth-failure"));
}

#[test]
fn the_header_must_name_the_account_that_is_acted_as_rfc6120_4_7_1() {
    for (from, fits) in [("romeo@montague.lit", true), ("juliet@capulet.lit", false)] {
        let mut peer = Peer::of(Security::Direct, &["capulet.lit", "montague.lit"]);
        peer.settings.impersonators = vec![bare("juliet@capulet.lit")];
        peer.hears(Input::Secured(Tls::UNKNOWN));
        peer.says(&HEADER.replace("to=", &format!("from='{from}' to=")));
        let said = as_romeo(&mut peer, "PLAIN", PASSWORD);
        assert_eq!(said.starts_with("<success"), fits, "{said}");
        assert_eq!(said.contains("<invalid-from"), !fits, "{said}");
    }
}
