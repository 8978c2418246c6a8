//! XEP-0484 §3.3: tokens that go with the password, and with the operator's word. RFC 6120 §6.5.2:
//! accounts that the operator has closed.

use super::{
    Intruder,
    siege::Siege,
    tokens::{Shown, kinds, token},
};
use crate::server::run;

const ROMEO: &str = "romeo@localhost";

/// A token of each kind, which are good.
fn gathers(intruder: &mut Intruder) -> Vec<(&'static str, u32, String)> {
    let kinds = kinds(intruder).into_iter();
    kinds
        .map(|(kind, device)| {
            let token = token(intruder, kind, device);
            Shown { kind, user: "romeo", token: &token, device }.is_good(intruder, "count='1'");
            (kind, device, token)
        })
        .collect()
}

#[tokio::test]
async fn a_token_is_void_after_the_password_or_the_operator_has_said_so_whatever_the_way_in() {
    let mut siege = Siege::start().await;
    let passwd = ["user", "passwd", ROMEO, "--password-stdin"];
    let orders = [
        (&passwd[..], "another\n", "credentials-expired"),
        // The password is what it was again, the token is not.
        (&passwd, "wherefore-art-thou\n", "credentials-expired"),
        (&["user", "revoke", ROMEO], "", "not-authorized"),
    ];
    for orders in [&orders[..2], &orders[2..]] {
        let gathered = siege.bears(gathers).await;
        for &(words, given, condition) in orders {
            let done = run(siege.server.folder.path(), words, given).await;
            assert!(done.status.success(), "{words:?}: {done:?}");
            let gathered = gathered.clone();
            let shows = move |intruder: &mut Intruder| {
                for (kind, device, token) in &gathered[intruder.over as usize] {
                    let shown = Shown { kind, user: "romeo", token, device: *device };
                    shown.is_refused_as(condition, intruder, "count='2'");
                }
            };
            siege.bears(shows).await;
        }
    }
    siege.ends().await;
}

#[tokio::test]
async fn a_disabled_account_lets_nobody_in_until_it_is_enabled_again_whatever_the_way_in() {
    let mut siege = Siege::start().await;
    let gathered = siege.bears(gathers).await;
    let here = siege.server.folder.path().to_owned();
    let orders = async |word| {
        let done = run(&here, &["user", word, ROMEO], "").await;
        assert!(done.status.success(), "{word}: {done:?}");
    };
    for disabled in [true, false] {
        orders(if disabled { "disable" } else { "enable" }).await;
        let gathered = gathered.clone();
        let shows = move |intruder: &mut Intruder| {
            for (kind, device, token) in &gathered[intruder.over as usize] {
                let shown = Shown { kind, user: "romeo", token, device: *device };
                match disabled {
                    true => shown.is_refused_as("account-disabled", intruder, "count='2'"),
                    false => shown.is_good(intruder, "count='3'"),
                }
            }
        };
        siege.bears(shows).await;
    }
    siege.ends().await;
}
