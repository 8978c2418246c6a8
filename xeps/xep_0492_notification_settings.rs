//! XEP-0492: Chat Notification Settings. <https://xmpp.org/extensions/xep-0492.html>
//!
//! Of which rooms somebody wants to be notified. A client says it with its bookmarks; those that it
//! keeps as private XML (XEP-0048, XEP-0049) are read here.

use engine::{cells::Cells, hook::*, unit::Table, wire::*};

/// What somebody is notified of.
pub const XEP: Xep = Xep {
    number: 492,
    name: "Chat Notification Settings",
    version: "0.2.0",
    status: Status::Partial("read from bookmarks in private XML; of PEP there are none yet"),
    hooks: &[],
};

const NS: &str = "urn:xmpp:notification-settings:1";
const NOTIFY: Name = Name::new(NS, "notify");
/// Of an account.
pub const SETTINGS: Table = Table::named("notification settings");
/// A line for each room of which its owner has chosen: what, and the room.
pub const ROOMS: &str = "rooms";

/// Rooms of one account that are remembered.
const ROOMS_MAX: usize = 1_000;

/// What of a conversation somebody wants to be notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All.
    Always,
    /// What is addressed to its reader.
    OnMention,
    /// Nothing.
    Never,
}

impl Choice {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Always, "always"), (Self::OnMention, "on-mention"), (Self::Never, "never")];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, it)| *it == name).map(|(choice, _)| *choice)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(choice, _)| *choice == self).map_or("", |(_, name)| name)
    }
}

/// Section 4: who has chosen nothing is notified of all that is said among members, and elsewhere
/// of what is addressed to them.
pub fn of_room(cells: &Cells, room: &Bare, is_private: bool) -> Choice {
    let kept = cells.get(SETTINGS, ROOMS).and_then(|kept| std::str::from_utf8(kept).ok());
    let mut chosen = kept.unwrap_or_default().lines().filter_map(|line| line.split_once(' '));
    let chosen = chosen.find(|(_, of)| *of == room.as_str());
    let otherwise = if is_private { Choice::Always } else { Choice::OnMention };
    chosen.and_then(|(choice, _)| Choice::parse(choice)).unwrap_or(otherwise)
}

/// What of these bookmarks (XEP-0048 §3.1) is kept.
pub fn in_bookmarks(bookmarks: Element<'_>) -> String {
    let rooms = bookmarks.children().filter(|child| child.local() == "conference");
    let lines = rooms.filter_map(|room| {
        let jid = Jid::parse(&room.attribute("jid")?).ok()?.bare();
        let inner = room.children().flat_map(Element::children);
        let notify = room.children().chain(inner).find(|child| child.is(NOTIFY))?;
        Some(format!("{} {jid}\n", chosen(notify)?.name()))
    });
    lines.take(ROOMS_MAX).collect()
}

/// Section 3: that of phones, which are what is notified; else that of clients, or of everything.
fn chosen(notify: Element<'_>) -> Option<Choice> {
    let rank = |one: &Element<'_>| {
        let is = |name, wanted| one.attribute(name).map(|value| value == wanted);
        match (is("identity-category", "client"), is("identity-type", "phone")) {
            (Some(true), Some(true)) => Some(3),
            (Some(true), None) => Some(2),
            (None, None) => Some(1),
            _ => None,
        }
    };
    let known = notify.children().filter(|one| one.ns() == NS);
    let ranked = known.filter_map(|one| Some((rank(&one)?, Choice::parse(one.local())?)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, choice)| choice)
}

const BODY: Name = Name::new(ns::CLIENT, "body");
const REFERENCE: Name = Name::new("urn:xmpp:reference:0", "reference");
const REPLY: Name = Name::new("urn:xmpp:reply:0", "reply");

