//! Accounts and what is kept of their passwords.

use super::*;
use engine::{
    port::Loaded,
    roster::{Item, State},
};

pub(crate) async fn creating_twice_fails_that_unit_only<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&["juliet@example.com"]).await;
    let first = Credentials { sha1: Some(keys(1)), changed: 1, ..Credentials::default() };
    desk.change(Change::Password(bare("juliet@example.com"), first.clone())).await.unwrap();
    let outcomes = desk
        .commit(vec![
            changes(vec![Change::Create(bare("nurse@example.com"), Credentials::default())]),
            changes(vec![Change::Create(bare("juliet@example.com"), Credentials::default())]),
            changes(vec![Change::Create(bare("romeo@example.com"), Credentials::default())]),
        ])
        .await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1], Err(Fault::Refused("the account exists already".into())));
    let kept = desk.store.credentials(&bare("juliet@example.com")).await.unwrap();
    assert_eq!(kept, Some(first));
    assert!(desk.store.load(&bare("romeo@example.com")).await.unwrap().is_some());
}

pub(crate) async fn credentials_are_kept_as_given<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    let all = Credentials {
        sha1: Some(keys(1)),
        sha256: Some(keys(2)),
        sha512: Some(keys(3)),
        argon2id: Some(phc(1)),
        changed: UNIX_MS,
        disabled: false,
    };
    let one = Credentials { sha256: Some(keys(4)), ..Credentials::default() };
    let slow = Credentials { argon2id: Some(phc(2)), changed: 1, ..Credentials::default() };
    let given = [("a@example.com", all), ("b@example.com", one), ("e@example.com", slow)];
    for (account, given) in given {
        desk.change(Change::Create(bare(account), given.clone())).await.unwrap();
        assert_eq!(desk.store.credentials(&bare(account)).await.unwrap(), Some(given));
    }
    desk.change(Change::Create(bare("c@example.com"), Credentials::default())).await.unwrap();
    let none = desk.store.credentials(&bare("c@example.com")).await.unwrap();
    assert_eq!(none, Some(Credentials::default()), "an account without a password is one");
    assert_eq!(desk.store.credentials(&bare("d@example.com")).await.unwrap(), None);
    assert_eq!(desk.store.load(&bare("d@example.com")).await.unwrap(), None);
}

pub(crate) async fn a_new_password_replaces_every_key<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&["a@example.com"]).await;
    let (sha1, sha256, argon2id) = (Some(keys(1)), Some(keys(2)), Some(phc(3)));
    let old = Credentials { sha1, sha256, argon2id, changed: 1, ..Credentials::default() };
    let (sha256, sha512) = (Some(keys(5)), Some(keys(6)));
    let new = Credentials { sha256, sha512, changed: 2, ..Credentials::default() };
    for given in [old, new.clone()] {
        desk.change(Change::Password(bare("a@example.com"), given)).await.unwrap();
    }
    assert_eq!(desk.store.credentials(&bare("a@example.com")).await.unwrap(), Some(new));
}

pub(crate) async fn of_two_passwords_set_at_once_each_is_another<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&["a@example.com"]).await;
    let set = |seed| {
        let given = Credentials { sha1: Some(keys(seed)), changed: 7, ..Credentials::default() };
        changes(vec![Change::Password(bare("a@example.com"), given)])
    };
    for (units, changed) in [(vec![set(1)], 7), (vec![set(2), set(3)], 9), (vec![set(4)], 10)] {
        assert!(desk.commit(units).await.iter().all(Result::is_ok));
        let kept = desk.store.credentials(&bare("a@example.com")).await.unwrap();
        assert_eq!(kept.map(|kept| kept.changed), Some(changed));
    }
    // Within one unit, too.
    let of = || bare("a@example.com");
    let again = Credentials { sha1: Some(keys(5)), changed: 7, ..Credentials::default() };
    let late = |changed| Credentials { sha256: Some(keys(6)), changed, ..Credentials::default() };
    let mixed = |changed| {
        let set = Change::Password(of(), again.clone());
        changes(vec![set, Change::Upgrade(of(), late(changed))])
    };
    assert!(is_refused(&desk.one(mixed(7)).await));
    desk.one(mixed(11)).await.unwrap();
}

/// An account of one hash, set at this time.
async fn imported<B: Bed>(changed: u64) -> (B, Desk, Bare, Credentials) {
    let (bed, mut desk) = Desk::with::<B>(&[]).await;
    let account = bare("a@example.com");
    let given = Credentials { sha1: Some(keys(1)), changed, ..Credentials::default() };
    desk.change(Change::Create(account.clone(), given.clone())).await.unwrap();
    (bed, desk, account, given)
}

