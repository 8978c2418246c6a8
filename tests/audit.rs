//! Nothing is lost, nothing twice: the built server, killed, starved and slowed down under load,
//! is judged by what clients saw. `conformance/README.md` has the long runs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "audit/order.rs"]
mod order;

use conformance::audit::{
    check::Wrong,
    crowd::Plan,
    faults::{Kind, Siege},
    history::{Does, Event, What, acked},
    process::Program,
    report::Report,
};
use std::{path::Path, time::Duration};
use store::private_postgres::PrivatePostgres;

const PLAN: Plan = Plan {
    pairs: 6,
    devices: 2,
    rooms: 0,
    ghosts_after: Duration::ZERO,
    rate: 300.0,
    domain: String::new(),
    deaf: 3,
    seed: 5,
};

/// Messages a second where there are rooms: each comes to twelve devices.
const RATE_IN_ROOMS: f64 = 200.0;
/// How long nobody need be there who is listed: longer than a session can be resumed.
const GHOSTS_AFTER: Duration = Duration::from_secs(35);
/// What is said to be a slow commit.
const SLOW: Duration = Duration::from_millis(500);

fn in_rooms_done(events: &[Event], is: fn(&Does) -> bool) -> usize {
    let is = |event: &&Event| matches!(&event.what, What::Room { does, .. } if is(does));
    events.iter().filter(is).count()
}

/// Between two faults, and behind the last: so that all that is asked for in the end is there.
fn enough(events: &[Event]) -> bool {
    acked(events) > 250
}

fn enough_in_rooms(events: &[Event]) -> bool {
    let entries = in_rooms_done(events, |does| matches!(does, Does::Inside));
    let orders = in_rooms_done(events, |does| matches!(does, Does::Done { .. }));
    acked(events) > 130 && entries >= 8 && orders >= 3
}

/// The longest time in which nobody was acknowledged anything: that of a commit, at least.
fn longest_commit(report: &Report) -> Duration {
    let history = &report.outcome.history;
    let acked = history.iter().filter(|event| matches!(event.what, What::Acked { .. }));
    let acked: Vec<u64> = acked.map(|event| event.at_us).collect();
    let longest = acked.windows(2).map(|two| two[1] - two[0]).max();
    Duration::from_micros(longest.unwrap_or(0)).max(SLOW)
}

struct Case<'a> {
    kind: Kind,
    times: u32,
    postgres: Option<(&'a PrivatePostgres, &'a str)>,
    settings: &'a str,
    /// Rooms of six people each, who have two devices under one nick.
    rooms: u16,
}

impl Case<'_> {
    fn plan(&self) -> Plan {
        let plan = Plan { domain: "localhost".into(), ..PLAN };
        match self.rooms {
            0 => plan,
            rooms => Plan {
                rooms,
                pairs: 3 * rooms,
                ghosts_after: GHOSTS_AFTER,
                rate: RATE_IN_ROOMS,
                ..plan
            },
        }
    }

    fn run(&self) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let siege = Siege {
            program: Program {
                binary: Path::new(env!("CARGO_BIN_EXE_waxwing")).to_owned(),
                folder: folder.path().to_owned(),
                environment: Vec::new(),
            },
            plan: &self.plan(),
            kind: self.kind,
            times: self.times,
            gap_ms: 1000..2500,
            enough: if self.rooms == 0 { enough } else { enough_in_rooms },
            history: &folder.path().join("history.jsonl"),
            postgres: self.postgres,
            settings: self.settings,
        };
        let report = siege.run().unwrap();
        println!("{report}");
        if !report.is_clean() {
            println!("its files are kept in {}", folder.keep().display());
        }
        report
    }

    /// Nothing lost, doubled or out of order; and repeats only where they may be.
    fn holds(&self) -> Report {
        let report = self.run();
        assert!(report.is_clean(), "{report}");
        let verdict = &report.outcome.verdict;
        assert!(verdict.acked > 500 && verdict.acked == verdict.sent, "{report}");
        let may_repeat = matches!(self.kind, Kind::Kill | Kind::Power | Kind::Sick | Kind::Restore);
        assert!(may_repeat || verdict.repeats == 0, "{report}");
        assert_eq!(verdict.late_repeats, 0, "{report}");
        report
    }

    fn on_sqlite(kind: Kind, times: u32) -> Self {
        Self { kind, times, postgres: None, settings: "", rooms: 0 }
    }
}

#[test]
fn f_k9_kills_lose_nothing_on_sqlite() {
    let report = Case::on_sqlite(Kind::Kill, 5).holds();
    assert!(report.resumed_percent() >= 99.0, "{report}");
}

