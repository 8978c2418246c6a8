//! What must be true in the end.

use crate::{
    client::{Client, is_kept},
    walk::Walk,
};
use engine::wire::{Jid, Kind, Stanza};
use std::collections::BTreeSet;

pub fn judge(walk: &Walk) {
    for client in &walk.clients {
        let log = walk.world.log(&client.account);
        let log: Vec<_> =
            log.iter().map(|one| Stanza::parse_one(&one.entry.stanza).unwrap()).collect();
        let ids: Vec<_> = log.iter().map(id).collect();
        let once: BTreeSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "{}: kept twice: {ids:?}", client.account);
        judge_what_it_got(walk, client, &log);
        judge_what_it_said(walk, client, &once);
    }
}

fn judge_what_it_got(walk: &Walk, client: &Client, log: &[Stanza]) {
    let is_for = |message: &&Stanza| {
        let to = message.head.to.as_ref().unwrap();
        message.head.from.as_ref() != Some(&client.jid)
            || *to == Jid::from(client.account.clone())
            || *to == client.jid
    };
    let due: Vec<_> = log.iter().filter(is_for).collect();
    let places: Vec<_> = due.iter().map(|message| id(message)).collect();
    judge_order(client, &places);
    let due: BTreeSet<_> = due.into_iter().map(id).collect();
    let own: BTreeSet<_> = log.iter().filter(|message| !is_for(message)).map(id).collect();
    for life in &client.lives {
        let got: BTreeSet<_> = life.iter().map(|got| got.id.clone()).collect();
        let got: BTreeSet<_> = got.into_iter().filter(|id| id.starts_with('m')).collect();
        // What it says to a resource of its own that is gone comes back to it.
        let got: BTreeSet<_> = got.into_iter().filter(|id| !own.contains(id)).collect();
        assert!(got.is_subset(&due), "{}: not its: {got:?}, {due:?}", client.jid);
        if client.lives.len() == 1 {
            assert_eq!(got, due, "{}: has, and should have", client.jid);
        }
    }
    let all: BTreeSet<_> = walk
        .clients
        .iter()
        .filter(|one| one.account == client.account)
        .flat_map(|one| one.lives.iter().flatten().map(|got| got.id.clone()))
        .collect();
    // What it says to itself it has.
    let received = |message: &&Stanza| message.head.from.as_ref().unwrap().bare() != client.account;
    for message in log.iter().filter(received) {
        assert!(all.contains(&id(message)), "{}: nobody got {message:?}", client.account);
    }
}

/// What a session hears is in the order of the log, from one kill to the next; what is told again,
/// too. One that is new hears of what is for it alone before it is told what it has missed.
fn judge_order(client: &Client, places: &[String]) {
    let [heard] = &client.heard[..] else { return };
    let place = |id: &String| places.iter().position(|one| one == id);
    let heard: Vec<_> = heard.iter().filter_map(|(id, kills)| Some((*kills, place(id)?))).collect();
    assert!(heard.is_sorted(), "{}: out of order: {heard:?}, {places:?}", client.jid);
}

fn judge_what_it_said(walk: &Walk, client: &Client, log: &BTreeSet<&String>) {
    for id in &client.refused_later {
        assert!(!log.contains(id), "{}: counted before it was kept: {id}", client.jid);
    }
    let unharmed = walk.world.kills == 0 && walk.clients.iter().all(|one| one.lives.len() == 1);
    for stanza in &client.out {
        let id = id(stanza);
        let answers = client.answers.get(&id).copied().unwrap_or_default();
        if is_kept(stanza) {
            let kept = log.contains(&id);
            assert!(kept || answers > 0 || client.killed, "{}: lost {stanza:?}", client.jid);
            // After a kill it says again what was refused and not counted.
            let twofold = kept && answers > 0 && !client.killed;
            assert!(!twofold, "{}: kept and refused {stanza:?}", client.jid);
            continue;
        }
        let asks = stanza.kind() == Kind::Iq && matches!(stanza.head.type_str(), "get" | "set");
        if asks && unharmed {
            assert_eq!(answers, 1, "{}: not answered: {stanza:?}", client.jid);
        }
        if stanza.kind() == Kind::Message && unharmed {
            let to = stanza.head.to.as_ref().unwrap().bare();
            let those = walk.clients.iter().filter(|one| one.account == to);
            let got = those.flat_map(|one| one.lives.iter().flatten());
            let got: Vec<_> = got.filter(|got| got.id == id).collect();
            assert!(!got.is_empty() || answers == 1, "{}: lost {stanza:?}", client.jid);
            let twofold = got.iter().any(|got| !got.is_copy) && answers > 0;
            assert!(!twofold, "{}: got and refused {stanza:?}", client.jid);
        }
    }
}

fn id(stanza: &Stanza) -> String {
    stanza.head.id.as_deref().unwrap_or_default().to_owned()
}
