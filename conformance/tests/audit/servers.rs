//! Bugs in a server, found by what clients see of it.

use super::{Strike, play, toy::Bug};
use conformance::audit::check::Wrong;

#[test]
fn a_server_without_bugs_is_found_without() {
    let outcome = play("kill", Bug::None, Strike::Kill);
    let verdict = outcome.verdict;
    assert_eq!(verdict.findings, [], "{verdict:?}");
    assert!(verdict.acked > 300 && verdict.acked == verdict.sent, "{verdict:?}");
    assert!(verdict.retried > 0 && verdict.repeats > 0, "the kills were not felt: {verdict:?}");
    assert!(verdict.resumed > 20, "{verdict:?}");
}

#[test]
fn cut_connections_are_resumed_without_repeats() {
    let verdict = play("cut", Bug::None, Strike::Cut).verdict;
    assert_eq!(verdict.findings, [], "{verdict:?}");
    assert_eq!(verdict.repeats, 0);
    assert!(verdict.resumed > 8, "{verdict:?}");
}

#[test]
fn sessions_that_cannot_be_resumed_are_made_up_for_by_the_archive() {
    let verdict = play("forgetful", Bug::ForgetsSessions, Strike::Kill).verdict;
    assert_eq!(verdict.findings, [], "{verdict:?}");
    assert!(verdict.renewed > 20 && verdict.resumed == 0 && verdict.fetched > 0, "{verdict:?}");
}

#[track_caller]
fn is_found(name: &str, bug: Bug, strike: Strike, wrong: Wrong) {
    let verdict = play(name, bug, strike).verdict;
    assert!(verdict.count(wrong) > 0, "{bug:?} is not found: {verdict:?}");
}

#[test]
fn an_ack_before_the_commit_is_found() {
    is_found("early", Bug::AckBeforeCommit, Strike::Kill, Wrong::Lost);
}

#[test]
fn an_h_that_runs_ahead_of_the_commit_is_found() {
    is_found("ahead", Bug::AckAhead, Strike::Kill, Wrong::Lost);
}

#[test]
fn a_batch_that_is_lost_when_it_is_tried_again_is_found() {
    is_found("batch", Bug::LostBatch, Strike::Cut, Wrong::Lost);
}

#[test]
fn rows_that_change_places_within_a_batch_are_found() {
    is_found("reorder", Bug::Reorder, Strike::Cut, Wrong::Reorder);
}

#[test]
fn a_retry_that_is_stored_again_is_found() {
    is_found("once", Bug::NoDedupe, Strike::Kill, Wrong::Duplicate);
}

#[test]
fn a_second_copy_on_a_resume_without_a_kill_is_found() {
    is_found("twice", Bug::DuplicateOnResume, Strike::Cut, Wrong::Duplicate);
}

#[test]
fn a_new_stanza_id_on_a_resume_is_found() {
    is_found("renamed", Bug::RenamedOnResume, Strike::Kill, Wrong::Misnamed);
}

#[test]
fn a_carbon_that_is_dropped_on_a_resume_is_found() {
    is_found("carbon", Bug::DroppedCarbon, Strike::Cut, Wrong::Missed);
}

#[test]
fn a_cursor_that_a_purge_has_moved_is_found() {
    is_found("cursor", Bug::WrongCursor, Strike::Cut, Wrong::Missed);
}
