//! AT-62: whatever a stranger sends, it hears from an account that exists what it hears from one
//! that does not (RFC 6120 §13.11), or nothing: where it was delivered, or is kept.

use crate::stage::{JULIET, MERCUTIO, NURSE, ROMEO, Stage};
use engine::{
    hook::{Hook, IqKind, Of},
    wire::Name,
};
use std::collections::BTreeSet;

/// Who may be asked at all: an account that is available, one that is connected but has sent no
/// presence, one that is away; by the bare address, by a resource that is there in the first two,
/// and by one that is nowhere.
const EXISTING: [&str; 3] = ["juliet", "mercutio", "nurse"];
const NOBODY: &str = "nobody";
const ADDRESSES: [&str; 3] = ["", "/balcony", "/gone"];
/// Stanzas that there are at least: fewer, and no XEP was looked into.
const CASES_MIN: usize = 300;

const MESSAGE_TYPES: [&str; 7] = ["", "normal", "chat", "headline", "groupchat", "error", "sonnet"];
const PRESENCE_TYPES: [&str; 10] = [
    "",
    "unavailable",
    "probe",
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "error",
    "invisible",
    "result",
];
const IQ_TYPES: [&str; 6] = ["get", "set", "result", "error", "ask", ""];
/// What else clients ask for, whether or not we know of it.
const OTHERS: [&str; 15] = [
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost'/></query>",
    "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
    "<blocklist xmlns='urn:xmpp:blocking'/>",
    "<query xmlns='jabber:iq:auth'/>",
    "<query xmlns='jabber:iq:privacy'/>",
    "<query xmlns='urn:xmpp:mam:2'/>",
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
    "<offline xmlns='http://jabber.org/protocol/offline'/>",
    "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
    "<query xmlns='jabber:iq:register'><remove/></query>",
    "<q xmlns='urn:nobody:knows'/>",
    "<body>hark</body>",
    "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
];

/// What any XEP here answers, for whomever.
fn payloads() -> BTreeSet<String> {
    let hooks = xeps::ALL.iter().flat_map(|xep| xep.hooks);
    let answered = hooks.filter_map(|hook| match hook {
        Hook::Iq { of, kind: IqKind::Get | IqKind::Set, payload, .. } if *of != Of::Stream => {
            let Name { ns, local } = payload;
            Some(format!("<{local} xmlns='{ns}'/>"))
        }
        _ => None,
    });
    answered.chain(OTHERS.map(String::from)).collect()
}

/// A stanza for `TO`.
struct Case {
    kind: &'static str,
    type_: &'static str,
    content: String,
}

impl Case {
    fn xml(&self, to: &str) -> String {
        let Self { kind, type_, content } = self;
        let type_ = if type_.is_empty() { String::new() } else { format!("type='{type_}'") };
        format!("<{kind} {type_} id='1' to='{to}'>{content}</{kind}>")
    }

    fn is(&self, kind: &str, types: &[&str]) -> bool {
        self.kind == kind && types.contains(&self.type_)
    }

    /// A message of chat, or of no other kind that is not kept.
    fn is_chat(&self) -> bool {
        self.is("message", &["chat"])
    }

    fn is_normal(&self) -> bool {
        self.is("message", &["", "normal", "sonnet"])
    }

    fn is_of_the_moment(&self) -> bool {
        self.content.is_empty() || self.content.contains("chatstates")
    }
}

fn cases() -> Vec<Case> {
    let payloads = payloads();
    let types = MESSAGE_TYPES.map(|type_| ("message", type_)).into_iter();
    let types = types.chain(IQ_TYPES.map(|type_| ("iq", type_)));
    let full = types.flat_map(|(kind, type_)| {
        payloads.iter().map(move |content| Case { kind, type_, content: content.clone() })
    });
    let presence = PRESENCE_TYPES.map(|type_| ("presence", type_)).into_iter();
    let empty = MESSAGE_TYPES.map(|type_| ("message", type_)).into_iter();
    let empty = empty.chain(IQ_TYPES.map(|type_| ("iq", type_))).chain(presence);
    full.chain(empty.map(|(kind, type_)| Case { kind, type_, content: String::new() })).collect()
}

