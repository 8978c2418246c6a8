//! Commands in a town of three accounts, where everything is done at once.

use super::*;
use crate::stage;
use engine::{
    archive::{Found, Search},
    hooks::Hooks,
    inbox::Inbox,
    port::{
        Device, Fault, Loaded, Logged, Online, Reads, Registered, Registrar, Stored, Unregistered,
    },
    request::stanzas,
    seal::Spent,
    settings::Settings,
    stream::machine::Secret,
    unit::{Credentials, Pos, Table, Unit},
};
use std::{
    future::ready,
    net::IpAddr,
    sync::Mutex,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll, Waker},
};

const HOST: &str = "wax.example";
const ADMIN: &str = "admin@wax.example/desk";
const NODE: &str = "http://jabber.org/protocol/admin#delete-user";
const NOW: u64 = 1_700_000_000_000;

/// Who lives here, and what was done to them.
struct Town {
    people: Mutex<Vec<Bare>>,
    done: Mutex<Vec<String>>,
    settings: Settings,
    now: u64,
    /// How many requests the administrator has made.
    asked: AtomicU32,
    spent: Spent,
    /// The account that cannot be deleted.
    stuck: Option<&'static str>,
}

impl Town {
    fn new() -> Self {
        let people = ["admin", "juliet", "romeo"].map(|name| bare(&format!("{name}@{HOST}")));
        let settings = Settings {
            admins: vec![people[0].clone()],
            ..Settings::of(vec![bare(HOST), bare("b.example")], [7; 32])
        };
        let (people, done) = (Mutex::new(people.into()), Mutex::new(Vec::new()));
        let (asked, spent) = Default::default();
        Self { people, done, settings, now: NOW, asked, spent, stuck: None }
    }

    fn has(&self, account: &Bare) -> bool {
        self.people.lock().unwrap().contains(account)
    }

    /// What `from` hears who says this to `host`.
    fn says(&self, from: &str, host: &str, id: &str, command: &str) -> Stanza {
        let iq = format!("<iq type='set' id='{id}' from='{from}' to='{host}'>{command}</iq>");
        let iq = Stanza::parse_one(&iq).unwrap();
        let account = bare(host);
        let hooks = Hooks::of(&[]);
        let world = World {
            hooks: &hooks,
            store: self,
            registrar: self,
            account: &account,
            peer: None,
            unix_ms: self.now,
            settings: &self.settings,
        };
        let mut answer = execute(&iq, &world);
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(replied) => stanzas(&iq, replied).remove(0),
            Poll::Pending => panic!("nothing is waited for here"),
        }
    }

    fn admin_says(&self, command: &str) -> Result<Payload, [String; 2]> {
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        outcome(&self.says(ADMIN, HOST, &format!("admin-{id}"), command))
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.done.lock().unwrap().push(what);
    }
}

impl Registrar for Town {
    fn create<'a>(&'a self, account: &'a Bare, Secret(password): Secret) -> Registered<'a> {
        if self.has(account) {
            return Box::pin(ready(Err(Unregistered::Exists)));
        }
        self.note(format!("create {account} {password}"));
        self.people.lock().unwrap().push(account.clone());
        Box::pin(ready(Ok(())))
    }

