//! A client that logs in in one go, against the stream's machine alone.

use super::*;
use crate::ALL;
use engine::{
    ctx::{Moment, Random},
    device::DEVICES,
    hooks::Hooks,
    parcel::{Said as Submitted, Say},
    port::Fault,
    settings::Settings,
    stream::{
        c2s::{C2s, Security},
        machine::{Act, Fact, Input, Machine, Out, Question, Tls},
        sasl::{self, Hash, Ht},
    },
    unit::{Credentials, Pos},
};
use std::{cell::Cell, collections::BTreeMap};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='x' from='juliet@x' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const AGENT: &str = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'>\
    <software>AwesomeXMPP</software><device>Kiva's Phone</device></user-agent>";
const BIND2: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag></bind>";
const EXPORTER: [u8; 32] = [9; 32];

struct Rising(Cell<u8>);

impl Random for Rising {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.replace(self.0.get().wrapping_add(1)));
    }
}

/// What outlives a connection.
struct World {
    settings: Settings,
    hooks: Hooks,
    random: Rising,
    now: u64,
    credentials: Credentials,
    devices: BTreeMap<String, Vec<u8>>,
    away: bool,
    /// What the archive shows.
    ends: Option<(Pos, Pos)>,
    /// The password is another, set then, when the next that is shown has been found right.
    meanwhile: Option<u64>,
}

impl World {
    fn new() -> Self {
        let keys = |hash| Some(sasl::derive("secret", b"salt", 1, hash));
        Self {
            settings: Settings::of(vec![Bare::host("x").unwrap()], [7; 32]),
            hooks: Hooks::of(ALL),
            random: Rising(Cell::new(0)),
            now: 1_000,
            credentials: Credentials { sha1: keys(Hash::Sha1), ..Credentials::default() },
            devices: BTreeMap::new(),
            away: false,
            ends: None,
            meanwhile: None,
        }
    }

    fn answer(&mut self, question: Question) -> Fact {
        let away = || Fault::Away("out for lunch".into());
        match question {
            Question::Credentials(of) => {
                Fact::Credentials(Ok((of.as_str() == "juliet@x").then(|| self.credentials.clone())))
            }
            Question::Verify { password, kept, made_up, .. } => {
                self.credentials.changed = self.meanwhile.take().unwrap_or(kept.changed);
                Fact::Verified(sasl::verify(&password.0, &kept, &made_up).unwrap())
            }
            Question::Ends(_) if self.away => Fact::Ends(Err(away())),
            Question::Ends(of) => Fact::Ends(Ok(self.ends.filter(|_| of.as_str() == "juliet@x"))),
            Question::Account(of) => Fact::Account(Ok(of.as_str() == "romeo@x")),
            Question::Device(_, _) if self.away => Fact::Device(Err(away())),
            Question::Device(of, id) => {
                let cell = self.devices.get(&*id).cloned();
                Fact::Device(Ok(
                    (of.as_str() == "juliet@x").then(|| (self.credentials.clone(), cell))
                ))
            }
            Question::Settle { .. } if self.away => Fact::Settled(Err(away())),
            Question::Settle { id, old, new, .. } => {
                assert_eq!(DEVICES.name(), "device");
                if self.devices.get(&*id) != old.as_ref() {
                    return Fact::Settled(Err(Fault::Refused("it is something else".into())));
                }
                self.devices.insert(id.to_string(), new);
                Fact::Settled(Ok(()))
            }
            Question::Upgrade(_, keys) => {
                let kept = &mut self.credentials;
                assert_eq!(keys.changed, kept.changed);
                kept.sha256 = kept.sha256.take().or(keys.sha256);
                kept.sha512 = kept.sha512.take().or(keys.sha512);
                Fact::Settled(Ok(()))
            }
            Question::Guest(_) => Fact::Guest(true),
            Question::Request { .. } => unreachable!("nobody registers here"),
        }
    }
}

/// A connection.
struct Peer<'a> {
    world: &'a mut World,
    machine: C2s,
    submitted: Vec<Submitted>,
    tried: Vec<Result<(), Failure>>,
    /// The account takes no session.
    full: bool,
    /// What its new session says while the archive is looked at.
    early: Vec<Say>,
}

