//! Who loses a right while it acts (AT-41), and what is heard after one has been removed (AT-42):
//! what is told of the loss is told before nothing that it would have allowed.

use super::{
    FOUNDER, affiliate, codes, configure, enter, founded, give_role, item, leave, refusal, to,
};
use crate::stage_room::House;
use engine::{port::Fault, unit::Pos, wire::*};

const ROUNDS: usize = 10_000;
const NURSE: &str = "nurse@wax.example/chamber";
const JULIET: [&str; 3] =
    ["juliet@wax.example/balcony", "juliet@wax.example/phone", "juliet@far.example/tomb"];
const ROMEO: &str = "romeo@wax.example/orchard";

/// The same numbers every time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, number: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % number as u64).unwrap()
    }
}

fn full() -> House {
    let mut house = founded(&[("moderatedroom", "1")]);
    affiliate(&mut house, FOUNDER, NURSE, "admin");
    enter(&mut house, NURSE, "nurse");
    enter(&mut house, ROMEO, "romeo");
    enter(&mut house, JULIET[0], "juliet");
    enter(&mut house, JULIET[1], "juliet");
    enter(&mut house, JULIET[2], "capulet");
    for nick in ["juliet", "capulet"] {
        give_role(&mut house, FOUNDER, nick, "moderator");
    }
    house
}

/// What somebody does who may be losing the right to.
fn acts(house: &mut House, who: &str, dice: &mut Dice) -> Vec<Stanza> {
    let body = "<message type='groupchat'><body>I act</body></message>";
    match dice.below(5) {
        0 => house.says(who, body),
        1 => give_role(house, who, "romeo", "participant"),
        2 => give_role(house, who, "romeo", "visitor"),
        3 => affiliate(house, who, "paris@wax.example/x", "member"),
        _ => house.says(who, "<message type='groupchat'><subject>I act</subject></message>"),
    }
}

/// Whether it shows that somebody of this nick has acted.
fn is_act(heard: &Stanza, nick: &str) -> bool {
    let from = heard.head.from.as_ref().and_then(|from| from.resource());
    let is_his = heard.head.type_str() == "groupchat" && from == Some(nick);
    is_his || heard.to_text().contains(&format!("<actor nick='{nick}'/>"))
}

/// Everything that waits for the store happens; some of it does not.
fn flush(house: &mut House, dice: &mut Dice, refuses: bool) -> Vec<Stanza> {
    let mut heard = Vec::new();
    while house.waits() > 0 {
        let fails = refuses && dice.below(12) == 0;
        let outcome = if fails { Err(Fault::Refused("full".into())) } else { Ok(()) };
        heard.extend(house.goes_on(outcome));
    }
    heard
}

#[test]
fn at_41_nobody_acts_after_its_demotion_has_been_told() {
    let mut dice = Dice(0x4111);
    let (mut house, mut acted, mut lost) = (full(), 0, 0);
    for round in 0..ROUNDS {
        house.late = true;
        let mut heard = Vec::new();
        let demotes = dice.below(8);
        for turn in 0..8 {
            if turn == demotes {
                let heard_now = give_role(&mut house, FOUNDER, "juliet", "visitor");
                heard.extend(heard_now);
            } else {
                heard.extend(acts(&mut house, JULIET[dice.below(2)], &mut dice));
            }
            for _ in 0..dice.below(3) {
                heard.extend(house.goes_on(Ok(())));
            }
        }
        heard.extend(flush(&mut house, &mut dice, false));
        for witness in [FOUNDER, ROMEO, JULIET[0], JULIET[1]] {
            let heard = to(&heard, witness);
            let told = |one: &&&Stanza| {
                let from = one.head.from.as_ref().and_then(|from| from.resource());
                from == Some("juliet") && item(one, "role").as_deref() == Some("visitor")
            };
            let at = heard.iter().position(|one| told(&one)).unwrap_or_else(|| panic!("{round}"));
            let late = heard[at + 1..].iter().find(|one| is_act(one, "juliet"));
            assert!(late.is_none(), "{round}: {late:?}");
            acted += heard[..at].iter().filter(|one| is_act(one, "juliet")).count();
        }
        lost += heard.iter().filter(|one| one.head.type_str() == "error").count();
        house.late = false;
        give_role(&mut house, FOUNDER, "juliet", "moderator");
        if house.log.len() > 500 {
            house = full();
        }
    }
    assert!(acted > ROUNDS && lost > ROUNDS, "{acted} before, {lost} refused");
}

