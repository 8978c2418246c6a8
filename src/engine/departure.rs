//! What removing an account comes to (XEP-0077 §3.2).

use crate::{
    roster::Item,
    subscription::Ask,
    unit::{Change, Unit},
};
use wire::{Bare, Head, Jid, Kind, Stanza};

/// What is committed and what is said when an account with this roster is removed. The rosters of
/// this store let go of it in the same unit: should nobody live to say farewell, whoever takes the
/// name later has none of its subscriptions. Contacts that are not of this store are not found in
/// it, and only hear of it.
pub fn departure(account: &Bare, roster: &[Item]) -> (Unit, Vec<Stanza>) {
    let contacts = roster.iter().map(|item| item.jid.bare());
    let contacts = contacts.filter(|contact| contact.local().is_some() && contact != account);
    let forsaken = contacts.map(|contact| Change::Forsake(contact, account.clone()));
    let changes = std::iter::once(Change::Delete(account.clone())).chain(forsaken).collect();
    (Unit { changes, ..Unit::default() }, farewells(account, roster.iter()))
}

/// What the contacts of an account hear when it is removed: it watches nobody any more, and nobody
/// it.
pub fn farewells<'a>(
    account: &Bare,
    roster: impl Iterator<Item = &'a Item> + Clone,
) -> Vec<Stanza> {
    let say = |to: &Jid, ask: Ask| {
        let head = Head::new(Kind::Presence).with_type(ask.as_str()).with_from(account.clone());
        Stanza::new(head.with_to(to.bare()))
    };
    let watches = roster.clone().filter(|item| item.state.to || item.state.asked);
    let watched = roster.filter(|item| item.state.from || item.request.is_some());
    let watches = watches.map(|item| say(&item.jid, Ask::Unsubscribe));
    watches.chain(watched.map(|item| say(&item.jid, Ask::Unsubscribed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::State;

    #[test]
    fn all_who_had_something_with_the_account_hear_of_it_and_accounts_let_go() {
        let subscribe = Stanza::parse_one("<presence type='subscribe'/>").unwrap();
        let item = |jid: &str, to: bool, asked: bool, from: bool, asks: bool| Item {
            jid: Jid::parse(jid).unwrap(),
            name: None,
            groups: Vec::new(),
            state: State { to, from, asked },
            approved: false,
            request: asks.then(|| Box::new(subscribe.clone())),
            ver: 1,
        };
        let roster = [
            item("a@y", true, false, true, false),
            item("b@x", false, true, false, true),
            item("c@x", false, false, false, false),
            item("gateway.x", true, false, false, false),
            item("juliet@x", true, false, true, false),
        ];
        let juliet = Bare::parse("juliet@x").unwrap();
        let (unit, farewells) = departure(&juliet, &roster[..4]);
        let forsake = |contact| Change::Forsake(Bare::parse(contact).unwrap(), juliet.clone());
        let delete = Change::Delete(juliet.clone());
        assert_eq!(unit.changes, [delete, forsake("a@y"), forsake("b@x"), forsake("c@x")]);
        let said = farewells.iter().map(|said| said.to_text().to_string());
        let expected = [
            ("a@y", "unsubscribe"),
            ("b@x", "unsubscribe"),
            ("gateway.x", "unsubscribe"),
            ("a@y", "unsubscribed"),
            ("b@x", "unsubscribed"),
        ];
        let expected = expected.map(|(to, kind)| {
            let xml = format!("<presence from='juliet@x' to='{to}' type='{kind}'/>");
            Stanza::parse_one(&xml).unwrap().to_text().to_string()
        });
        assert_eq!(said.collect::<Vec<_>>(), expected);
        assert_eq!(departure(&juliet, &roster[4..]).0.changes, [Change::Delete(juliet.clone())]);
    }
}