/// Section 4: whether a message in a room is addressed to who is called so there: by a mention
/// (XEP-0372), as a reply (XEP-0461), or by name.
pub fn mentions(message: &Stanza, nick: &str, who: &Bare) -> bool {
    let room = message.head.from.as_ref().map(Jid::bare);
    let own = room.and_then(|room| room.with_resource(nick).ok());
    let is_own = |address: &str| {
        let address = Jid::parse(address).ok();
        address.is_some_and(|address| {
            Some(&address) == own.as_ref() || address == Jid::from(who.clone())
        })
    };
    message.children().any(|child| {
        let points = |name, strip| {
            child.attribute(name).is_some_and(|to: std::borrow::Cow<'_, str>| {
                is_own(to.strip_prefix(strip).unwrap_or(&to))
            })
        };
        child.is(REFERENCE) && points("uri", "xmpp:")
            || child.is(REPLY) && points("to", "")
            || child.is(BODY) && names(&child.text(), nick)
    })
}

/// Whether a name stands in a text, as a word of its own.
fn names(text: &str, nick: &str) -> bool {
    let (text, nick) = (text.to_lowercase(), nick.to_lowercase());
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !nick.is_empty()
        && text.match_indices(&nick).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + nick.len()..).and_then(|after| after.chars().next());
            !is_word(before) && !is_word(after)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookmarks(notify: &str) -> String {
        let xml = format!(
            "<iq><storage xmlns='storage:bookmarks'><url url='x'/><conference jid='a@rooms.x'/>\
             <conference jid='b@rooms.x'>{notify}</conference></storage></iq>"
        );
        let iq = Stanza::parse_one(&xml).unwrap();
        in_bookmarks(iq.children().next().unwrap())
    }

    #[test]
    fn the_most_specific_counts_section_3() {
        let notify = |inner: &str| format!("<notify xmlns='{NS}'>{inner}</notify>");
        assert_eq!(bookmarks(&notify("<never/>")), "never b@rooms.x\n");
        let phone = "<on-mention identity-category='client' identity-type='phone'/>";
        let pc = "<always identity-category='client' identity-type='pc'/>";
        let all = notify(&format!("<never/>{phone}{pc}"));
        assert_eq!(bookmarks(&all), "on-mention b@rooms.x\n");
        let wrapped = format!("<extensions xmlns='urn:xmpp:bookmarks:1'>{all}</extensions>");
        assert_eq!(bookmarks(&wrapped), "on-mention b@rooms.x\n");
        for nothing in ["", &notify(""), &notify(pc), &notify("<sometimes/>"), "<notify/>"] {
            assert_eq!(bookmarks(nothing), "", "{nothing}");
        }
    }

    #[test]
    fn who_has_chosen_nothing_is_told_of_private_rooms_section_4() {
        let room = |name: &str| Bare::parse(name).unwrap();
        let mut cells = Cells::default();
        assert_eq!(of_room(&cells, &room("a@rooms.x"), true), Choice::Always);
        assert_eq!(of_room(&cells, &room("a@rooms.x"), false), Choice::OnMention);
        let kept = "never a@rooms.x\nalways b@rooms.x\n".as_bytes().to_vec();
        cells = Cells::load(vec![(SETTINGS.name().into(), ROOMS.into(), kept)]);
        assert_eq!(of_room(&cells, &room("a@rooms.x"), true), Choice::Never);
        assert_eq!(of_room(&cells, &room("b@rooms.x"), false), Choice::Always);
    }

    #[test]
    fn a_message_is_addressed_by_name_mention_or_reply_section_4() {
        let who = Bare::parse("juliet@x").unwrap();
        let says = |inner: &str| {
            let xml = format!("<message from='garden@rooms.x/romeo'>{inner}</message>");
            mentions(&Stanza::parse_one(&xml).unwrap(), "Juliet", &who)
        };
        for inner in [
            "<body>juliet: hark</body>",
            "<body>O JULIET!</body>",
            "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:juliet@x'/>",
            "<reference xmlns='urn:xmpp:reference:0' uri='xmpp:garden@rooms.x/Juliet'/>",
            "<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='1' to='garden@rooms.x/Juliet'/>",
        ] {
            assert!(says(inner), "{inner}");
        }
        for inner in [
            "<body>Juliets</body>",
            "<body>hark</body>",
            "<subject>Juliet</subject>",
            "<reply xmlns='urn:xmpp:reply:0' id='1' to='garden@rooms.x/Romeo'/>",
        ] {
            assert!(!says(inner), "{inner}");
        }
        assert!(!names("", "") && names("ẞ Zoë.", "zoë"));
    }
}