pub(crate) async fn an_upgrade_adds_only_what_is_missing<B: Bed>() {
    let (_bed, mut desk, account, given) = imported::<B>(7).await;
    let more = Credentials { sha1: Some(keys(8)), sha256: Some(keys(9)), ..given.clone() };
    desk.change(Change::Upgrade(account.clone(), more)).await.unwrap();
    let after = Credentials { sha256: Some(keys(9)), ..given };
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(after.clone()));
    // Two devices upgrade at once: each adds its own, and the first of two alike stands.
    let upgrade = |more: Credentials| changes(vec![Change::Upgrade(account.clone(), more)]);
    let outcomes = desk
        .commit(vec![
            upgrade(Credentials { argon2id: Some(phc(1)), ..after.clone() }),
            upgrade(Credentials { sha512: Some(keys(2)), argon2id: Some(phc(2)), ..after.clone() }),
        ])
        .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let all = Credentials { sha512: Some(keys(2)), argon2id: Some(phc(1)), ..after };
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(all));
}

pub(crate) async fn a_rehash_replaces_every_key_of_the_same_password<B: Bed>() {
    let (_bed, mut desk, account, given) = imported::<B>(7).await;
    let slow = Credentials { sha1: None, argon2id: Some(phc(1)), ..given };
    desk.change(Change::Rehash(account.clone(), slow.clone())).await.unwrap();
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(slow.clone()));
    let back = Credentials { argon2id: None, sha256: Some(keys(3)), ..slow };
    desk.change(Change::Rehash(account.clone(), back.clone())).await.unwrap();
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(back));
}

pub(crate) async fn whether_any_password_is_kept_by_argon2id_is_known<B: Bed>() {
    let (_bed, mut desk, account, given) = imported::<B>(7).await;
    assert!(!desk.store.keeps_argon2id().await.unwrap());
    let slow = Credentials { argon2id: Some(phc(1)), ..given };
    desk.change(Change::Upgrade(account.clone(), slow)).await.unwrap();
    assert!(desk.store.keeps_argon2id().await.unwrap());
    desk.change(Change::Delete(account)).await.unwrap();
    assert!(!desk.store.keeps_argon2id().await.unwrap());
}

pub(crate) async fn what_is_kept_of_another_password_is_not_touched<B: Bed>() {
    let (_bed, mut desk, account, given) = imported::<B>(7).await;
    let late = Credentials { sha256: Some(keys(2)), argon2id: Some(phc(1)), ..given };
    let new = Credentials { sha512: Some(keys(3)), changed: 8, ..Credentials::default() };
    let nobody = bare("nobody@example.com");
    let outcomes = desk
        .commit(vec![
            changes(vec![Change::Password(account.clone(), new.clone())]),
            changes(vec![Change::Upgrade(account.clone(), late.clone())]),
            changes(vec![Change::Rehash(account.clone(), late.clone())]),
            changes(vec![Change::Upgrade(nobody.clone(), Credentials::default())]),
            changes(vec![Change::Rehash(nobody, Credentials::default())]),
        ])
        .await;
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1..].iter().all(is_refused), "{outcomes:?}");
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(new.clone()));
    // Within one unit the password of before counts as little.
    let again = Credentials { changed: 9, ..new.clone() };
    let mixed = |late: &Credentials| {
        let late = Change::Upgrade(account.clone(), late.clone());
        changes(vec![Change::Password(account.clone(), again.clone()), late])
    };
    assert!(is_refused(&desk.one(mixed(&new)).await));
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(new.clone()));
    desk.one(mixed(&Credentials { sha1: Some(keys(4)), ..again.clone() })).await.unwrap();
    let both = Credentials { sha1: Some(keys(4)), ..again };
    assert_eq!(desk.store.credentials(&account).await.unwrap(), Some(both));
}

