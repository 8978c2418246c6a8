//! XEP-0077: In-Band Registration. <https://xmpp.org/extensions/xep-0077.html>
//!
//! Who has an account changes its password or removes it. Who has none makes one before logging in,
//! where the operator allows that, so often in an hour and from one address.

use engine::{
    ctx::Ctx,
    hook::*,
    port::{Pending, Unregistered},
    setting::{Kind, Setting},
    settings::Settings,
    stream::{machine::Secret, sasl::Advertised},
    wire::*,
};

/// Accounts made, changed and removed by those whose they are.
pub const XEP: Xep = Xep {
    number: 77,
    name: "In-Band Registration",
    version: "2.4",
    status: Status::Complete,
    hooks: &[
        Hook::Setting(&REGISTRATION),
        Hook::Setting(&PER_HOUR),
        Hook::Setting(&PER_ADDRESS),
        Hook::Feature(Of::Host, NS),
        Hook::StreamFeature(Stage::Authenticate, offer),
        Hook::get(Of::Stream, QUERY, Answer::World(fields)),
        Hook::set(Of::Stream, QUERY, Answer::World(|iq, world| Box::pin(register(iq, world)))),
        Hook::get(Of::Host, QUERY, Answer::World(registered)),
        Hook::get(Of::Account, QUERY, Answer::World(registered)),
        Hook::set(Of::Host, QUERY, Answer::World(|iq, world| Box::pin(change(iq, world)))),
        Hook::set(Of::Account, QUERY, Answer::World(|iq, world| Box::pin(change(iq, world)))),
    ],
};

const REGISTRATION: Setting = Setting {
    xep: 77,
    key: "registration",
    kind: Kind::Choice(&["closed", "open"]),
    doc: "open: whoever connects may make an account.",
};
const PER_HOUR: Setting = Setting {
    xep: 77,
    key: "accounts_per_hour_max",
    kind: Kind::Number { default: 100, from: 1, to: 1_000_000 },
    doc: "Accounts that may be made in an hour, tries that found the name taken included.",
};
const PER_ADDRESS: Setting = Setting {
    xep: 77,
    key: "accounts_per_address_per_hour_max",
    kind: Kind::Number { default: 5, from: 0, to: 1_000_000 },
    doc: "The same from one address (IPv6: from one /64). 0: any number, when \
          limits.connections_per_address_max is 0.",
};

const NS: &str = "jabber:iq:register";
const QUERY: Name = Name::new(NS, "query");
const USERNAME: Name = Name::new(NS, "username");
const PASSWORD: Name = Name::new(NS, "password");
const REMOVE: Name = Name::new(NS, "remove");
const FEATURE: Name = Name::new("http://jabber.org/features/iq-register", "register");

/// Section 10: only where it works.
fn offer(ctx: &Ctx<'_>, advertised: &Advertised<'_>) -> Option<Payload> {
    let open = is_open(ctx.settings, advertised.domain);
    open.then(|| Draft::new(FEATURE).finish())
}

/// Where nobody has a password, there is nothing to register.
fn is_open(settings: &Settings, host: &Bare) -> bool {
    settings.choice(&REGISTRATION) == "open" && !settings.is_anonymous(host)
}

/// Section 3.1. A closed host says that it does not serve this.
fn open(world: &World<'_>) -> Result<(), StanzaError> {
    match is_open(world.settings, world.account) {
        true => Ok(()),
        false => Err(StanzaCondition::ServiceUnavailable.into()),
    }
}

/// What somebody without an account must fill in (section 3.1).
fn fields<'a>(_: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    let instructions = Draft::new(Name::new(NS, "instructions"));
    let fields = Draft::new(QUERY)
        .child(instructions.text("Choose a name and a password for your account here."))
        .child(Draft::new(USERNAME))
        .child(Draft::new(PASSWORD));
    let replied = open(world).map(|()| Reply::Payload(fields.finish()));
    Box::pin(std::future::ready(replied))
}

