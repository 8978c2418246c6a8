//! How many there are.

use super::*;
use crate::xep_0004_forms as forms;
use engine::port::Pending;

/// Section 4.13.
pub const REGISTERED: Command = Command {
    node: "http://jabber.org/protocol/admin#get-registered-users-num",
    name: "Get Number of Registered Users",
    form: None,
    run: registered,
};

/// Section 4.14.
pub const DISABLED: Command = Command {
    node: "http://jabber.org/protocol/admin#get-disabled-users-num",
    name: "Get Number of Disabled Users",
    form: None,
    run: disabled,
};

/// Section 4.15.
pub const ONLINE: Command = Command {
    node: "http://jabber.org/protocol/admin#get-online-users-num",
    name: "Get Number of Online Users",
    form: None,
    run: online,
};

const REGISTERED_NUMBER: Field = Field {
    var: "registeredusersnum",
    kind: Kind::TextSingle,
    label: "The number of registered users",
    required: false,
};
const DISABLED_NUMBER: Field = Field {
    var: "disabledusersnum",
    kind: Kind::TextSingle,
    label: "The number of disabled users",
    required: false,
};
const ONLINE_NUMBER: Field = Field {
    var: "onlineusersnum",
    kind: Kind::TextSingle,
    label: "The number of online users",
    required: false,
};

fn registered(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let count = order.world.registrar.count(order.world.account).await?;
        Ok(told(&REGISTERED_NUMBER, &count.to_string()))
    })
}

fn disabled(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let (count, _) = order.world.store.disabled(order.world.account, 0).await?;
        Ok(told(&DISABLED_NUMBER, &count.to_string()))
    })
}

fn online(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let online = order.world.registrar.online(order.world.account, 0).await;
        Ok(told(&ONLINE_NUMBER, &online.accounts.to_string()))
    })
}

fn told(field: &Field, number: &str) -> Done {
    Done::told(forms::result(NS).child(field.told([number])))
}
