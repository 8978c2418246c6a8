//! More is sent to a client than is kept until it has acknowledged it (XEP-0198 §5): until then its
//! session cannot be resumed, and the store has nothing of it.

use super::{lasting::*, *};
use crate::{parcel::Claim, unacked::UNACKED_STANZAS_MAX};

const ACK: Name = Name::new("toy", "a");
/// Streams that begin with `begin` can be lost, and acknowledge what they have got.
const ACKS: Xep = Xep {
    number: 9993,
    name: "Acks",
    version: "1",
    status: Status::Partial("tests"),
    hooks: &[LASTS, COUNTS, RESUMES, Hook::Nonza(ACK, acks)],
};

fn acks(ack: Element<'_>, session: &mut Session, _: &Ctx<'_>) -> Result<Vec<Spoken>, StreamError> {
    let h = ack.text().parse().unwrap();
    session.managed.as_mut().unwrap().ack(h).unwrap();
    Ok(Vec::new())
}

struct Stage {
    world: World,
    juliet: Link,
    romeo: Link,
    /// So many he has got.
    got: u32,
}

impl Stage {
    /// Romeo's stream can be left for another, and the store has it.
    fn set() -> Self {
        let mut world = World::of(&[&ACKS]);
        let juliet = world.online(JULIET, 1);
        let (jid, romeo) = (Jid::parse(ROMEO).unwrap(), Link { node: Node(1), number: 9 });
        let (resource, inline) = (jid.resource().map(Text::from), vec![Draft::new(BEGIN).finish()]);
        let bind = Said::Bind { resource, since: 1, device: None, inline, reads: false };
        world.feed(Input::Parcel(Parcel::FromSocket(jid.bare(), romeo, bind)));
        world.says(romeo, ROMEO, "<presence/>");
        world.said.clear();
        let mut stage = Self { world, juliet, romeo, got: 0 };
        stage.acks(1);
        assert_eq!(stage.notes(), ["row"]);
        stage.world.commits = false;
        stage
    }

    /// He is sent so many requests, that no log has.
    fn asks(&mut self, many: usize) {
        for id in 0..many {
            let asks = format!("<iq type='get' id='{id}' to='{ROMEO}'><q xmlns='q'/></iq>");
            self.world.says(self.juliet, JULIET, &asks);
        }
    }

    /// One more than is kept; he acknowledges one of them, and the second passes.
    fn overruns(&mut self) {
        self.asks(UNACKED_STANZAS_MAX + 1);
        assert!(!self.session().managed.as_ref().unwrap().can_be_resumed());
        self.acks(1);
    }

    /// He has got so many more.
    fn acks(&mut self, more: usize) {
        self.got += more as u32;
        let ack = Said::Nonza(Draft::new(ACK).text(self.got.to_string()).finish());
        let romeo = Bare::parse("romeo@x").unwrap();
        self.world.feed(Input::Parcel(Parcel::FromSocket(romeo, self.romeo, ack)));
    }

    /// What the store is told of his session when a second has passed, before it has done it.
    fn notes(&mut self) -> Vec<&'static str> {
        let commits = std::mem::replace(&mut self.world.commits, false);
        self.world.now += 1_000;
        self.world.feed(Input::Tick);
        let changes = self.world.held.iter().flat_map(|(_, _, unit, _)| &unit.changes);
        let notes = changes.filter_map(|change| match change {
            Change::Session(..) => Some("row"),
            Change::Unsession(..) => Some("none"),
            _ => None,
        });
        let notes = notes.collect();
        self.world.commits = commits;
        if commits {
            self.world.feed_commits();
        }
        notes
    }

    /// The count in the row that the store is told, and was not before.
    fn row(&self) -> i64 {
        let changes = self.world.held.iter().flat_map(|(_, _, unit, _)| &unit.changes);
        let rows = changes.filter_map(|change| match change {
            Change::Session(_, row) => Some(row.h),
            _ => None,
        });
        rows.last().expect("a row")
    }

    fn session(&self) -> &Session {
        &self.world.account("romeo@x").sessions[0]
    }

    /// The count that his client would be told now.
    fn h(&self) -> i64 {
        self.session().h_told().unwrap().into()
    }

    /// He loses his stream and comes back by another; what he hears.
    fn comes_back(&mut self, number: u64) -> Vec<String> {
        self.world.leaves(self.romeo, ROMEO);
        self.romeo = Link { node: Node(1), number };
        let claim = Claim { id: "id".into(), h: self.got };
        let resume = Said::Resume { claim, since: 1, device: None };
        let romeo = Bare::parse("romeo@x").unwrap();
        self.world.feed(Input::Parcel(Parcel::FromSocket(romeo, self.romeo, resume)));
        self.world.feed_commits();
        self.world.heard(self.romeo)
    }

    /// The same; whether he gets his session.
    fn is_resumed(&mut self, number: u64) -> bool {
        self.comes_back(number)[0].contains("resumed")
    }
}