#[test]
fn f_k9_f_pg1_f_pg3_nothing_is_lost_on_postgresql() {
    let postgres = PrivatePostgres::start(true).unwrap();
    for (kind, times, name) in
        [(Kind::Kill, 5, "kill"), (Kind::Database, 2, "database"), (Kind::Slow, 1, "slow")]
    {
        let postgres = Some((&postgres, name));
        let report = Case { postgres, ..Case::on_sqlite(kind, times) }.holds();
        assert!(kind == Kind::Kill || report.outcome.verdict.renewed == 0, "{report}");
        // Behind the commit under way and its own, with as much again for what comes of them.
        let most = 4 * longest_commit(&report);
        assert!(kind != Kind::Slow || report.ack_p99() < most, "{most:?}: {report}");
    }
}

/// Rooms in which everybody is at some time; sessions that are gone cannot be resumed for long.
fn in_rooms(kind: Kind, times: u32) -> Case<'static> {
    let settings = "[xep.0198]\nresume_seconds_max = 30\n";
    Case { rooms: 3, settings, ..Case::on_sqlite(kind, times) }
}

/// What must hold in rooms besides: all of it was tried.
fn holds_in_rooms(case: &Case<'_>) -> Report {
    let report = case.holds();
    let verdict = &report.outcome.verdict;
    assert!(verdict.entries > 50 && verdict.orders > 10 && verdict.pushes > 10, "{report}");
    assert_eq!(verdict.behind, 0, "{report}");
    report
}

#[test]
fn f_muc_kills_lose_nothing_in_rooms_leave_no_ghosts_and_forget_no_ban_on_sqlite() {
    let report = holds_in_rooms(&in_rooms(Kind::Kill, 5));
    assert!(report.outcome.verdict.repeats > 0, "no kill was felt: {report}");
}

#[test]
fn f_muc_kills_lose_nothing_in_rooms_leave_no_ghosts_and_forget_no_ban_on_postgresql() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let postgres = Some((&postgres, "rooms"));
    holds_in_rooms(&Case { postgres, ..in_rooms(Kind::Kill, 5) });
}

#[test]
fn f_muc_after_an_orderly_end_and_cut_connections_everybody_sees_who_is_in_a_room() {
    for kind in [Kind::Drain, Kind::Cut] {
        let report = holds_in_rooms(&in_rooms(kind, 3));
        let verdict = &report.outcome.verdict;
        assert_eq!(verdict.stale, 0, "{report}");
    }
}

#[test]
fn f_drain_an_orderly_end_loses_and_repeats_nothing() {
    let report = Case::on_sqlite(Kind::Drain, 3).holds();
    assert!(report.resumed_percent() >= 99.0, "{report}");
}

#[test]
fn a_copy_that_is_restored_has_all_that_was_acknowledged_once() {
    let report = Case::on_sqlite(Kind::Restore, 2).holds();
    assert!(report.outcome.verdict.resumed == 0, "nobody comes back to another time: {report}");
}

#[test]
fn a_copy_of_a_postgresql_that_is_restored_has_all_that_was_acknowledged_once() {
    let postgres = PrivatePostgres::start(true).unwrap();
    let postgres = Some((&postgres, "restored"));
    let report = Case { postgres, ..Case::on_sqlite(Kind::Restore, 2) }.holds();
    assert!(report.outcome.verdict.resumed == 0, "nobody comes back to another time: {report}");
}

#[test]
fn f_pwr_what_was_not_synced_was_not_acknowledged() {
    Case::on_sqlite(Kind::Power, 3).holds();
}

/// The same without syncing: then the loss of power must show, or the test proves nothing.
#[test]
fn f_pwr_a_server_that_does_not_sync_is_found_out() {
    let settings = "[store]\nrelaxed = \"yes\"\n";
    let report = Case { settings, ..Case::on_sqlite(Kind::Power, 3) }.run();
    assert!(report.outcome.verdict.count(Wrong::Lost) > 0, "{report}");
}

#[test]
fn f_dsk_a_full_disk_loses_nothing() {
    Case::on_sqlite(Kind::Disk, 1).holds();
}

#[test]
fn f_dsk_a_disk_that_does_not_sync_ends_the_process_and_is_not_believed_afterwards() {
    Case::on_sqlite(Kind::Sick, 2).holds();
}

#[test]
fn f_slow_devices_that_do_not_read_miss_nothing() {
    Case::on_sqlite(Kind::Deaf, 1).holds();
}

#[test]
fn f_clk_a_clock_that_jumps_changes_no_order() {
    Case::on_sqlite(Kind::Clock, 1).holds();
}

#[test]
fn f_clk_a_process_that_was_frozen_goes_on() {
    Case::on_sqlite(Kind::Freeze, 1).holds();
}

#[test]
fn cut_connections_lose_and_repeat_nothing() {
    let report = Case::on_sqlite(Kind::Cut, 5).holds();
    assert!(report.resumed_percent() >= 99.0, "{report}");
}
