//! What is known of one account.

use super::*;
use crate::xep_0004_forms as forms;
use engine::{port::Loaded, port::Pending, roster};

const ROSTER_QUERY: Name = Name::new(ns::ROSTER, "query");

const ROSTER_SIZE: Field = Field {
    var: "rostersize",
    kind: Kind::TextSingle,
    label: "The number of roster items",
    required: false,
};
const ONLINE_RESOURCES: Field = Field {
    var: "onlineresources",
    kind: Kind::TextMulti,
    label: "The resources that are online",
    required: false,
};

/// Section 4.8. One account at a time, for an answer does not say which roster is whose.
pub const ROSTER: Command = Command {
    node: "http://jabber.org/protocol/admin#get-user-roster",
    name: "Get User Roster",
    form: Some(&Layout {
        form_type: NS,
        title: "Getting a User's Roster",
        instructions: "Fill out this form to get the roster of one user.",
        fields: &[ACCOUNTS],
    }),
    run: roster,
};

/// Section 4.10.
pub const STATISTICS: Command = Command {
    node: "http://jabber.org/protocol/admin#user-stats",
    name: "Get User Statistics",
    form: Some(&Layout {
        form_type: NS,
        title: "Get User Statistics",
        instructions: "Fill out this form to gather user statistics.",
        fields: &[ACCOUNT],
    }),
    run: statistics,
};

fn roster(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let account = match *order.jids()? {
            [ref jid] => order.account(jid)?,
            _ => return Err(not_acceptable("one account at a time")),
        };
        let loaded = loaded(&order, &account).await?;
        let items = listed(&loaded).map(roster::Item::draft);
        let query = items.fold(Draft::new(ROSTER_QUERY), Draft::child);
        Ok(Done::told(forms::result(NS).child(ACCOUNTS.told([account.as_str()])).child(query)))
    })
}

fn statistics(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let account = order.one_account()?;
        let size = listed(&loaded(&order, &account).await?).count().to_string();
        let mut resources = order.world.registrar.resources(&account).await;
        resources.sort();
        let resources = resources.iter().filter_map(|jid| jid.resource());
        let result = forms::result(NS).child(ROSTER_SIZE.told([size]));
        Ok(Done::told(result.child(ONLINE_RESOURCES.told(resources))))
    })
}

async fn loaded(order: &Order<'_>, account: &Bare) -> Result<Loaded, StanzaError> {
    let loaded = order.world.store.load(account).await?;
    loaded.ok_or_else(|| missing(account))
}

/// What its owner sees.
fn listed(loaded: &Loaded) -> impl Iterator<Item = &roster::Item> {
    loaded.roster.iter().filter(|item| item.is_listed())
}