impl<'a> Peer<'a> {
    fn connected(world: &'a mut World) -> Self {
        let World { settings, hooks, random, now, .. } = &*world;
        let (now, unix_ms) = (Moment(*now), *now);
        let ctx = Ctx { now, unix_ms, random, settings, hooks };
        let machine = C2s::new(&ctx, Security::Direct, Framing::Stream);
        let (submitted, tried, early) = Default::default();
        let mut peer = Self { world, machine, submitted, tried, full: false, early };
        let tls = Tls { exporter: Some(EXPORTER), ..Tls::default() };
        peer.hears(Input::Secured(tls));
        peer
    }

    fn says(&mut self, xml: &str) -> String {
        self.hears(Input::Bytes(xml.as_bytes()))
    }

    fn hears(&mut self, input: Input<'_>) -> String {
        let mut out = Out::default();
        let World { settings, hooks, random, now, .. } = &*self.world;
        let (now, unix_ms) = (Moment(*now), *now);
        let ctx = Ctx { now, unix_ms, random, settings, hooks };
        self.machine.handle(&ctx, input, &mut out);
        let mut said = String::from_utf8(out.bytes).unwrap();
        for act in out.acts {
            match act {
                Act::Ask(question) => {
                    if matches!(question, Question::Ends(_)) {
                        for say in std::mem::take(&mut self.early) {
                            said += &self.hears(Input::Say(say));
                        }
                    }
                    let fact = self.world.answer(question);
                    said += &self.hears(Input::Fact(fact));
                }
                Act::Submit(of, Submitted::Bind { resource, since, device, inline, reads }) => {
                    let full = format!("{of}/{}", resource.as_ref().unwrap());
                    let bind = Submitted::Bind { resource, since, device, inline, reads };
                    self.submitted.push(bind);
                    let answer = match self.full {
                        true => Say::Unbound(StanzaCondition::ResourceConstraint.into()),
                        false => Say::Bound(Jid::parse(&full).unwrap(), Vec::new()),
                    };
                    said += &self.hears(Input::Say(answer));
                }
                Act::Submit(_, other) => self.submitted.push(other),
                Act::Tried(_, outcome) => self.tried.push(outcome),
                _ => {}
            }
        }
        said
    }

    /// Logs in by password; what comes behind `<success`, with the features.
    fn logs_in(&mut self, wishes: &str) -> String {
        self.says(HEADER);
        self.says(&plain("secret", wishes))
    }
}

fn plain(password: &str, wishes: &str) -> String {
    authenticate("PLAIN", format!("\0juliet\0{password}").as_bytes(), wishes)
}

fn authenticate(mechanism: &str, message: &[u8], wishes: &str) -> String {
    let message = BASE64_STANDARD.encode(message);
    format!(
        "<authenticate xmlns='{NS}' mechanism='{mechanism}'>\
         <initial-response>{message}</initial-response>{wishes}</authenticate>"
    )
}

fn by_token(token: &str, name: &str, fast: &str, wishes: &str) -> String {
    let ht = Ht::named(name).unwrap();
    let binding: &[u8] = if name.ends_with("EXPR") { &EXPORTER } else { &[] };
    let message = [b"juliet\0", &*ht.initiator(token, binding)].concat();
    let fast = format!("<fast xmlns='urn:xmpp:fast:0' {fast}/>{AGENT}{wishes}");
    authenticate(name, &message, &fast)
}

fn request(mechanism: &str) -> String {
    format!("{AGENT}<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>")
}

/// The value behind `name='`.
fn value<'a>(said: &'a str, name: &str) -> &'a str {
    let (_, rest) = said.split_once(&format!(" {name}='")).unwrap_or_else(|| panic!("{said}"));
    rest.split_once('\'').unwrap().0
}

fn failure(condition: &str) -> String {
    format!("<failure xmlns='{NS}'><{condition} xmlns='{}'/></failure>", ns::SASL)
}

#[test]
fn the_feature_tells_what_can_be_had_in_one_go() {
    let said = Peer::connected(&mut World::new()).says(HEADER);
    let fast = "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism>";
    for part in ["<authentication xmlns='urn:xmpp:sasl:2'><mechanism>", fast, "UPGR-SCRAM-SHA-512"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("-ENDP"), "the certificate is not known: {said}");
    assert!(!said.contains("0rtt"));
}

