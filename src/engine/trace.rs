//! Where the last messages of an account went, and why: for its operator, who is asked "where is
//! my message?". In memory only.

use crate::{
    ctx::{Ctx, date_time},
    passage::{Passage, Walk},
    unit::Pos,
};
use std::{collections::VecDeque, fmt};
use wire::{Jid, Kind, Name, Stanza, ns};

const BODY: Name = Name::new(ns::CLIENT, "body");

/// Messages of one account that are traced.
pub const TRACED_MESSAGES_MAX: usize = 10;
/// What is told of one of them.
pub const TRACED_STEPS_MAX: usize = 24;
/// Of an id, in characters: enough to find it.
const TRACED_ID_CHARS_MAX: usize = 64;
/// About what a step takes in memory, in bytes.
const STEP_BYTES: usize = 64;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is in the log, there.
    Stored(Pos),
    /// It waits for a resource that comes.
    Waits,
    /// It was written to this resource.
    Delivered(Jid),
    /// A copy of it was.
    Copied(Jid),
    /// This resource has acknowledged it.
    Acknowledged(String),
    /// No resource took it.
    Missed,
    /// Somebody was told that it is there.
    Notified(String),
    /// Somebody was not told, and why.
    Spared(String, &'static str),
    /// Who was told has answered so.
    Answered(String, String),
}

impl Step {
    /// What is counted of all accounts; nothing of what every message does.
    fn fate(&self) -> Option<&'static str> {
        match self {
            Self::Stored(_) | Self::Delivered(_) | Self::Copied(_) | Self::Acknowledged(_) => None,
            Self::Waits => Some("waits"),
            Self::Missed => Some("missed"),
            Self::Notified(_) => Some("notified"),
            Self::Spared(..) => Some("spared"),
            Self::Answered(_, answer) if answer == "result" => Some("answered"),
            Self::Answered(..) => Some("refused"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(Pos(place)) => write!(f, "stored at {place}"),
            Self::Waits => f.write_str("waits for who comes"),
            Self::Delivered(to) => write!(f, "delivered to {}", resource(to)),
            Self::Copied(to) => write!(f, "copied to {}", resource(to)),
            Self::Acknowledged(by) => write!(f, "acknowledged by {by}"),
            Self::Missed => f.write_str("taken by nobody"),
            Self::Notified(whom) => write!(f, "pushed to {whom}"),
            Self::Spared(whom, why) => write!(f, "not pushed to {whom}: {why}"),
            Self::Answered(whom, answer) => write!(f, "{whom} answered {answer}"),
        }
    }
}

/// The last messages of one account.
#[derive(Debug, Default)]
pub struct Trace {
    messages: VecDeque<Traced>,
    begun: u64,
    fates: Vec<&'static str>,
}

#[derive(Debug)]
struct Traced {
    number: u64,
    unix_ms: u64,
    walk: Walk,
    peer: Option<Jid>,
    id: String,
    steps: Vec<(u64, Step)>,
}

impl Trace {
    /// One more message, and the oldest is forgotten. Its number.
    pub(crate) fn begin(&mut self, walk: Walk, message: &Stanza, unix_ms: u64) -> u64 {
        let is_full = self.messages.len() == TRACED_MESSAGES_MAX;
        let oldest = is_full.then(|| self.messages.pop_front()).flatten();
        // The next takes its room.
        let (mut id, mut steps) = oldest.map(|old| (old.id, old.steps)).unwrap_or_default();
        id.clear();
        steps.clear();
        let head = &message.head;
        id.push_str(beginning(head.id.as_deref().unwrap_or("-")));
        let peer = if walk == Walk::Sent { head.to.clone() } else { head.from.clone() };
        self.begun += 1;
        let number = self.begun;
        self.messages.push_back(Traced { number, unix_ms, walk, peer, id, steps });
        number
    }

    /// The number of the message that stands there in the log, if it is remembered.
    pub(crate) fn of(&self, pos: Pos) -> Option<u64> {
        let stands = |(_, step): &(u64, Step)| matches!(step, Step::Stored(at) if *at == pos);
        let message = self.messages.iter().find(|message| message.steps.iter().any(stands));
        message.map(|message| message.number)
    }

    /// What became of the message of that number, if it is remembered.
    pub fn tell(&mut self, number: u64, unix_ms: u64, step: Step) {
        self.fates.extend(step.fate());
        let message = self.messages.iter_mut().rfind(|message| message.number == number);
        if let Some(message) = message.filter(|message| message.steps.len() < TRACED_STEPS_MAX) {
            message.steps.push((unix_ms, step));
        }
    }

    /// A resource has acknowledged what it was given up to there.
    pub(crate) fn acknowledge(&mut self, hearer: &str, up_to: Pos, unix_ms: u64) {
        for message in &mut self.messages {
            let (mut stored, mut given, mut known) = (false, false, false);
            for (_, step) in &message.steps {
                match step {
                    Step::Stored(pos) => stored |= *pos <= up_to,
                    Step::Delivered(to) | Step::Copied(to) => given |= resource(to) == hearer,
                    Step::Acknowledged(by) => known |= by == hearer,
                    _ => {}
                }
            }
            if stored && given && !known && message.steps.len() < TRACED_STEPS_MAX {
                message.steps.push((unix_ms, Step::Acknowledged(hearer.to_owned())));
            }
        }
    }

    /// A line for each message, the oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.messages.iter().map(Traced::to_string).collect()
    }

    /// What is to be counted since the last time.
    pub(crate) fn fates(&mut self) -> std::vec::Drain<'_, &'static str> {
        self.fates.drain(..)
    }

    /// About what it takes in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let weight = |message: &Traced| {
            size_of::<Traced>()
                + message.peer.as_ref().map_or(0, |peer| peer.as_str().len())
                + message.id.len()
                + message.steps.len() * STEP_BYTES
        };
        self.messages.iter().map(weight).sum()
    }
}

