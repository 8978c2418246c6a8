use super::*;

const WRONG: Result<(), Failure> = Err(Failure::NotAuthorized);

fn bare(jid: &str) -> Bare {
    Bare::parse(jid).unwrap()
}

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn limits() -> Limits {
    Limits {
        login_failures_max: 6,
        login_failures_per_address_max: 12,
        login_failures_per_account_max: 30,
        login_failures_ms: 60_000,
        login_delay_ms_max: 4_000,
        ..Limits::default()
    }
}

/// Logs in, or fails to.
fn tries(
    logins: &Arc<Logins>,
    account: &str,
    address: &str,
    outcome: Result<(), Failure>,
) -> Admission {
    let attempt = logins.begin(bare(account), at(address), Moment(1_000));
    let admission = attempt.admission();
    attempt.ended(outcome, Moment(1_000));
    admission
}

#[test]
fn who_guesses_is_delayed_then_refused_and_the_owner_elsewhere_is_not() {
    let logins = Logins::new(&limits());
    let guess = || tries(&logins, "juliet@x", "192.0.2.1", WRONG);
    let admissions: Vec<_> = (0..8).map(|_| guess()).collect();
    let after = |ms: [u64; 6]| ms.map(Admission::After).to_vec();
    let expected = [after([0, 0, 0, 1_000, 2_000, 3_000]), vec![Admission::Refused; 2]].concat();
    assert_eq!(admissions, expected);
    // Also the right password is refused there: nothing is told by it.
    assert_eq!(tries(&logins, "juliet@x", "192.0.2.1", Ok(())), Admission::Refused);
    assert_eq!(tries(&logins, "juliet@x", "198.51.100.7", Ok(())), Admission::After(0));
    assert_eq!(tries(&logins, "romeo@x", "192.0.2.1", Ok(())), Admission::After(1_000));
    let later = logins.begin(bare("juliet@x"), at("192.0.2.1"), Moment(61_000));
    assert_eq!(later.admission(), Admission::After(0));
}

#[test]
fn an_address_that_tries_many_accounts_is_refused() {
    let logins = Logins::new(&limits());
    let spray = |number: u32| tries(&logins, &format!("u{number}@x"), "192.0.2.1", WRONG);
    let refused = |admission: &Admission| *admission == Admission::Refused;
    let admissions: Vec<_> = (0..20).map(spray).collect();
    assert_eq!(admissions.iter().position(refused), Some(12));
    assert!(admissions[12..].iter().all(refused));
    assert_eq!(tries(&logins, "u1@x", "192.0.2.2", Ok(())), Admission::After(0));
}

#[test]
fn loopback_is_no_address_that_is_refused() {
    let logins = Logins::new(&limits());
    for number in 0..50 {
        let admission = tries(&logins, &format!("u{number}@x"), "127.0.0.1", WRONG);
        assert_eq!(admission, Admission::After(0));
    }
}

#[test]
fn where_all_come_from_one_address_it_is_not_refused() {
    let logins = Logins::new(&Limits { login_failures_per_address_max: 0, ..limits() });
    for number in 0..50 {
        let admission = tries(&logins, &format!("u{number}@x"), "192.0.2.1", WRONG);
        assert_eq!(admission, Admission::After(0));
    }
}

#[test]
fn where_all_come_from_one_address_nobody_keeps_an_owner_out() {
    let limits = Limits { login_failures_max: 0, login_failures_per_address_max: 0, ..limits() };
    let logins = Logins::new(&limits);
    for number in 0..200 {
        let admission = tries(&logins, "juliet@x", "192.0.2.1", WRONG);
        assert_ne!(admission, Admission::Refused, "{number}");
    }
    assert_eq!(tries(&logins, "juliet@x", "192.0.2.1", Ok(())), Admission::After(4_000));
    let under_way: Vec<_> = (0..=UNDER_WAY_MAX)
        .map(|_| logins.begin(bare("romeo@x"), at("192.0.2.1"), Moment(1_000)))
        .collect();
    assert_eq!(under_way.last().unwrap().admission(), Admission::Refused, "too many at once");
}

#[test]
fn an_account_that_the_whole_world_tries_is_delayed_and_never_refused() {
    let logins = Logins::new(&limits());
    for number in 0..200 {
        let admission = tries(&logins, "juliet@x", &format!("198.51.100.{number}"), WRONG);
        assert_ne!(admission, Admission::Refused, "{number}");
    }
    assert_eq!(tries(&logins, "juliet@x", "192.0.2.1", Ok(())), Admission::After(4_000));
}

#[test]
fn whoever_gets_in_has_only_mistyped() {
    let logins = Logins::new(&limits());
    for _ in 0..5 {
        tries(&logins, "juliet@x", "192.0.2.1", WRONG);
    }
    assert!(matches!(tries(&logins, "juliet@x", "192.0.2.1", Ok(())), Admission::After(1..)));
    assert_eq!(tries(&logins, "juliet@x", "192.0.2.1", WRONG), Admission::After(500));
}

#[test]
fn what_is_no_wrong_password_is_not_counted() {
    let logins = Logins::new(&limits());
    for failure in [
        Failure::Aborted,
        Failure::InvalidAuthzid,
        Failure::MalformedRequest,
        Failure::TemporaryAuthFailure,
        Failure::Throttled,
    ] {
        for _ in 0..20 {
            let admission = tries(&logins, "juliet@x", "192.0.2.1", Err(failure));
            assert_eq!(admission, Admission::After(0), "{failure:?}");
        }
    }
    assert!(logins.lately().pairs.get(&(bare("juliet@x"), at("192.0.2.1"))).is_none());
}

#[test]
fn guesses_beside_each_other_are_bounded_too() {
    let logins = Logins::new(&limits());
    let begin = || logins.begin(bare("juliet@x"), at("192.0.2.1"), Moment(1_000));
    let mut under_way: Vec<_> = (0..300).map(|_| begin()).collect();
    let admitted = under_way.extract_if(.., |it| it.admission() != Admission::Refused);
    let mut admitted: Vec<_> = admitted.collect();
    assert_eq!(admitted.len() as u64, UNDER_WAY_MAX);
    admitted.pop().unwrap().ended(WRONG, Moment(1_000));
    assert_eq!(begin().admission(), Admission::Refused, "one has failed, and the others may yet");
    drop(admitted);
    let again: Vec<_> = (0..300).map(|_| begin()).collect();
    let admitted = again.iter().filter(|it| it.admission() != Admission::Refused);
    assert_eq!(admitted.count(), 5);
}
