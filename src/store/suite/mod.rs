//! What every store must do. One suite; each adapter runs it: `suite!(Bed)`.

mod accounts;
mod cells;
mod fence;
mod inbox;
mod log;
mod once;
mod purge;
mod roster;
mod search;
mod sessions;
mod words;

pub(crate) use accounts::*;
pub(crate) use cells::*;
pub(crate) use fence::*;
pub(crate) use inbox::*;
pub(crate) use log::*;
pub(crate) use once::*;
pub(crate) use purge::*;
pub(crate) use roster::*;
pub(crate) use search::*;
pub(crate) use sessions::*;
pub(crate) use words::*;

use engine::{
    ctx::Moment,
    port::{Fault, Logged, Store},
    unit::{
        AFFILIATIONS, Change, Committed, Credentials, Entry, Flags, HATS_OF, MARKS, OWN_KEYS, Pos,
        REQUEST_OF, ROLE_OF, ROOM, ScramKeys, Table, Unit,
    },
    wire::{Bare, Jid, Text},
    writer::{Writer, WriterLimits},
};
use std::sync::Arc;

/// The table whose cells come with a loaded account.
pub(crate) const AT_HAND: Table = Table::named("blocklist");
/// One whose cells do not.
pub(crate) const ASIDE: Table = Table::named("vcard");
const UNIX_MS: u64 = 1_790_000_000_000;

/// Where a store is kept: what outlives the process that opens it.
pub(crate) trait Bed: Sized {
    /// An empty one. `AT_HAND` is at hand.
    async fn new() -> Self;
    /// Opens it as a new process, after the store of before has been dropped.
    async fn open(&mut self) -> Arc<dyn Store>;
    /// Another process takes the store, which is open.
    async fn usurp(&self);
}

macro_rules! suite {
    ($bed:ty) => {
        crate::suite::suite! { @ $bed:
            creating_twice_fails_that_unit_only,
            credentials_are_kept_as_given,
            a_new_password_replaces_every_key,
            of_two_passwords_set_at_once_each_is_another,
            an_upgrade_adds_only_what_is_missing,
            a_rehash_replaces_every_key_of_the_same_password,
            what_is_kept_of_another_password_is_not_touched,
            a_device_is_read_with_what_is_kept_of_the_password,
            the_password_of_nobody_is_refused,
            whether_any_password_is_kept_by_argon2id_is_known,
            deleting_removes_everything_and_a_new_account_starts_empty,
            one_unit_may_delete_and_create,
            accounts_are_paged_by_local_part,
            an_account_has_a_local_part,
            roster_items_are_kept_as_given,
            a_roster_item_is_written_whole,
            a_removed_item_is_remembered_with_its_version,
            a_removal_is_remembered_when_the_item_comes_back,
            removals_are_bounded_and_the_newest_kept,
            the_roster_of_nobody_is_refused,
            a_forsaken_item_keeps_only_what_the_user_called_it,
            what_was_only_a_request_goes_when_it_is_forsaken,
            forsaking_nobody_does_nothing,
            a_roster_address_has_a_limit,
            cells_are_put_cut_and_listed_by_key,
            cells_are_read_in_pieces_in_the_order_of_their_bytes,
            a_key_has_up_to_1024_bytes,
            cells_at_hand_come_with_the_account,
            the_accounts_of_a_domain_are_counted,
            an_account_is_disabled_until_it_is_enabled_again,
            nobody_can_be_disabled,
            a_host_has_cells_without_being_made,
            a_room_is_made_before_it_is_written_to,
            cells_of_nobody_are_refused,
            the_rooms_of_somebody_are_found_by_what_it_is_to_them,
            what_rooms_have_of_an_account_goes_with_it_but_that_it_is_banned,
            who_is_anything_to_a_room_again_is_so_behind_the_removal,
            a_cell_is_swapped_when_it_is_what_it_was,
            of_two_swaps_of_one_cell_the_second_sees_the_first,
            a_swap_sees_what_its_unit_has_done,
            pages_follow_one_another_in_order,
            a_message_in_two_logs_is_two_entries,
            entries_are_kept_as_given,
            any_text_comes_back_as_it_was,
            a_big_stanza_is_kept,
            positions_rise_when_the_clock_steps_back,
            a_bad_unit_does_not_fail_its_neighbours,
            many_bad_units_are_each_told,
            changes_and_entries_keep_the_order_of_the_queue,
            readers_see_only_whole_units_while_the_writer_writes,
            what_is_said_again_is_written_once,
            of_two_alike_in_one_batch_the_first_is_written,
            what_repeats_a_refused_unit_is_written_for_itself,
            only_the_log_key_and_stretch_that_are_meant_count,
            what_the_same_session_says_again_is_meant,
            what_was_taken_away_was_not_said,
            a_repeat_among_bad_units_is_known,
            many_keys_are_looked_up_at_once,
            sessions_are_kept_as_given_and_written_whole,
            only_an_account_has_sessions,
            accounts_whose_sessions_can_be_resumed_are_paged,
            a_room_is_loaded_and_comes_back_while_somebody_is_in_it,
            what_the_log_settled_raises_h,
            what_is_delivered_only_moves_on,
            entries_are_taken_away_and_told_anew,
            a_search_narrows_by_all_that_it_names,
            a_page_of_a_search_says_whether_there_is_more,
            a_search_counts_up_to_what_it_is_told,
            an_empty_stretch_has_nothing,
            entries_are_found_by_their_places,
            words_are_found_wherever_the_index_has_come,
            a_search_goes_on_where_it_had_to_stop,
            what_is_found_by_words_is_paged_in_the_order_of_the_log,
            whatever_is_said_and_searched_for_is_found_as_by_a_look,
            what_goes_from_a_log_is_found_no_more,
            many_logs_are_indexed_piece_by_piece,
            the_writer_goes_on_while_words_are_indexed,
            what_is_too_old_goes,
            of_a_log_that_is_too_long_the_newest_stay,
            what_is_only_delivered_goes_when_it_is,
            sessions_go_when_their_h_was_kept_long_enough,
            a_removed_account_takes_a_long_log_with_it,
            the_writer_goes_on_while_much_is_removed,
            what_is_gathered_is_kept_as_given,
            what_is_gathered_only_moves_on,
            the_oldest_conversations_are_forgotten,
            what_is_gathered_goes_with_its_account,
            another_process_fences_this_one,
            a_batch_is_written_once_however_often_it_is_sent,
            a_batch_that_skips_a_number_is_fenced,
            a_new_process_goes_on_where_the_last_one_ended,
            the_secret_is_made_once,
        }
    };
    (@ $bed:ty: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::suite::$case::<$bed>().await;
            }
        )*
    };
}
pub(crate) use suite;