pub(crate) async fn a_device_is_read_with_what_is_kept_of_the_password<B: Bed>() {
    let (_bed, mut desk, account, given) = imported::<B>(7).await;
    let all = Credentials { sha256: Some(keys(2)), argon2id: Some(phc(1)), ..given };
    let read = async |desk: &Desk, of: &Bare, key| desk.store.device(of, ASIDE, key).await.unwrap();
    desk.change(Change::Upgrade(account.clone(), all.clone())).await.unwrap();
    assert_eq!(read(&desk, &account, "phone").await, Some((all.clone(), None)));
    let put = |of: &Bare| Change::Put(ASIDE, of.clone(), "phone".into(), vec![0, 1]);
    desk.change(put(&account)).await.unwrap();
    assert_eq!(read(&desk, &account, "phone").await, Some((all.clone(), Some(vec![0, 1]))));
    assert_eq!(read(&desk, &account, "laptop").await, Some((all, None)));
    let blank = bare("b@example.com");
    desk.change(Change::Create(blank.clone(), Credentials::default())).await.unwrap();
    desk.change(put(&blank)).await.unwrap();
    let device = (Credentials::default(), Some(vec![0, 1]));
    assert_eq!(read(&desk, &blank, "phone").await, Some(device));
    assert_eq!(read(&desk, &bare("nobody@example.com"), "phone").await, None);
    let host = Bare::host("example.com").unwrap();
    desk.change(put(&host)).await.unwrap();
    assert_eq!(read(&desk, &host, "phone").await, None, "it is no account");
}

pub(crate) async fn the_password_of_nobody_is_refused<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    for given in [Credentials::default(), Credentials { sha1: Some(keys(1)), ..<_>::default() }] {
        let outcome = desk.change(Change::Password(bare("a@example.com"), given)).await;
        assert_eq!(outcome, Err(Fault::Refused("there is no such account".into())));
    }
    assert_eq!(desk.store.credentials(&bare("a@example.com")).await.unwrap(), None);
}

pub(crate) async fn deleting_removes_everything_and_a_new_account_starts_empty<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&["a@example.com", "b@example.com"]).await;
    for account in ["a@example.com", "b@example.com"] {
        let of = bare(account);
        let item = Item {
            jid: jid("c@example.com"),
            name: None,
            groups: Vec::new(),
            state: State::default(),
            approved: false,
            request: None,
            ver: 1,
        };
        let unit = Unit {
            once: None,
            entries: vec![entry(account, "<message/>")],
            changes: vec![
                Change::Password(of.clone(), Credentials { sha1: Some(keys(1)), ..<_>::default() }),
                Change::Roster(of.clone(), item),
                Change::Unroster(of.clone(), jid("d@example.com"), 2),
                Change::Put(AT_HAND, of.clone(), "key".into(), vec![1]),
                Change::Put(ASIDE, of, "key".into(), vec![1]),
            ],
        };
        desk.one(unit).await.unwrap();
    }
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    let a = bare("a@example.com");
    assert_eq!(desk.store.credentials(&a).await.unwrap(), None);
    assert_eq!(desk.store.load(&a).await.unwrap(), None);
    assert_eq!(desk.store.cell(ASIDE, &a, "key").await.unwrap(), None);
    assert!(desk.texts("a@example.com").await.is_empty());
    desk.change(Change::Create(a.clone(), Credentials::default())).await.unwrap();
    let empty = Loaded { last: desk.store.last().await.unwrap().1, ..Loaded::default() };
    assert_eq!(desk.store.load(&a).await.unwrap(), Some(empty));
    assert_eq!(desk.store.credentials(&a).await.unwrap(), Some(Credentials::default()));
    assert!(desk.store.cells(ASIDE, &a).await.unwrap().is_empty());
    assert!(desk.texts("a@example.com").await.is_empty());
    let b = bare("b@example.com");
    assert_eq!(desk.store.load(&b).await.unwrap().unwrap().roster.len(), 1, "b keeps its own");
    assert_eq!(desk.texts("b@example.com").await.len(), 1);
}

pub(crate) async fn the_accounts_of_a_domain_are_counted<B: Bed>() {
    let (_bed, mut desk) =
        Desk::with::<B>(&["a@example.com", "b@example.com", "a@example.net"]).await;
    let host = Bare::host("example.com").unwrap();
    desk.change(Change::Room(bare("room@example.com"))).await.unwrap();
    assert_eq!(desk.store.count(&host).await.unwrap(), 2);
    desk.change(Change::Delete(bare("a@example.com"))).await.unwrap();
    assert_eq!(desk.store.count(&host).await.unwrap(), 1);
    assert_eq!(desk.store.count(&Bare::host("example.org").unwrap()).await.unwrap(), 0);
}