#[test]
fn a_guest_is_offered_nothing_for_the_next_time() {
    let mut world = World::new();
    world.settings.anonymous = world.settings.domains.clone();
    let said = Peer::connected(&mut world).says(HEADER);
    let inline = said.split_once("<inline>").unwrap().1;
    assert!(inline.starts_with("<bind xmlns='urn:xmpp:bind:0'"), "{said}");
    assert!(!said.contains("<sm xmlns='urn:xmpp:sm:3'/></inline>"), "nobody comes back: {said}");
    assert!(!said.contains("urn:xmpp:fast:0") && !said.contains("UPGR-"), "{said}");
}

#[test]
fn where_guests_are_no_token_of_before_is_good_xep_0175_2() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-NONE"));
    let token = value(&said, "token").to_owned();
    world.settings.anonymous = world.settings.domains.clone();
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER);
    let said = peer.says(&by_token(&token, "HT-SHA-256-NONE", "", BIND2));
    assert_eq!(said, failure("invalid-mechanism"));
}

#[test]
fn a_login_without_bind_goes_on_with_features_and_no_restart() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    let said = peer.logs_in("");
    let success = "<success xmlns='urn:xmpp:sasl:2'>\
        <authorization-identifier>juliet@x</authorization-identifier></success><stream:features>";
    assert!(said.starts_with(success), "{said}");
    assert!(said.contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"), "{said}");
    let bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
        <resource>balcony</resource></bind></iq>";
    let said = peer.says(bind);
    assert!(said.contains("<jid>juliet@x/balcony</jid>"), "{said}");
    assert_eq!(peer.tried, [Ok(())]);
}

#[test]
fn a_device_is_told_with_every_request_for_a_resource() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    peer.full = true;
    assert!(peer.logs_in(&format!("{AGENT}{BIND2}")).starts_with("<success"));
    let bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
        <resource>balcony</resource></bind></iq>";
    assert!(peer.says(bind).contains("<resource-constraint"));
    peer.full = false;
    assert!(peer.says(bind).contains("<jid>juliet@x/balcony</jid>"));
    let told = peer.submitted.iter().map(|said| match said {
        Submitted::Bind { device, .. } => device.as_deref(),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [Some("d4565fa7-4d72-4749-b3d3-740edbf87770"); 3]);
}

#[test]
fn a_login_with_bind_is_answered_once_with_the_full_address() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    let said = peer.logs_in(&format!("{AGENT}{BIND2}"));
    let (success, features) = said.split_once("<stream:features>").unwrap();
    assert!(success.contains("<authorization-identifier>juliet@x/AwesomeXMPP/"), "{success}");
    let metadata = "<metadata xmlns='urn:xmpp:mam:2'/>";
    let bound = format!("<bound xmlns='urn:xmpp:bind:0'>{metadata}</bound></success>");
    assert!(success.ends_with(&bound), "{success}");
    assert!(!features.contains("xmpp-bind"), "{features}");
    assert!(features.contains("rosterver"), "{features}");
    assert!(!success.contains("d4565fa7"), "its id is nobody's business");
    let Submitted::Bind { device, resource, .. } = &peer.submitted[0] else { panic!() };
    assert_eq!(device.as_deref(), Some("d4565fa7-4d72-4749-b3d3-740edbf87770"));
    let first = resource.clone();
    drop(peer);
    let mut again = Peer::connected(&mut world);
    again.logs_in(&format!("{AGENT}{BIND2}"));
    let Submitted::Bind { resource, .. } = &again.submitted[0] else { panic!() };
    assert_eq!(*resource, first, "the same device has the same resource");
}

#[test]
fn a_returning_client_is_online_by_one_flight_each_way() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-EXPR"));
    let token = value(&said, "token").to_owned();
    let mut peer = Peer::connected(&mut world);
    let flight = format!("{HEADER}{}", by_token(&token, "HT-SHA-256-EXPR", "count='1'", BIND2));
    let said = peer.says(&flight);
    let metadata = "<metadata xmlns='urn:xmpp:mam:2'/>";
    let bound = format!("<bound xmlns='urn:xmpp:bind:0'>{metadata}</bound>");
    assert!(said.contains(&format!("{bound}</success><stream:features>")), "{said}");
    let responder = Ht::named("HT-SHA-256-EXPR").unwrap().responder(&token, &EXPORTER);
    let words = BASE64_STANDARD.encode(responder);
    assert!(said.contains(&format!("<additional-data>{words}</additional-data>")), "{said}");
}

