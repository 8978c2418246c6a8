//! XEP-0492: Chat Notification Settings. <https://xmpp.org/extensions/xep-0492.html>
//!
//! Of which rooms somebody wants to be notified. A client says it with its bookmarks; those that it
//! keeps as private XML (XEP-0048, XEP-0049) are read here.

mod mentions;

use engine::{cells::Cells, hook::*, unit::Table, wire::*};

pub use mentions::{Mentions, Names};

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

/// Section 4: whether a message in a room is addressed to who is called so there.
pub fn mentions(message: &Stanza, nick: &str, who: &Bare) -> bool {
    let mentions = Mentions::of(message);
    mentions.are_of(&mentions.addressee(nick, who))
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
}
