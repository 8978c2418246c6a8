//! SCRAM that is bound to the channel (RFC 5802 §6), and what is told of what was offered
//! (XEP-0474).

use super::{
    authentication::{MECHANISMS, carried, scram},
    *,
};
use login::UNBOUND_MAX;
use sasl::{Failure, Hash};

const EXPORTER: [u8; 32] = [3; 32];
const END_POINT: [u8; 32] = [4; 32];
const PLUS: [(&str, Hash); 3] = [
    ("SCRAM-SHA-512-PLUS", Hash::Sha512),
    ("SCRAM-SHA-256-PLUS", Hash::Sha256),
    ("SCRAM-SHA-1-PLUS", Hash::Sha1),
];

/// What a connection of TLS 1.3 has.
fn both() -> Tls {
    Tls { exporter: Some(EXPORTER), ..end_point() }
}

/// What one of TLS 1.2 has.
fn end_point() -> Tls {
    Tls { end_point: Some(END_POINT.as_slice().into()), ..Tls::UNKNOWN }
}

fn greeted(tls: Tls) -> Peer {
    let mut peer = Peer::new(Security::Direct);
    peer.hears(Input::Secured(tls));
    peer.says(HEADER);
    peer
}

/// `not-authorized`, and why.
fn refused(why: &str) -> String {
    let text = format!("<text xml:lang='en'>{why}</text></failure>");
    failure("not-authorized").replace("</failure>", &text)
}

fn mismatch() -> String {
    refused("The login is bound to another connection: somebody may be reading along.")
}

fn unsupported() -> String {
    refused("That type of channel binding is not offered here.")
}

fn tried(peer: &Peer) -> Option<Failure> {
    peer.acts.iter().rev().find_map(|act| match act {
        Act::Tried(_, outcome) => Some(outcome.err()),
        _ => None,
    })?
}

#[test]
fn what_binds_is_offered_first_and_only_where_something_can_be_bound_to() {
    let mut peer = Peer::new(Security::Direct);
    peer.hears(Input::Secured(end_point()));
    let said = peer.says(HEADER);
    assert!(
        said.contains(
            "<mechanism>SCRAM-SHA-512-PLUS</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
             <mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-512</mechanism>"
        ),
        "{said}"
    );
    assert!(!Peer::secured().says(HEADER).contains("-PLUS"));
}

#[test]
fn scram_is_bound_to_the_channel_rfc5802_6() {
    for mechanism in PLUS {
        for (kind, data) in [("tls-exporter", EXPORTER), ("tls-server-end-point", END_POINT)] {
            for authzid in ["", "a=juliet@capulet.lit"] {
                let mut peer = greeted(both());
                let gs2 = format!("p={kind},{authzid},");
                let said = scram(&mut peer, mechanism, &gs2, &data, "juliet");
                assert!(said.starts_with("<success"), "{mechanism:?} {gs2} {said}");
                assert!(peer.says(HEADER).contains("<bind"));
            }
        }
    }
}

#[test]
fn at_17_a_channel_that_is_another_is_refused_rfc5802_6() {
    let other = [5; 32];
    for mechanism in PLUS {
        for (kind, data) in [
            ("tls-exporter", &other[..]),
            ("tls-exporter", &END_POINT),
            ("tls-exporter", &EXPORTER[..31]),
            ("tls-exporter", &[]),
            ("tls-server-end-point", &EXPORTER),
        ] {
            let mut peer = greeted(both());
            let said = scram(&mut peer, mechanism, &format!("p={kind},,"), data, "juliet");
            assert_eq!(said, mismatch(), "{kind} {data:?}");
            assert_eq!(tried(&peer), Some(Failure::ChannelBindingMismatch));
        }
    }
}

#[test]
fn at_17_a_type_that_is_not_offered_is_refused_rfc5802_6() {
    for (tls, kind) in [
        (both(), "tls-unique"),
        (both(), "tls-server-end-poin"),
        (both(), "TLS-EXPORTER"),
        (both(), ""),
        (end_point(), "tls-exporter"),
        (end_point(), "tls-unique"),
    ] {
        let mut peer = greeted(tls);
        let said = scram(&mut peer, PLUS[1], &format!("p={kind},,"), &EXPORTER, "juliet");
        assert_eq!(said, unsupported(), "{kind}");
        assert_eq!(tried(&peer), Some(Failure::ChannelBindingUnsupported));
    }
}

#[test]
fn at_17_who_could_bind_and_was_not_told_so_is_being_deceived_rfc5802_6() {
    for mechanism in MECHANISMS {
        let mut peer = greeted(end_point());
        let said = scram(&mut peer, mechanism, "y,,", &[], "juliet");
        assert_eq!(said, refused("Channel binding is offered here."));
        assert_eq!(tried(&peer), Some(Failure::ChannelBindingStripped));
        // One that cannot bind may log in.
        let said = scram(&mut peer, mechanism, "n,,", &[], "juliet");
        assert!(said.starts_with("<success"), "{said}");
    }
}

