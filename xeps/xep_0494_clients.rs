//! XEP-0494: Client Access Management. <https://xmpp.org/extensions/xep-0494.html>
//!
//! Of clients that say which installation they are (XEP-0388 §2.3): who says nothing is not known
//! again.

use crate::xep_0082_dates::date_time;
use engine::{
    device::{DEVICES, Device, alias, revocation},
    hook::*,
    port::{Pending, Unregistered},
    wire::*,
};

/// What has access to an account, and how it loses it.
pub const XEP: Xep = Xep {
    number: 494,
    name: "Client Access Management",
    version: "0.1.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Account, NS),
        Hook::get(Of::Account, LIST, Answer::World(list)),
        Hook::set(Of::Account, REVOKE, Answer::World(revoke)),
    ],
};

const NS: &str = "urn:xmpp:cam:0";
const LIST: Name = Name::new(NS, "list");
const REVOKE: Name = Name::new(NS, "revoke");

fn named(local: &'static str) -> Draft {
    Draft::new(Name::new(NS, local))
}

/// Nobody else learns or changes anything (§6).
fn own(iq: &Stanza, world: &World<'_>) -> Result<(), StanzaError> {
    let asker = iq.head.from.as_ref().map(Jid::bare);
    let own = asker.as_ref() == Some(world.account);
    own.then_some(()).ok_or_else(|| StanzaCondition::ServiceUnavailable.into())
}

/// When the account's password was set.
async fn changed(world: &World<'_>) -> Result<u64, StanzaError> {
    let credentials = world.store.credentials(world.account).await?;
    Ok(credentials.map_or(0, |credentials| credentials.changed))
}

/// Section 4.1.
fn list<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        own(iq, world)?;
        let cells = world.store.cells(DEVICES, world.account).await?;
        let changed = changed(world).await?;
        let connected = world.registrar.devices(world.account).await;
        let known = cells.iter().filter_map(|(id, cell)| Some((id, Device::load(cell)?)));
        let clients = known.map(|(id, device)| {
            let connected = connected.iter().any(|one| one == id);
            let alias = alias(world.settings, world.account, id);
            client(&alias, &device, connected, world.unix_ms, changed)
        });
        Ok(Reply::Payload(clients.fold(named("clients"), Draft::child).finish()))
    })
}

fn client(alias: &str, device: &Device, connected: bool, unix_ms: u64, changed: u64) -> Draft {
    let mut auth = named("auth");
    if device.knows_password(changed) {
        auth = auth.child(named("password"));
    }
    if device.has_token(unix_ms, changed) {
        auth = auth.child(named("fast"));
    }
    let mut agent = named("user-agent");
    for (name, text) in [("software", &device.software), ("device", &device.device)] {
        if !text.is_empty() {
            agent = agent.child(named(name).text(text));
        }
    }
    named("client")
        .attribute("connected", if connected { "true" } else { "false" })
        .attribute("id", alias)
        .attribute("type", "session")
        .child(named("first-seen").text(date_time(device.first_ms)))
        .child(named("last-seen").text(date_time(device.last_ms)))
        .child(auth)
        .child(named("permission").attribute("status", "unrestricted"))
        .child(agent)
}

/// Section 4.2: its tokens go, and what else is kept of it, and its sessions end. Who has shown the
/// password the last time may know it, and comes back until it is changed: that is said as an
/// error.
fn revoke<'a>(iq: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        own(iq, world)?;
        let asked = iq.child(REVOKE).ok_or(StanzaCondition::BadRequest)?;
        let asked = asked.attribute("id").ok_or(StanzaCondition::BadRequest)?;
        let cells = world.store.cells(DEVICES, world.account).await?;
        let is_asked = |id: &str| alias(world.settings, world.account, id) == *asked;
        let found = cells.into_iter().find(|(id, _)| is_asked(id));
        let found = found.and_then(|(id, cell)| Some((id, Device::load(&cell)?)));
        let (id, device) = found.ok_or(StanzaCondition::ItemNotFound)?;
        if device.knows_password(changed(world).await?) {
            let app = named("password-reset-required").finish();
            return Err(StanzaError {
                app: Some(app),
                ..StanzaCondition::ServiceUnavailable.into()
            });
        }
        let unit = revocation(world.store, world.hooks, world.account, &id).await?;
        match world.registrar.revoke(world.account, &id, unit).await {
            Ok(()) => Ok(Reply::Empty),
            Err(Unregistered::Fault(fault)) => Err(fault.into()),
            Err(_) => Err(StanzaCondition::ItemNotFound.into()),
        }
    })
}