/// Why an account that exists may be silent where nobody is not.
fn reason(case: &Case, account: &str, address: &str) -> Option<&'static str> {
    let connected = account != "nurse";
    let available = account == "juliet";
    let has_content = !case.content.is_empty();
    match address {
        "/balcony" if connected && !case.is("message", &["error"]) => {
            let asks = case.is("iq", &["get", "set"]) && has_content;
            let last = case.content.contains("jabber:iq:last") && case.type_ == "get";
            let says = case.kind == "message";
            (says || asks && !last).then_some("it is that client's to answer (RFC 6121 §8.5.3.1)")
        }
        // To the account, or (RFC 6121 §8.5.3.2.1) for a resource that is not there.
        _ if case.is_chat() || address.is_empty() && case.is_normal() => Some(match available {
            true => "its other clients have got it (RFC 6121 §8.5.2.1.1)",
            false if case.is_of_the_moment() => "its moment is over (XEP-0160, our choice)",
            false => "it is kept for who comes (XEP-0160)",
        }),
        _ => None,
    }
}

/// What the stranger hears, as if it had been `somebody` who was asked.
fn asked(stage: &mut Stage, case: &Case, account: &str, address: &str) -> Vec<String> {
    stage.says(ROMEO, &case.xml(&format!("{account}@localhost{address}")));
    let heard = stage.words(ROMEO);
    let named = format!("{account}@localhost");
    heard.iter().map(|xml| xml.replace(&named, "somebody@localhost")).collect()
}

/// Everybody blocks the stranger (XEP-0191).
fn block(stage: &mut Stage) {
    let item = "<item jid='romeo@localhost'/>";
    let block =
        format!("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'>{item}</block></iq>");
    stage.connects(NURSE);
    for who in [JULIET, MERCUTIO, NURSE] {
        stage.says(who, &block);
        let heard = stage.words(who);
        assert!(heard.last().unwrap().contains("type='result'"), "{heard:?}");
    }
    stage.actors[NURSE].cut(&mut stage.world);
    stage.forget();
}

/// All that is wrong with one case: an account that gives itself away.
fn wrongs(case: &Case, address: &'static str, blocked: bool) -> Vec<String> {
    let mut stage = Stage::new();
    if blocked {
        block(&mut stage);
    }
    let nobody = asked(&mut stage, case, NOBODY, address);
    let mut wrong = Vec::new();
    for account in EXISTING {
        let heard = asked(&mut stage, case, account, address);
        let why = reason(case, account, address).filter(|_| !blocked);
        let right = match why {
            Some(_) => heard.is_empty(),
            None => heard == nobody,
        };
        if !right {
            let xml = case.xml(&format!("{account}@localhost{address}"));
            wrong.push(format!("{xml}\n    {heard:?}, nobody {nobody:?}; {why:?}"));
        }
    }
    if blocked && (!stage.words(JULIET).is_empty() || !stage.words(MERCUTIO).is_empty()) {
        wrong.push(format!("{} reaches who has blocked its sender", case.xml(address)));
    }
    wrong
}

fn nobody_is_given_away(blocked: bool) {
    let cases = cases();
    assert!(cases.len() > CASES_MIN, "only {}", cases.len());
    let all = cases.iter().flat_map(|case| ADDRESSES.map(|address| (case, address)));
    let wrong: Vec<_> = all.flat_map(|(case, address)| wrongs(case, address, blocked)).collect();
    let shown = &wrong[..40.min(wrong.len())];
    assert!(wrong.is_empty(), "{} give themselves away:\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn at_62_an_account_that_exists_says_nothing_that_nobody_would_not_say() {
    nobody_is_given_away(false);
}

#[test]
fn at_62_who_is_blocked_hears_just_what_nobody_would_say_and_reaches_nobody() {
    nobody_is_given_away(true);
}
