//! What is large: told in parts, in short or not at all, so that nobody who enters, comes back or
//! asks is told more at once than waits for one socket (XEP-0045 §7.2.2, §7.2.14).

use super::{FOUNDER, enter, founded, to};
use engine::wire::*;

const JULIET: &str = "juliet@wax.example/balcony";
const KIB: usize = 1 << 10;

#[test]
fn who_comes_back_is_told_what_was_large_page_by_page_and_once() {
    let mut house = founded(&[]);
    enter(&mut house, JULIET, "juliet");
    house.goes_away(JULIET);
    let sizes = [50, 50, 50, 300, 1, 50];
    for (id, kib) in sizes.into_iter().enumerate() {
        let body = "x".repeat(kib * KIB);
        let said = format!("<message type='groupchat' id='{id}'><body>{body}</body></message>");
        house.says(FOUNDER, &said);
    }
    house.late = true;
    let ids = |heard: &[Stanza]| -> Vec<usize> {
        let id = |one: &&Stanza| one.head.id.as_deref().and_then(|id| id.parse().ok());
        to(heard, JULIET).iter().filter_map(id).collect()
    };
    let heard = house.comes_back(JULIET);
    let mut pages = vec![ids(&heard)];
    while house.waits() > 0 {
        let heard = house.goes_on(Ok(()));
        pages.push(ids(&heard));
    }
    pages.retain(|page| !page.is_empty());
    assert_eq!(pages, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
}
