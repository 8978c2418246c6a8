//! AT-16, and AT-62 where it is about logins: an account that is not there looks like one that is,
//! in words and in time.
//!
//! The time is judged as Welch's t of two samples that were taken in turns, without the slowest
//! tenth of both together, as that is the machine's: 4.5 is once in a hundred thousand. What else
//! runs there may take its time in turns, too: what tells once must tell the same once more. What
//! is less than some of the noise of this machine, only the tests of the engine keep out, which
//! count what is done.

use super::{Intruder, PASSWORD, Profile, SETTINGS, decoded, encoded, seen, siege::Siege};
use crate::server::Server;
use conformance::{driver::Transport, sasl::Scram, tree::Tree};
use std::time::Instant;

const T_MAX: f64 = 4.5;
const SCRAM_PAIRS: usize = 150;
const PLAIN_PAIRS: usize = 30;
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const DEVICE: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>\
                      <fast xmlns='urn:xmpp:fast:0' count='1'/>";

/// One who is there, and one who is not.
fn both(over: Transport) -> [String; 2] {
    let number = over as usize;
    [format!("known{number}"), format!("nobody{number}")]
}

async fn populated(more: &str) -> Siege {
    let server = Server::start(more).await;
    for over in Transport::ALL {
        let [known, _] = both(over);
        server.add(&format!("{known}@localhost"), PASSWORD).await;
    }
    Siege::of(server).await
}

impl Intruder {
    /// Salt and iterations that this user is said to have, and the refusal of a wrong password.
    fn by_scram(&mut self, profile: Profile, mechanism: &str, user: &str) -> (String, Tree) {
        let offered = seen(&self.connect());
        let (mut scram, first) = Scram::start(mechanism, user, "wrong", &offered).unwrap();
        let challenge = self.begin(profile, mechanism, &first, "").text();
        let said = self.respond(profile, &scram.answer(&challenge).expect("a challenge"));
        self.refused(&said, "not-authorized", (mechanism, "not-authorized"));
        let challenge = decoded(&challenge);
        let salt = challenge.split_once(",s=").expect("a salt").1;
        (salt.to_owned(), said)
    }

    fn by_plain(&mut self, profile: Profile, user: &str) -> Tree {
        let said = self.login(profile, "PLAIN", &encoded(format!("\0{user}\0wrong")), "");
        self.refused(&said, "not-authorized", ("PLAIN", "not-authorized"));
        said
    }
}

fn asks_who_is_there(intruder: &mut Intruder) {
    let users = both(intruder.over);
    for profile in Profile::ALL {
        let [there, nobody] = users.each_ref().map(|user| intruder.by_plain(profile, user));
        assert_eq!(there, nobody);
        for mechanism in MECHANISMS {
            let mut by = |user: &str| intruder.by_scram(profile, mechanism, user);
            let [there, nobody] = users.each_ref().map(|user| [by(user), by(user)]);
            assert_eq!(there[0], there[1]);
            assert_eq!(nobody[0], nobody[1], "what is made up stays the same");
            assert_eq!(there[0].1, nobody[0].1);
            assert_ne!(there[0].0, nobody[0].0, "each has a salt of its own");
            assert_eq!(shape(&there[0].0), shape(&nobody[0].0));
        }
    }
    let [there, nobody] = users.map(|user| {
        let message = encoded([user.as_bytes(), &[0; 33]].concat());
        let said = intruder.login(Profile::Xep0388, "HT-SHA-256-NONE", &message, DEVICE);
        intruder.refused(&said, "not-authorized", ("HT-SHA-256-NONE", "not-authorized"));
        said
    });
    assert_eq!(there, nobody);
}

/// What a salt has in common with others, and the rest up to the hash of what was offered.
fn shape(said: &str) -> (usize, &str) {
    let (salt, rest) = said.split_once(',').expect("iterations");
    (salt.len(), rest)
}

#[tokio::test]
async fn at_62_a_login_does_not_tell_who_is_there_whatever_the_way_in() {
    let mut siege = populated(SETTINGS).await;
    siege.bears(asks_who_is_there).await;
    siege.ends().await;
}

