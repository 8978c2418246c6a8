//! Accounts that come, change and go.

use super::*;
use engine::{port::Pending, stream::machine::Secret};

const PASSWORD: Field = Field {
    var: "password",
    kind: Kind::TextPrivate,
    label: "The password for this account",
    required: true,
};
const AGAIN: Field = Field {
    var: "password-verify",
    kind: Kind::TextPrivate,
    label: "The password again",
    required: false,
};

/// Section 4.1.
pub const ADD: Command = Command {
    node: "http://jabber.org/protocol/admin#add-user",
    name: "Add User",
    form: Some(&Layout {
        form_type: NS,
        title: "Adding a User",
        instructions: "Fill out this form to add a user.",
        fields: &[ACCOUNT, PASSWORD, AGAIN],
    }),
    run: add,
};

/// Section 4.2.
pub const DELETE: Command = Command {
    node: "http://jabber.org/protocol/admin#delete-user",
    name: "Delete User",
    form: Some(&Layout {
        form_type: NS,
        title: "Deleting a User",
        instructions: "Fill out this form to delete users, with all that they have here.",
        fields: &[ACCOUNTS],
    }),
    run: delete,
};

/// Section 4.3.
pub const DISABLE: Command = Command {
    node: "http://jabber.org/protocol/admin#disable-user",
    name: "Disable User",
    form: Some(&Layout {
        form_type: NS,
        title: "Disabling a User",
        instructions: "Fill out this form to end the sessions of users and let them in no more.",
        fields: &[ACCOUNTS],
    }),
    run: disable,
};

/// Section 4.4.
pub const REENABLE: Command = Command {
    node: "http://jabber.org/protocol/admin#reenable-user",
    name: "Re-Enable User",
    form: Some(&Layout {
        form_type: NS,
        title: "Re-Enabling a User",
        instructions: "Fill out this form to let users in again who have been disabled.",
        fields: &[ACCOUNTS],
    }),
    run: reenable,
};

/// Section 4.5.
pub const END_SESSION: Command = Command {
    node: "http://jabber.org/protocol/admin#end-user-session",
    name: "End User Session",
    form: Some(&Layout {
        form_type: NS,
        title: "Ending a User Session",
        instructions: "Fill out this form to end all sessions of a user, or that of a resource.",
        fields: &[ACCOUNTS],
    }),
    run: end_session,
};

/// Section 4.7.
pub const CHANGE_PASSWORD: Command = Command {
    node: "http://jabber.org/protocol/admin#change-user-password",
    name: "Change User Password",
    form: Some(&Layout {
        form_type: NS,
        title: "Changing a User Password",
        instructions: "Fill out this form to change the password of a user.",
        fields: &[ACCOUNT, PASSWORD],
    }),
    run: change_password,
};

fn add(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let account = order.one_account()?;
        let password = order.given.one(PASSWORD.var).unwrap_or_default();
        if order.given.one(AGAIN.var).is_some_and(|again| again != password) {
            return Err(not_acceptable("the passwords are not the same"));
        }
        let made = order.world.registrar.create(&account, Secret(password.to_owned())).await;
        made.map_err(|why| unregistered(&account, why))?;
        Ok(Done::noted(Severity::Info, format!("{account} has been added")))
    })
}

/// All of them, or none when one is not there.
fn delete(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let mut accounts = order.accounts().await?;
        // Whose sessions end with the account hears of it before, and of all the others.
        let own = order.by.bare();
        accounts.sort_by_key(|account| *account == own);
        let deleted = || Done::noted(Severity::Info, format!("deleted: {}", listed(&accounts)));
        for (done, account) in accounts.iter().enumerate() {
            let last = (*account == own).then(|| order.answer(deleted())).flatten();
            match order.world.registrar.delete(account, last).await {
                // Somebody else was faster.
                Ok(()) | Err(Unregistered::Missing) => {}
                Err(why) if done == 0 => return Err(unregistered(account, why)),
                // XEP-0050 section 3.6: completed in part.
                Err(_) => {
                    let left = listed(&accounts[done..]);
                    return Ok(Done::noted(Severity::Error, format!("not deleted: {left}")));
                }
            }
        }
        Ok(deleted())
    })
}

/// Nobody disables the own account, from which it could not be enabled again.
fn disable(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let accounts = order.accounts().await?;
        if accounts.contains(&order.by.bare()) {
            return Err(StanzaCondition::NotAllowed.into());
        }
        set_disabled(&order, &accounts, true).await?;
        Ok(Done::noted(Severity::Info, format!("disabled: {}", listed(&accounts))))
    })
}

fn reenable(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let accounts = order.accounts().await?;
        set_disabled(&order, &accounts, false).await?;
        Ok(Done::noted(Severity::Info, format!("enabled: {}", listed(&accounts))))
    })
}

/// What is done of it before our side fails may be done again.
async fn set_disabled(
    order: &Order<'_>,
    accounts: &[Bare],
    disabled: bool,
) -> Result<(), StanzaError> {
    for account in accounts {
        let done = order.world.registrar.disable(account, disabled).await;
        done.map_err(|why| unregistered(account, why))?;
    }
    Ok(())
}

fn end_session(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let jids = order.jids()?;
        for jid in &jids {
            order.must_exist(&order.account(&jid.bare())?).await?;
        }
        jids.iter().for_each(|jid| order.world.registrar.end(jid));
        Ok(Done::noted(Severity::Info, format!("sessions ended: {}", listed(&jids))))
    })
}

/// Who changes the own password keeps the session that it is changed from.
fn change_password(order: Order<'_>) -> Pending<'_, Result<Done, StanzaError>> {
    Box::pin(async move {
        let account = order.one_account()?;
        let password = Secret(order.given.one(PASSWORD.var).unwrap_or_default().to_owned());
        let registrar = order.world.registrar;
        let changed = registrar.change_password(&account, password, Some(order.by)).await;
        changed.map_err(|why| unregistered(&account, why))?;
        Ok(Done::noted(Severity::Info, format!("the password of {account} has been changed")))
    })
}

fn listed<T: ToString>(jids: &[T]) -> String {
    jids.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