#[test]
fn a_token_of_another_mechanism_or_device_or_connection_is_refused() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-EXPR"));
    let token = value(&said, "token").to_owned();
    let mut refused = |xml: &str| {
        let mut peer = Peer::connected(&mut world);
        peer.says(HEADER);
        let said = peer.says(xml);
        assert_eq!(peer.tried.len(), 1);
        said
    };
    assert_eq!(refused(&by_token(&token, "HT-SHA-256-NONE", "", "")), failure("not-authorized"));
    let other = by_token(&token, "HT-SHA-256-EXPR", "", "").replace("d4565fa7", "aaaaaaaa");
    assert_eq!(refused(&other), failure("not-authorized"));
    assert_eq!(refused(&by_token("x", "HT-SHA-256-EXPR", "", "")), failure("not-authorized"));
    assert_eq!(refused(&by_token(&token, "HT-SHA-256-ENDP", "", "")), failure("invalid-mechanism"));
    let password = format!("{AGENT}<fast xmlns='urn:xmpp:fast:0'/>");
    assert_eq!(refused(&plain("secret", &password)), failure("invalid-mechanism"));
    let nameless = by_token(&token, "HT-SHA-256-EXPR", "", "").replace(AGENT, "");
    assert_eq!(refused(&nameless), failure("malformed-request"));
    let uncountable = by_token(&token, "HT-SHA-256-EXPR", "count='x'", "");
    assert_eq!(refused(&uncountable), failure("malformed-request"));
}

/// RFC 6120 §6.5.3.
#[test]
fn a_token_is_replayed_in_vain_and_dies_with_the_password() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-NONE"));
    let token = value(&said, "token").to_owned();
    let flight = format!("{HEADER}{}", by_token(&token, "HT-SHA-256-NONE", "count='1'", BIND2));
    assert!(Peer::connected(&mut world).says(&flight).contains("<success"));
    assert!(Peer::connected(&mut world).says(&flight).contains("<not-authorized"));
    let next = flight.replace("count='1'", "count='2'");
    world.credentials.changed = 500;
    assert!(Peer::connected(&mut world).says(&next).contains("<credentials-expired"));
    world.credentials.changed = 0;
    assert!(Peer::connected(&mut world).says(&next).contains("<success"));
}

#[test]
fn a_token_of_an_account_that_is_disabled_is_kept_and_lets_nobody_in_rfc6120_6_5_2() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-EXPR"));
    let token = value(&said, "token").to_owned();
    let flight = format!("{HEADER}{}", by_token(&token, "HT-SHA-256-EXPR", "count='1'", BIND2));
    world.credentials.disabled = true;
    assert!(Peer::connected(&mut world).says(&flight).ends_with(&failure("account-disabled")));
    world.credentials.disabled = false;
    assert!(Peer::connected(&mut world).says(&flight).contains("<success"));
}

/// When a password was set is read before it is hashed and written: a login by the one before may
/// begin after that.
#[test]
fn a_token_that_an_old_password_gave_while_it_was_changed_is_void() {
    let mut world = World::new();
    for set in [500, 1_500] {
        world.meanwhile = Some(set);
        let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-NONE"));
        assert_eq!(world.credentials.changed, set);
        let token = value(&said, "token").to_owned();
        let mut peer = Peer::connected(&mut world);
        peer.says(HEADER);
        let said = peer.says(&by_token(&token, "HT-SHA-256-NONE", "", BIND2));
        assert_eq!(said, failure("credentials-expired"));
    }
}

#[test]
fn after_a_refused_token_the_password_is_taken_on_the_same_stream() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER);
    assert_eq!(peer.says(&by_token("x", "HT-SHA-256-NONE", "", "")), failure("not-authorized"));
    assert!(peer.says(&plain("secret", BIND2)).contains("<bound"));
    assert_eq!(peer.tried, [Err(Failure::NotAuthorized), Ok(())]);
}

