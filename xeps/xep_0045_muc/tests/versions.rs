//! Who is told what others become to a room, by version (XEP-0463).

use super::{FOUNDER, affiliate, founded, to};
use engine::wire::*;

const JULIET: &str = "juliet@wax.example/balcony";

/// What it tells of versions, and of whom.
fn told(heard: &[Stanza], who: &str) -> Vec<String> {
    let told = to(heard, who).into_iter().map(|one| one.to_text().to_string());
    told.filter(|text| text.contains("<mav ")).collect()
}

fn until(told: &str) -> &str {
    told.split_once("until='").and_then(|(_, rest)| rest.split_once('\'')).unwrap().0
}

#[test]
fn whom_an_invitation_makes_a_member_is_told_to_who_wants_versions_xep_0463_section_5_2_2() {
    let mut house = founded(&[("membersonly", "1"), ("whois", "anyone")]);
    affiliate(&mut house, FOUNDER, JULIET, "member");
    let join = format!(
        "<presence to='{}/juliet'><x xmlns='http://jabber.org/protocol/muc'>\
         <mav xmlns='urn:xmpp:muc:affiliations:1'/></x></presence>",
        house.jid
    );
    let first = told(&house.says(JULIET, &join), JULIET);
    let invite = "<message><x xmlns='http://jabber.org/protocol/muc#user'>\
        <invite to='nurse@wax.example'/><invite to='peter@wax.example'/></x></message>";
    let heard = told(&house.says(FOUNDER, invite), JULIET);
    assert_eq!(heard.len(), 2, "{heard:?}");
    let mut since = until(&first[0]);
    for (told, who) in heard.iter().zip(["nurse@wax.example", "peter@wax.example"]) {
        assert!(told.contains(&format!("since='{since}'")), "behind the last: {heard:?}");
        assert!(told.contains(who) && told.contains("affiliation='member'"), "{told}");
        since = until(told);
    }
    let again = told(&house.says(FOUNDER, invite), JULIET);
    assert_eq!(again, [""; 0], "they are members already");
}