    fn change_password<'a>(
        &'a self,
        account: &'a Bare,
        Secret(password): Secret,
        spared: Option<&'a Jid>,
    ) -> Registered<'a> {
        self.note(format!("password {account} {password} but {}", spared.unwrap()));
        Box::pin(ready(if self.has(account) { Ok(()) } else { Err(Unregistered::Missing) }))
    }

    fn disable<'a>(&'a self, account: &'a Bare, disabled: bool) -> Registered<'a> {
        self.note(format!("disable {account} {disabled}"));
        Box::pin(ready(if self.has(account) { Ok(()) } else { Err(Unregistered::Missing) }))
    }

    fn delete<'a>(&'a self, account: &'a Bare, last: Option<Stanza>) -> Registered<'a> {
        if account.local() == self.stuck {
            let away = Fault::Away("out for lunch".into());
            return Box::pin(ready(Err(Unregistered::Fault(away))));
        }
        self.note(format!("delete {account}"));
        last.into_iter().for_each(|last| self.note(last.to_text().to_string()));
        self.people.lock().unwrap().retain(|person| person != account);
        Box::pin(ready(Ok(())))
    }

    fn admits(&self, _: Option<IpAddr>, _: (u64, u64)) -> bool {
        true
    }

    fn spent(&self) -> &Spent {
        &self.spent
    }

    fn count<'a>(&'a self, _: &'a Bare) -> Pending<'a, Result<u64, Fault>> {
        Box::pin(ready(Ok(self.people.lock().unwrap().len() as u64)))
    }

    fn online<'a>(&'a self, _: &'a Bare, _: usize) -> Pending<'a, Online> {
        Box::pin(ready(Online::default()))
    }

    fn resources<'a>(&'a self, _: &'a Bare) -> Pending<'a, Vec<Jid>> {
        Box::pin(ready(Vec::new()))
    }

    fn devices<'a>(&'a self, _: &'a Bare) -> Pending<'a, Vec<Text>> {
        Box::pin(ready(Vec::new()))
    }

    fn revoke<'a>(&'a self, account: &'a Bare, device: &'a str, _: Unit) -> Registered<'a> {
        self.note(format!("revoke {account} {device}"));
        Box::pin(ready(Ok(())))
    }

    fn end(&self, whom: &Jid) {
        self.note(format!("end {whom}"));
    }

    fn announce(&self, domain: &Bare, _: Stanza) {
        self.note(format!("announce {domain}"));
    }
}

impl Reads for Town {
    fn credentials<'a>(&'a self, of: &'a Bare) -> Stored<'a, Option<Credentials>> {
        Box::pin(ready(Ok(self.has(of).then(Credentials::default))))
    }

    fn load<'a>(&'a self, account: &'a Bare) -> Stored<'a, Option<Loaded>> {
        Box::pin(ready(Ok(self.has(account).then(Loaded::default))))
    }

    fn accounts<'a>(
        &'a self,
        _: &'a Bare,
        _: Option<&'a str>,
        max: usize,
    ) -> Stored<'a, Vec<Bare>> {
        let people = self.people.lock().unwrap().iter().take(max).cloned().collect();
        Box::pin(ready(Ok(people)))
    }

    fn count<'a>(&'a self, domain: &'a Bare) -> Stored<'a, u64> {
        Registrar::count(self, domain)
    }

    fn disabled<'a>(&'a self, _: &'a Bare, _: usize) -> Stored<'a, (u64, Vec<Bare>)> {
        Box::pin(ready(Ok((0, Vec::new()))))
    }

    fn cell<'a>(&'a self, _: Table, _: &'a Bare, _: &'a str) -> Stored<'a, Option<Vec<u8>>> {
        Box::pin(ready(Ok(None)))
    }

    fn device<'a>(&'a self, of: &'a Bare, _: Table, _: &'a str) -> Stored<'a, Option<Device>> {
        let device = self.has(of).then(|| (Credentials::default(), None));
        Box::pin(ready(Ok(device)))
    }

    fn cells<'a>(&'a self, _: Table, _: &'a Bare) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn affiliated<'a>(
        &'a self,
        _: &'a Bare,
        _: Option<&'a Bare>,
        _: usize,
    ) -> Stored<'a, Vec<(Bare, Vec<u8>)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn cells_from<'a>(
        &'a self,
        _: Table,
        _: &'a Bare,
        _: &'a str,
        _: usize,
    ) -> Stored<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn page<'a>(&'a self, _: &'a Bare, _: Pos, _: usize) -> Stored<'a, Vec<Logged>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn search<'a>(&'a self, _: &'a Bare, _: &'a Search) -> Stored<'a, Found> {
        Box::pin(ready(Ok(Found::default())))
    }

    fn inbox<'a>(&'a self, _: &'a Bare) -> Stored<'a, Inbox> {
        Box::pin(ready(Ok(Inbox::default())))
    }

    fn entries<'a>(&'a self, _: &'a Bare, _: &'a [Pos]) -> Stored<'a, Vec<Logged>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

fn bare(jid: &str) -> Bare {
    Bare::parse(jid).unwrap()
}