#[test]
fn an_account_with_one_hash_gains_the_others_xep_0480_4() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    let upgrade = |hash: &str| {
        format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-{hash}</upgrade>")
    };
    let said = peer.logs_in(&format!("{}{}{BIND2}", upgrade("256"), upgrade("1")));
    let tasks = "<tasks><task>UPGR-SCRAM-SHA-256</task></tasks>";
    assert_eq!(said, format!("<continue xmlns='{NS}'>{tasks}</continue>"));
    let said = peer.says(&format!("<next xmlns='{NS}' task='UPGR-SCRAM-SHA-256'/>"));
    assert_eq!(value(&said, "iterations"), "10000");
    let salt = said.split_once("iterations='10000'>").unwrap().1.split_once('<').unwrap().0;
    let salt = BASE64_STANDARD.decode(salt).unwrap();
    let salted = Hash::Sha256.stretch(b"secret", &salt, 10_000);
    let hash = BASE64_STANDARD.encode(&salted);
    let said = peer.says(&format!(
        "<task-data xmlns='{NS}'><hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash></task-data>"
    ));
    assert!(said.contains("<bound"), "{said}");
    let expected = sasl::salted(&salted, salt, 10_000, Hash::Sha256);
    assert_eq!(world.credentials.sha256, Some(expected));
    let mut again = Peer::connected(&mut world);
    let said = again.logs_in(&upgrade("256"));
    assert!(said.starts_with("<success"), "nothing is missing any more: {said}");
}

#[test]
fn a_login_that_began_in_one_profile_ends_in_it() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER);
    let upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";
    let begin = format!("<authenticate xmlns='{NS}' mechanism='PLAIN'>{upgrade}</authenticate>");
    assert!(peer.says(&begin).starts_with("<challenge xmlns='urn:xmpp:sasl:2'"));
    let message = BASE64_STANDARD.encode(b"\0juliet\0secret");
    let said = peer.says(&format!("<response xmlns='{}'>{message}</response>", ns::SASL));
    assert!(said.starts_with("<continue xmlns='urn:xmpp:sasl:2'"), "{said}");
}

#[test]
fn a_task_that_goes_wrong_fails_the_login() {
    let upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";
    let next = format!("<next xmlns='{NS}' task='UPGR-SCRAM-SHA-256'/>");
    let data = |content: &str| format!("<task-data xmlns='{NS}'>{content}</task-data>");
    let short = data("<hash xmlns='urn:xmpp:scram-upgrade:0'>AAAA</hash>");
    let other = next.replace("256", "512");
    for (steps, condition) in [
        (vec![&*other], "malformed-request"),
        (vec![&*short], "malformed-request"),
        (vec![&*next, &*short], "malformed-request"),
        (vec![&*next, &*data("")], "malformed-request"),
        (vec![&*next, &*next], "malformed-request"),
        (vec!["<abort xmlns='urn:xmpp:sasl:2'/>"], "aborted"),
        (
            vec![&*next, &*data("<hash xmlns='urn:xmpp:scram-upgrade:0'>?</hash>")],
            "incorrect-encoding",
        ),
    ] {
        let mut world = World::new();
        let mut peer = Peer::connected(&mut world);
        peer.logs_in(upgrade);
        let said = steps.iter().map(|step| peer.says(step)).last().unwrap();
        assert_eq!(said, failure(condition), "{steps:?}");
        assert!(peer.says(&plain("secret", BIND2)).contains("<bound"), "it may try again");
        assert_eq!(world.credentials.sha256, None);
    }
}

#[test]
fn a_store_that_is_away_is_no_reason_to_doubt_the_password() {
    let mut world = World::new();
    world.away = true;
    let said = Peer::connected(&mut world).logs_in(&request("HT-SHA-256-EXPR"));
    assert_eq!(said, failure("temporary-auth-failure"));
}

#[test]
fn who_says_another_name_in_the_header_fails_xep_0388_2_3() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    peer.says(&HEADER.replace("juliet@x", "romeo@x"));
    assert_eq!(peer.says(&plain("secret", BIND2)), failure("invalid-authzid"));
}

#[test]
fn what_is_no_login_is_refused_and_what_follows_a_login_ends_the_stream() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER);
    let unknown = authenticate("LOGIN", b"x", "");
    assert_eq!(peer.says(&unknown), failure("invalid-mechanism"));
    let garbled = unknown.replace("LOGIN", "PLAIN").replace("eA==", "?");
    assert_eq!(peer.says(&garbled), failure("incorrect-encoding"));
    let said = peer.says("<abort xmlns='urn:xmpp:sasl:2'/>");
    assert!(said.starts_with(&failure("aborted")), "{said}");
    assert!(said.contains("<policy-violation"), "the third is one too many: {said}");
    let mut peer = Peer::connected(&mut world);
    peer.logs_in("");
    assert!(peer.says(&plain("secret", "")).contains("<policy-violation"));
}