/// Section 3.1: before login.
async fn register(iq: &Stanza, world: &World<'_>) -> Replied {
    open(world)?;
    let (username, password) = credentials(iq)?;
    let (Some(username), Some(password)) = (username, password) else {
        return Err(StanzaCondition::NotAcceptable.into());
    };
    let account = account(&username, world)?;
    let maxima = (world.settings.number(&PER_HOUR), world.settings.number(&PER_ADDRESS));
    if !world.registrar.admits(world.peer, maxima) {
        let later = StanzaError::new(ErrorType::Wait, StanzaCondition::ResourceConstraint);
        return Err(later.with_text("too many accounts have been made within the hour"));
    }
    // An administrator's account is the operator's to make: whoever had it would command the host.
    if world.settings.admins.contains(&account) {
        return done(Err(Unregistered::Exists));
    }
    done(world.registrar.create(&account, Secret(password)).await)
}

/// Section 3.1: who is logged in is told who they are.
fn registered<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    let replied = owner(iq, world).map(|owner| {
        let username = Draft::new(USERNAME).text(owner.local().unwrap_or_default());
        let known = Draft::new(QUERY).child(Draft::new(Name::new(NS, "registered")));
        Reply::Payload(known.child(username).child(Draft::new(PASSWORD)).finish())
    });
    Box::pin(std::future::ready(replied))
}

/// Sections 3.2 and 3.3: who is logged in removes the account, or changes its password.
async fn change(iq: &Stanza, world: &World<'_>) -> Replied {
    let owner = owner(iq, world)?;
    let query = iq.child(QUERY).ok_or(StanzaCondition::BadRequest)?;
    if query.child(REMOVE).is_some() {
        return match query.children().count() {
            1 => done(world.registrar.delete(&owner, Some(iq.result())).await),
            _ => Err(StanzaCondition::BadRequest.into()),
        };
    }
    let (username, password) = credentials(iq)?;
    let (Some(username), Some(password)) = (username, password) else {
        return Err(StanzaCondition::BadRequest.into());
    };
    // Nobody changes another's password, and one account is enough for a stream.
    if !named(&owner, &username) {
        return Err(StanzaCondition::Forbidden.into());
    }
    let password = Secret(password);
    done(world.registrar.change_password(&owner, password, iq.head.from.as_ref()).await)
}

/// Whose account is spoken of. A stranger hears what an account hears that does not exist.
fn owner(iq: &Stanza, world: &World<'_>) -> Result<Bare, StanzaError> {
    let from = iq.head.from.as_ref().map(Jid::bare).filter(|from| from.local().is_some());
    let asked = world.account;
    let owns = |from: &Bare| match asked.local() {
        Some(_) => from == asked,
        None => from.domain() == asked.domain(),
    };
    from.filter(owns).ok_or_else(|| StanzaCondition::ServiceUnavailable.into())
}

/// By its localpart, or, as some clients have it, by its whole address.
fn named(owner: &Bare, username: &str) -> bool {
    let whole = match username.contains('@') {
        true => username.to_owned(),
        false => format!("{username}@{}", owner.domain()),
    };
    Bare::parse(&whole).is_ok_and(|named| named == *owner)
}

fn account(username: &str, world: &World<'_>) -> Result<Bare, StanzaError> {
    let unfit = || StanzaError::from(StanzaCondition::JidMalformed);
    if username.contains(['@', '/']) {
        return Err(unfit());
    }
    Bare::parse(&format!("{username}@{}", world.account.domain())).map_err(|_| unfit())
}

/// Name and password, each once, none when absent or empty (section 3.1, note 3).
fn credentials(iq: &Stanza) -> Result<(Option<String>, Option<String>), StanzaError> {
    let query = iq.child(QUERY).ok_or(StanzaCondition::BadRequest)?;
    let only = |name: Name| {
        let mut all = query.children().filter(|child| child.is(name));
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(StanzaError::from(StanzaCondition::BadRequest)),
            (one, None) => {
                Ok(one.map(|one| one.text().into_owned()).filter(|text| !text.is_empty()))
            }
        }
    };
    Ok((only(USERNAME)?, only(PASSWORD)?))
}

fn done(outcome: Result<(), Unregistered>) -> Replied {
    match outcome {
        Ok(()) => Ok(Reply::Empty),
        Err(Unregistered::Exists) => Err(StanzaCondition::Conflict.into()),
        Err(Unregistered::Missing) => Err(StanzaCondition::RegistrationRequired.into()),
        Err(Unregistered::Unfit) => Err(StanzaCondition::NotAcceptable.into()),
        Err(Unregistered::Fault(fault)) => Err(fault.into()),
    }
}