#[test]
fn at_41_who_is_banned_from_all_sessions_does_and_hears_nothing_after_that_was_told() {
    let mut dice = Dice(0x4112);
    for round in 0..ROUNDS / 10 {
        let mut house = full();
        house.late = true;
        let mut heard = Vec::new();
        let bans = dice.below(8);
        for turn in 0..8 {
            if turn == bans {
                let both = "<item jid='juliet@wax.example' affiliation='outcast'/>\
                    <item jid='far.example' affiliation='outcast'/>";
                heard.extend(super::admin(&mut house, FOUNDER, both));
            } else if dice.below(3) == 0 {
                heard.extend(super::say(&mut house, ROMEO, "hark"));
            } else {
                let who = JULIET[dice.below(3)];
                heard.extend(acts(&mut house, who, &mut dice));
            }
            for _ in 0..dice.below(3) {
                heard.extend(house.goes_on(Ok(())));
            }
        }
        heard.extend(flush(&mut house, &mut dice, false));
        for (who, nick) in JULIET.into_iter().zip(["juliet", "juliet", "capulet"]) {
            let own = to(&heard, who);
            let at = own.iter().position(|one| codes(one).contains(&301)).unwrap();
            let after = own[at + 1..].iter().find(|one| one.head.type_str() != "error");
            assert!(after.is_none(), "{round}: {who} hears {after:?}");
            let seen = to(&heard, FOUNDER);
            let gone = |one: &&Stanza| {
                let from = one.head.from.as_ref().and_then(|from| from.resource());
                from == Some(nick) && codes(one).contains(&301)
            };
            let at = seen.iter().position(gone).unwrap();
            assert!(!seen[at + 1..].iter().any(|one| is_act(one, nick)), "{round}: {who}");
            house.late = false;
            assert_eq!(refusal(&enter(&mut house, who, nick), who).as_deref(), Some("forbidden"));
            house.late = true;
        }
    }
}

#[test]
fn at_42_who_was_removed_reads_and_hears_nothing_more() {
    let archive = "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
    for how in ["ban", "members only"] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        super::say(&mut house, ROMEO, "before");
        match how {
            "ban" => drop(affiliate(&mut house, FOUNDER, ROMEO, "outcast")),
            _ => drop(configure(&mut house, FOUNDER, &[("membersonly", "1")])),
        }
        let heard = super::say(&mut house, FOUNDER, "after");
        assert!(to(&heard, ROMEO).is_empty(), "{how}");
        assert_eq!(
            refusal(&house.says(ROMEO, archive), ROMEO).as_deref(),
            Some("forbidden"),
            "{how}"
        );
        for list in ["member", "owner"] {
            let asked = format!(
                "<iq type='get' id='l'><query xmlns='http://jabber.org/protocol/muc#admin'>\
                 <item affiliation='{list}'/></query></iq>"
            );
            assert_eq!(refusal(&house.says(ROMEO, &asked), ROMEO).as_deref(), Some("forbidden"));
        }
    }
}

