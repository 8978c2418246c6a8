//! Rosters (RFC 6121 §2).

use super::*;
use crate::ROSTER_JID_BYTES_MAX;
use engine::{
    port::Loaded,
    roster::{Item, REMOVED_ITEMS_MAX, State},
    wire::Stanza,
};

const OWNER: &str = "juliet@example.com";

fn item(address: &str, ver: i64) -> Item {
    Item {
        jid: jid(address),
        name: None,
        groups: Vec::new(),
        state: State::default(),
        approved: false,
        request: None,
        ver,
    }
}

impl Desk {
    async fn loaded(&self) -> Loaded {
        self.store.load(&bare(OWNER)).await.unwrap().unwrap()
    }

    async fn put(&mut self, item: Item) {
        self.change(Change::Roster(bare(OWNER), item)).await.unwrap();
    }

    async fn remove(&mut self, address: &str, ver: i64) {
        self.change(Change::Unroster(bare(OWNER), jid(address), ver)).await.unwrap();
    }
}

pub(crate) async fn roster_items_are_kept_as_given<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let request = "<presence type='subscribe' from='tybalt@example.net' to='juliet@example.com'>\
                   <status>it's &lt;me&gt; 💔</status></presence>";
    let full = Item {
        name: Some(Text::from("Roméo \"R\" O'Neill\\, {x,y} [1] 💘\n")),
        groups: ["", "a,b", "{\"a\"}", "NULL", "it's", "日本", "back\\slash", "\u{1f980}"]
            .map(Text::from)
            .to_vec(),
        state: State { to: true, from: false, asked: true },
        approved: true,
        ver: i64::MAX,
        ..item("romeo@example.net", 0)
    };
    let asking = Item {
        state: State { to: false, from: true, asked: false },
        request: Some(Box::new(Stanza::parse_one(request).unwrap())),
        ver: 3,
        ..item("tybalt@example.net/home 💻", 0)
    };
    let nameless = Item { name: Some(Text::new()), ..item("conference.example.net", 4) };
    let mut all = vec![nameless, full, asking];
    for item in all.iter().rev() {
        desk.put(item.clone()).await;
    }
    all.sort_by(|one, other| one.jid.cmp(&other.jid));
    assert_eq!(desk.loaded().await.roster, all);
}

pub(crate) async fn a_roster_item_is_written_whole<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let before = Item {
        name: Some(Text::from("R")),
        groups: vec![Text::from("Friends")],
        approved: true,
        ..item("romeo@example.net", 5)
    };
    desk.put(before).await;
    let after = item("romeo@example.net", 6);
    desk.put(after.clone()).await;
    assert_eq!(desk.loaded().await.roster, [after]);
}

pub(crate) async fn a_removed_item_is_remembered_with_its_version<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for (ver, address) in [(1, "b@example.net"), (2, "a@example.net"), (3, "c@example.net")] {
        desk.put(item(address, ver)).await;
    }
    desk.remove("b@example.net", 4).await;
    desk.remove("a@example.net", 5).await;
    let loaded = desk.loaded().await;
    assert_eq!(loaded.roster, [item("c@example.net", 3)]);
    assert_eq!(loaded.unrostered, [(jid("b@example.net"), 4), (jid("a@example.net"), 5)]);
}

pub(crate) async fn a_removal_is_remembered_when_the_item_comes_back<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    desk.put(item("a@example.net", 1)).await;
    desk.remove("a@example.net", 2).await;
    desk.put(item("a@example.net", 3)).await;
    let loaded = desk.loaded().await;
    assert_eq!(loaded.roster, [item("a@example.net", 3)]);
    assert_eq!(loaded.unrostered, [(jid("a@example.net"), 2)]);
    desk.remove("a@example.net", 4).await;
    assert_eq!(desk.loaded().await.unrostered, [(jid("a@example.net"), 4)]);
}

pub(crate) async fn removals_are_bounded_and_the_newest_kept<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER, "other@example.com"]).await;
    let gone = |ver: i64| Change::Unroster(bare(OWNER), jid(&format!("c{ver}@example.net")), ver);
    let other = Change::Unroster(bare("other@example.com"), jid("x@example.net"), 1);
    let max = REMOVED_ITEMS_MAX as i64;
    desk.change(other).await.unwrap();
    desk.one(changes((1..=max + 7).map(gone).collect())).await.unwrap();
    let loaded = desk.loaded().await;
    let vers: Vec<_> = loaded.unrostered.iter().map(|&(_, ver)| ver).collect();
    assert_eq!(vers, (8..=max + 7).collect::<Vec<_>>());
    let other = desk.store.load(&bare("other@example.com")).await.unwrap().unwrap();
    assert_eq!(other.unrostered.len(), 1, "each account has its own bound");
}