/// The command that came back, or the condition and what of it.
fn outcome(answer: &Stanza) -> Result<Payload, [String; 2]> {
    assert_eq!(answer.child_count(), 1);
    let child = answer.children().next().unwrap();
    if answer.head.type_str() == "result" {
        return Ok(child.to_payload());
    }
    let mut inside = child.children().filter(|child| child.local() != "text");
    let names = [inside.next(), inside.next()];
    Err(names.map(|name| name.map_or("", Element::local).to_owned()))
}

fn command(node: &str, attributes: &str, content: &str) -> String {
    format!("<command xmlns='{NS}' node='{node}' {attributes}>{content}</command>")
}

fn submit(fields: &[(&str, &[&str])]) -> String {
    let fields = fields.iter().map(|(var, values)| {
        let values = values.iter().map(|value| format!("<value>{value}</value>"));
        format!("<field var='{var}'>{}</field>", values.collect::<String>())
    });
    format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", fields.collect::<String>())
}

fn deletes(jids: &[&str]) -> String {
    submit(&[("accountjids", jids)])
}

fn begun(town: &Town) -> String {
    let form = town.admin_says(&command(NODE, "", "")).unwrap();
    assert_eq!(form.element().attribute("status").unwrap(), "executing");
    form.element().attribute("sessionid").unwrap().into_owned()
}

fn expired() -> [String; 2] {
    error("not-allowed", "session-expired")
}

fn error(condition: &str, what: &str) -> [String; 2] {
    [condition.to_owned(), what.to_owned()]
}

#[test]
fn at_13_only_the_whole_address_makes_an_administrator() {
    let town = Town::new();
    let nobodies = [
        "admin@evil.example/desk",
        "admin@b.example/desk",
        "admin@wax.example.evil.example/desk",
        "\u{430}dmin@wax.example/desk",
        "admin.@wax.example/desk",
        "romeo@wax.example/admin@wax.example",
        "wax.example",
    ];
    for from in nobodies {
        for command in COMMANDS {
            let given = super::tests::command(command.node, "", &deletes(&["romeo@wax.example"]));
            let answer = town.says(from, HOST, "1", &given);
            assert_eq!(outcome(&answer).unwrap_err(), error("forbidden", ""), "{from}");
        }
    }
    assert!(town.done().is_empty());
    // Prepared, it is the same address.
    let begin = command(NODE, "", "");
    assert!(outcome(&town.says("Admin@WAX.example/x", HOST, "1", &begin)).is_ok());
}

#[test]
fn at_13_nobody_else_is_shown_a_command() {
    let admins = vec![bare("admin@wax.example")];
    let settings = Settings { admins, ..Settings::of(vec![bare(HOST)], [0; 32]) };
    stage::under(&settings, 0, |ctx| {
        let found = |from: &str, node: &str| {
            let iq = format!("<iq type='get' id='1' from='{from}' to='{HOST}'><q xmlns='q'/></iq>");
            find(node, &Stanza::parse_one(&iq).unwrap(), ctx).unwrap()
        };
        assert_eq!(found(ADMIN, NS).unwrap().items.len(), COMMANDS.len());
        assert_eq!(found(ADMIN, NODE).unwrap().kind, "command-node");
        for from in ["admin@evil.example/x", "romeo@wax.example/x"] {
            assert!(found(from, NS).unwrap().items.is_empty());
            let refused = found(from, NODE).unwrap_err();
            assert_eq!(refused.condition, StanzaCondition::Forbidden);
        }
    });
}