#[test]
fn at_42_who_was_removed_while_it_slept_is_told_what_was_said_before_that_and_no_more() {
    for how in ["kick", "ban"] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        super::say(&mut house, FOUNDER, "0");
        let last = house.last_heard(ROMEO);
        super::say(&mut house, FOUNDER, "1");
        super::say(&mut house, FOUNDER, "2");
        match how {
            "ban" => drop(affiliate(&mut house, FOUNDER, ROMEO, "outcast")),
            _ => drop(give_role(&mut house, FOUNDER, "romeo", "none")),
        }
        super::say(&mut house, FOUNDER, "3");
        let told = |heard: &[Stanza], who: &str| -> Vec<String> {
            let body =
                |one: &Stanza| one.child(Name::new(ns::CLIENT, "body")).map(|it| it.text().into());
            to(heard, who).into_iter().filter_map(body).collect()
        };
        assert_eq!(told(&house.asks_behind(ROMEO, last), ROMEO), ["1", "2"], "{how}");
        assert_eq!(told(&house.asks_behind(ROMEO, house.last_heard(ROMEO)), ROMEO), [""; 0]);
        assert_eq!(told(&house.asks_behind(NURSE, last), NURSE), [""; 0], "never was here");
        house.now = house.now.after(61_000);
        assert_eq!(told(&house.asks_behind(ROMEO, last), ROMEO), [""; 0], "too late");
    }
    let mut house = founded(&[]);
    enter(&mut house, ROMEO, "romeo");
    super::say(&mut house, FOUNDER, "1");
    leave(&mut house, ROMEO, "romeo");
    assert!(to(&house.asks_behind(ROMEO, Some(Pos::default())), ROMEO).is_empty(), "it left");
}

#[test]
fn what_the_store_refuses_nobody_is_told_and_who_asked_is_refused() {
    let mut dice = Dice(0x4113);
    for round in 0..300 {
        let mut house = full();
        house.late = true;
        for _ in 0..6 {
            let who = JULIET[dice.below(2)];
            acts(&mut house, who, &mut dice);
        }
        let heard = flush(&mut house, &mut dice, true);
        house.late = false;
        house.wakes();
        // Who was told that it is out, is; who was not, is in.
        for (who, nick) in [(FOUNDER, "founder"), (ROMEO, "romeo"), (JULIET[0], "juliet")] {
            let is_out = to(&heard, who).iter().any(|one| codes(one).contains(&333));
            let ping = format!(
                "<iq type='get' id='p' to='{}/{nick}'><ping xmlns='urn:xmpp:ping'/></iq>",
                house.jid
            );
            let refused = refusal(&house.says(who, &ping), who);
            assert_eq!(refused.is_some(), is_out, "{round}: {who} {refused:?}");
        }
    }
}

#[test]
fn at_41_a_right_that_is_not_written_yet_shows_no_address() {
    let shows = |heard: &[Stanza], to_whom: &str| {
        to(heard, to_whom).iter().any(|one| {
            let from = one.head.from.as_ref().and_then(|from| from.resource());
            from == Some("paris") && item(one, "jid").is_some()
        })
    };
    for right in ["moderator", "open"] {
        let mut house = founded(&[]);
        enter(&mut house, ROMEO, "romeo");
        house.late = true;
        enter(&mut house, "paris@wax.example/street", "paris");
        match right {
            "moderator" => drop(give_role(&mut house, FOUNDER, "romeo", "moderator")),
            _ => drop(configure(&mut house, FOUNDER, &[("whois", "anyone")])),
        }
        house.says(ROMEO, &format!("<presence to='{}/montague'/>", house.jid));
        let heard = house.goes_on(Ok(()));
        assert!(!to(&heard, ROMEO).is_empty(), "he hears that somebody came");
        assert!(!shows(&heard, ROMEO), "{right}: {heard:?}");
        let mut heard = Vec::new();
        while house.waits() > 0 {
            heard.extend(house.goes_on(Ok(())));
        }
        heard.extend(house.says(
            "paris@wax.example/street",
            &format!("<presence to='{}/paris'><show>away</show></presence>", house.jid),
        ));
        while house.waits() > 0 {
            heard.extend(house.goes_on(Ok(())));
        }
        assert!(shows(&heard, ROMEO), "{right}");
    }
}

