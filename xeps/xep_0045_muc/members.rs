//! The affiliations of a room (XEP-0045 §5.2), and the nicks that are reserved with them.

use super::{occupants::looks, rank::Affiliation, xep_0463_versions as versions};
use crate::xep_0492_notification_settings::{Mentions, Names};
use engine::{
    unit::{Change, KEY_BYTES_MAX},
    wire::*,
};
use std::collections::{BTreeMap, BTreeSet};

pub use engine::unit::AFFILIATIONS;

/// How many may be anything to a room.
const MEMBERS_MAX: usize = 100_000;
/// Of these, who are no outcasts: whoever registers is one of them (§7.10), and however many do,
/// the next can be banned (§9.1).
const OTHERS_MAX: usize = MEMBERS_MAX / 2;
/// In a room with more of them, what is said is news only to whom it is addressed, of those who are
/// not here; in tests so few that there are such rooms.
const NOTIFIED_MEMBERS_MAX: usize = if cfg!(test) { 8 } else { 1_000 };

/// What somebody is to a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub affiliation: Affiliation,
    /// Nobody else may be called so (§7.10).
    pub nick: Option<Text>,
    /// He has been here: what is said here is of interest to him. Nobody else can say so.
    pub has_come: bool,
    /// What he was called when he was here last: by that, others speak of him (XEP-0492).
    pub called: Option<Text>,
    /// Why (§9.2).
    pub reason: Option<Text>,
}

/// All that are anything to a room.
#[derive(Debug, Default)]
pub struct Members {
    by_address: BTreeMap<Bare, Member>,
    /// How the nicks look that are reserved, and whose each is.
    by_look: BTreeMap<String, BTreeSet<Bare>>,
    outcasts: usize,
    /// To how many what is said may be news.
    concerned: usize,
    /// What those are called to whom something may be news, when there are many.
    names: Option<Names>,
    bytes: usize,
    /// Of a part for each, in whichever order (XEP-0463).
    sum: u128,
}

impl Members {
    /// One that was kept; one that nobody can read is nothing.
    pub fn load(&mut self, key: &str, value: &[u8]) {
        let (Ok(who), Some(member)) = (Bare::parse(key), Member::load(value)) else { return };
        self.put(who, member);
    }

    /// What somebody is: by its address, else by its domain, which can only be an outcast (§9.2).
    pub fn of(&self, who: &Bare) -> Affiliation {
        if let Some(member) = self.by_address.get(who) {
            return member.affiliation;
        }
        let domain = Bare::host(who.domain()).ok();
        let domain = domain.and_then(|domain| self.by_address.get(&domain));
        let is_outcast = domain.is_some_and(|of| of.affiliation == Affiliation::Outcast);
        if is_outcast { Affiliation::Outcast } else { Affiliation::None }
    }

    /// What is kept of somebody.
    pub fn get(&self, who: &Bare) -> Option<&Member> {
        self.by_address.get(who)
    }

    /// Everybody who is this, by address.
    pub fn all(&self, affiliation: Affiliation) -> impl Iterator<Item = (&Bare, &Member)> {
        self.by_address.iter().filter(move |(_, member)| member.affiliation == affiliation)
    }

    /// Whether this nick, or one that looks like it, is kept for another.
    pub fn is_reserved(&self, nick: &str, who: &Bare) -> bool {
        let of = looks(nick);
        let mut alike = of.iter().filter_map(|look| self.by_look.get(look)).flatten();
        alike.any(|other| other != who)
    }

    /// All, by address.
    pub fn iter(&self) -> impl Iterator<Item = (&Bare, &Member)> {
        self.by_address.iter()
    }

    /// Whether there are so many that what is said is news only to whom it is addressed.
    pub fn are_many(&self) -> bool {
        self.concerned > NOTIFIED_MEMBERS_MAX
    }

    /// Those to whom what is said may be news, by address.
    pub fn concerned(&self) -> impl Iterator<Item = (&Bare, &Member)> {
        self.iter().filter(|(_, member)| member.is_concerned())
    }