/// Fails too often; what is said to a wrong password then, and to the right one.
fn is_throttled(intruder: &mut Intruder) {
    let [there, nobody] = both(intruder.over).map(|user| {
        let refusals = ["wrong", "wrong", "wrong", PASSWORD].map(|password| {
            let message = encoded(format!("\0{user}\0{password}"));
            intruder.login(Profile::Xep0388, "PLAIN", &message, "")
        });
        for (said, condition, why) in [
            (&refusals[0], "not-authorized", "not-authorized"),
            (&refusals[1], "not-authorized", "not-authorized"),
            (&refusals[2], "temporary-auth-failure", "throttled"),
            (&refusals[3], "temporary-auth-failure", "throttled"),
        ] {
            // Only the last stream is still there to be asked.
            assert!(said.child(super::SASL, condition).is_some(), "{:?}: {said}", intruder.over);
            intruder.told.refused.push(("PLAIN".into(), why.into()));
        }
        refusals
    });
    assert_eq!(there, nobody);
}

#[tokio::test]
async fn at_62_who_guesses_is_refused_as_if_all_were_there_whatever_the_way_in() {
    let more = SETTINGS.replace("login_failures_max = 100000", "login_failures_max = 2");
    let mut siege = populated(&more).await;
    siege.bears(is_throttled).await;
    siege.ends().await;
}

/// The first is taken with who is there, the second with nobody.
struct Samples(&'static str, [Vec<f64>; 2]);

impl Samples {
    fn of(what: &'static str) -> Self {
        Self(what, [Vec::new(), Vec::new()])
    }

    fn t(&self) -> f64 {
        let mut all: Vec<f64> = self.1.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let most = all[all.len() * 9 / 10];
        let [there, nobody] = self.1.each_ref().map(|times| {
            let kept: Vec<f64> = times.iter().copied().filter(|time| *time <= most).collect();
            let count = kept.len() as f64;
            let mean = kept.iter().sum::<f64>() / count;
            let spread = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
            (mean, spread / count)
        });
        (there.0 - nobody.0) / (there.1 + nobody.1).sqrt()
    }
}

/// Who is there takes longer (1.0) or less long (-1.0) to be refused, as it seems.
fn tells(t: f64) -> Option<f64> {
    (t.abs() >= T_MAX).then(|| t.signum())
}

fn judges(intruder: &mut Intruder) {
    let once = measures(intruder);
    if once.iter().all(|(_, t)| tells(*t).is_none()) {
        return;
    }
    for ((what, once), (_, again)) in once.into_iter().zip(measures(intruder)) {
        let same = tells(once).is_some() && tells(once) == tells(again);
        assert!(!same, "{:?}, {what}: {once}, {again}", intruder.over);
    }
}

/// Welch's t of what is measured.
fn measures(intruder: &mut Intruder) -> [(&'static str, f64); 3] {
    let users = both(intruder.over);
    let (mut first, mut last) = (Samples::of("the salt"), Samples::of("the proof"));
    let mut plain = Samples::of("the password");
    for round in 0..SCRAM_PAIRS {
        // Who comes first changes: what follows a login is of the one before.
        for which in [round % 2, 1 - round % 2] {
            let user = &users[which];
            let offered = seen(&intruder.connect());
            let (mut scram, message) =
                Scram::start("SCRAM-SHA-256", user, "wrong", &offered).unwrap();
            let begun = Instant::now();
            let challenge = intruder.begin(Profile::Rfc6120, "SCRAM-SHA-256", &message, "").text();
            first.1[which].push(begun.elapsed().as_secs_f64());
            let answer = scram.answer(&challenge).expect("a challenge");
            let begun = Instant::now();
            let said = intruder.respond(Profile::Rfc6120, &answer);
            last.1[which].push(begun.elapsed().as_secs_f64());
            intruder.refused(&said, "not-authorized", ("SCRAM-SHA-256", "not-authorized"));
        }
    }
    for round in 0..PLAIN_PAIRS {
        for which in [round % 2, 1 - round % 2] {
            intruder.connect();
            let message = encoded(format!("\0{}\0wrong", users[which]));
            let begun = Instant::now();
            let said = intruder.begin(Profile::Rfc6120, "PLAIN", &message, "");
            plain.1[which].push(begun.elapsed().as_secs_f64());
            intruder.refused(&said, "not-authorized", ("PLAIN", "not-authorized"));
        }
    }
    [first, last, plain].map(|samples| {
        let t = samples.t();
        println!("{:?}, {}: t = {t:.2}", intruder.over, samples.0);
        (samples.0, t)
    })
}

#[tokio::test]
async fn at_16_the_time_of_a_refusal_does_not_tell_who_is_there_whatever_the_way_in() {
    let mut siege = populated(SETTINGS).await;
    siege.bears(judges).await;
    siege.ends().await;
}
