//! Credit is given back exactly once for each stanza, on every path: a leak starves a client.

use super::*;

/// Every kind of stanza, to everybody, right and wrong.
pub(super) fn everything() -> Vec<String> {
    let addresses = [
        "",
        "to='juliet@x'",
        "to='juliet@x/balcony'",
        "to='juliet@x/gone'",
        "to='romeo@x'",
        "to='romeo@x/orchard'",
        "to='romeo@x/gone'",
        "to='nobody@x'",
        "to='nobody@x/r'",
        "to='x'",
        "to='x/r'",
        "to='a@elsewhere.example'",
        "to='elsewhere.example'",
        "to='a@b@c'",
    ];
    let messages = ["", "normal", "chat", "groupchat", "headline", "error", "telegram"];
    let presences = [
        "",
        "unavailable",
        "subscribe",
        "subscribed",
        "unsubscribe",
        "unsubscribed",
        "probe",
        "error",
        "here",
    ];
    let iqs = ["get", "set", "result", "error", "ask", ""];
    let payloads = [
        "",
        "<read xmlns='toy'/>",
        "<page xmlns='toy'/>",
        "<q xmlns='q'/>",
        "<q xmlns='q'/><q xmlns='q'/>",
        "<query xmlns='jabber:iq:roster'/>",
        "<query xmlns='jabber:iq:roster'><item jid='nurse@x'/></query>",
        "<query xmlns='jabber:iq:roster'><item jid='nurse@x' subscription='remove'/></query>",
        "<query xmlns='jabber:iq:roster'><item jid='n@'/></query>",
    ];
    let mut all = Vec::new();
    for to in addresses {
        for kind in messages {
            for body in ["hark", "zounds"] {
                all.push(format!("<message {to} type='{kind}'><body>{body}</body></message>"));
            }
            all.push(format!("<message {to} type='{kind}'><active xmlns='c'/></message>"));
        }
        for kind in presences {
            let priority = "<priority>200</priority>";
            let kind = if kind.is_empty() { String::new() } else { format!("type='{kind}'") };
            all.push(format!("<presence {to} {kind}/>"));
            all.push(format!("<presence {to} {kind}>{priority}</presence>"));
        }
        for kind in iqs {
            let of = |payload| format!("<iq {to} type='{kind}' id='i'>{payload}</iq>");
            all.extend(payloads.map(of));
            all.push(format!("<iq {to} type='{kind}'><q xmlns='q'/></iq>"));
        }
    }
    all
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Store {
    Ready,
    /// All is committed late.
    Slow,
    /// Nothing is committed.
    Broken,
    /// No account but hers can be read.
    Unread,
}

/// Says it in a world of its own; returns how many stanzas were settled, and what else she heard.
fn said(xml: &str, xeps: &'static [&'static Xep], store: Store) -> (u32, Vec<String>) {
    let mut world = World::of(xeps);
    let juliet = world.online(JULIET, 1);
    if store != Store::Unread {
        world.online(ROMEO, 2);
    }
    world.said.clear();
    (world.commits, world.loads) = (store == Store::Ready, store != Store::Unread);
    world.says(juliet, JULIET, xml);
    while let Some(jid) = world.loading.pop_front() {
        world.feed(Input::Loaded(jid, Err(Fault::Away("gone".into()))));
    }
    while !(world.held.is_empty() && world.questions.is_empty()) {
        while !world.held.is_empty() {
            match store {
                Store::Broken => world.fail(),
                _ => world.commit(),
            }
        }
        for (account, number) in std::mem::take(&mut world.questions) {
            world.feed(Input::Answered(account, number, read()));
        }
    }
    (world.settled(juliet), world.heard(juliet))
}

#[test]
fn every_stanza_is_settled_exactly_once() {
    for store in [Store::Ready, Store::Slow, Store::Broken, Store::Unread] {
        for xeps in [NONE, TOYS] {
            for xml in everything() {
                assert_eq!(said(&xml, xeps, store).0, 1, "{store:?}: {xml}");
            }
        }
    }
}

#[test]
fn every_request_is_answered_exactly_once_and_nothing_else_is_rfc6120_8_2_3() {
    for store in [Store::Ready, Store::Slow, Store::Broken, Store::Unread] {
        for xeps in [NONE, TOYS] {
            for xml in everything().iter().filter(|xml| xml.starts_with("<iq")) {
                let (_, heard) = said(xml, xeps, store);
                let answered = heard.iter().filter(|xml| {
                    xml.starts_with("<iq") && (xml.contains("'result'") || xml.contains("'error'"))
                });
                let mut answers =
                    usize::from(!xml.contains("'result'") && !xml.contains("'error'"));
                // Carried to a resource that will answer it, or carried as an answer; ended
                // streams are answered by their end.
                let carried = xml.contains("to='juliet@x/balcony'")
                    || xml.contains("to='romeo@x/orchard'") && store != Store::Unread;
                if heard.iter().any(|xml| xml.starts_with("end:")) {
                    answers = 0;
                } else if carried {
                    continue;
                }
                assert_eq!(answered.count(), answers, "{store:?}: {xml}: {heard:?}");
            }
        }
    }
}

#[test]
fn an_error_is_never_answered_rfc6120_8_3_1() {
    for store in [Store::Ready, Store::Slow, Store::Broken, Store::Unread] {
        for xml in everything().iter().filter(|xml| xml.contains("type='error'")) {
            if xml.contains("to='juliet@x/balcony'") {
                continue; // her own, carried back to her
            }
            let (_, heard) = said(xml, NONE, store);
            assert!(!heard.iter().any(|xml| xml.contains("'error'")), "{xml}: {heard:?}");
        }
    }
}
