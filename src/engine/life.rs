//! What `waxwing life` prints: who stands where.

use crate::{hook::*, hooks::Hooks, slot::Plan};
use std::fmt::{Debug, Write};

const STATIONS: [(Station, &str); 6] = [
    (Station::Guard, "may refuse it"),
    (Station::Mark, "may strip what is forged"),
    (Station::Keep, "may put it into the log"),
    (Station::Copy, "may send more because of it"),
    (Station::Miss, "nobody was there to take it"),
    (Station::Push, "may wake a device that was not reached"),
];

/// The whole table, as text for a terminal: what XEPs hang in. The engine's own table at hand, of
/// last presences, is not shown, nor are features (service discovery tells them) and settings
/// (`waxwing settings` does).
pub fn table(hooks: &Hooks) -> String {
    let mut page = String::new();
    chapter(&mut page, "A message or presence on its way, sent and received");
    for (station, what) in STATIONS {
        let here = |hook: &Hook| matches!(hook, Hook::At(at, _) if *at == station);
        line(&mut page, &station, what, &who(hooks, here));
        match station {
            Station::Keep => page.push_str("  ── commit ── after it nothing is refused\n"),
            Station::Copy => page.push_str("  ── delivery (RFC 6121 §8)\n"),
            _ => {}
        }
    }
    chapter(&mut page, "A stanza on its way out of a session");
    for (desk, what) in [(Desk::Hold, "may hold it"), (Desk::Count, "counts it")] {
        let here = |hook: &Hook| matches!(hook, Hook::Write(at, _) if *at == desk);
        line(&mut page, &desk, what, &who(hooks, here));
    }
    let rest = [
        ("A request, and who answers", told(hooks, request)),
        ("What changes messages before it, once it is in the log", told(hooks, amend)),
        ("A node of service discovery, and who knows it", told(hooks, nodes)),
        ("An element that is not a stanza, and who hears it", told(hooks, nonza)),
        ("Offered while a stream is negotiated", told(hooks, offer)),
        ("When a session begins, ends and is silent", told(hooks, event)),
        ("Kept with a session", told(hooks, slot)),
        ("Kept in memory with an account", told(hooks, at_hand)),
    ];
    for (title, lines) in rest {
        chapter(&mut page, title);
        lines.iter().for_each(|line| writes(&mut page, format_args!("  {line}\n")));
        if lines.is_empty() {
            page.push_str("  –\n");
        }
    }
    page
}

fn chapter(page: &mut String, title: &str) {
    let gap = if page.is_empty() { "" } else { "\n" };
    writes(page, format_args!("{gap}{title}\n"));
}

/// A place, what it is for, and below it who stands there.
fn line(page: &mut String, place: &dyn Debug, what: &str, who: &[&Xep]) {
    writes(page, format_args!("  {:<7} {what}\n", format!("{place:?}")));
    for xep in who {
        writes(page, format_args!("          {}\n", named(xep)));
    }
}

fn named(xep: &Xep) -> String {
    format!("{:04} {}", xep.number, xep.name)
}

/// The XEPs with such a hook, each once, in the order of the list.
fn who(hooks: &Hooks, here: impl Fn(&Hook) -> bool) -> Vec<&'static Xep> {
    let xeps = hooks.xeps().iter().copied();
    xeps.filter(|xep| xep.hooks.iter().any(&here)).collect()
}

/// A line for each hook that `tell` knows, in the order it sorts them.
fn told(hooks: &Hooks, tell: fn(&Hook) -> Option<String>) -> Vec<String> {
    let all = hooks.xeps().iter().flat_map(|xep| xep.hooks.iter().map(move |hook| (xep, hook)));
    let mut lines: Vec<_> =
        all.filter_map(|(xep, hook)| Some(format!("{:<58} {}", tell(hook)?, named(xep)))).collect();
    lines.sort();
    lines
}

fn request(hook: &Hook) -> Option<String> {
    let Hook::Iq { of, kind, payload, answer } = hook else { return None };
    let reads = if matches!(answer, Answer::World(_)) { ", reads the store" } else { "" };
    let (of, kind) = (format!("{of:?}"), format!("{kind:?}").to_lowercase());
    Some(format!("{of:<7} {kind} {{{}}}{}{reads}", payload.ns, payload.local))
}

fn amend(hook: &Hook) -> Option<String> {
    let Hook::Amend(name, _) = hook else { return None };
    Some(format!("{{{}}}{}", name.ns, name.local))
}

fn nodes(hook: &Hook) -> Option<String> {
    let Hook::Nodes(of, _) = hook else { return None };
    Some(format!("{of:?}"))
}

