//! How much somebody is shown at once of who is here (XEP-0045 §7.2.2). What all of them say of
//! themselves may be more than waits for one socket: then anybody could put out whoever enters.

use super::{
    show::{Show, Viewer},
    xep_0486_avatar::UPDATE,
};
use engine::wire::*;

/// Bytes of what one session says of itself: everybody who is here is told, and everybody who
/// comes.
const SAID_BYTES_MAX: usize = 4 << 10;
/// Bytes of what somebody is shown at once as the others say it.
const WHOLE_BYTES_MAX: usize = 512 << 10;
/// The same with those who are shown in short: a thousand who say what most do have room in it,
/// and it in a mailbox, with what else is told who enters. Who is left then is not shown, as in a
/// room of too many; but is heard, and seen when it says of itself something new.
const SHOWN_BYTES_MAX: usize = 1 << 20;
/// Bytes of what one says of itself, in short.
const SHORT_BYTES_MAX: usize = 512;
/// What is said in short: whether one is there, what its client can do, which picture it has.
const SHORT: [Name; 5] = [
    Name::new(ns::CLIENT, "show"),
    Name::new(ns::CLIENT, "status"),
    Name::new(ns::CLIENT, "priority"),
    Name::new("http://jabber.org/protocol/caps", "c"),
    UPDATE,
];

/// Whether presence says more of a session than others are told.
pub fn says_too_much(presence: &Stanza) -> bool {
    presence.children().map(|child| child.as_str().len()).sum::<usize>() > SAID_BYTES_MAX
}

/// Each as this one sees it. Where that is too much, who says little comes first: so nobody is
/// hidden behind those who say much.
pub fn at_once(shows: Vec<Show>, viewer: Viewer) -> Vec<Stanza> {
    let whole: Vec<_> = shows.iter().map(|show| show.to(viewer)).collect();
    if whole.iter().map(Stanza::wire_len).sum::<usize>() <= WHOLE_BYTES_MAX {
        return whole;
    }
    let mut all: Vec<_> = shows.into_iter().zip(whole).collect();
    all.sort_by_key(|(_, whole)| whole.wire_len());
    let mut bytes = 0;
    let shown = all.into_iter().map_while(|(show, whole)| {
        let shown = match bytes + whole.wire_len() <= WHOLE_BYTES_MAX {
            true => whole,
            false => in_short(show).to(viewer),
        };
        bytes += shown.wire_len();
        (bytes <= SHOWN_BYTES_MAX).then_some(shown)
    });
    shown.collect()
}

fn in_short(mut show: Show) -> Show {
    let mut left = SHORT_BYTES_MAX;
    show.shown = show.shown.retain(|child| {
        let bytes = child.as_str().len();
        let stays = SHORT.iter().any(|name| child.is(*name)) && bytes <= left;
        if stays {
            left -= bytes;
        }
        stays
    });
    show.hats = None;
    show
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xep_0045_muc::{
        occupants::SeenBy,
        rank::{Affiliation, Role},
        show::{Audience, Word},
    };

    const VIEWER: Viewer = Viewer { sees_address: true, is_own: false, wants_versions: false };
    /// As most say it.
    const PLAIN: &str = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
        node='https://conversations.im' ver='8gfTH9ZkHl2OtqMZVgwUyY2Yzhs='/>\
        <x xmlns='vcard-temp:x:update'><photo>da39a3ee5e6b4b0d3255bfef95601890afd80709</photo></x>\
        <idle xmlns='urn:xmpp:idle:1' since='2026-11-29T09:00:00Z'/>";

    fn show(at: &str, jid: &str, said: &str) -> Show {
        let jid = Jid::parse(jid).unwrap();
        let id = Name::new("urn:xmpp:occupant-id:0", "occupant-id");
        Show {
            from: Jid::parse(at).unwrap(),
            shown: Stanza::parse_one(&format!("<presence>{said}</presence>")).unwrap(),
            is_gone: false,
            affiliation: Affiliation::None,
            role: Role::Participant,
            own: vec![jid.clone()],
            jid,
            word: Word::default(),
            statuses: Vec::new(),
            own_statuses: Vec::new(),
            audience: Audience::Everybody,
            seen: SeenBy::Most,
            destroyed: None,
            hats: None,
            id: Draft::new(id).attribute("id", "x".repeat(44)).finish(),
            stanza_id: None,
        }
    }

    fn bytes(shown: &[Stanza]) -> usize {
        shown.iter().map(Stanza::wire_len).sum()
    }

    fn children(shown: &[Stanza], local: &str) -> usize {
        let has = |one: &&Stanza| one.children().any(|child| child.local() == local);
        shown.iter().filter(has).count()
    }

    #[test]
    fn a_thousand_who_say_what_most_do_are_shown() {
        let of = |n: usize| {
            let at = format!("garden@conference.example.org/somebody {n:03}");
            show(&at, &format!("someone{n:03}@server.example.org/conversations.AbCd"), PLAIN)
        };
        let shown = at_once((0..700).map(of).collect(), VIEWER);
        let whole: Vec<_> = (0..700).map(|n| of(n).to(VIEWER)).collect();
        assert_eq!(shown, whole);
        let shown = at_once((0..1_000).map(of).collect(), VIEWER);
        assert_eq!((shown.len(), children(&shown, "c")), (1_000, 1_000));
        assert!(bytes(&shown) < SHOWN_BYTES_MAX * 3 / 4, "{}", bytes(&shown));
    }

    #[test]
    fn a_thousand_who_say_as_much_as_they_may_are_shown_and_have_room_in_a_mailbox() {
        let status = |bytes: usize| format!("<status>{}</status>", "x".repeat(bytes));
        let of = |n: usize| {
            let said = format!("{PLAIN}{}", if n == 500 { status(9) } else { status(3_500) });
            show(&format!("garden@rooms.x/{n}"), &format!("{n}@x/r"), &said)
        };
        let shown = at_once((0..1_000).map(of).collect(), VIEWER);
        assert_eq!((shown.len(), children(&shown, "c")), (1_000, 1_000));
        assert!(bytes(&shown) <= SHOWN_BYTES_MAX, "{}", bytes(&shown));
        assert_eq!(shown[0], of(500).to(VIEWER), "who says little comes first");
        assert!((100..200).contains(&children(&shown, "status")));
    }

    #[test]
    fn of_those_whose_addresses_alone_are_too_much_some_are_not_shown() {
        let long = "x".repeat(900);
        let of = |n: usize| match n {
            500 => show("garden@rooms.x/romeo", "romeo@x/orchard", PLAIN),
            n => show(&format!("{long}@rooms.x/{n}"), &format!("{long}@x/{long}"), ""),
        };
        let shown = at_once((0..1_000).map(of).collect(), VIEWER);
        assert!(shown.len() > 300 && bytes(&shown) <= SHOWN_BYTES_MAX, "{}", shown.len());
        assert_eq!(shown[0], of(500).to(VIEWER));
    }
}
