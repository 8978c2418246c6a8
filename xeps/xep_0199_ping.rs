//! XEP-0199: XMPP Ping. <https://xmpp.org/extensions/xep-0199.html>

use engine::{ctx::Ctx, hook::*, request::Line, session::Session, wire::*};

/// Are you there?
pub const XEP: Xep = Xep {
    number: 199,
    name: "XMPP Ping",
    version: "2.0.1",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, NS),
        Hook::Feature(Of::Account, NS),
        Hook::Feature(Of::Service, NS),
        Hook::Feature(Of::Room, NS),
        Hook::get(Of::Service, PING, Answer::Pure(host)),
        Hook::get(Of::Room, PING, Answer::Pure(host)),
        Hook::get(Of::Host, PING, Answer::Pure(host)),
        Hook::get(Of::Account, PING, Answer::Pure(account)),
        Hook::Silent(ask),
    ],
};

const NS: &str = "urn:xmpp:ping";
const PING: Name = Name::new(NS, "ping");

/// Section 4.3: from a client or another server.
fn host(_: &Stanza, _: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    Ok(Reply::Empty)
}

/// Section 4.2: a client pings its server by the address of its own account, or by none. From a
/// stranger no answer may tell that the account exists (section 7).
fn account(iq: &Stanza, line: &mut Line<'_>, _: &Ctx<'_>) -> Replied {
    line.asker(iq).ok_or(StanzaCondition::ServiceUnavailable)?;
    Ok(Reply::Empty)
}

/// Section 4.1: white space needs no answer, so it proves nothing; this does, whatever the answer.
fn ask(session: &mut Session, ctx: &Ctx<'_>) -> Vec<Output> {
    let head = Head::new(Kind::Iq).with_type("get").with_id(ctx.token());
    let head = head.with_from(session.jid.bare()).with_to(session.jid.clone());
    vec![Output::Stanza(Stanza::new(head).with(Draft::new(PING).finish()).into())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{self, JULIET, ROMEO};

    const QUERY: &str = "<ping xmlns='urn:xmpp:ping'/>";

    #[test]
    fn a_host_answers() {
        assert_eq!(stage::asked(Of::Host, "get", QUERY).unwrap(), "");
    }

    #[test]
    fn an_account_answers_its_own_resources_with_and_without_to() {
        for to in [String::new(), format!(" to='{JULIET}'")] {
            let mut juliet = stage::Stage::of(JULIET);
            let heard = juliet.says(&format!("<iq type='get' id='p'{to}>{QUERY}</iq>"));
            assert_eq!(heard.len(), 1);
            assert_eq!((heard[0].head.type_str(), heard[0].child_count()), ("result", 0));
            assert_eq!(heard[0].head.to, Some(juliet.jid()));
        }
    }

    #[test]
    fn a_stranger_cannot_ping_an_account() {
        let mut juliet = stage::Stage::of(JULIET);
        let ping = format!("<iq type='get' id='p' from='{ROMEO}/r' to='{JULIET}'>{QUERY}</iq>");
        let answers = juliet.hears(&ping);
        assert_eq!(answers.len(), 1);
        assert!(answers[0].to_text().contains("<service-unavailable "));
    }
}
