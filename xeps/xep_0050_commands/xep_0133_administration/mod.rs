//! XEP-0133: Service Administration. <https://xmpp.org/extensions/xep-0133.html>

mod accounts;
mod announce;
mod lists;
mod numbers;
mod one;

use super::{Command, Done, Order, Severity, not_acceptable};
use crate::xep_0004_forms::{Field, Kind, Layout};
use engine::{
    hook::*,
    port::Unregistered,
    setting::{Kind::Number, Setting},
    wire::*,
};

/// What an administrator does with accounts.
pub const XEP: Xep = Xep {
    number: 133,
    name: "Service Administration",
    version: "1.3.1",
    status: Status::Partial(
        "no active and idle users, last login, black- and whitelists, messages of the day, welcome \
         messages, admin list, restart and shutdown",
    ),
    hooks: &[Hook::Setting(&ACCOUNTS_PER_COMMAND)],
};

const NS: &str = "http://jabber.org/protocol/admin";

/// The commands that there are, in the order of the document.
pub(super) const COMMANDS: &[Command] = &[
    accounts::ADD,
    accounts::DELETE,
    accounts::DISABLE,
    accounts::REENABLE,
    accounts::END_SESSION,
    accounts::CHANGE_PASSWORD,
    one::ROSTER,
    one::STATISTICS,
    numbers::REGISTERED,
    numbers::DISABLED,
    numbers::ONLINE,
    lists::REGISTERED,
    lists::DISABLED,
    lists::ONLINE,
    announce::ANNOUNCE,
];

/// Those of the document that there are not.
const LACKING: &[&str] = &[
    "get-user-lastlogin",
    "edit-blacklist",
    "add-to-blacklist-in",
    "add-to-blacklist-out",
    "edit-whitelist",
    "add-to-whitelist",
    "add-to-whitelist-in",
    "add-to-whitelist-out",
    "get-active-users-num",
    "get-idle-users-num",
    "get-active-users",
    "get-idle-users",
    "set-motd",
    "edit-motd",
    "delete-motd",
    "set-welcome",
    "delete-welcome",
    "edit-admin",
    "restart",
    "shutdown",
];

const ACCOUNTS_PER_COMMAND: Setting = Setting {
    xep: 133,
    key: "accounts_per_command_max",
    kind: Number { default: 100, from: 1, to: 100 },
    doc: "Addresses that one command of an administrator may be about.",
};

/// Why a node names no command: it is one that is not supported (section 5), or none at all
/// (XEP-0050 section 4.4).
pub(super) fn lacking(node: &str) -> StanzaError {
    let name = node.strip_prefix(NS).and_then(|rest| rest.strip_prefix('#'));
    match name.is_some_and(|name| LACKING.contains(&name)) {
        true => StanzaCondition::FeatureNotImplemented.into(),
        false => StanzaCondition::ItemNotFound.into(),
    }
}

const ACCOUNT: Field = Field {
    var: "accountjid",
    kind: Kind::JidSingle,
    label: "The address of the account",
    required: true,
};
const ACCOUNTS: Field = Field {
    var: "accountjids",
    kind: Kind::JidMulti,
    label: "The addresses of the accounts",
    required: true,
};

impl Order<'_> {
    /// The account that this field names: of the host that is asked, for a host does nothing on
    /// behalf of another (section 3).
    fn account(&self, jid: &Jid) -> Result<Bare, StanzaError> {
        if !jid.is_bare() || jid.local().is_none() {
            return Err(not_acceptable(format!("{jid} is not the address of an account")));
        }
        if jid.domain() != self.world.account.domain() {
            return Err(not_acceptable(format!("{jid} is not an account of this host")));
        }
        Ok(jid.bare())
    }

    /// The one account that the form names.
    fn one_account(&self) -> Result<Bare, StanzaError> {
        match *self.given.jids(ACCOUNT.var) {
            [ref jid] => self.account(jid),
            _ => Err(not_acceptable("one account is wanted")),
        }
    }

    /// The addresses that the form names.
    fn jids(&self) -> Result<Vec<Jid>, StanzaError> {
        let jids = self.given.jids(ACCOUNTS.var);
        let max = self.world.settings.number(&ACCOUNTS_PER_COMMAND);
        if jids.len() as u64 > max {
            return Err(not_acceptable(format!("more than {max} accounts")));
        }
        Ok(jids)
    }

    /// The accounts that the form names, each of which there is.
    async fn accounts(&self) -> Result<Vec<Bare>, StanzaError> {
        let jids = self.jids()?;
        let accounts = jids.iter().map(|jid| self.account(jid)).collect::<Result<Vec<_>, _>>()?;
        for account in &accounts {
            self.must_exist(account).await?;
        }
        Ok(accounts)
    }

    /// That there is this account.
    async fn must_exist(&self, account: &Bare) -> Result<(), StanzaError> {
        let found = self.world.store.credentials(account).await?;
        found.map(drop).ok_or_else(|| missing(account))
    }
}

fn missing(account: &Bare) -> StanzaError {
    StanzaError::from(StanzaCondition::ItemNotFound).with_text(format!("there is no {account}"))
}

/// Section 5 for who exists already.
fn unregistered(account: &Bare, why: Unregistered) -> StanzaError {
    match why {
        Unregistered::Exists => StanzaError::from(StanzaCondition::Conflict)
            .with_text(format!("{account} exists already")),
        Unregistered::Missing => missing(account),
        Unregistered::Unfit => not_acceptable(why.to_string()),
        Unregistered::Fault(fault) => fault.into(),
    }
}
