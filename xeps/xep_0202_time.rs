//! XEP-0202: Entity Time. <https://xmpp.org/extensions/xep-0202.html>

use crate::xep_0082_dates::date_time;
use engine::{ctx::Ctx, hook::*, request::Line, wire::*};

/// What time it is here.
pub const XEP: Xep = Xep {
    number: 202,
    name: "Entity Time",
    version: "2.0",
    status: Status::Complete,
    hooks: &[Hook::Feature(Of::Host, NS), Hook::get(Of::Host, TIME, Answer::Pure(time))],
};

const NS: &str = "urn:xmpp:time";
const TIME: Name = Name::new(NS, "time");

/// In UTC: where the machine stands is nobody's business. As digits: section 3 wants a numeric
/// offset, and there are readers that know no `Z`.
fn time(_: &Stanza, _: &mut Line<'_>, ctx: &Ctx<'_>) -> Replied {
    let say = |name, text: &str| Draft::new(Name::new(NS, name)).text(text);
    let time =
        Draft::new(TIME).child(say("tzo", "+00:00")).child(say("utc", &date_time(ctx.unix_ms)));
    Ok(Reply::Payload(time.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage;
    use xmpp_parsers::time::TimeResult;

    #[test]
    fn the_time_is_told_in_utc() {
        let told = stage::asked(Of::Host, "get", "<time xmlns='urn:xmpp:time'/>").unwrap();
        let wanted =
            "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2006-12-19T17:58:35Z</utc></time>";
        assert_eq!(told, wanted);
        let stanza = Stanza::parse_one(&format!("<iq>{told}</iq>")).unwrap();
        let read: TimeResult = stanza.child(TIME).unwrap().read().unwrap();
        assert_eq!(read.utc.timestamp(), 1_166_551_115, "as a client reads it");
    }
}