#[test]
fn at_43_bad_requests_are_refused_by_the_word_that_section_4_4_has_for_it() {
    let town = Town::new();
    let session = begun(&town);
    let going_on = |more: &str| format!("sessionid='{session}' {more}");
    let romeo = deletes(&["romeo@wax.example"]);
    let typed = |kind: &str| romeo.replace("type='submit'", kind);
    for (attributes, content, condition, what) in [
        (going_on("action=''"), &romeo, "bad-request", "malformed-action"),
        (going_on("action='EXECUTE'"), &romeo, "bad-request", "malformed-action"),
        (going_on("action='prev'"), &romeo, "bad-request", "bad-action"),
        (going_on("action='next'"), &romeo, "bad-request", "bad-action"),
        ("action='next'".into(), &romeo, "bad-request", "bad-action"),
        ("action='complete'".into(), &romeo, "bad-request", "bad-sessionid"),
        ("action='cancel'".into(), &romeo, "bad-request", "bad-sessionid"),
        ("sessionid=''".into(), &romeo, "bad-request", "bad-sessionid"),
        ("sessionid='0-0'".into(), &romeo, "bad-request", "bad-sessionid"),
        (format!("sessionid='{session}0'"), &romeo, "bad-request", "bad-sessionid"),
        (format!("sessionid='{}'", &session[1..]), &romeo, "bad-request", "bad-sessionid"),
        (going_on("xml:lang='de'"), &romeo, "bad-request", "bad-locale"),
        (going_on(""), &String::new(), "bad-request", "bad-payload"),
        (going_on(""), &typed(""), "bad-request", "bad-payload"),
        (going_on(""), &typed("type='form'"), "bad-request", "bad-payload"),
        (going_on(""), &typed("type='result'"), "bad-request", "bad-payload"),
        (going_on(""), &typed("type='x'"), "bad-request", "bad-payload"),
        (going_on(""), &format!("{romeo}{romeo}"), "bad-request", "bad-payload"),
        (going_on(""), &deletes(&[]), "bad-request", "bad-payload"),
        (going_on(""), &deletes(&["", ""]), "bad-request", "bad-payload"),
        (going_on(""), &submit(&[]), "bad-request", "bad-payload"),
        (going_on(""), &romeo.replace("accountjids", "accountjid"), "bad-request", "bad-payload"),
        (going_on(""), &deletes(&["@"]), "not-acceptable", ""),
        (going_on(""), &deletes(&["romeo@wax.example/r"]), "not-acceptable", ""),
        (going_on(""), &deletes(&["romeo@b.example"]), "not-acceptable", ""),
        (going_on(""), &deletes(&[HOST]), "not-acceptable", ""),
    ] {
        let command = command(NODE, &attributes, content);
        let refused = town.admin_says(&command).unwrap_err();
        assert_eq!(refused, error(condition, what), "{command}");
    }
    for (given, wanted) in [
        (format!("<command xmlns='{NS}'/>"), "bad-request"),
        (command("", "", ""), "item-not-found"),
        (command("http://jabber.org/protocol/admin", "", ""), "item-not-found"),
        (command("http://jabber.org/protocol/admin#restart", "", ""), "feature-not-implemented"),
    ] {
        assert_eq!(town.admin_says(&given).unwrap_err(), error(wanted, ""), "{given}");
    }
    assert!(town.done().is_empty(), "nothing of it was done");
}

#[test]
fn at_43_each_required_field_of_each_command_dropped_emptied_doubled() {
    let town = Town::new();
    let value = |field: &forms::Field| match field.kind {
        forms::Kind::JidSingle | forms::Kind::JidMulti => "romeo@wax.example",
        _ => "something",
    };
    for this in COMMANDS {
        let fields = this.form.map_or(&[][..], |form| form.fields);
        let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
        for bad in &required {
            let with = |times: usize, given: Option<&str>| {
                let mut all = Vec::new();
                for field in &required {
                    let (times, given) = match field.var == bad.var {
                        true => (times, given),
                        false => (1, Some(value(field))),
                    };
                    (0..times).for_each(|_| all.push((field.var, given)));
                }
                let all: Vec<_> = all.iter().map(|(var, given)| (*var, given.as_slice())).collect();
                town.admin_says(&command(this.node, "", &submit(&all)))
            };
            for bad in [with(0, None), with(1, None), with(1, Some("")), with(2, Some(value(bad)))]
            {
                assert_eq!(bad.unwrap_err(), error("bad-request", "bad-payload"), "{}", this.node);
            }
        }
    }
    assert!(town.done().is_empty(), "nothing of it was done");
}

