//! XEP-0077: strangers who want accounts. They get none unless the operator says so, and not many;
//! AT-61.

use crate::{
    client::{Client, HEADER},
    server::Server,
    watch::is_calm,
};

const FEATURE: &str = "<register xmlns='http://jabber.org/features/iq-register'/>";

/// What a stranger on a stream of its own hears who wants this account; `None`: it got it.
async fn registers(server: &Server, name: &str) -> Option<String> {
    let mut client = Client::starttls(server).await;
    client.say(HEADER).await;
    let offered = client.hear("</stream:features>").await.contains(FEATURE);
    let query = format!(
        "<iq type='set' id='r' to='localhost'><query xmlns='jabber:iq:register'>\
         <username>{name}</username><password>secret</password></query></iq>"
    );
    client.say(&query).await;
    let said = client.hear(">").await;
    if said.contains("type='result'") {
        assert!(offered, "{said}");
        return None;
    }
    let error = client.hear("</iq>").await;
    assert_eq!(offered, !error.contains("service-unavailable"), "offered where it works: {error}");
    Some(error)
}

#[tokio::test]
async fn nobody_makes_an_account_where_the_operator_has_not_said_so() {
    let server = Server::start("").await;
    let refused = registers(&server, "nurse").await.expect("a refusal");
    assert!(refused.contains("<service-unavailable "), "{refused}");
    // It is not there: whoever is asked to make it makes it.
    server.add("nurse@localhost", "secret").await;
    is_calm(&server);
}

#[tokio::test]
async fn at_61_so_many_accounts_are_made_from_an_address_within_an_hour() {
    let server = Server::start(
        "[xep.0077]\nregistration = \"open\"\naccounts_per_address_per_hour_max = 3\n",
    )
    .await;
    for name in ["a", "b"] {
        assert_eq!(registers(&server, name).await, None);
    }
    let taken = registers(&server, "a").await.expect("a refusal");
    assert!(taken.contains("<conflict "), "{taken}");
    for name in ["c", "a"] {
        let refused = registers(&server, name).await.expect("a refusal");
        assert!(refused.contains("<error type='wait'><resource-constraint "), "{refused}");
    }
    // Whom the operator makes is not counted.
    server.add("c@localhost", "secret").await;
    is_calm(&server);
}
