//! What is asked of an archive, without the fuzzer: as many questions as there is time for.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../fuzz/archive.rs"]
mod archive;
#[path = "../fuzz/registry.rs"]
#[expect(dead_code, reason = "nothing is asked for that it would cause")]
mod registry;

use archive::{Archive, Choices};
use store::private_postgres::PrivatePostgres;

/// Questions of an archive in memory; of others fewer.
const QUESTIONS: usize = 3_000;

/// Bytes that are the same every time (xorshift).
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut word = seed;
    let next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 32) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn asked(url: &str, questions: usize) {
    let archive = Archive::filled(url, &mut Choices(&bytes(1, 40_000)));
    let seeds = (1..=questions as u64).map(|seed| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let told: Vec<_> = seeds.map(|seed| archive.ask(&mut Choices(&bytes(seed, 400)))).collect();
    let answered = told.iter().filter(|told| **told > 0).count();
    assert!(answered > questions / 6, "{answered} of {questions} were told anything");
}

#[test]
fn at_44_who_searches_a_long_archive_gets_it_piece_by_piece() {
    const ENTRIES: usize = 50_000;
    let rose = |n: usize| if matches!(n, 1_000 | 30_000 | 49_999) { "a rose" } else { "a name" };
    let archive = Archive::worded(ENTRIES, rose);
    let count = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
    let (forth, back) = (archive.pages("rose", false), archive.pages("rose", true));
    assert_eq!((count(&forth), count(&back)), (vec![1, 1, 1], vec![2, 0, 1]));
    let (mut forth, mut back) = (forth.concat(), back.concat());
    forth.sort();
    back.sort();
    assert_eq!(forth, back);
    assert_eq!(count(&archive.pages("violet", false)), [0; 3]);
}

#[test]
fn at_44_whatever_is_asked_of_an_archive_it_answers_as_a_list_would() {
    asked("memory:", QUESTIONS);
}

#[test]
fn at_44_an_archive_in_sqlite_answers_as_a_list_would() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waxwing.db");
    asked(&format!("sqlite:{}", file.display()), QUESTIONS / 3);
}

#[test]
fn at_44_an_archive_in_postgresql_answers_as_a_list_would() {
    let server = PrivatePostgres::start(false).unwrap();
    asked(&server.database("archive", None).unwrap(), QUESTIONS / 3);
}