#[test]
fn a_session_belongs_to_one_requester_one_command_and_one_hour_section_3_3() {
    let mut town = Town::new();
    let session = begun(&town);
    let cancel = command(NODE, &format!("sessionid='{session}' action='cancel'"), "");
    let canceled = town.admin_says(&cancel).unwrap();
    assert_eq!(canceled.element().attribute("status").unwrap(), "canceled");
    assert_eq!(canceled.element().attribute("sessionid").unwrap(), session);
    let bad = error("bad-request", "bad-sessionid");
    let elsewhere = town.says("admin@wax.example/phone", HOST, "1", &cancel);
    assert_eq!(outcome(&elsewhere).unwrap_err(), bad);
    assert_eq!(outcome(&town.says(ADMIN, "b.example", "1", &cancel)).unwrap_err(), bad);
    let other = cancel.replace("delete-user", "end-user-session");
    assert_eq!(town.admin_says(&other).unwrap_err(), bad);
    let cancel = |town: &Town, session: &str| {
        town.admin_says(&command(NODE, &format!("sessionid='{session}' action='cancel'"), ""))
    };
    let [in_time, late] = [begun(&town), begun(&town)];
    town.now += 3_600_000;
    assert!(cancel(&town, &in_time).is_ok());
    town.now += 1;
    assert_eq!(cancel(&town, &late).unwrap_err(), expired());
}

#[test]
fn a_session_that_was_completed_or_canceled_is_over_section_4_4() {
    let town = Town::new();
    let says = |session: &str, action: &str| {
        let attributes = format!("sessionid='{session}' action='{action}'");
        town.admin_says(&command(NODE, &attributes, &deletes(&["romeo@wax.example"])))
    };
    for [first, second] in [
        ["complete", "complete"],
        ["complete", "cancel"],
        ["cancel", "complete"],
        ["cancel", "execute"],
        ["cancel", "cancel"],
    ] {
        let (session, other) = (begun(&town), begun(&town));
        assert!(says(&session, first).is_ok());
        town.people.lock().unwrap().push(bare("romeo@wax.example"));
        town.done();
        assert_eq!(says(&session, second).unwrap_err(), expired(), "{first}, {second}");
        assert!(town.done().is_empty(), "{first}, {second}");
        assert!(says(&other, first).is_ok(), "another session goes on");
        town.people.lock().unwrap().push(bare("romeo@wax.example"));
    }
}

#[test]
fn what_was_completed_with_its_first_request_is_over_too() {
    let town = Town::new();
    let romeo = deletes(&["romeo@wax.example"]);
    let done = town.admin_says(&command(NODE, "", &romeo)).unwrap();
    let session = done.element().attribute("sessionid").unwrap().into_owned();
    let again = command(NODE, &format!("sessionid='{session}'"), &romeo);
    assert_eq!(town.admin_says(&again).unwrap_err(), expired());
}

#[test]
fn a_session_goes_on_when_what_was_asked_for_was_refused() {
    let town = Town::new();
    let session = begun(&town);
    let says =
        |jid| town.admin_says(&command(NODE, &format!("sessionid='{session}'"), &deletes(&[jid])));
    assert_eq!(says("nobody@wax.example").unwrap_err(), error("item-not-found", ""));
    assert!(says("romeo@wax.example").is_ok());
    assert_eq!(says("juliet@wax.example").unwrap_err(), expired());
}

#[test]
fn sessions_that_begin_at_once_differ() {
    let town = Town::new();
    let begin = command(NODE, "", "");
    let of = |id: &str| outcome(&town.says(ADMIN, HOST, id, &begin)).unwrap();
    let sessions =
        ["1", "2"].map(|id| of(id).element().attribute("sessionid").unwrap().into_owned());
    assert_ne!(sessions[0], sessions[1]);
}

#[test]
fn english_is_spoken_to_everybody_who_does_not_ask_for_another_language_outright() {
    let town = Town::new();
    for lang in ["en", "EN-us", "en-GB", ""] {
        let asked = command(NODE, &format!("xml:lang='{lang}'"), "");
        let answer = town.admin_says(&asked).unwrap();
        assert_eq!(answer.element().attribute("xml:lang").unwrap(), "en", "{lang}");
    }
    for lang in ["de", "english", "fr-CA"] {
        let asked = command(NODE, &format!("xml:lang='{lang}'"), "");
        assert_eq!(town.admin_says(&asked).unwrap_err(), error("bad-request", "bad-locale"));
    }
}

