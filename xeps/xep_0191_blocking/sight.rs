//! Who sees whom no longer, or again, when the list has changed (sections 3.3 and 3.4).

use super::blocklist::{blocks, has, is_own, matches};
use engine::{
    request::Line,
    roster::{Roster, State},
    wire::*,
};
use std::collections::BTreeSet;

/// Every resource becomes unavailable to who saw it: by subscription, or by directed presence.
/// Who had been blocked by another item hears nothing new.
pub fn lost(blocked: &BTreeSet<Jid>, line: &mut Line<'_>) -> Vec<Stanza> {
    let Some(home) = line.home else { return Vec::new() };
    let account = line.asked;
    let before = |jid: &str| has(home.cells, jid) && !blocked.contains(jid);
    let is_new = |jid: &Jid| {
        let now = !is_own(account, jid) && matches(jid, |jid| blocked.contains(jid));
        now && !matches(jid, before)
    };
    let mut watchers = contacts(blocked, home.roster, |state| state.from);
    watchers.retain(is_new);
    let mut absences = Vec::new();
    for session in line.sessions.iter_mut() {
        let mut told = match session.presence {
            Some(_) => watchers.clone(),
            None => BTreeSet::new(),
        };
        for to in session.directed.extract_if(.., |to| is_new(to)) {
            if !told.contains(&*to.bare()) {
                told.insert(to);
            }
        }
        let head = Head::new(Kind::Presence).with_type("unavailable");
        let head = head.with_from(session.jid.clone());
        absences.extend(told.into_iter().map(|to| Stanza::new(head.clone().with_to(to))));
    }
    absences
}

/// Who is subscribed sees every available resource again; whom the user sees is asked.
pub fn regained(unblocked: &BTreeSet<Jid>, line: &mut Line<'_>) -> Vec<Stanza> {
    let Some(home) = line.home else { return Vec::new() };
    let account = line.asked;
    let present: Vec<_> = line.sessions.iter().filter_map(|one| one.presence.as_ref()).collect();
    if present.is_empty() {
        return Vec::new();
    }
    let free = |jid: &Jid| !blocks(home.cells, account, jid);
    let mut stanzas = Vec::new();
    for watcher in contacts(unblocked, home.roster, |state| state.from).into_iter().filter(free) {
        for presence in &present {
            let mut presence = (*presence).clone();
            presence.head.to = Some(watcher.clone());
            stanzas.push(presence);
        }
    }
    // From the account, so that all of them hear the answer.
    for watched in contacts(unblocked, home.roster, |state| state.to).into_iter().filter(free) {
        let head = Head::new(Kind::Presence).with_type("probe");
        stanzas.push(Stanza::new(head.with_from(account.clone()).with_to(watched)));
    }
    stanzas
}

/// The contacts that these items match, and of other contacts the resources that they name.
fn contacts(items: &BTreeSet<Jid>, roster: &Roster, which: fn(State) -> bool) -> BTreeSet<Jid> {
    let is_item = |jid: &str| items.contains(jid);
    let listed = roster.items().filter(|contact| which(contact.state));
    let listed = listed.map(|contact| &contact.jid).filter(|jid| matches(jid, is_item));
    let resources = items.iter().filter(|item| {
        let contact = item.bare();
        let state = roster.item(&contact).map(|contact| contact.state);
        !item.is_bare() && state.is_some_and(which) && !matches(&contact, is_item)
    });
    listed.chain(resources).cloned().collect()
}