    /// Those of many to whom a message is addressed, in the order of its words; some several times.
    pub fn mentioned<'a>(
        &'a self,
        mentions: &'a Mentions,
    ) -> impl Iterator<Item = (&'a Bare, &'a Member)> {
        let proposed = self.names.iter().flat_map(move |names| names.proposed(mentions));
        proposed.filter_map(move |(mention, who)| {
            let (who, member) = self.by_address.get_key_value(who)?;
            let addressee = mentions.addressee(member.name(who), who);
            (member.is_concerned() && mention.is_of(&addressee)).then_some((who, member))
        })
    }

    /// The same whenever everybody is the same to the room.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// About what they take, in bytes.
    pub fn weight(&self) -> usize {
        self.bytes + self.names.as_ref().map_or(0, Names::weight)
    }

    /// Whether this can be the address of somebody who is anything.
    ///
    /// # Errors
    /// An address that is too long to be kept.
    pub fn can_keep(who: &Bare) -> Result<(), StanzaError> {
        match who.as_str().len() > KEY_BYTES_MAX {
            true => Err(StanzaCondition::NotAcceptable.into()),
            false => Ok(()),
        }
    }

    /// Whether there are places for all of these to become that.
    ///
    /// # Errors
    /// `policy-violation`.
    pub fn have_room<'a>(
        &self,
        all: impl IntoIterator<Item = (&'a Bare, Affiliation)>,
    ) -> Result<(), StanzaError> {
        let (mut outcasts, mut others) = (0, 0);
        for (who, to) in all {
            let was = self.by_address.get(who).map(|member| member.affiliation);
            match (was, to) {
                (None, Affiliation::Outcast) => outcasts += 1,
                (None | Some(Affiliation::Outcast), to) if to > Affiliation::None => others += 1,
                _ => {}
            }
        }
        let (new, there) = (outcasts + others, self.by_address.len());
        let is_full = new > 0 && there + new > MEMBERS_MAX;
        match is_full || others > 0 && there - self.outcasts + others > OTHERS_MAX {
            true => Err(StanzaCondition::PolicyViolation.into()),
            false => Ok(()),
        }
    }

    /// Somebody becomes this; what is written for it.
    ///
    /// # Errors
    /// An address that is too long to be kept; `policy-violation` when there is no place.
    pub fn change(&mut self, room: &Bare, who: &Bare, to: Member) -> Result<Change, StanzaError> {
        Self::can_keep(who)?;
        self.have_room([(who, to.affiliation)])?;
        let key = who.as_str().to_owned();
        let change = match to.is_nothing() {
            true => Change::Cut(AFFILIATIONS, room.clone(), key),
            false => Change::Put(AFFILIATIONS, room.clone(), key, to.save()),
        };
        self.put(who.clone(), to);
        Ok(change)
    }

    fn put(&mut self, who: Bare, member: Member) {
        let bytes = |who: &Bare, member: &Member| {
            let texts = [&member.nick, &member.reason, &member.called];
            let texts = texts.into_iter().flatten().map(|text| text.len()).sum::<usize>();
            who.as_str().len() + texts + size_of::<(Bare, Member)>()
        };
        if let Some(old) = self.by_address.get(&who) {
            self.bytes -= bytes(&who, old);
            for look in old.nick.as_deref().map(looks).into_iter().flatten() {
                let theirs = self.by_look.get_mut(&look);
                if theirs.is_some_and(|all| all.remove(&who) && all.is_empty()) {
                    self.by_look.remove(&look);
                }
            }
            let names = self.names.as_mut().filter(|_| old.is_concerned());
            names.into_iter().for_each(|names| names.remove(old.name(&who), &who));
            self.sum = self.sum.wrapping_sub(versions::part(&who, old.affiliation));
            self.outcasts -= usize::from(old.affiliation == Affiliation::Outcast);
            self.concerned -= usize::from(old.is_concerned());
        }
        self.concerned += usize::from(member.is_concerned());
        let are_many = self.are_many();
        self.names.take_if(|_| !are_many);
        if member.is_nothing() {
            self.by_address.remove(&who);
            return;
        }
        self.outcasts += usize::from(member.affiliation == Affiliation::Outcast);
        self.bytes += bytes(&who, &member);
        for look in member.nick.as_deref().map(looks).into_iter().flatten() {
            self.by_look.entry(look).or_default().insert(who.clone());
        }
        let names = self.names.as_mut().filter(|_| member.is_concerned());
        names.into_iter().for_each(|names| names.insert(member.name(&who), &who));
        self.sum = self.sum.wrapping_add(versions::part(&who, member.affiliation));
        self.by_address.insert(who, member);
        if self.names.is_none() && are_many {
            let mut names = Names::default();
            self.concerned().for_each(|(who, member)| names.insert(member.name(who), who));
            self.names = Some(names);
        }
    }
}

