//! AT-17: SCRAM that is bound to the wrong channel, stripped of its binding, or tampered with.

use super::{Intruder, PASSWORD, Profile, besieged, decoded, encoded, seen};
use conformance::{
    driver::Transport,
    sasl::{Scram, Seen},
};

const DONT_MATCH: &str = "channel-bindings-dont-match";
const UNSUPPORTED: &str = "unsupported-channel-binding-type";
const FIRST: &str = "n=romeo,r=fyko+d2lbbFgONRv9qkxdawL";

fn start(mechanism: &str, password: &str, seen: &Seen) -> (Scram, String) {
    Scram::start(mechanism, "romeo", password, seen).expect("SCRAM is known")
}

fn bound(offered: &Seen, kind: &str, data: Vec<u8>) -> Seen {
    Seen { channel: Some((kind.into(), data)), ..offered.clone() }
}

fn binds_to_what_is_not_there(intruder: &mut Intruder) {
    let offered = seen(&intruder.connect());
    let is_offered = offered.mechanisms.iter().any(|name| name.ends_with("-PLUS"));
    assert_eq!(is_offered, intruder.over != Transport::Bosh, "{offered:?}");
    for profile in Profile::ALL {
        if !is_offered {
            // It is true that there is nothing to bind to.
            let said =
                intruder.login(profile, "SCRAM-SHA-256", &encoded(format!("y,,{FIRST}")), "");
            assert_eq!(said.local, "challenge", "{said}");
            intruder.say(&format!("<abort xmlns='{}'/>", profile.ns()));
            let said = intruder.hear();
            intruder.refused(&said, "aborted", ("SCRAM-SHA-256", "aborted"));
            continue;
        }
        for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"] {
            binds(intruder, profile, mechanism);
        }
        for (mechanism, flag, condition, why) in [
            ("SCRAM-SHA-256", "y", "not-authorized", "server-does-support-channel-binding"),
            ("SCRAM-SHA-256", "p=tls-exporter", "not-authorized", UNSUPPORTED),
            ("SCRAM-SHA-256-PLUS", "p=tls-unique", "not-authorized", UNSUPPORTED),
            ("SCRAM-SHA-256-PLUS", "p=", "not-authorized", UNSUPPORTED),
            ("SCRAM-SHA-256-PLUS", "n", "malformed-request", "malformed-request"),
            ("SCRAM-SHA-256-PLUS", "y", "malformed-request", "malformed-request"),
        ] {
            let first = encoded(format!("{flag},,{FIRST}"));
            let said = intruder.login(profile, mechanism, &first, "");
            intruder.refused(&said, condition, (mechanism, why));
        }
    }
}

/// A right password, and a channel that is not this one.
fn binds(intruder: &mut Intruder, profile: Profile, mechanism: &str) {
    let offered = seen(&intruder.connect());
    let other = intruder.channel("tls-exporter");
    for (kind, data) in [
        ("tls-exporter", Some(other.clone())),
        ("tls-server-end-point", Some(other)),
        ("tls-exporter", Some(Vec::new())),
        ("tls-exporter", None),
    ] {
        intruder.connect();
        let is_right = data.is_none();
        let data = data.unwrap_or_else(|| intruder.channel(kind));
        let (mut scram, first) = start(mechanism, PASSWORD, &bound(&offered, kind, data));
        let challenge = intruder.begin(profile, mechanism, &first, "").text();
        let answer = scram.answer(&challenge).expect("a challenge");
        let said = intruder.respond(profile, &answer);
        match is_right {
            true => intruder.succeeded(&said),
            false => intruder.refused(&said, "not-authorized", (mechanism, DONT_MATCH)),
        }
    }
}

#[tokio::test]
async fn at_17_a_login_is_bound_to_its_own_connection_whatever_the_way_in() {
    besieged(binds_to_what_is_not_there).await;
}

/// What becomes of a right answer, and how it is refused.
type Tampered = (fn(&str) -> String, &'static str, &'static str);

fn proof(answer: &str) -> (&str, &str) {
    answer.rsplit_once(",p=").expect("a proof")
}

const TAMPERED: [Tampered; 7] = [
    (
        |answer| {
            let (rest, proof) = proof(answer);
            let flip = if proof.starts_with('A') { 'B' } else { 'A' };
            format!("{rest},p={flip}{}", &proof[1..])
        },
        "not-authorized",
        "not-authorized",
    ),
    (|answer| answer.replacen(",r=", ",r=x", 1), "not-authorized", "not-authorized"),
    (|answer| format!("{},p=", proof(answer).0), "not-authorized", "not-authorized"),
    (|answer| answer.replacen(",p=", "x,p=", 1), "not-authorized", "not-authorized"),
    (|answer| answer.replacen("c=biws", "c=eSws", 1), "not-authorized", DONT_MATCH),
    (|answer| format!("{},p=!", proof(answer).0), "malformed-request", "malformed-request"),
    (|answer| proof(answer).0.to_owned(), "malformed-request", "malformed-request"),
];

fn tampers(intruder: &mut Intruder) {
    let offered = seen(&intruder.connect());
    for (profile, mechanism) in [
        (Profile::Rfc6120, "SCRAM-SHA-1"),
        (Profile::Xep0388, "SCRAM-SHA-256"),
        (Profile::Rfc6120, "SCRAM-SHA-512"),
    ] {
        for (tamper, condition, why) in TAMPERED {
            let (mut scram, first) = start(mechanism, PASSWORD, &offered);
            let challenge = intruder.login(profile, mechanism, &first, "").text();
            let answer = decoded(&scram.answer(&challenge).expect("a challenge"));
            let said = intruder.respond(profile, &encoded(tamper(&answer)));
            intruder.refused(&said, condition, (mechanism, why));
        }
        replays(intruder, profile, mechanism, &offered);
    }
}

/// What somebody has overheard who was between, and a wrong password.
fn replays(intruder: &mut Intruder, profile: Profile, mechanism: &str, offered: &Seen) {
    let refused = ("not-authorized", (mechanism, "not-authorized"));
    let (mut scram, first) = start(mechanism, PASSWORD, offered);
    let challenge = intruder.login(profile, mechanism, &first, "").text();
    let answer = scram.answer(&challenge).expect("a challenge");
    let said = intruder.respond(profile, &answer);
    intruder.succeeded(&said);
    let again = intruder.login(profile, mechanism, &first, "").text();
    assert_ne!(again, challenge, "the server's nonce is new");
    let said = intruder.respond(profile, &answer);
    intruder.refused(&said, refused.0, refused.1);

    let (mut scram, first) = start(mechanism, "another-password", offered);
    let challenge = intruder.login(profile, mechanism, &first, "").text();
    let said = intruder.respond(profile, &scram.answer(&challenge).expect("a challenge"));
    intruder.refused(&said, refused.0, refused.1);

    // XEP-0474: a client notices when some of what was offered has been taken away.
    let mut stripped = offered.clone();
    stripped.mechanisms.retain(|name| name != "SCRAM-SHA-512");
    let (mut scram, first) = start(mechanism, PASSWORD, &stripped);
    let challenge = intruder.login(profile, mechanism, &first, "").text();
    assert_eq!(scram.answer(&challenge), None, "{challenge}");
    assert!(decoded(&challenge).contains(",h="), "{challenge}");
}

#[tokio::test]
async fn at_17_an_exchange_that_was_tampered_with_fails_whatever_the_way_in() {
    besieged(tampers).await;
}
