//! The fence, batch numbers, and what outlives a process.

use super::*;
use engine::port::Batch;

const OWNER: &str = "juliet@example.com";

/// The batch after the store's last, made by hand.
async fn batch(store: &dyn Store, units: Vec<Unit>) -> Batch {
    let (number, mut last) = store.last().await.unwrap();
    let units = units.into_iter().map(|unit| {
        let positions = unit.entries.iter().map(|_| {
            last = Pos::next(last, UNIX_MS);
            last
        });
        let positions = positions.collect();
        (unit, positions)
    });
    let units = units.collect();
    Batch { number: number + 1, last, units }
}

pub(crate) async fn another_process_fences_this_one<B: Bed>() {
    let (bed, desk) = Desk::with::<B>(&[OWNER]).await;
    let next = batch(&*desk.store, vec![said(OWNER, "<message/>")]).await;
    bed.usurp().await;
    assert_eq!(desk.store.commit(&next).await, Err(Fault::Fenced));
    assert!(desk.texts(OWNER).await.is_empty(), "nothing was written");
    assert_eq!(desk.store.last().await, Err(Fault::Fenced));
    assert_eq!(desk.store.commit(&next).await, Err(Fault::Fenced));
}

pub(crate) async fn a_batch_is_written_once_however_often_it_is_sent<B: Bed>() {
    let (_bed, desk) = Desk::with::<B>(&[OWNER]).await;
    let units = vec![said(OWNER, "<message/>"), said("nobody@example.com", "<message/>")];
    let batch = batch(&*desk.store, units).await;
    let first = desk.store.commit(&batch).await.unwrap();
    assert!(first[0].is_ok() && is_refused(&first[1]));
    assert_eq!(desk.store.last().await, Ok((batch.number, batch.last)));
    let again = desk.store.commit(&batch).await.unwrap();
    assert_eq!(again, first, "it tells what became of it");
    assert_eq!(desk.texts(OWNER).await.len(), 1);
    assert_eq!(desk.store.last().await, Ok((batch.number, batch.last)));
}

pub(crate) async fn a_batch_that_skips_a_number_is_fenced<B: Bed>() {
    let (_bed, desk) = Desk::with::<B>(&[OWNER]).await;
    let next = batch(&*desk.store, vec![said(OWNER, "<message/>")]).await;
    for wrong in [next.number + 1, next.number - 2] {
        let batch = Batch { number: wrong, ..next.clone() };
        assert_eq!(desk.store.commit(&batch).await, Err(Fault::Fenced));
    }
    assert!(desk.texts(OWNER).await.is_empty());
}

pub(crate) async fn a_new_process_goes_on_where_the_last_one_ended<B: Bed>() {
    let (mut bed, mut desk) = Desk::with::<B>(&[OWNER]).await;
    desk.one(said(OWNER, "<message id='1'/>")).await.unwrap();
    let last = desk.store.last().await.unwrap();
    drop(desk);
    let mut desk = Desk::at(bed.open().await).await;
    assert_eq!(desk.store.last().await, Ok(last));
    desk.one(said(OWNER, "<message id='2'/>")).await.unwrap();
    assert_eq!(desk.texts(OWNER).await.len(), 2);
    assert_eq!(desk.store.last().await.unwrap().0, last.0 + 1);
}

pub(crate) async fn the_secret_is_made_once<B: Bed>() {
    let (mut bed, desk) = Desk::with::<B>(&[]).await;
    let first: [u8; 32] = std::array::from_fn(|n| 255 - n as u8);
    assert_eq!(desk.store.secret(first).await, Ok(first));
    assert_eq!(desk.store.secret([7; 32]).await, Ok(first));
    drop(desk);
    assert_eq!(bed.open().await.secret([8; 32]).await, Ok(first));
}