pub(crate) async fn an_account_is_disabled_until_it_is_enabled_again<B: Bed>() {
    let (_bed, mut desk) =
        Desk::with::<B>(&["b@example.com", "a@example.com", "c@example.com", "a@example.net"])
            .await;
    let host = Bare::host("example.com").unwrap();
    let kept = async |desk: &Desk, account| {
        desk.store.credentials(&bare(account)).await.unwrap().expect("an account")
    };
    assert_eq!(desk.store.disabled(&host, 9).await.unwrap(), (0, Vec::new()));
    for account in ["a@example.com", "b@example.com", "a@example.net", "b@example.com"] {
        desk.change(Change::Disabled(bare(account), true)).await.unwrap();
    }
    let both = [bare("a@example.com"), bare("b@example.com")];
    assert_eq!(desk.store.disabled(&host, 9).await.unwrap(), (2, both.to_vec()));
    assert_eq!(desk.store.disabled(&host, 1).await.unwrap(), (2, both[..1].to_vec()));
    assert!(kept(&desk, "a@example.com").await.disabled);
    assert!(!kept(&desk, "c@example.com").await.disabled);
    let device = desk.store.device(&both[0], ASIDE, "phone").await.unwrap();
    assert!(device.is_some_and(|(kept, _)| kept.disabled));
    // Whatever becomes of its password.
    let given = Credentials { sha1: Some(keys(1)), changed: 7, ..Credentials::default() };
    desk.change(Change::Password(both[0].clone(), given.clone())).await.unwrap();
    desk.change(Change::Rehash(both[0].clone(), given.clone())).await.unwrap();
    desk.change(Change::Upgrade(both[0].clone(), given.clone())).await.unwrap();
    let still = Credentials { disabled: true, ..given.clone() };
    assert_eq!(kept(&desk, "a@example.com").await, still);
    desk.change(Change::Disabled(both[0].clone(), false)).await.unwrap();
    assert_eq!(kept(&desk, "a@example.com").await, given);
    desk.change(Change::Delete(both[1].clone())).await.unwrap();
    assert_eq!(desk.store.disabled(&host, 9).await.unwrap(), (0, Vec::new()));
    desk.change(Change::Create(both[1].clone(), Credentials::default())).await.unwrap();
    assert_eq!(kept(&desk, "b@example.com").await, Credentials::default());
}

pub(crate) async fn nobody_can_be_disabled<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    for it in [true, false] {
        let outcome = desk.change(Change::Disabled(bare("a@example.com"), it)).await;
        assert_eq!(outcome, Err(Fault::Refused("there is no such account".into())));
    }
}

pub(crate) async fn one_unit_may_delete_and_create<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&["a@example.com"]).await;
    let a = bare("a@example.com");
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    let unit = Unit {
        once: None,
        entries: vec![entry("a@example.com", "<message id='new'/>")],
        changes: vec![
            Change::Delete(a.clone()),
            Change::Create(a.clone(), Credentials { sha1: Some(keys(7)), ..<_>::default() }),
        ],
    };
    desk.one(unit).await.unwrap();
    assert_eq!(desk.texts("a@example.com").await, ["<message id='new'/>"]);
    let kept = desk.store.credentials(&a).await.unwrap().unwrap();
    assert_eq!(kept.sha1, Some(keys(7)));
    desk.change(Change::Delete(bare("nobody@example.com"))).await.unwrap();
}

pub(crate) async fn accounts_are_paged_by_local_part<B: Bed>() {
    // '.' sorts before '@': the order is that of the local parts, not of the addresses.
    let locals = ["a", "a.b", "b", "c", "é", "日本"];
    let accounts: Vec<_> = locals.iter().map(|local| format!("{local}@example.com")).collect();
    let mut names: Vec<_> = accounts.iter().rev().map(String::as_str).collect();
    names.push("b@example.net");
    let (_bed, desk) = Desk::with::<B>(&names).await;
    let domain = Bare::host("example.com").unwrap();
    let mut paged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = desk.store.accounts(&domain, after.as_deref(), 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = last.local().map(str::to_owned);
        paged.extend(page.iter().map(|account| account.as_str().to_owned()));
    }
    assert_eq!(paged, accounts);
    let other = Bare::host("example.net").unwrap();
    assert_eq!(desk.store.accounts(&other, None, 9).await.unwrap(), [bare("b@example.net")]);
    assert!(desk.store.accounts(&other, Some("b"), 9).await.unwrap().is_empty());
}

pub(crate) async fn an_account_has_a_local_part<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    let host = Bare::host("example.com").unwrap();
    assert!(is_refused(&desk.change(Change::Create(host, Credentials::default())).await));
}
