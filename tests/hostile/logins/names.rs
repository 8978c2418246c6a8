//! Who one says that one is, by what, and where: AT-10, AT-11, AT-12.

use super::{
    Intruder, PASSWORD, PING, Profile, SETTINGS, besieged, decoded, encoded, plain, seen,
    siege::Siege,
};
use crate::{server::Server, watch::log};
use conformance::{driver::Transport, sasl::Scram, tree::Tree};

const PLAIN: (&str, &str) = ("PLAIN", "invalid-authzid");

fn acts_as_others(intruder: &mut Intruder) {
    for profile in Profile::ALL {
        for other in
            ["juliet@localhost", "romeo@other.localhost", "romeo@localhost/phone", "localhost", "@"]
        {
            let said = intruder.login(profile, "PLAIN", &plain(other, PASSWORD), "");
            intruder.refused(&said, "invalid-authzid", PLAIN);
            for &mechanism in scrams(intruder) {
                let (_, said) = acts_as(intruder, profile, mechanism, other);
                intruder.refused(&said, "invalid-authzid", (mechanism, "invalid-authzid"));
            }
        }
        for own in ["", "romeo@localhost", "ROMEO@LOCALHOST"] {
            let said = intruder.login(profile, "PLAIN", &plain(own, PASSWORD), "");
            intruder.succeeded(&said);
            for &mechanism in scrams(intruder) {
                let (mut scram, challenge) = acts_as(intruder, profile, mechanism, own);
                let answer = scram.answer(&challenge.text()).expect("a challenge");
                let said = intruder.respond(profile, &answer);
                intruder.succeeded(&said);
            }
        }
    }
}

/// SCRAM as it is, and as it is bound to this way in.
fn scrams(intruder: &Intruder) -> &'static [&'static str] {
    match intruder.over {
        Transport::Bosh => &["SCRAM-SHA-1", "SCRAM-SHA-256"],
        _ => &["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512-PLUS"],
    }
}

/// Begins an exchange in which romeo wants to act as somebody; what the server says to it.
fn acts_as(
    intruder: &mut Intruder,
    profile: Profile,
    mechanism: &str,
    authzid: &str,
) -> (Scram, Tree) {
    let mut offered = seen(&intruder.connect());
    if mechanism.ends_with("-PLUS") {
        let kind = "tls-exporter";
        offered.channel = Some((kind.to_owned(), intruder.channel(kind)));
    }
    let (scram, first) =
        Scram::start_as(mechanism, "romeo", authzid, PASSWORD, &offered).expect("SCRAM is known");
    (scram, intruder.begin(profile, mechanism, &first, ""))
}

#[tokio::test]
async fn at_10_nobody_acts_as_somebody_else_whatever_the_way_in() {
    besieged(acts_as_others).await;
}

const REQUEST_TOKEN: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>\
    <request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>\
    <bind xmlns='urn:xmpp:bind:0'/>";

/// RFC 6120 §6.3.8: juliet may act as others; romeo's password is what the attackers have.
fn acts_as_others_where_somebody_may(intruder: &mut Intruder) {
    const WRONG: (&str, &str) = ("PLAIN", "not-authorized");
    for profile in Profile::ALL {
        for other in ["juliet@localhost", "nobody@localhost", "juliet@localhost/phone", "@"] {
            let said = intruder.login(profile, "PLAIN", &plain(other, PASSWORD), REQUEST_TOKEN);
            intruder.refused(&said, "invalid-authzid", PLAIN);
        }
        for (user, other) in [("romeo", "juliet"), ("juliet", "romeo"), ("nobody", "romeo")] {
            let message = encoded(format!("{other}@localhost\0{user}\0guessed"));
            let said = intruder.login(profile, "PLAIN", &message, REQUEST_TOKEN);
            intruder.refused(&said, "not-authorized", WRONG);
        }
        // Whether one may, only its password tells.
        let mut challenges = ["romeo", "juliet", "nobody"].map(|user| {
            let first = encoded(format!("n,a=nurse@localhost,n={user},r=fyko+d2lbbFgONRv"));
            let said = intruder.login(profile, "SCRAM-SHA-256", &first, REQUEST_TOKEN);
            assert_eq!(said.local, "challenge", "{said}");
            decoded(&said.text()).len()
        });
        challenges.sort_unstable();
        assert_eq!(challenges[0], challenges[2]);
        let message = encoded("nobody@localhost\0juliet\0secret");
        let said = intruder.login(profile, "PLAIN", &message, REQUEST_TOKEN);
        intruder.refused(&said, "invalid-authzid", PLAIN);
        let message = encoded("romeo@localhost\0juliet\0secret");
        let said = intruder.login(profile, "PLAIN", &message, REQUEST_TOKEN);
        intruder.succeeded(&said);
        assert!(!said.to_string().contains("token"), "{said}");
        if profile == Profile::Xep0388 {
            assert!(said.to_string().contains(">romeo@localhost/"), "{said}");
        }
    }
}

