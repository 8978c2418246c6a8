use super::*;
use crate::{
    ctx::{Moment, Random},
    hooks::Hooks,
};

const EXPR: &str = "HT-SHA-256-EXPR";
const DAY_MS: u64 = 86_400_000;
/// When the password was set.
const SET: u64 = 1;
const BINDING: &[u8] = b"of this connection";

struct Seeded;

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn at<T>(unix_ms: u64, then: impl FnOnce(&Ctx<'_>) -> T) -> T {
    let settings = Settings::of(vec![Bare::host("x").unwrap()], [7; 32]);
    let hooks = Hooks::of(&[]);
    let now = Moment(unix_ms);
    then(&Ctx { now, unix_ms, random: &Seeded, settings: &settings, hooks: &hooks })
}

fn juliet() -> Bare {
    Bare::parse("juliet@x").unwrap()
}

fn agent() -> Agent {
    Agent::of("d4565fa7", "Conversations", "a phone").unwrap()
}

fn ht(name: &str) -> Ht {
    Ht::named(name).unwrap()
}

/// A login at a time, and the token that it gives.
fn login(
    device: &mut Device,
    unix_ms: u64,
    by: Option<(Slot, Use)>,
    wish: Option<Ht>,
) -> Option<Issued> {
    let (account, agent) = (&juliet(), &agent());
    let by_password = by.is_none();
    let login = Login { account, agent, changed: SET, by_password, by, wish };
    at(unix_ms, |ctx| device.logged_in(ctx, &login))
}

fn with_token() -> (Device, String) {
    let mut device = Device::new(1);
    let issued = login(&mut device, 1, None, Some(ht(EXPR))).unwrap();
    (device, issued.secret)
}

/// Whether a token is good, then.
fn check(device: &Device, unix_ms: u64, secret: &str, used: Use) -> Result<Slot, Failure> {
    let code = ht(EXPR).initiator(secret, BINDING);
    let shown = Shown { kind: ht(EXPR), code: &code, binding: BINDING, used };
    at(unix_ms, |ctx| device.check(ctx, (&juliet(), "d4565fa7"), SET, &shown)).map(|(slot, _)| slot)
}

fn counted(count: u64) -> Use {
    Use { count: Some(count), invalidate: false }
}

#[test]
fn a_token_is_good_for_its_mechanism_binding_account_and_device_only() {
    let (device, secret) = with_token();
    assert_eq!(check(&device, 2, &secret, Use::default()), Ok(Slot::Fresh));
    let refused = |account: &str, id: &str, changed: u64, name: &str, binding: &[u8]| {
        let code = ht(name).initiator(&secret, BINDING);
        let shown = Shown { kind: ht(name), code: &code, binding, used: Use::default() };
        let account = Bare::parse(account).unwrap();
        at(2, |ctx| device.check(ctx, (&account, id), changed, &shown)).err()
    };
    let no = Some(Failure::NotAuthorized);
    assert_eq!(refused("juliet@x", "d4565fa7", SET, EXPR, BINDING), None);
    assert_eq!(refused("romeo@x", "d4565fa7", SET, EXPR, BINDING), no);
    assert_eq!(refused("juliet@x", "another", SET, EXPR, BINDING), no);
    assert_eq!(refused("juliet@x", "d4565fa7", SET, "HT-SHA-512-EXPR", BINDING), no);
    assert_eq!(refused("juliet@x", "d4565fa7", SET, "HT-SHA-256-NONE", BINDING), no);
    assert_eq!(refused("juliet@x", "d4565fa7", SET, EXPR, b"of another connection"), no);
    // Another password: set later, or so long ago that the token seems to be younger.
    let void = Some(Failure::CredentialsExpired);
    assert_eq!(refused("juliet@x", "d4565fa7", SET + 1, EXPR, BINDING), void);
    assert_eq!(refused("juliet@x", "d4565fa7", SET - 1, EXPR, BINDING), void);
    assert_eq!(check(&device, 2, "guessed", Use::default()), Err(Failure::NotAuthorized));
}

#[test]
fn a_token_expires_xep_0484_4() {
    let (device, secret) = with_token();
    let last = 14 * DAY_MS;
    assert_eq!(check(&device, last, &secret, Use::default()), Ok(Slot::Fresh));
    let expired = check(&device, last + 1, &secret, Use::default());
    assert_eq!(expired, Err(Failure::CredentialsExpired));
    assert_eq!(check(&device, last + 1, "guessed", Use::default()), Err(Failure::NotAuthorized));
}

#[test]
fn a_token_is_renewed_when_half_its_time_is_over_and_the_old_one_stays_until_the_new_is_used() {
    let (mut device, old) = with_token();
    let by = Some((Slot::Fresh, Use::default()));
    assert_eq!(login(&mut device, 7 * DAY_MS, by, None), None, "not due yet");
    let by = Some((Slot::Current, Use::default()));
    let new = login(&mut device, 7 * DAY_MS + 2, by, None).expect("it is due").secret;
    let then = 7 * DAY_MS + 3;
    assert_eq!(check(&device, then, &new, Use::default()), Ok(Slot::Fresh));
    // The random of this test is the same for both, as no other is.
    device.fresh.as_mut().unwrap().nonce = "another".into();
    let new = at(then, |ctx| device.fresh.as_ref().unwrap().secret(ctx, &juliet(), "d4565fa7"));
    assert_eq!(check(&device, then, &old, Use::default()), Ok(Slot::Current));
    login(&mut device, then, Some((Slot::Fresh, Use::default())), None);
    assert_eq!(check(&device, then, &new, Use::default()), Ok(Slot::Current));
    assert_eq!(check(&device, then, &old, Use::default()), Err(Failure::NotAuthorized));
}

#[test]
fn a_count_only_rises_xep_0484_3_3() {
    let (mut device, secret) = with_token();
    login(&mut device, 2, Some((Slot::Fresh, counted(5))), None);
    for replayed in [Use::default(), counted(0), counted(4), counted(5)] {
        assert_eq!(check(&device, 3, &secret, replayed), Err(Failure::NotAuthorized));
    }
    assert_eq!(check(&device, 3, &secret, counted(6)), Ok(Slot::Current));
}

#[test]
fn who_logs_out_leaves_no_token_but_the_one_it_asks_for_xep_0484_3_5() {
    let out = Some((Slot::Fresh, Use { count: None, invalidate: true }));
    let (mut device, secret) = with_token();
    assert_eq!(login(&mut device, 13 * DAY_MS, out, None), None, "though it would be due");
    assert!(!device.has_token(2, SET));
    assert_eq!(check(&device, 2, &secret, Use::default()), Err(Failure::NotAuthorized));
    let (mut device, _) = with_token();
    assert!(login(&mut device, 2, out, Some(ht(EXPR))).is_some());
    assert!(device.has_token(3, SET) && !device.has_token(3, SET + 1));
}

#[test]
fn a_device_is_kept_as_it_is() {
    let (mut device, _) = with_token();
    login(&mut device, 2, Some((Slot::Fresh, counted(5))), Some(ht("HT-SHA-512-ENDP")));
    assert_eq!(Device::load(&device.save()), Some(device.clone()));
    let later = Device { last_ms: device.last_ms + LAST_MS_EXACT - 1, ..device.clone() };
    assert!(later.is_nearly(&device));
    let later = Device { last_ms: device.last_ms + LAST_MS_EXACT, ..device.clone() };
    assert!(!later.is_nearly(&device));
    for broken in ["", "1 2", "1 2 1\n", "1 2 1\na\nb\nfresh x", "1 2 1\na\nb\nfresh a b c d e"] {
        assert_eq!(Device::load(broken.as_bytes()), None, "{broken}");
    }
}

#[test]
fn what_a_client_says_of_itself_is_cut_to_size_and_to_one_line() {
    let long = "é".repeat(NAME_BYTES_MAX);
    let agent = Agent::of("id", "a\nb", &long).unwrap();
    assert_eq!((&*agent.software, agent.device.len()), ("a b", NAME_BYTES_MAX));
    for bad in ["", "a\nb", &"a".repeat(ID_BYTES_MAX + 1)] {
        assert_eq!(Agent::of(bad, "", ""), None);
    }
}

#[test]
fn one_device_too_many_takes_the_place_of_the_one_unused_longest() {
    let cell = |last_ms: u64| Device { last_ms, ..Device::new(0) }.save();
    let cells = |count: u64| (0..count).map(|at| (at.to_string(), cell(1_000 - at))).collect();
    let max = DEVICES_MAX as u64;
    assert_eq!(surplus(cells(max - 1)), Vec::<String>::new());
    assert_eq!(surplus(cells(max)), [(max - 1).to_string()]);
}
