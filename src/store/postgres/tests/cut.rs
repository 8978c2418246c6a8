//! Connections that are lost at the worst moments, by something between us and the database.

use super::*;
use crate::suite::is_refused;
use engine::port::Batch;
use std::sync::atomic::AtomicU8;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// What is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// Nothing.
    Nothing = 0,
    /// The connection, before a COMMIT reaches the database.
    Commit = 1,
    /// The connection, when the database has committed and says so.
    Answer = 2,
}

/// Stands in front of the database's socket.
struct Between {
    folder: tempfile::TempDir,
    cut: Arc<AtomicU8>,
}

impl Between {
    fn us_and(server: &PrivatePostgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::Nothing as u8));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let behind = server.folder().join(".s.PGSQL.5432");
        let what = cut.clone();
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                let theirs = UnixStream::connect(&behind).await.unwrap();
                tokio::spawn(carry(ours, theirs, what.clone()));
            }
        });
        Self { folder, cut }
    }

    fn next(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until one side ends, or the cut comes. It comes once.
async fn carry(ours: UnixStream, theirs: UnixStream, cut: Arc<AtomicU8>) {
    let (mut from_us, mut to_us) = ours.into_split();
    let (mut from_them, mut to_them) = theirs.into_split();
    let (mut asked, mut told) = ([0; 65_536], [0; 65_536]);
    let is_cut = |what: Cut, bytes: &[u8], word: &[u8]| {
        bytes.windows(word.len()).any(|window| window == word)
            && cut
                .compare_exchange(
                    what as u8,
                    Cut::Nothing as u8,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                )
                .is_ok()
    };
    // A COMMIT is executed by the name of its prepared statement: known by what was asked before.
    let mut commit = Vec::new();
    loop {
        tokio::select! {
            read = from_us.read(&mut asked) => {
                let Ok(1..) = read else { return };
                let bytes = &asked[..read.unwrap()];
                commit = commit_of(bytes).unwrap_or(commit);
                if !commit.is_empty() && is_cut(Cut::Commit, bytes, &commit) {
                    return;
                }
                if to_them.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = from_them.read(&mut told) => {
                let Ok(1..) = read else { return };
                let bytes = &told[..read.unwrap()];
                if is_cut(Cut::Answer, bytes, b"C\0\0\0\x0bCOMMIT\0") {
                    return;
                }
                if to_us.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The Bind of the statement that a Parse names `COMMIT`: `B`, its length, an unnamed portal,
/// the name, which tokio-postgres makes of `s` and a number, and no values.
fn commit_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.windows(8).position(|window| window == b"\0COMMIT\0")?;
    let start = bytes[..end].iter().rposition(|&byte| byte == b's')?;
    Some([&b"\0"[..], &bytes[start..end], b"\0\0\0\0\0"].concat())
}

/// A store behind the cut, an account, and a batch of one good and one bad unit.
async fn behind() -> (Database, Between, Desk, Batch) {
    let (mut database, desk) = Desk::with::<Database>(&["a@example.com"]).await;
    drop(desk);
    let between = Between::us_and(server());
    let direct = format!("host={}", server().folder().display());
    let through = format!("host={}", between.folder.path().display());
    database.url = database.url.replace(&direct, &through);
    let desk = Desk::at(database.open().await).await;
    database.url = database.url.replace(&through, &direct);
    let (number, last) = desk.store.last().await.unwrap();
    let pos = Pos::next(last, desk.unix_ms);
    let units = vec![
        (said("a@example.com", "<message/>"), vec![pos]),
        (said("nobody@example.com", "<message/>"), vec![Pos(pos.0 + 1)]),
    ];
    let batch = Batch { number: number + 1, last: Pos(pos.0 + 1), units };
    (database, between, desk, batch)
}

/// A first batch, so that all statements are prepared.
async fn warm(desk: &mut Desk, mut batch: Batch) -> Batch {
    desk.store.commit(&batch).await.unwrap();
    batch.number += 1;
    for position in batch.units.iter_mut().flat_map(|(_, positions)| positions) {
        position.0 += 2;
    }
    batch.last.0 += 2;
    batch
}

/// The database ends the connection that writes.
async fn hang_up(database: &Database) {
    const SQL: &str = "
        SELECT count(pg_terminate_backend(pid)) FROM pg_locks
        WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(database.number(SQL).await, 1);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_was_made_and_is_made_once() {
    let (database, between, mut desk, batch) = behind().await;
    let batch = warm(&mut desk, batch).await;
    between.next(Cut::Answer);
    assert!(matches!(desk.store.commit(&batch).await, Err(Fault::Away(_))));
    assert_eq!(database.number("SELECT count(*) FROM entry").await, 2);
    assert_eq!(desk.store.last().await, Ok((batch.number, batch.last)));
    let verdicts = desk.store.commit(&batch).await.unwrap();
    assert!(verdicts[0].is_ok() && is_refused(&verdicts[1]), "it tells what became of each unit");
    assert_eq!(desk.texts("a@example.com").await.len(), 2);
}

#[tokio::test]
async fn a_commit_that_is_lost_was_not_made_and_can_be_made_again() {
    let (_database, between, mut desk, batch) = behind().await;
    let batch = warm(&mut desk, batch).await;
    between.next(Cut::Commit);
    assert!(matches!(desk.store.commit(&batch).await, Err(Fault::Away(_))));
    assert_eq!(desk.store.last().await.unwrap().0, batch.number - 1);
    assert_eq!(desk.texts("a@example.com").await.len(), 1);
    let verdicts = desk.store.commit(&batch).await.unwrap();
    assert!(verdicts[0].is_ok() && is_refused(&verdicts[1]));
    assert_eq!(desk.texts("a@example.com").await.len(), 2);
}

#[tokio::test]
async fn a_connection_that_the_database_ends_is_made_anew() {
    let (database, _between, mut desk, _) = behind().await;
    hang_up(&database).await;
    // The end of the connection may be heard of only when it is used.
    while let Err(fault) = desk.store.last().await {
        assert!(matches!(fault, Fault::Away(_)), "{fault}");
    }
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("a@example.com").await.len(), 1);
}

#[tokio::test]
async fn a_transaction_left_by_a_lost_connection_cannot_commit_later() {
    let (mut database, desk) = Desk::with::<Database>(&["a@example.com"]).await;
    let store = desk.store.clone();
    // The database works on; we have given up waiting for it.
    let stuck = database.beside().await;
    stuck.batch_execute("BEGIN; LOCK TABLE entry IN ACCESS EXCLUSIVE MODE").await.unwrap();
    drop((store, desk));
    let hasty = Options { answer_ms_max: 3_000, ..options() };
    let store = Postgres::open(&database.url, &hasty).await.unwrap();
    let mut desk = Desk::at(Arc::new(store)).await;
    let (number, last) = desk.store.last().await.unwrap();
    let pos = Pos::next(last, desk.unix_ms);
    let units = vec![(said("a@example.com", "<message/>"), vec![pos])];
    let batch = Batch { number: number + 1, last: pos, units };
    assert!(matches!(desk.store.commit(&batch).await, Err(Fault::Away(_))));
    assert_eq!(desk.store.last().await, Ok((number, last)), "known not to be committed");
    stuck.batch_execute("COMMIT").await.unwrap();
    assert_eq!(desk.store.last().await, Ok((number, last)), "and it stays so");
    desk.one(said("a@example.com", "<message/>")).await.unwrap();
    assert_eq!(desk.texts("a@example.com").await.len(), 1);
    drop(desk);
    assert_eq!(database.open().await.last().await.unwrap().0, number + 1);
}

#[tokio::test]
async fn a_process_that_lost_its_connection_to_another_is_fenced() {
    let (mut database, desk) = Desk::with::<Database>(&["a@example.com"]).await;
    hang_up(&database).await;
    let other = database.open().await;
    assert_eq!(desk.store.last().await, Err(Fault::Fenced));
    assert!(other.last().await.is_ok());
}