fn nonza(hook: &Hook) -> Option<String> {
    match hook {
        Hook::Nonza(name, _) => Some(format!("{{{}}}{}", name.ns, name.local)),
        Hook::Asks(name, _) => Some(format!("{{{}}}{} of ours is answered", name.ns, name.local)),
        _ => None,
    }
}

fn offer(hook: &Hook) -> Option<String> {
    match hook {
        Hook::StreamFeature(stage, _) => Some(format!("{stage:?}")),
        Hook::Inline(name, ..) => Some(format!("Bind, inline {{{}}}{}", name.ns, name.local)),
        _ => None,
    }
}

fn event(hook: &Hook) -> Option<String> {
    match hook {
        Hook::Bound(_) => Some("Bound".to_owned()),
        Hook::Unbound(_) => Some("Unbound".to_owned()),
        Hook::Resumed(_) => Some("Resumed".to_owned()),
        Hook::Silent(_) => Some("Silent".to_owned()),
        _ => None,
    }
}

fn slot(hook: &Hook) -> Option<String> {
    let Hook::Slot(plan) = hook else { return None };
    let fate = if is_saved(plan) { "survives a restart" } else { "lost at a restart" };
    Some(format!("{}, {fate}", plan.key))
}

fn at_hand(hook: &Hook) -> Option<String> {
    let Hook::AtHand(table) = hook else { return None };
    Some(table.name().to_owned())
}

/// Whether a fresh slot would be written to disk.
fn is_saved(plan: &Plan) -> bool {
    (plan.save)(&(plan.fresh)()).is_some()
}

fn writes(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{slot::Slot, unit::Table};
    use wire::Name;

    #[derive(Default)]
    struct Kept;

    impl Slot for Kept {
        const KEY: &'static str = "kept";

        fn save(&self) -> Option<Vec<u8>> {
            Some(Vec::new())
        }
    }

    #[derive(Default)]
    struct Lost;

    impl Slot for Lost {
        const KEY: &'static str = "lost";
    }

    const ASK: Name = Name::new("urn:a", "ask");

    const FIRST: Xep = Xep {
        number: 1,
        name: "First",
        version: "1",
        status: Status::Complete,
        hooks: &[
            Hook::At(Station::Copy, |_, _| Verdict::Go),
            Hook::At(Station::Guard, |_, _| Verdict::Go),
            Hook::get(Of::Account, ASK, Answer::Pure(|_, _, _| Ok(Reply::Empty))),
            Hook::set(Of::Host, ASK, Answer::World(|_, _| Box::pin(async { Ok(Reply::Empty) }))),
            Hook::Amend(ASK, |_, _| Box::pin(async { Ok(Reply::Empty) })),
            Hook::slot::<Lost>(),
        ],
    };

    const SECOND: Xep = Xep {
        number: 20,
        name: "Second",
        version: "1",
        status: Status::Complete,
        hooks: &[
            Hook::At(Station::Guard, |_, _| Verdict::Go),
            Hook::Write(Desk::Count, |leaving, _, _| [leaving].into()),
            Hook::Nonza(ASK, |_, _, _| Ok(Vec::new())),
            Hook::StreamFeature(Stage::Bind, |_, _| None),
            Hook::Nodes(Of::Host, |_, _, _| None),
            Hook::Bound(|_, _| Vec::new()),
            Hook::slot::<Kept>(),
            Hook::AtHand(Table::named("cells")),
        ],
    };

    const PAGE: &str = "\
A message or presence on its way, sent and received
  Guard   may refuse it
          0001 First
          0020 Second
  Mark    may strip what is forged
  Keep    may put it into the log
  ── commit ── after it nothing is refused
  Copy    may send more because of it
          0001 First
  ── delivery (RFC 6121 §8)
  Miss    nobody was there to take it
  Push    may wake a device that was not reached

A stanza on its way out of a session
  Hold    may hold it
  Count   counts it
          0020 Second

A request, and who answers
  Account get {urn:a}ask                                     0001 First
  Host    set {urn:a}ask, reads the store                    0001 First

What changes messages before it, once it is in the log
  {urn:a}ask                                                 0001 First

A node of service discovery, and who knows it
  Host                                                       0020 Second

An element that is not a stanza, and who hears it
  {urn:a}ask                                                 0020 Second

Offered while a stream is negotiated
  Bind                                                       0020 Second

When a session begins, ends and is silent
  Bound                                                      0020 Second

Kept with a session
  kept, survives a restart                                   0020 Second
  lost, lost at a restart                                    0001 First

Kept in memory with an account
  cells                                                      0020 Second
";

    #[test]
    fn everybody_is_seen_where_they_stand() {
        assert_eq!(table(&Hooks::of(&[&FIRST, &SECOND])), PAGE);
    }
}