/// A store and the one who writes to it.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    writer: Writer<usize>,
    pub(crate) unix_ms: u64,
}

impl Desk {
    pub(crate) async fn at(store: Arc<dyn Store>) -> Self {
        let last = store.last().await.unwrap();
        Self { store, writer: Writer::resume(last, WriterLimits::default()), unix_ms: UNIX_MS }
    }

    /// A desk with these accounts.
    pub(crate) async fn with<B: Bed>(accounts: &[&str]) -> (B, Self) {
        let mut bed = B::new().await;
        let mut desk = Self::at(bed.open().await).await;
        for account in accounts {
            desk.change(Change::Create(bare(account), Credentials::default())).await.unwrap();
        }
        (bed, desk)
    }

    /// Commits these units in one batch.
    pub(crate) async fn commit(&mut self, units: Vec<Unit>) -> Vec<Result<Committed, Fault>> {
        for (number, unit) in units.into_iter().enumerate() {
            self.writer.push(number, unit, Moment(0)).unwrap();
        }
        let batch = self.writer.next_batch(self.unix_ms).unwrap();
        let answer = self.store.commit(&batch).await;
        assert!(!matches!(answer, Err(Fault::Away(_))), "{answer:?}");
        self.writer.outcome(answer).into_iter().map(|(_, outcome)| outcome).collect()
    }

    pub(crate) async fn one(&mut self, unit: Unit) -> Result<Committed, Fault> {
        self.commit(vec![unit]).await.remove(0)
    }

    pub(crate) async fn change(&mut self, change: Change) -> Result<(), Fault> {
        self.one(changes(vec![change])).await.map(drop)
    }

    pub(crate) async fn page(&self, log: &str, after: i64, max: usize) -> Vec<Logged> {
        self.store.page(&bare(log), Pos(after), max).await.unwrap()
    }

    /// The stanzas of a log, as text.
    pub(crate) async fn texts(&self, log: &str) -> Vec<String> {
        let page = self.page(log, 0, 10_000).await;
        page.into_iter().map(|logged| logged.entry.stanza.to_string()).collect()
    }
}

pub(crate) fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

pub(crate) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

pub(crate) fn changes(changes: Vec<Change>) -> Unit {
    Unit::of(changes)
}

/// One entry of this log.
pub(crate) fn said(log: &str, stanza: &str) -> Unit {
    Unit { entries: vec![entry(log, stanza)], ..Unit::default() }
}

pub(crate) fn entry(log: &str, stanza: &str) -> Entry {
    Entry {
        log: bare(log),
        flags: Flags::RECEIVED.and(Flags::ARCHIVE),
        peer: bare("romeo@example.net"),
        key: None,
        settles: None,
        foreign_id: None,
        stanza: Text::from(stanza),
    }
}

pub(crate) fn keys(seed: u8) -> ScramKeys {
    ScramKeys {
        salt: vec![seed; 16],
        iterations: 4_096 + u32::from(seed),
        stored_key: vec![0, seed, 0xff],
        server_key: vec![seed, 0, 0x80],
    }
}

/// A verifier in the PHC string format.
pub(crate) fn phc(seed: u8) -> String {
    format!("$argon2id$v=19$m=65536,t=3,p=4${seed:022}$c2VjcmV0")
}

pub(crate) fn is_refused<T>(outcome: &Result<T, Fault>) -> bool {
    matches!(outcome, Err(Fault::Refused(_)))
}
