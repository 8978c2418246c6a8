//! What is gathered of a log: each store keeps it with the place up to which it was.

use super::*;
use engine::inbox::{Conversation, Gathered, Inbox};

const OWNER: &str = "juliet@example.com";

fn conversation(peer: &str, upto: i64, unread: u32) -> Conversation {
    let (peer, displayed) = (bare(peer), Pos(upto - 3));
    Conversation { peer, upto: Pos(upto), last: Pos(upto - 1), unread, displayed }
}

fn gathered(upto: i64, conversations: &[Conversation]) -> Gathered {
    Gathered { upto: Pos(upto), oldest: Pos(0), conversations: conversations.to_vec() }
}

async fn gather(desk: &mut Desk, of: &str, gathered: Gathered) {
    desk.change(Change::Gathered(bare(of), Box::new(gathered))).await.unwrap();
}

/// The place up to which it was gathered, and what, by peer.
async fn inbox(desk: &Desk, of: &str) -> (Pos, Vec<Conversation>) {
    let Inbox { upto, mut conversations } = desk.store.inbox(&bare(of)).await.unwrap();
    conversations.sort_by(|one, other| one.peer.cmp(&other.peer));
    (upto, conversations)
}

pub(crate) async fn what_is_gathered_is_kept_as_given<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER, "nurse@example.com"]).await;
    assert_eq!(inbox(&desk, OWNER).await, (Pos(0), vec![]));
    let high = UNIX_MS as i64 * (1 << 20);
    let one = conversation("日本@example.com", high, 0);
    let two = conversation("romeo@example.net", 9, i32::MAX.unsigned_abs());
    gather(&mut desk, OWNER, gathered(high, &[two.clone(), one.clone()])).await;
    gather(&mut desk, "nurse@example.com", gathered(7, &[])).await;
    drop(desk);
    let mut desk = Desk::at(bed.open().await).await;
    assert_eq!(inbox(&desk, OWNER).await, (Pos(high), vec![two.clone(), one]));
    assert_eq!(inbox(&desk, "nurse@example.com").await, (Pos(7), vec![]));
    // Only what has changed is written.
    let one = conversation("日本@example.com", high + 1, 4);
    gather(&mut desk, OWNER, gathered(high + 1, std::slice::from_ref(&one))).await;
    assert_eq!(inbox(&desk, OWNER).await, (Pos(high + 1), vec![two, one]));
}

pub(crate) async fn what_is_gathered_only_moves_on<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let peer = "romeo@example.net";
    gather(&mut desk, OWNER, gathered(20, &[conversation(peer, 20, 2)])).await;
    for upto in [19, 20] {
        let late = [conversation(peer, upto, 9), conversation("a@b", upto, 1)];
        gather(&mut desk, OWNER, gathered(upto, &late)).await;
    }
    assert_eq!(inbox(&desk, OWNER).await, (Pos(20), vec![conversation(peer, 20, 2)]));
}

pub(crate) async fn the_oldest_conversations_are_forgotten<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let all = ["a@x", "b@x", "c@x"].map(|peer| conversation(peer, 10, 1));
    let [_, b, c] = all.clone();
    let c = Conversation { upto: Pos(12), ..c };
    gather(&mut desk, OWNER, gathered(12, &[all[0].clone(), b, c.clone()])).await;
    // One of the oldest has become the newest meanwhile.
    let a = conversation("a@x", 14, 2);
    let next = Gathered { oldest: Pos(12), ..gathered(14, std::slice::from_ref(&a)) };
    gather(&mut desk, OWNER, next).await;
    assert_eq!(inbox(&desk, OWNER).await, (Pos(14), vec![a, c]));
}

pub(crate) async fn what_is_gathered_goes_with_its_account<B: Bed>() {
    let (_bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    let one = conversation("romeo@example.net", 9, 1);
    gather(&mut desk, "nobody@example.com", gathered(9, std::slice::from_ref(&one))).await;
    assert_eq!(inbox(&desk, "nobody@example.com").await, (Pos(0), vec![]));
    gather(&mut desk, OWNER, gathered(9, &[one])).await;
    desk.change(Change::Delete(bare(OWNER))).await.unwrap();
    desk.change(Change::Create(bare(OWNER), Credentials::default())).await.unwrap();
    assert_eq!(inbox(&desk, OWNER).await, (Pos(0), vec![]));
}