/// So does slixmpp 1.8, which knows `tls-unique` only: it goes through all that is offered. None of
/// it was a guess, and none is accepted; what is left it finds on the same stream.
#[test]
fn who_binds_otherwise_falls_back_on_the_same_stream_rfc6120_6_4_5() {
    let mut peer = greeted(both());
    for mechanism in PLUS {
        let said = scram(&mut peer, mechanism, "p=tls-unique,,", &EXPORTER, "juliet");
        assert_eq!(said, unsupported());
    }
    for mechanism in MECHANISMS {
        let said = scram(&mut peer, mechanism, "y,,", &[], "juliet");
        assert_eq!(said, refused("Channel binding is offered here."));
    }
    assert_eq!(peer.says(&auth_plain("juliet", "wrong")), failure("not-authorized"));
    assert!(peer.says(&auth_plain("juliet", PASSWORD)).starts_with("<success"));
}

#[test]
fn who_never_ends_to_bind_otherwise_is_sent_away_rfc6120_6_4_5() {
    let mut peer = greeted(both());
    let first = auth(PLUS[0].0, "p=tls-unique,,n=juliet,r=clientnonce");
    for _ in 1..UNBOUND_MAX + peer.settings.limits.auth_tries_max {
        assert_eq!(peer.says(&first), unsupported());
    }
    peer.fails(&first, "policy-violation");
}

#[test]
fn at_17_a_flag_that_does_not_fit_the_mechanism_is_refused_rfc5802_6() {
    for gs2 in ["n,,", "y,,", "p,,", "x=tls-exporter,,"] {
        let said = scram(&mut greeted(both()), PLUS[2], gs2, &[], "juliet");
        assert_eq!(said, failure("malformed-request"), "{gs2}");
    }
    let mut peer = greeted(both());
    let said = scram(&mut peer, MECHANISMS[2], "p=tls-exporter,,", &EXPORTER, "juliet");
    assert_eq!(said, unsupported());
    assert_eq!(tried(&peer), Some(Failure::ChannelBindingUnsupported));
}

#[test]
fn at_17_a_binding_that_is_taken_out_of_the_last_message_is_missed_rfc5802_6() {
    let mut peer = greeted(both());
    let first = "n=juliet,r=clientnonce";
    let challenge = peer.says(&auth(PLUS[2].0, &format!("p=tls-exporter,,{first}")));
    let challenge = carried(&challenge);
    let (last, _) = sasl::tests::client_final(Hash::Sha1, PASSWORD, b"n,,", first, &challenge);
    assert_eq!(peer.says(&response(&last)), mismatch());
    assert_eq!(tried(&peer), Some(Failure::ChannelBindingMismatch));
}

#[test]
fn a_wrong_password_over_the_right_channel_is_just_that() {
    let mut peer = greeted(both());
    peer.juliet = Ok(weak_credentials("another"));
    let said = scram(&mut peer, PLUS[0], "p=tls-exporter,,", &EXPORTER, "juliet");
    assert_eq!(said, failure("not-authorized"));
    assert_eq!(tried(&peer), Some(Failure::NotAuthorized));
}

/// The hash by the mechanism's own function of what stood in the features.
#[test]
fn what_was_advertised_is_hashed_into_the_first_message_xep_0474_5_1() {
    const OFFERED: &str = "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256\
        \x1eSCRAM-SHA-256-PLUS\x1eSCRAM-SHA-512\x1eSCRAM-SHA-512-PLUS";
    for ((plus, hash), (plain, _)) in PLUS.into_iter().zip(MECHANISMS) {
        for (tls, all) in [
            (both(), format!("{OFFERED}\x1ftls-exporter\x1etls-server-end-point")),
            (end_point(), format!("{OFFERED}\x1ftls-server-end-point")),
        ] {
            let expected = BASE64_STANDARD.encode(sasl::tests::digest(hash, all.as_bytes()));
            for (mechanism, gs2) in [(plus, "p=tls-server-end-point,,"), (plain, "n,,")] {
                let mut peer = greeted(tls.clone());
                let said = peer.says(&auth(mechanism, &format!("{gs2}n=juliet,r=abc")));
                let told = carried(&said);
                assert!(told.ends_with(&format!(",h={expected}")), "{mechanism} {told}");
            }
        }
    }
    let said = Peer::greeted().says(&auth("SCRAM-SHA-1", "n,,n=juliet,r=abc"));
    let all = b"PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256\x1eSCRAM-SHA-512";
    let expected = BASE64_STANDARD.encode(sasl::tests::digest(Hash::Sha1, all));
    assert!(carried(&said).ends_with(&format!(",h={expected}")), "{said}");
}
