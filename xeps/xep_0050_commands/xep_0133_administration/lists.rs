//! Who there is.

use super::*;
use crate::xep_0004_forms as forms;
use engine::port::Pending;

/// Accounts that one answer names.
const LISTED_MAX: usize = 1000;
/// Resources that are looked at, to find the accounts that are online.
const RESOURCES_MAX: usize = 100_000;

const MAX_ITEMS: Field = Field {
    var: "max_items",
    kind: Kind::ListSingle(&["25", "50", "75", "100", "150", "200", "none"]),
    label: "The most users to show",
    required: false,
};
const REGISTERED_USERS: Field = Field {
    var: "registereduserjids",
    kind: Kind::JidMulti,
    label: "The list of all users",
    required: false,
};
const DISABLED_USERS: Field = Field {
    var: "disableduserjids",
    kind: Kind::JidMulti,
    label: "The list of all disabled users",
    required: false,
};
const ONLINE_USERS: Field = Field {
    var: "onlineuserjids",
    kind: Kind::JidMulti,
    label: "The list of all online users",
    required: false,
};

/// Section 4.18.
pub const REGISTERED: Command = Command {
    node: "http://jabber.org/protocol/admin#get-registered-users-list",
    name: "Get List of Registered Users",
    form: Some(&Layout {
        form_type: NS,
        title: "Requesting List of Registered Users",
        instructions: "Fill out this form to request the registered users of this service.",
        fields: &[MAX_ITEMS],
    }),
    run: registered,
};

/// Section 4.19.
pub const DISABLED: Command = Command {
    node: "http://jabber.org/protocol/admin#get-disabled-users-list",
    name: "Get List of Disabled Users",
    form: Some(&Layout {
        form_type: NS,
        title: "Requesting List of Disabled Users",
        instructions: "Fill out this form to request the disabled users of this service.",
        fields: &[MAX_ITEMS],
    }),
    run: disabled,
};

/// Section 4.20.
pub const ONLINE: Command = Command {
    node: "http://jabber.org/protocol/admin#get-online-users-list",
    name: "Get List of Online Users",
    form: Some(&Layout {
        form_type: NS,
        title: "Requesting List of Online Users",
        instructions: "Fill out this form to request the online users of this service.",
        fields: &[MAX_ITEMS],
    }),
    run: online,
};

fn registered(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let (max, host) = (max_items(&order), order.world.account);
        let found = order.world.store.accounts(host, None, max + 1).await?;
        Ok(told(&REGISTERED_USERS, found, max))
    })
}

fn disabled(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let (max, host) = (max_items(&order), order.world.account);
        let (_, found) = order.world.store.disabled(host, max + 1).await?;
        Ok(told(&DISABLED_USERS, found, max))
    })
}

fn online(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let online = order.world.registrar.online(order.world.account, RESOURCES_MAX).await;
        let mut found: Vec<Bare> = online.resources.iter().map(|jid| jid.bare()).collect();
        found.sort();
        found.dedup();
        Ok(told(&ONLINE_USERS, found, max_items(&order)))
    })
}

/// As many as were asked for.
fn max_items(order: &Order<'_>) -> usize {
    let given = order.given.one(MAX_ITEMS.var).and_then(|max| max.parse().ok());
    given.map_or(LISTED_MAX, |max: usize| max.min(LISTED_MAX))
}

fn told(field: &Field, mut found: Vec<Bare>, max: usize) -> Done {
    let more = found.len() > max;
    found.truncate(max);
    let jids = found.iter().map(|jid| jid.as_str());
    let note = more.then(|| (Severity::Warn, format!("only the first {max} are shown")));
    Done { note, result: Some(forms::result(NS).child(field.told(jids))) }
}
