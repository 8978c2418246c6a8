//! What a room shows of an occupant (XEP-0045 §7.2.2): one presence, in as many forms as there are
//! kinds of people who see it.

use super::{
    names::{ACTOR, ITEM, REASON, STATUS, X, status},
    occupants::{Occupant, Occupants, Seat, SeenBy},
    rank::{Affiliation, Role},
    xep_0463_versions::Versions,
};
use engine::wire::*;

/// Presence of an occupant, for everybody in the room.
#[derive(Clone, Debug)]
pub struct Show {
    /// The occupant's address.
    pub from: Jid,
    /// What its own client said: the children that are for everybody.
    pub shown: Stanza,
    /// Whether it is there no longer, under this nick.
    pub is_gone: bool,
    pub affiliation: Affiliation,
    pub role: Role,
    /// Its real address, for who may see it.
    pub jid: Jid,
    /// Whose presence it is: they are told so.
    pub own: Vec<Jid>,
    /// What else is said in the item.
    pub word: Word,
    /// What everybody is told of it.
    pub statuses: Vec<u16>,
    /// What they alone are told whose it is.
    pub own_statuses: Vec<u16>,
    /// Who is told.
    pub audience: Audience,
    /// Who of them sees it.
    pub seen: SeenBy,
    /// Of a room that is no more (§10.9).
    pub destroyed: Option<Payload>,
    /// Those that it wears, while it is there (XEP-0317).
    pub hats: Option<Payload>,
    /// The id that is its own in this room (XEP-0421).
    pub id: Payload,
    /// The stanza of the occupant that it answers, if it said which (§7.2.2).
    pub stanza_id: Option<Text>,
}

/// Who of a room is told, of those who see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    #[default]
    Everybody,
    /// Those alone whose presence it is.
    Own,
    /// All but those.
    Others,
}

/// What an item says besides.
#[derive(Clone, Debug, Default)]
pub struct Word {
    /// The nick that it has from now on (§7.6).
    pub nick: Option<Text>,
    /// Who did it: an occupant's nick.
    pub actor: Option<Text>,
    /// Why.
    pub reason: Option<Text>,
    /// Of all affiliations, before it and behind it (XEP-0463).
    pub versions: Option<Versions>,
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub sees_address: bool,
    pub is_own: bool,
    pub wants_versions: bool,
}

impl Show {
    /// As this one sees it, for nobody yet.
    pub fn to(&self, viewer: Viewer) -> Stanza {
        let mut stanza = self.shown.clone();
        let mut head = Head::new(Kind::Presence).with_from(self.from.clone());
        if self.is_gone {
            head = head.with_type("unavailable");
        }
        head.lang.clone_from(&self.shown.head.lang);
        if viewer.is_own {
            head.id.clone_from(&self.stanza_id);
        }
        stanza.head = head.into();
        let stanza = stanza.with(self.id.clone()).with(self.x(viewer).finish());
        let hats = self.hats.iter().filter(|_| !self.is_gone);
        hats.fold(stanza, |stanza, hats| stanza.with(hats.clone()))
    }

    fn x(&self, viewer: Viewer) -> Draft {
        let item = Draft::new(ITEM)
            .attribute("affiliation", self.affiliation.as_str())
            .attribute("role", self.role.as_str());
        let item = match viewer.sees_address || viewer.is_own {
            true => item.attribute("jid", self.jid.as_str()),
            false => item,
        };
        let item = self.word.write(item);
        let own = [status::SELF];
        let (own, own_statuses) = match viewer.is_own {
            true => (&own[..], &self.own_statuses[..]),
            false => (&[][..], &[][..]),
        };
        let codes = self.statuses.iter().chain(own_statuses).chain(own);
        let codes = codes.map(|code| Draft::new(STATUS).attribute("code", code.to_string()));
        let x = match self.versions(viewer) {
            Some(versions) => Draft::new(X).child(versions.draft()),
            None => Draft::new(X),
        };
        let x = codes.fold(x.child(item), Draft::child);
        self.destroyed.iter().fold(x, |x, destroyed| x.payload(destroyed))
    }

    /// Without a change before it, the version is for who has just come (XEP-0463 §5.2.1).
    fn versions(&self, viewer: Viewer) -> Option<&Versions> {
        let versions = self.word.versions.as_ref().filter(|_| viewer.wants_versions);
        versions.filter(|versions| viewer.is_own || versions.since.is_some())
    }

    /// Whether a session that sits is told.
    pub fn is_seen_by(&self, seat: &Seat) -> bool {
        match self.own.contains(&seat.jid) {
            true => self.audience != Audience::Others,
            false => self.audience != Audience::Own && seat.sees(self.seen),
        }
    }

    /// Everybody who sees it, as they see it; `sees` says of an occupant whether it sees addresses.
    pub fn to_all(
        &self,
        occupants: &Occupants,
        seated: u64,
        sees: impl Fn(&Occupant) -> bool,
    ) -> Vec<Stanza> {
        let mut forms: [Option<Stanza>; 8] = Default::default();
        let wants_versions = |to: &Jid| {
            let seat = occupants.by(to).and_then(|(_, occupant)| occupant.seat(to));
            seat.is_some_and(|seat| seat.wants_versions)
        };
        let mut form = |to: &Jid, sees_address: bool| {
            // Few are told versions: of nothing else they see another form.
            let wants_versions = self.word.versions.is_some() && wants_versions(to);
            let viewer = Viewer { sees_address, is_own: self.own.contains(to), wants_versions };
            let place = usize::from(viewer.sees_address) + 2 * usize::from(viewer.is_own);
            let place = place + 4 * usize::from(viewer.wants_versions);
            let form = forms[place].get_or_insert_with(|| self.to(viewer).settled());
            addressed(form, to)
        };
        let (mut others, mut own) = (Vec::new(), Vec::new());
        if self.audience != Audience::Own {
            for (_, occupant) in occupants.iter() {
                let sees_it = |seat: &&Seat| seat.since <= seated && seat.sees(self.seen);
                let sat = occupant.seats.iter().filter(sees_it);
                let sat = sat.filter(|seat| !self.own.contains(&seat.jid));
                others.extend(sat.map(|Seat { jid, .. }| form(jid, sees(occupant))));
            }
        }
        if self.audience != Audience::Others {
            // Be it that they have left since: of that they hear behind this.
            own.extend(self.own.iter().map(|jid| form(jid, false)));
        }
        // Who comes hears of itself last (§7.2.2), who goes first (§7.14, §8.2). Who only changes
        // its nick does not go: when it hears of that, the others have.
        let goes = self.is_gone && self.word.nick.is_none();
        let (mut first, then) = if goes { (own, others) } else { (others, own) };
        first.extend(then);
        first
    }
}

impl Word {
    fn write(&self, item: Draft) -> Draft {
        let item = match &self.nick {
            Some(nick) => item.attribute("nick", nick),
            None => item,
        };
        let item = match &self.actor {
            Some(actor) => item.child(Draft::new(ACTOR).attribute("nick", actor)),
            None => item,
        };
        match &self.reason {
            Some(reason) => item.child(Draft::new(REASON).text(reason)),
            None => item,
        }
    }
}

/// The same stanza for somebody.
pub fn addressed(stanza: &Stanza, to: &Jid) -> Stanza {
    let mut addressed = stanza.clone();
    addressed.head.to = Some(to.clone());
    addressed
}