pub(crate) async fn the_roster_of_nobody_is_refused<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[]).await;
    let nobody = bare("nobody@example.com");
    let put = Change::Roster(nobody.clone(), item("a@example.net", 1));
    let cut = Change::Unroster(nobody.clone(), jid("a@example.net"), 1);
    for change in [put, cut] {
        let outcome = desk.change(change).await;
        assert_eq!(outcome, Err(Fault::Refused("there is no such account".into())));
    }
}

const GONE: &str = "romeo@example.net";

impl Desk {
    async fn forsake(&mut self, contact: &str) {
        self.change(Change::Forsake(bare(OWNER), bare(contact))).await.unwrap();
    }
}

fn request() -> Option<Box<Stanza>> {
    let xml = "<presence type='subscribe' from='romeo@example.net' to='juliet@example.com'/>";
    Some(Box::new(Stanza::parse_one(xml).unwrap()))
}

pub(crate) async fn a_forsaken_item_keeps_only_what_the_user_called_it<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let both = State { to: true, from: true, asked: false };
    let named =
        Item { name: Some(Text::from("R")), groups: vec![Text::from("Friends")], ..item(GONE, 5) };
    let other = Item { state: both, ..item("tybalt@example.net", 6) };
    desk.put(other.clone()).await;
    let forms = [
        Item { state: both, ..named.clone() },
        Item { state: State { asked: true, ..State::default() }, ..named.clone() },
        Item { approved: true, ..named.clone() },
        Item { request: request(), ..named.clone() },
        Item { groups: Vec::new(), state: both, ..named.clone() },
        Item { name: None, groups: Vec::new(), approved: true, ..named.clone() },
    ];
    for before in forms {
        desk.put(before.clone()).await;
        desk.forsake(GONE).await;
        let state = State::default();
        let after = Item { state, approved: false, request: None, ver: 7, ..before };
        assert_eq!(desk.loaded().await.roster, [after.clone(), other.clone()]);
        desk.forsake(GONE).await;
        assert_eq!(desk.loaded().await.roster[0], after, "nothing changes twice");
    }
    assert_eq!(desk.loaded().await.unrostered, []);
    desk.remove("tybalt@example.net", 8).await;
    desk.put(Item { approved: true, ..named.clone() }).await;
    desk.forsake(GONE).await;
    assert_eq!(desk.loaded().await.roster[0].ver, 9, "removals count");
}

pub(crate) async fn what_was_only_a_request_goes_when_it_is_forsaken<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    for ver in [1, 3] {
        desk.put(Item { request: request(), ..item(GONE, ver) }).await;
        desk.forsake(GONE).await;
        let loaded = desk.loaded().await;
        assert_eq!((loaded.roster, loaded.unrostered), (vec![], vec![(jid(GONE), ver + 1)]));
    }
    let max = REMOVED_ITEMS_MAX as i64;
    let gone = |ver: i64| Change::Unroster(bare(OWNER), jid(&format!("c{ver}@example.net")), ver);
    desk.one(changes((5..max + 5).map(gone).collect())).await.unwrap();
    desk.put(Item { request: request(), ..item(GONE, max + 5) }).await;
    desk.forsake(GONE).await;
    let unrostered = desk.loaded().await.unrostered;
    assert_eq!((unrostered.len(), unrostered[0].1), (REMOVED_ITEMS_MAX, 6));
    assert_eq!(unrostered.last(), Some(&(jid(GONE), max + 6)));
}

pub(crate) async fn forsaking_nobody_does_nothing<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let kept = Item { approved: true, ..item("tybalt@example.net", 1) };
    desk.put(kept.clone()).await;
    desk.forsake(GONE).await;
    desk.remove(GONE, 2).await;
    desk.forsake(GONE).await;
    assert_eq!(desk.loaded().await.roster, [kept]);
    let nobody = bare("nobody@example.com");
    desk.change(Change::Forsake(nobody.clone(), bare(GONE))).await.unwrap();
    assert_eq!(desk.store.load(&nobody).await, Ok(None));
    let room = bare("room@example.com");
    let forsaken = Change::Forsake(room.clone(), bare(GONE));
    desk.one(changes(vec![Change::Room(room), forsaken])).await.unwrap();
}

pub(crate) async fn a_roster_address_has_a_limit<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    // Letters that do not compress, so that an index row is as long as it looks.
    let mut state = 1_u32;
    let mut letters = |n: usize| -> String {
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 26)
        })
        .take(n)
        .collect()
    };
    let local = letters(1_023);
    let fits = ROSTER_JID_BYTES_MAX - local.len() - "@example.net/".len();
    let longest = format!("{local}@example.net/{}", letters(fits));
    assert_eq!(longest.len(), ROSTER_JID_BYTES_MAX);
    desk.put(item(&longest, 1)).await;
    assert_eq!(desk.loaded().await.roster, [item(&longest, 1)]);
    let longer = item(&format!("{longest}x"), 2);
    assert!(is_refused(&desk.change(Change::Roster(bare(OWNER), longer)).await));
}