#[test]
fn a_submission_is_taken_with_and_without_a_session_and_cancel_for_submit() {
    let town = Town::new();
    let romeo = deletes(&["romeo@wax.example"]);
    for (attributes, content) in [
        (String::new(), romeo.clone()),
        (format!("sessionid='{}'", begun(&town)), romeo.clone()),
        (format!("sessionid='{}' action='execute'", begun(&town)), romeo.clone()),
        (format!("sessionid='{}' action='complete'", begun(&town)), romeo.clone()),
        (format!("sessionid='{}'", begun(&town)), romeo.replace("'submit'", "'cancel'")),
    ] {
        let answer = town.admin_says(&command(NODE, &attributes, &content)).unwrap();
        assert_eq!(answer.element().attribute("status").unwrap(), "completed");
        assert_eq!(town.done(), ["delete romeo@wax.example"]);
        town.people.lock().unwrap().push(bare("romeo@wax.example"));
    }
}

#[test]
fn one_command_is_about_so_many_accounts() {
    let town = Town::new();
    let jids: Vec<_> = (0..=100).map(|number| format!("u{number}@wax.example")).collect();
    town.people.lock().unwrap().extend(jids.iter().map(|jid| bare(jid)));
    let jids: Vec<_> = jids.iter().map(String::as_str).collect();
    for node in ["http://jabber.org/protocol/admin#end-user-session", NODE] {
        let refused = town.admin_says(&command(node, "", &deletes(&jids))).unwrap_err();
        assert_eq!(refused, error("not-acceptable", ""));
        assert!(town.done().is_empty());
        town.admin_says(&command(node, "", &deletes(&jids[1..]))).unwrap();
        assert_eq!(town.done().len(), 100);
    }
}

#[test]
fn who_deletes_the_own_account_too_hears_of_it_before_the_sessions_end() {
    let town = Town::new();
    let all = deletes(&["admin@wax.example", "juliet@wax.example"]);
    let answer = town.says(ADMIN, HOST, "1", &command(NODE, "", &all));
    let [juliet, admin, last] = &town.done()[..] else { panic!("all are deleted") };
    assert_eq!([juliet, admin], ["delete juliet@wax.example", "delete admin@wax.example"]);
    assert_eq!(*last, *answer.to_text());
    assert!(last.contains("status='completed'") && last.contains("to='admin@wax.example/desk'"));
    assert!(last.contains("deleted: juliet@wax.example, admin@wax.example"), "{last}");
}

#[test]
fn what_was_done_in_part_is_completed_with_an_error_section_3_6() {
    let stuck = Some("juliet");
    let town = Town { stuck, ..Town::new() };
    let both = ["romeo@wax.example", "juliet@wax.example"];
    let answer = town.admin_says(&command(NODE, "", &deletes(&both))).unwrap();
    assert_eq!(answer.element().attribute("status").unwrap(), "completed");
    let note = answer.element().child(Name::new(NS, "note")).unwrap();
    assert_eq!(note.as_str(), "<note type='error'>not deleted: juliet@wax.example</note>");
    let first = town.admin_says(&command(NODE, "", &deletes(&both[1..]))).unwrap_err();
    assert_eq!(first, error("internal-server-error", ""));
}

#[test]
fn accounts_are_made_and_changed_as_the_form_says() {
    let town = Town::new();
    let admin = |name: &str| format!("http://jabber.org/protocol/admin#{name}");
    let nurse = ("accountjid", &["nurse@wax.example"][..]);
    let password = |var, password: &'static [&'static str]| (var, password);
    let add =
        [nurse, password("password", &["a&amp;b"]), password("password-verify", &["a&amp;b"])];
    town.admin_says(&command(&admin("add-user"), "", &submit(&add))).unwrap();
    assert_eq!(town.done(), ["create nurse@wax.example a&b"]);
    let again = town.admin_says(&command(&admin("add-user"), "", &submit(&add))).unwrap_err();
    assert_eq!(again, error("conflict", ""));
    let change = [nurse, password("password", &["c"])];
    town.admin_says(&command(&admin("change-user-password"), "", &submit(&change))).unwrap();
    assert_eq!(town.done(), [format!("password nurse@wax.example c but {ADMIN}")]);
}