impl Member {
    /// Whether what is said may be news to him: he belongs here, and has been.
    fn is_concerned(&self) -> bool {
        self.affiliation >= Affiliation::Member && self.has_come
    }

    /// By what others speak of him.
    pub fn name<'a>(&'a self, who: &'a Bare) -> &'a str {
        let nick = self.called.as_deref().or(self.nick.as_deref());
        nick.or(who.local()).unwrap_or_default()
    }

    fn is_nothing(&self) -> bool {
        self.affiliation == Affiliation::None
    }

    /// Four lines. A nick and a reason have no line feed in them: neither could a nick be an
    /// address, nor is a reason kept with one. Older programs wrote three.
    fn save(&self) -> Vec<u8> {
        let nick = self.nick.as_deref().unwrap_or_default();
        let reason = self.reason.as_deref().unwrap_or_default().replace(['\n', '\r'], " ");
        let called = self.called.as_deref().unwrap_or_default();
        let come = if self.has_come { " here" } else { "" };
        format!("{}{come}\n{nick}\n{reason}\n{called}", self.affiliation).into_bytes()
    }

    /// One that was kept; `None`: nobody can read it.
    pub fn load(value: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(value).ok()?.splitn(4, '\n');
        let first = lines.next()?;
        let (affiliation, has_come) = match first.strip_suffix(" here") {
            Some(affiliation) => (Affiliation::parse(affiliation)?, true),
            None => (Affiliation::parse(first)?, false),
        };
        let mut text = || lines.next().filter(|line| !line.is_empty()).map(Text::from);
        Some(Self { affiliation, has_come, nick: text(), reason: text(), called: text() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xep_0492_notification_settings::mentions as is_mentioned;
    use proptest::prelude::*;

    fn bare(jid: &str) -> Bare {
        Bare::parse(jid).unwrap()
    }

    fn member(affiliation: Affiliation) -> Member {
        Member { affiliation, ..Member::default() }
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_nothing_is_not_kept() {
        let room = bare("garden@rooms.x");
        let mut members = Members::default();
        let reason = Some(Text::from("Treason\nand more"));
        let (affiliation, called) = (Affiliation::Outcast, Some(Text::from("the earl")));
        let outcast = Member { affiliation, nick: None, has_come: true, reason, called };
        let change = members.change(&room, &bare("earl@x"), outcast).unwrap();
        let Change::Put(_, _, key, value) = change else { panic!("{change:?}") };
        let mut again = Members::default();
        again.load(&key, &value);
        let kept = again.get(&bare("earl@x")).unwrap();
        assert_eq!(kept.reason.as_deref(), Some("Treason and more"));
        assert_eq!((kept.affiliation, kept.nick.clone()), (Affiliation::Outcast, None));
        assert!(kept.has_come);
        assert_eq!(kept.called.as_deref(), Some("the earl"));
        let older = Member::load(b"member here\nknight\nvalour").unwrap();
        assert_eq!((older.reason.as_deref(), older.called), (Some("valour"), None));
        let change = members.change(&room, &bare("earl@x"), Member::default()).unwrap();
        assert!(matches!(change, Change::Cut(..)));
        assert_eq!((members.iter().count(), members.weight()), (0, 0));
        again.load("no address@", b"owner");
        again.load("a@b", b"king\n\n");
        again.load("a@b", &[0xff]);
        assert_eq!(again.iter().count(), 1);
    }

    #[test]
    fn the_store_knows_who_is_banned_by_how_it_begins() {
        for affiliation in Affiliation::ALL {
            let is_banned = member(affiliation).save().starts_with(engine::unit::OUTCAST);
            assert_eq!(is_banned, affiliation == Affiliation::Outcast, "{affiliation}");
        }
    }

    #[test]
    fn a_domain_can_be_cast_out_but_its_members_stay_section_9_2() {
        let room = bare("garden@rooms.x");
        let mut members = Members::default();
        let domain = Bare::host("x").unwrap();
        members.change(&room, &domain, member(Affiliation::Outcast)).unwrap();
        members.change(&room, &bare("juliet@x"), member(Affiliation::Member)).unwrap();
        assert_eq!(members.of(&bare("juliet@x")), Affiliation::Member);
        assert_eq!(members.of(&bare("romeo@x")), Affiliation::Outcast);
        assert_eq!(members.of(&bare("romeo@y")), Affiliation::None);
        members.change(&room, &domain, member(Affiliation::Owner)).unwrap();
        assert_eq!(members.of(&bare("romeo@x")), Affiliation::None, "a domain owns nothing");
    }

    #[test]
    fn however_many_register_the_next_can_be_banned_section_9_1() {
        let mut members = Members::default();
        let who = |n: usize| bare(&format!("u{n}@x"));
        let room = bare("garden@rooms.x");
        for n in 0..OTHERS_MAX {
            members.put(who(n), member(Affiliation::Member));
        }
        let mut becomes = |n, affiliation| {
            let changed = members.change(&room, &who(n), member(affiliation));
            changed.map(drop).map_err(|error| error.condition)
        };
        let full = Err(StanzaCondition::PolicyViolation);
        assert_eq!(becomes(OTHERS_MAX, Affiliation::Member), full);
        assert_eq!(becomes(OTHERS_MAX, Affiliation::Outcast), Ok(()));
        assert_eq!(becomes(OTHERS_MAX, Affiliation::Owner), full, "as much as if he were new");
        assert_eq!(becomes(0, Affiliation::Owner), Ok(()), "he has a place");
        assert_eq!(becomes(1, Affiliation::Outcast), Ok(()));
        assert_eq!(becomes(OTHERS_MAX + 1, Affiliation::Member), Ok(()), "that is free now");
        for n in OTHERS_MAX + 2..MEMBERS_MAX {
            assert_eq!(becomes(n, Affiliation::Outcast), Ok(()));
        }
        assert_eq!(becomes(MEMBERS_MAX, Affiliation::Outcast), full);
        assert_eq!(becomes(MEMBERS_MAX - 1, Affiliation::None), Ok(()));
        assert_eq!(becomes(MEMBERS_MAX, Affiliation::Outcast), Ok(()));
    }

    fn names() -> impl Strategy<Value = Option<Text>> {
        const NAMES: [&str; 6] = ["ann", "Ann Lee", "lee", "p1", "P2", "p2's"];
        prop::option::of(prop::sample::select(NAMES.to_vec()).prop_map(Text::from))
    }

    /// Who becomes what.
    fn becomes() -> impl Strategy<Value = (usize, Member)> {
        let affiliations = Affiliation::ALL.into_iter().chain([Affiliation::Member; 8]);
        let affiliations = prop::sample::select(affiliations.collect::<Vec<_>>());
        let member = (affiliations, names(), any::<bool>(), names());
        let member = member.prop_map(|(affiliation, nick, has_come, called)| Member {
            affiliation,
            nick,
            has_come,
            called,
            reason: None,
        });
        (0..NOTIFIED_MEMBERS_MAX + 4, member)
    }

    proptest! {
        #[test]
        fn of_many_those_are_found_of_whom_their_accounts_say_that_they_are_mentioned(
            deeds in prop::collection::vec(becomes(), 0..60),
            text in prop::sample::select(vec!["hark", "ANN lee!", "p1: p2's", "ann p2, lee"]),
        ) {
            let room = bare("garden@rooms.x");
            let xml = format!("<message from='{room}/romeo'><body>{text}</body></message>");
            let message = Stanza::parse_one(&xml).unwrap();
            let mentions = Mentions::of(&message);
            let (mut members, mut kept) = (Members::default(), BTreeMap::new());
            for (person, member) in deeds {
                let who = bare(&format!("p{person}@x"));
                match members.change(&room, &who, member).unwrap() {
                    Change::Put(_, _, key, value) => kept.insert(key, value),
                    Change::Cut(_, _, key) => kept.remove(&key),
                    other => panic!("{other:?}"),
                };
                let mut again = Members::default();
                kept.iter().for_each(|(key, value)| again.load(key, value));
                prop_assert_eq!(members.weight(), again.weight());
                prop_assert_eq!(members.names.is_some(), members.are_many());
                let found: BTreeSet<_> = members.mentioned(&mentions).map(|(who, _)| who).collect();
                let all = members.concerned().filter(|_| members.are_many());
                let all = all.filter(|(who, one)| is_mentioned(&message, one.name(who), who));
                let all: BTreeSet<_> = all.map(|(who, _)| who).collect();
                prop_assert_eq!(found, all);
            }
        }
    }
}
