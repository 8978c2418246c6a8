//! XEP-0012: Last Activity. <https://xmpp.org/extensions/xep-0012.html>
//!
//! Who may not see an account's presence hears `service-unavailable`, not the `forbidden` of
//! sections 3 and 4: an account or resource that is not there cannot say `forbidden`, so the word
//! would tell that it is (section 8, RFC 6120 §13.10.2 and §13.11).

use engine::{
    account::LastPresence,
    ctx::Ctx,
    hook::*,
    passage::{Passage, Walk},
    request::Line,
    wire::*,
};

/// How long ago somebody was here.
pub const XEP: Xep = Xep {
    number: 12,
    name: "Last Activity",
    version: "2.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Host, QUERY.ns),
        Hook::Feature(Of::Account, QUERY.ns),
        Hook::get(Of::Host, QUERY, Answer::Pure(host)),
        Hook::get(Of::Account, QUERY, Answer::Pure(account)),
        Hook::At(Station::Guard, keep_strangers_out),
    ],
};

const QUERY: Name = Name::new("jabber:iq:last", "query");
const STATUS: Name = Name::new("jabber:client", "status");

/// Section 5: since the server was started.
fn host(_: &Stanza, _: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    Ok(Reply::Payload(ago(ctx.now.0).finish()))
}

/// Section 3: since its last resource said that it was no longer available, and how. A resource
/// that is connected and not available is nobody's business but the account's own.
fn account(iq: &Stanza, line: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let (Some(home), Some(asker)) = (line.home, iq.head.from.as_ref().map(Jid::bare)) else {
        return Err(StanzaCondition::ServiceUnavailable.into());
    };
    if !home.roster.is_seen_by(line.asked, &asker) {
        return Err(StanzaCondition::ServiceUnavailable.into());
    }
    let available = line.sessions.iter().any(|session| session.presence.is_some());
    if available || line.asker(iq).is_some() {
        return Ok(Reply::Payload(ago(0).finish()));
    }
    // It was never here: of that the document does not speak.
    let LastPresence { unix_ms, stanza } =
        LastPresence::of(home.cells).ok_or(StanzaCondition::ItemNotFound)?;
    let last = ago(ctx.unix_ms.saturating_sub(unix_ms));
    let last = match stanza.child(STATUS) {
        Some(status) => last.text(status.text()),
        None => last,
    };
    Ok(Reply::Payload(last.finish()))
}

/// Section 4: to a resource it is the resource's to answer, but a stranger's question does not
/// reach it, and is answered as if it was not there.
fn keep_strangers_out(passage: &mut Passage<'_>, _: &Ctx<'_>) -> Verdict {
    let iq = &passage.stanza;
    let asks = iq.kind() == Kind::Iq && iq.head.type_str() == "get" && iq.child(QUERY).is_some();
    if passage.walk != Walk::Received || !asks {
        return Verdict::Go;
    }
    let from = iq.head.from.as_ref().map(Jid::bare);
    let account = &passage.account;
    if from.is_some_and(|from| account.roster.is_seen_by(&account.jid, &from)) {
        return Verdict::Go;
    }
    Verdict::Refuse(StanzaCondition::ServiceUnavailable.into(), Why("last activity by a stranger"))
}

fn ago(ms: u64) -> Draft {
    Draft::new(QUERY).attribute("seconds", (ms / 1000).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{self, JULIET, ROMEO, Stage};

    const ASK: &str = "<query xmlns='jabber:iq:last'/>";

    fn asks(from: &str, to: &str) -> String {
        format!("<iq type='get' id='l' from='{from}' to='{to}'>{ASK}</iq>")
    }

    /// The answer: what its query says, with its seconds, or its error.
    fn answer(left: &[Stanza]) -> Result<(String, String), String> {
        let [answer] = left else { panic!("{left:?}") };
        match answer.child(QUERY) {
            Some(query) => {
                let seconds = query.attribute("seconds").expect("section 2: required");
                Ok((seconds.into_owned(), query.text().into_owned()))
            }
            None => Err(answer.to_text().to_string()),
        }
    }

    /// Juliet, with Romeo as a contact who sees her.
    fn watched() -> Stage {
        let mut juliet = Stage::of(JULIET);
        juliet.hears(&format!("<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>"));
        juliet.says(&format!("<presence type='subscribed' to='{ROMEO}'/>"));
        juliet
    }

    #[test]
    fn a_host_tells_how_long_it_has_been_up() {
        assert_eq!(
            stage::asked(Of::Host, "get", ASK).unwrap(),
            "<query xmlns='jabber:iq:last' seconds='0'/>"
        );
        let host = Bare::host("wax.example").unwrap();
        let iq = Stanza::parse_one(&asks(ROMEO, "wax.example")).unwrap();
        let replied =
            stage::at(123_456_789, |ctx| super::host(&iq, &mut Line::of_host(&host), ctx));
        let Ok(Reply::Payload(query)) = replied else { panic!("{replied:?}") };
        assert_eq!(query.as_str(), "<query xmlns='jabber:iq:last' seconds='123456'/>");
    }

    #[test]
    fn a_contact_hears_zero_while_she_is_available_and_then_since_when_and_why_she_left() {
        let (mut juliet, romeo) = (watched(), format!("{ROMEO}/r"));
        let asked = asks(&romeo, JULIET);
        assert!(answer(&juliet.hears(&asked)).unwrap_err().contains("<item-not-found "));
        juliet.says("<presence><status>Here</status></presence>");
        assert_eq!(answer(&juliet.hears(&asked)), Ok(("0".into(), String::new())));
        juliet.says("<presence type='unavailable'><status>Heading Home</status></presence>");
        juliet.pass(903_999);
        assert_eq!(answer(&juliet.hears(&asked)), Ok(("903".into(), "Heading Home".into())));
    }

    #[test]
    fn the_account_itself_may_ask_and_is_here_when_it_does() {
        for to in [String::new(), format!(" to='{JULIET}'")] {
            let mut juliet = Stage::of(JULIET);
            let heard = juliet.says(&format!("<iq type='get' id='l'{to}>{ASK}</iq>"));
            assert_eq!(answer(&heard), Ok(("0".into(), String::new())));
        }
    }

    #[test]
    fn at_47_a_stranger_hears_the_same_whether_she_is_there_or_not() {
        let stranger = "nurse@wax.example/r";
        let mut juliet = watched();
        let mut answers = Vec::new();
        for said in ["<presence/>", "<presence type='unavailable'/>"] {
            juliet.says(said);
            for to in [JULIET, &format!("{JULIET}/balcony"), &format!("{JULIET}/gone")] {
                let error = answer(&juliet.hears(&asks(stranger, to))).unwrap_err();
                answers.push(error.replace(to, "TO"));
            }
        }
        assert!(answers[0].contains("<service-unavailable "));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let routed = juliet.hears(&asks(&format!("{ROMEO}/r"), &format!("{JULIET}/balcony")));
        assert_eq!(routed[0].head.type_str(), "get", "a contact's question is the client's");
        assert!(stage::asked(Of::Account, "get", ASK).is_err());
        assert!(stage::asked(Of::Host, "set", ASK).is_err());
    }
}