#[test]
fn who_acts_as_another_account_gets_a_resource_of_it_and_nothing_for_the_next_time() {
    let mut world = World::new();
    world.settings.impersonators = vec![Bare::parse("juliet@x").unwrap()];
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER.replace(" from='juliet@x'", "").as_str());
    let upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";
    let wishes = format!("{}{upgrade}{BIND2}", request("HT-SHA-256-NONE"));
    let said = peer.says(&authenticate("PLAIN", b"romeo@x\0juliet\0secret", &wishes));
    let who = "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>romeo@x/AwesomeXMPP/";
    assert!(said.starts_with(who), "{said}");
    assert!(said.contains("<bound") && !said.contains("token="), "{said}");
    let [Submitted::Bind { device: None, .. }] = &peer.submitted[..] else {
        panic!("{:?}", peer.submitted)
    };
    assert_eq!(peer.tried, [Ok(())]);
    assert!(world.devices.is_empty());
    assert_eq!(world.credentials.sha256, None);
    let mut peer = Peer::connected(&mut world);
    peer.says(HEADER.replace(" from='juliet@x'", "").as_str());
    let said = peer.says(&authenticate("PLAIN", b"nurse@x\0juliet\0secret", BIND2));
    assert_eq!(said, failure("invalid-authzid"), "there is no such account");
}

#[test]
fn a_resource_that_was_not_asked_for_yet_is_not_had() {
    let mut world = World::new();
    let mut peer = Peer::connected(&mut world);
    let upgrade = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";
    assert!(peer.logs_in(&format!("{upgrade}{BIND2}")).starts_with("<continue"));
    let jid = Jid::parse("juliet@x/balcony").unwrap();
    assert_eq!(peer.hears(Input::Say(Say::Bound(jid, Vec::new()))), "");
    assert_eq!(peer.hears(Input::Say(Say::Unbound(StanzaCondition::Conflict.into()))), "");
    assert!(peer.tried.is_empty(), "its password is not upgraded yet");
}

fn message(id: usize) -> Say {
    Say::Stanza(Stanza::parse_one(&format!("<message id='{id}'/>")).unwrap())
}

#[test]
fn who_binds_is_told_the_ends_of_the_archive_xep_0386_3_2() {
    let mut world = World::new();
    let said = Peer::connected(&mut world).logs_in(BIND2);
    let bound = "<bound xmlns='urn:xmpp:bind:0'>";
    assert!(said.contains(&format!("{bound}<metadata xmlns='urn:xmpp:mam:2'/></bound>")), "{said}");
    world.ends = Some((Pos(1_300_000_000_000 << 20), Pos(1_400_000_000_000 << 20)));
    let said = Peer::connected(&mut world).logs_in(BIND2);
    let names = &world.settings.names;
    let juliet = Bare::parse("juliet@x").unwrap();
    let [start, end] =
        [1_300_000_000_000, 1_400_000_000_000].map(|ms| names.name(&juliet, Pos(ms << 20)));
    let told = format!(
        "{bound}<metadata xmlns='urn:xmpp:mam:2'>\
         <start id='{start}' timestamp='2011-03-13T07:06:40.000Z'/>\
         <end id='{end}' timestamp='2014-05-13T16:53:20.000Z'/></metadata></bound>"
    );
    assert!(said.contains(&told), "{said}");
}

#[test]
fn who_binds_while_the_archive_is_away_is_told_nothing_of_it() {
    let mut world = World::new();
    world.away = true;
    let said = Peer::connected(&mut world).logs_in(BIND2);
    assert!(said.contains("<bound xmlns='urn:xmpp:bind:0'/>"), "{said}");
}

#[test]
fn what_a_session_says_while_its_archive_is_looked_at_follows_the_success() {
    for (count, is_told) in [(1, true), (15, true), (16, false), (40, false)] {
        let mut world = World::new();
        let mut peer = Peer::connected(&mut world);
        peer.early = (0..count).map(message).collect();
        let said = peer.logs_in(BIND2);
        assert!(said.starts_with("<success"), "{said}");
        assert_eq!(said.contains("<metadata"), is_told, "{count}");
        let features = said.find("</stream:features>").unwrap();
        let places = (0..count).map(|id| said.find(&format!("<message id='{id}'")).unwrap());
        assert!(places.chain([said.len()]).is_sorted_by(|one, next| one < next && *one > features));
    }
}