#[tokio::test]
async fn at_10_who_acts_as_others_is_who_may_and_shows_its_own_password() {
    let settings = format!("{SETTINGS}[auth]\nimpersonators = [\"juliet@localhost\"]\n");
    let server = Server::start(&settings).await;
    let mut siege = Siege::of(server).await;
    siege.bears(acts_as_others_where_somebody_may).await;
    let log = log(&siege.server);
    let told = |line: &&str| line.contains("\"logged in as another account\"");
    assert_eq!(log.lines().filter(told).count(), 8, "by two profiles, over four transports");
    let bound = log.lines().filter(|line| line.contains("\"client bound\""));
    let by = bound.filter(|line| line.contains("\"by\":\"juliet@localhost\""));
    assert_eq!(by.count(), 4);
    siege.ends().await;
}

fn uses_what_is_not_offered(intruder: &mut Intruder) {
    const NONE: (&str, &str) = ("none", "invalid-mechanism");
    const AGENT: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>";
    let message = plain("", PASSWORD);
    for profile in Profile::ALL {
        for mechanism in [
            "ANONYMOUS",
            "EXTERNAL",
            "DIGEST-MD5",
            "LOGIN",
            "X-OAUTH2",
            "OAUTHBEARER",
            "X-UNKNOWN",
            "plain",
            "PLAIN ",
            "",
            "HT-SHA-256-NONE",
            "HT-SHA-256-EXPR",
        ] {
            let said = intruder.login(profile, mechanism, &message, AGENT);
            intruder.refused(&said, "invalid-mechanism", NONE);
        }
    }
    let fast = format!("{AGENT}<fast xmlns='urn:xmpp:fast:0' count='1'/>");
    let mut not_for_tokens = vec!["PLAIN", "SCRAM-SHA-256", "HT-SHA-1-NONE", "HT-SHA-256-UNIQ"];
    if intruder.over == Transport::Bosh {
        // A session of BOSH is of no one connection.
        not_for_tokens.extend(["HT-SHA-256-EXPR", "HT-SHA-256-ENDP"]);
        for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"] {
            let said = intruder.login(Profile::Rfc6120, mechanism, &message, "");
            intruder.refused(&said, "invalid-mechanism", NONE);
        }
    }
    for mechanism in not_for_tokens {
        let said = intruder.login(Profile::Xep0388, mechanism, &message, &fast);
        intruder.refused(&said, "invalid-mechanism", NONE);
    }
    // XEP-0078, which is obsolete.
    intruder.connect();
    intruder.say(&format!(
        "<iq type='set' id='a'><query xmlns='jabber:iq:auth'><username>romeo</username>\
         <password>{PASSWORD}</password><resource>phone</resource></query></iq>"
    ));
    intruder.errs("not-authorized");
}

#[tokio::test]
async fn at_11_mechanisms_that_are_not_offered_are_refused_whatever_the_way_in() {
    besieged(uses_what_is_not_offered).await;
}

fn changes_domains(intruder: &mut Intruder) {
    let message = plain("", PASSWORD);
    for elsewhere in ["to='other.localhost'", "to='elsewhere.example'", ""] {
        let said = intruder.login(Profile::Rfc6120, "PLAIN", &message, "");
        intruder.succeeded(&said);
        intruder.again(elsewhere);
        if intruder.over == Transport::Bosh && elsewhere.is_empty() {
            // The session knows to whom it speaks (XEP-0206 §5).
            intruder.features();
            continue;
        }
        intruder.errs("host-unknown");
    }
    // The same name at another domain is another account, which is not there.
    for profile in Profile::ALL {
        intruder.header("to='other.localhost'");
        intruder.features();
        let said = intruder.begin(profile, "PLAIN", &message, "");
        intruder.refused(&said, "not-authorized", ("PLAIN", "not-authorized"));
    }
    intruder.header("to='elsewhere.example'");
    intruder.errs("host-unknown");
    for other in ["juliet@localhost", "romeo@other.localhost"] {
        intruder.header(&format!("to='localhost' from='{other}'"));
        intruder.features();
        let said = intruder.begin(Profile::Xep0388, "PLAIN", &message, "");
        intruder.refused(&said, "invalid-authzid", PLAIN);
        // The header was not true: the stream ends (RFC 6120 §4.9.3.9).
        intruder.header(&format!("to='localhost' from='{other}'"));
        intruder.features();
        intruder.say(&Profile::Rfc6120.begin("PLAIN", &message, ""));
        intruder.errs("invalid-from");
        intruder.told.refused.push(("PLAIN".into(), "not-authorized".into()));
    }
}

#[tokio::test]
async fn at_12_a_login_is_for_one_domain_whatever_the_way_in() {
    besieged(changes_domains).await;
}

fn restarts_behind_sasl2(intruder: &mut Intruder) {
    let said = intruder.login(Profile::Xep0388, "PLAIN", &plain("", PASSWORD), "");
    intruder.succeeded(&said);
    intruder.features();
    intruder.say(
        "<stream:stream to='other.localhost' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>",
    );
    if intruder.is_on_tcp() {
        // There it is an element like any other, and judged when it is whole.
        intruder.say(&format!("{PING}</stream:stream>"));
    }
    intruder.errs("unsupported-stanza-type");
}

#[tokio::test]
async fn at_12_behind_sasl2_no_other_stream_begins() {
    besieged(restarts_behind_sasl2).await;
}