#[test]
fn who_has_acknowledged_what_was_too_much_can_come_back_and_before_cannot_xep_0198_5() {
    let mut stage = Stage::set();
    stage.overruns();
    assert_eq!(stage.notes(), ["none"]);
    stage.world.feed_commits();
    stage.acks(UNACKED_STANZAS_MAX);
    assert_eq!(stage.notes(), ["row"]);
    stage.world.feed_commits();
    stage.asks(1);
    assert!(stage.is_resumed(10));
    stage.overruns();
    assert!(!stage.is_resumed(11));
}

#[test]
fn who_acknowledges_it_before_the_store_is_told_is_never_forgotten() {
    let mut stage = Stage::set();
    stage.overruns();
    stage.acks(UNACKED_STANZAS_MAX);
    assert_eq!(stage.notes(), ["row"]);
}

/// While the store had nothing of it, all that it had said was acknowledged: it is told no less
/// afterwards, also when it comes back after a kill to the row that is written then.
#[test]
fn a_count_that_was_told_meanwhile_is_never_less_xep_0198_4() {
    let mut stage = Stage::set();
    stage.overruns();
    assert_eq!(stage.notes(), ["none"]);
    for _ in 0..5 {
        stage.world.says(stage.romeo, ROMEO, "<message to='x' type='error'/>");
    }
    assert_eq!(stage.h(), 1, "after a kill it may be told no more, as long as there is a row");
    stage.world.feed_commits();
    assert_eq!(stage.h(), 6);
    stage.acks(UNACKED_STANZAS_MAX);
    assert_eq!((stage.h(), stage.row()), (6, 6));
}

/// A row that was to be forgotten is written again, and the store does both in this order.
#[test]
fn what_the_store_has_of_a_session_is_known_however_late_it_is() {
    let mut stage = Stage::set();
    stage.overruns();
    assert_eq!(stage.notes(), ["none"]);
    stage.acks(UNACKED_STANZAS_MAX);
    assert_eq!(stage.notes(), ["none", "row"]);
    stage.overruns();
    assert_eq!(stage.notes(), ["none", "row", "none"]);
    stage.world.says(stage.romeo, ROMEO, "<message to='x' type='error'/>");
    for told in [1, 1, 2] {
        stage.world.commit();
        assert_eq!(stage.h(), told, "as long as it may come back to a row, only what that has");
    }
    stage.acks(UNACKED_STANZAS_MAX);
    stage.world.feed_commits();
    stage.world.says(stage.romeo, ROMEO, "<message to='x' type='error'/>");
    assert_eq!(stage.h(), 2, "there is a row again");
}

/// What could not be written is tried once more; meanwhile it has changed.
#[test]
fn a_session_that_can_be_resumed_again_is_not_forgotten_late() {
    let mut stage = Stage::set();
    stage.overruns();
    assert_eq!(stage.notes(), ["none"]);
    stage.acks(UNACKED_STANZAS_MAX);
    stage.world.fail();
    assert_eq!(stage.notes(), ["row"]);
    stage.world.feed_commits();
    assert!(stage.is_resumed(10));
}

/// Nobody can end a session by what anybody may send it while it has no stream.
#[test]
fn what_there_is_no_room_for_while_there_is_no_stream_is_refused_and_the_session_goes_on() {
    let mut stage = Stage::set();
    stage.world.commits = true;
    stage.world.leaves(stage.romeo, ROMEO);
    stage.asks(UNACKED_STANZAS_MAX);
    assert_eq!(stage.world.heard(stage.juliet), [""; 0]);
    let typing = format!("<message type='chat' to='{ROMEO}'><composing xmlns='c'/></message>");
    stage.world.says(stage.juliet, JULIET, &typing);
    stage.asks(1);
    let refused = stage.world.heard(stage.juliet);
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|xml| xml.contains("resource-constraint")), "{refused:?}");
    let headline = "<message type='headline' to='romeo@x'><q xmlns='q'/></message>";
    stage.world.says(stage.juliet, JULIET, headline);
    assert_eq!(stage.world.heard(stage.juliet), [""; 0]);
    let heard = stage.comes_back(10);
    assert!(heard[0].contains("resumed"));
    assert_eq!(heard.len(), 1 + UNACKED_STANZAS_MAX);
}

/// That it lacks them it would never know.
#[test]
fn with_more_answers_than_there_is_room_for_a_session_without_a_stream_ends() {
    let mut stage = Stage::set();
    stage.world.commits = true;
    stage.world.leaves(stage.romeo, ROMEO);
    stage.asks(UNACKED_STANZAS_MAX);
    stage.world.says(stage.juliet, JULIET, &format!("<iq type='result' id='1' to='{ROMEO}'/>"));
    // Who asked is told that nobody answers.
    assert_eq!(stage.world.heard(stage.juliet).len(), UNACKED_STANZAS_MAX);
    assert!(!stage.is_resumed(10));
}