#[test]
fn whatever_the_store_refuses_who_was_told_that_it_is_out_is_out_and_has_one_nick_at_most() {
    let mut dice = Dice(0x4114);
    let mut fallen = 0;
    for round in 0..1_000 {
        let mut house = full();
        let mut views: Vec<_> =
            [(ROMEO, Some("romeo")), (JULIET[0], Some("juliet")), (JULIET[2], Some("capulet"))]
                .map(|(who, nick)| (who, nick.map(String::from)))
                .into();
        house.late = true;
        let mut run = 0;
        for _ in 0..8 {
            let place = dice.below(views.len());
            let who = views[place].0;
            let nick = [["ann", "eve", "may"], ["bob", "guy", "sam"], ["tom", "joe", "kit"]];
            let nick = nick[place][dice.below(3)].to_owned();
            let room = house.jid.clone();
            let heard = match dice.below(5) {
                0 => {
                    let nick = views[place].1.take().unwrap_or(nick);
                    leave(&mut house, who, &nick)
                }
                1 => enter(&mut house, who, &nick),
                2 => house.says(who, &format!("<presence id='rename' to='{room}/{nick}'/>")),
                3 => give_role(&mut house, FOUNDER, &nick, "none"),
                _ => super::say(&mut house, who, "hark"),
            };
            see(&mut views, &heard);
            for _ in 0..dice.below(3) {
                run = if run > 0 { run - 1 } else { [0, 0, 0, 0, 0, 0, 3, 9][dice.below(8)] };
                let full = || Err(Fault::Refused("full".into()));
                let heard = house.goes_on(if run > 0 { full() } else { Ok(()) });
                see(&mut views, &heard);
            }
        }
        while house.waits() > 0 {
            run = if run > 0 { run - 1 } else { [0, 0, 0, 0, 0, 0, 3, 9][dice.below(8)] };
            let full = || Err(Fault::Refused("full".into()));
            let heard = house.goes_on(if run > 0 { full() } else { Ok(()) });
            see(&mut views, &heard);
        }
        house.late = false;
        let heard = house.restarts(&[]);
        see(&mut views, &heard);
        fallen += views.iter().filter(|(_, nick)| nick.is_none()).count();
        for (who, nick) in views {
            let seats = house.cells.iter().filter_map(|((table, _, key), value)| {
                let is_seat = *table == engine::unit::OCCUPANTS.name();
                crate::xep_0045_muc::occupants::load(key, value).filter(|_| is_seat)
            });
            let seats = seats.filter(|(.., seat)| seat.jid.as_str() == who);
            let seats: Vec<_> = seats.map(|(nick, ..)| nick.to_string()).collect();
            assert_eq!(seats, Vec::from_iter(nick), "{round}: {who}");
        }
    }
    assert!(fallen > 1_000, "{fallen}");
}

#[test]
fn what_was_said_before_somebody_came_in_is_not_told_them_after_a_restart() {
    let mut house = full();
    house.late = true;
    super::say(&mut house, NURSE, "before");
    let paris = "paris@wax.example/x";
    let join = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
    house.says(paris, &format!("<presence to='{}/paris'>{join}</presence>", house.jid));
    let heard = flush(&mut house, &mut Dice(1), false);
    house.late = false;
    let hears = |who: &str| to(&heard, who).iter().any(|one| one.to_text().contains("before"));
    assert!(hears(FOUNDER) && !hears(paris), "{heard:?}");
    super::say(&mut house, NURSE, "behind");
    house.forgets(paris);
    let heard = house.restarts(&[]);
    let said = to(&heard, paris);
    let said: Vec<_> = said.iter().filter(|one| one.kind() == Kind::Message).collect();
    let [again] = said[..] else { panic!("{said:?}") };
    assert!(again.to_text().contains("<body>behind</body>"), "{again:?}");
}