impl Passage<'_> {
    /// Tells the operator what became of it, if it is traced.
    pub fn trace(&mut self, step: Step, ctx: &Ctx<'_>) {
        if let Some(number) = self.traced {
            self.account.trace.tell(number, ctx.unix_ms, step);
        }
    }

    /// A message with a body, or which is kept, is traced.
    pub(crate) fn begin_trace(&mut self, refusable: bool, ctx: &Ctx<'_>) {
        let is_message = self.stanza.kind() == Kind::Message;
        if !is_message || refusable && self.stanza.child(BODY).is_none() {
            return;
        }
        self.traced = Some(self.account.trace.begin(self.walk, &self.stanza, ctx.unix_ms));
        if let Some(pos) = self.pos {
            self.trace(Step::Stored(pos), ctx);
        }
    }

    pub(crate) fn trace_takers(&mut self, takers: &[usize], ctx: &Ctx<'_>) {
        if self.traced.is_none() {
            return;
        }
        for &place in takers {
            let to = self.account.sessions[place].jid.clone();
            self.trace(Step::Delivered(to), ctx);
        }
        if takers.is_empty() {
            let waits = self.pos.is_some() || self.held.is_some();
            self.trace(if waits { Step::Waits } else { Step::Missed }, ctx);
        }
    }

    pub(crate) fn trace_copy(&mut self, to: &Jid, ctx: &Ctx<'_>) {
        if self.traced.is_some() {
            self.trace(Step::Copied(to.clone()), ctx);
        }
    }
}

fn resource(of: &Jid) -> &str {
    of.resource().unwrap_or_default()
}

fn beginning(id: &str) -> &str {
    if id.len() <= TRACED_ID_CHARS_MAX {
        return id;
    }
    id.char_indices().nth(TRACED_ID_CHARS_MAX).map_or(id, |(end, _)| &id[..end])
}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unix_ms, walk, peer, id, .. } = self;
        let way = if *walk == Walk::Sent { "sent to" } else { "received from" };
        let peer = peer.as_ref().map_or("", |peer| peer.as_str());
        write!(f, "{}  {id}  {way} {peer}", date_time(*unix_ms))?;
        for (number, (at, step)) in self.steps.iter().enumerate() {
            let after = at.saturating_sub(*unix_ms);
            f.write_str(if number == 0 { ": " } else { ", " })?;
            write!(f, "{step}")?;
            if after >= 1000 {
                write!(f, " after {} s", after / 1000)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Bare;

    fn message(id: &str) -> Stanza {
        let xml = format!("<message from='romeo@x/r' to='juliet@x' id='{id}'/>");
        Stanza::parse_one(&xml).unwrap()
    }

    fn at(resource: &str) -> Jid {
        Bare::parse("juliet@x").unwrap().with_resource(resource).unwrap()
    }

    #[test]
    fn it_tells_what_became_of_each_message_in_order() {
        let mut trace = Trace::default();
        let first = trace.begin(Walk::Received, &message("m1"), 0);
        trace.tell(first, 0, Step::Stored(Pos(7)));
        trace.tell(first, 1, Step::Delivered(at("phone")));
        let second = trace.begin(Walk::Sent, &message("m2"), 1_000);
        trace.tell(second, 1_000, Step::Copied(at("desktop")));
        trace.tell(first, 2_500, Step::Answered("push.x".into(), "gone".into()));
        trace.tell(99, 0, Step::Missed);
        assert_eq!(
            trace.lines(),
            [
                "1970-01-01T00:00:00Z  m1  received from romeo@x/r: stored at 7, \
                 delivered to phone, push.x answered gone after 2 s",
                "1970-01-01T00:00:01Z  m2  sent to juliet@x: copied to desktop",
            ]
        );
        assert_eq!(trace.fates().collect::<Vec<_>>(), ["refused", "missed"]);
        assert_eq!(trace.fates().count(), 0);
    }

    #[test]
    fn what_is_acknowledged_was_given_to_that_resource_and_stands_before_that_place() {
        let mut trace = Trace::default();
        for (place, to) in [(1, "phone"), (2, "desktop"), (3, "phone")] {
            let number = trace.begin(Walk::Received, &message("m"), 0);
            trace.tell(number, 0, Step::Stored(Pos(place)));
            trace.tell(number, 0, Step::Delivered(at(to)));
        }
        trace.acknowledge("phone", Pos(2), 0);
        trace.acknowledge("phone", Pos(2), 0);
        let acknowledged = |line: &String| line.matches("acknowledged by phone").count();
        assert_eq!(trace.lines().iter().map(acknowledged).collect::<Vec<_>>(), [1, 0, 0]);
    }

    #[test]
    fn it_remembers_so_many_messages_and_steps() {
        let mut trace = Trace::default();
        for number in 0..=TRACED_MESSAGES_MAX {
            let id = format!("{number}{}", "x".repeat(100));
            let number = trace.begin(Walk::Received, &message(&id), 0);
            (0..=TRACED_STEPS_MAX).for_each(|_| trace.tell(number, 0, Step::Waits));
        }
        let lines = trace.lines();
        assert_eq!(lines.len(), TRACED_MESSAGES_MAX);
        let whole = format!("  1{}  received", "x".repeat(TRACED_ID_CHARS_MAX - 1));
        assert!(lines[0].contains(&whole), "{}", lines[0]);
        assert_eq!(lines[0].matches("waits").count(), TRACED_STEPS_MAX);
        assert!(trace.weight() < 32 << 10);
    }
}