/// Wherever the process ends while somebody comes in, or says again that it does, and others speak.
#[test]
fn who_has_just_come_in_when_the_process_ends_hears_all_in_the_order_of_the_log() {
    for (was_in, was_away) in [(false, false), (true, false), (true, true)] {
        hears_in_order(was_in, was_away);
    }
}

fn hears_in_order(was_in: bool, was_away: bool) {
    let paris = "paris@wax.example/x";
    let bodies = |heard: &[Stanza]| -> Vec<_> {
        let body =
            |one: &Stanza| Some(one.child(Name::new(ns::CLIENT, "body"))?.text().into_owned());
        to(heard, paris).into_iter().filter_map(body).collect()
    };
    let join = |house: &mut House| {
        let none = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
        let join = format!("<presence to='{}/paris'>{none}</presence>", house.jid);
        house.says(paris, &join)
    };
    let mut live = 0;
    for done in 0..16 {
        let mut house = full();
        if was_in {
            join(&mut house);
        }
        if was_away {
            house.goes_away(paris);
            super::say(&mut house, NURSE, "0");
        }
        house.late = true;
        super::say(&mut house, NURSE, "1");
        if was_away {
            house.comes_back(paris);
        }
        super::say(&mut house, NURSE, "2");
        join(&mut house);
        super::say(&mut house, NURSE, "3");
        super::say(&mut house, NURSE, "4");
        let heard: Vec<_> = (0..done).flat_map(|_| house.goes_on(Ok(()))).collect();
        let mut told = bodies(&heard);
        live += usize::from(!told.is_empty());
        house.forgets(paris);
        house.late = false;
        for body in bodies(&house.restarts(&[])) {
            if !told.contains(&body) {
                told.push(body);
            }
        }
        let mut in_order = told.clone();
        in_order.sort();
        assert_eq!(told, in_order, "{was_in}, {was_away}, {done}");
    }
    assert!(live > 1, "{live}");
}

/// Its session was resumed as it was a second before: it had not come in then, and that its client
/// says again, before or after its account was asked whether it is there.
#[test]
fn who_had_only_come_in_when_the_process_ended_misses_nothing_when_it_says_so_again() {
    for is_asked in [false, true] {
        let mut house = full();
        let (room, paris) = (house.jid.clone(), "paris@wax.example/x");
        let join = |house: &mut House| {
            let none = "<history maxstanzas='0'/>";
            let join = format!("<x xmlns='http://jabber.org/protocol/muc'>{none}</x>");
            house.says(paris, &format!("<presence to='{room}/paris'>{join}</presence>"))
        };
        let bodies = |heard: &[Stanza]| -> Vec<_> {
            let body =
                |one: &Stanza| Some(one.child(Name::new(ns::CLIENT, "body"))?.text().into_owned());
            to(heard, paris).into_iter().filter_map(body).collect()
        };
        super::say(&mut house, NURSE, "before");
        join(&mut house);
        super::say(&mut house, NURSE, "1");
        let ends = |house: &mut House| {
            house.forgets(paris);
            match is_asked {
                true => house.is_not_in(paris),
                false => house.unread = Jid::parse(paris).ok(),
            }
            house.late = false;
            house.restarts(&[]);
        };
        ends(&mut house);
        super::say(&mut house, NURSE, "2");
        house.late = true;
        super::say(&mut house, NURSE, "3");
        join(&mut house);
        super::say(&mut house, NURSE, "4");
        let heard = flush(&mut house, &mut Dice(1), false);
        assert_eq!(bodies(&heard), ["1", "2", "3", "4"], "{is_asked}");
        // And so when the process ends once more.
        ends(&mut house);
        assert_eq!(bodies(&join(&mut house)), ["1", "2", "3", "4"], "{is_asked}");
        // Now it is known to be there: it begins anew.
        house.forgets(paris);
        assert_eq!(bodies(&join(&mut house)), [""; 0], "{is_asked}");
    }
}

fn bodies(heard: &[Stanza], who: &str) -> Vec<String> {
    let body = |one: &Stanza| Some(one.child(Name::new(ns::CLIENT, "body"))?.text().into_owned());
    to(heard, who).into_iter().filter_map(body).collect()
}

/// Comes in, without history.
fn come(house: &mut House, who: &str) -> Vec<Stanza> {
    let none = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
    let join = format!("<presence to='{}/paris'>{none}</presence>", house.jid);
    house.says(who, &join)
}

/// However much of it is written when the kick is decided.
#[test]
fn who_is_kicked_while_it_says_again_that_it_comes_in_has_heard_what_was_said_before() {
    let paris = "paris@wax.example/x";
    for done in 0..8 {
        let mut house = full();
        come(&mut house, paris);
        house.late = true;
        super::say(&mut house, NURSE, "1");
        come(&mut house, paris);
        super::say(&mut house, NURSE, "2");
        let mut heard: Vec<_> = (0..done).flat_map(|_| house.goes_on(Ok(()))).collect();
        heard.extend(super::give_role(&mut house, FOUNDER, "paris", "none"));
        super::say(&mut house, NURSE, "3");
        heard.extend(flush(&mut house, &mut Dice(1), false));
        assert_eq!(bodies(&heard, paris), ["1", "2"], "{done}");
        let is_out = |one: &&Stanza| codes(one).contains(&307) && codes(one).contains(&110);
        assert!(to(&heard, paris).iter().any(is_out), "{done}");
    }
}

/// It was refused: whatever was decided of it meanwhile, it is not told what others say.
#[test]
fn who_is_banned_before_its_coming_in_is_refused_by_the_store_hears_nothing_of_the_room() {
    let paris = "paris@far.example/x";
    let mut house = full();
    house.late = true;
    come(&mut house, paris);
    super::say(&mut house, NURSE, "1");
    super::affiliate(&mut house, FOUNDER, "paris@far.example", "outcast");
    let mut heard = house.goes_on(Err(Fault::Refused("full".into())));
    assert_eq!(refusal(&heard, paris).as_deref(), Some("internal-server-error"));
    heard.extend(flush(&mut house, &mut Dice(1), false));
    assert_eq!(bodies(&heard, paris), [""; 0]);
}

/// However much of that it comes in is written when it loses its stream, and when it is back.
#[test]
fn who_says_again_that_it_comes_in_before_it_was_told_what_it_missed_is_told_it() {
    let paris = "paris@wax.example/x";
    for (away, back) in (0..6).flat_map(|away| (0..6).map(move |back| (away, back))) {
        let mut house = full();
        house.late = true;
        let mut heard = come(&mut house, paris);
        heard.extend((0..away).flat_map(|_| house.goes_on(Ok(()))));
        house.goes_away(paris);
        super::say(&mut house, NURSE, "1");
        heard.extend((0..back).flat_map(|_| house.goes_on(Ok(()))));
        heard.extend(house.comes_back(paris));
        super::say(&mut house, NURSE, "2");
        heard.extend(come(&mut house, paris));
        super::say(&mut house, NURSE, "3");
        heard.extend(flush(&mut house, &mut Dice(1), false));
        assert_eq!(bodies(&heard, paris), ["1", "2", "3"], "{away}, {back}");
    }
}

/// What each knows of where it sits.
fn see(views: &mut [(&str, Option<String>)], heard: &[Stanza]) {
    for one in heard.iter().filter(|one| one.kind() == Kind::Presence) {
        let to = one.head.to.as_ref().map(Jid::as_str);
        let Some((_, view)) = views.iter_mut().find(|(who, _)| Some(*who) == to) else { continue };
        let nick = one.head.from.as_ref().and_then(|from| from.resource()).map(String::from);
        match one.head.type_str() {
            "" if codes(one).contains(&110) => *view = nick,
            "unavailable" if codes(one).contains(&110) && !codes(one).contains(&303) => {
                *view = None;
            }
            "error" if one.head.id.is_none() => *view = None,
            _ => {}
        }
    }
}
