//! The devices that an account is used from, and the tokens by which they log in again
//! (XEP-0388 §2.3, XEP-0484). A device is what calls itself so: it has chosen its id.

use crate::{
    ctx::Ctx,
    hook::{Hook, IsOf},
    hooks::Hooks,
    port::{Fault, Reads},
    settings::Settings,
    stream::sasl::{Failure, Hash, Ht},
    unit::{Change, Table, Unit},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::fmt::Write;
use subtle::ConstantTimeEq;
use wire::{Bare, Text};

/// Where they are kept, by id.
pub const DEVICES: Table = Table::named("device");
/// Devices of one account. One more takes the place of the one that was used last the longest ago.
pub const DEVICES_MAX: usize = 64;
/// The longest id, in bytes; a UUID has 36.
const ID_BYTES_MAX: usize = 64;
/// What is kept of the names of software and device, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Random bytes that a token is made of, beside what it is for.
const NONCE_BYTES: usize = 16;
/// A device that logs in again so soon is not written anew for that alone.
const LAST_MS_EXACT: u64 = 600_000;

/// What a client says of itself at login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Stable for an installation, and secret between it and us.
    pub id: Text,
    /// The name of the software, for the account's owner.
    pub software: String,
    /// The name of the device, for the account's owner.
    pub device: String,
}

impl Agent {
    /// What the client says, as far as it is kept; none when the id cannot be one.
    pub fn of(id: &str, software: &str, device: &str) -> Option<Self> {
        let fit = (1..=ID_BYTES_MAX).contains(&id.len()) && !id.contains(char::is_control);
        fit.then(|| Self { id: id.into(), software: name(software), device: name(device) })
    }
}

fn name(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let text = text.trim();
    text[..text.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

/// A device of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name of the software.
    pub software: String,
    /// The name of the device.
    pub device: String,
    /// When it logged in first, in unix ms.
    pub first_ms: u64,
    /// When it logged in last, in unix ms.
    pub last_ms: u64,
    /// The last time it logged in by a password, and not by a token.
    pub by_password: bool,
    /// Given to it, and not seen again yet.
    fresh: Option<Token>,
    /// The one it has used last.
    current: Option<Token>,
}

/// A token, without its secret: that is made again from the server's key and what stands here, so
/// that nobody can log in by what the store has (XEP-0484 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    /// The one mechanism that it is for.
    kind: Ht,
    nonce: String,
    /// When the password was set that was shown for it, or for the token before it, in unix ms.
    changed: u64,
    expires_ms: u64,
    /// The highest count that it was used with.
    count: u64,
}

/// What a client says about the token that it logs in by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// How often it has used it, if it counts.
    pub count: Option<u64>,
    /// It is never to be used again.
    pub invalidate: bool,
}

/// Which of a device's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The one that it has not used before.
    Fresh,
    /// The other one.
    Current,
}

/// A token that is given to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// What it logs in by.
    pub secret: String,
    /// When it no longer can, in unix ms.
    pub expires_ms: u64,
}

/// What a device shows to log in by a token.
pub struct Shown<'a> {
    /// The mechanism.
    pub kind: Ht,
    /// The code that only the token's owner can make.
    pub code: &'a [u8],
    /// What the mechanism binds to.
    pub binding: &'a [u8],
    /// The use.
    pub used: Use,
}

/// A login of a device.
pub struct Login<'a> {
    /// Of which account.
    pub account: &'a Bare,
    /// By which device.
    pub agent: &'a Agent,
    /// When the password was set that it has shown, or that its token goes back to, in unix ms.
    pub changed: u64,
    /// By a password.
    pub by_password: bool,
    /// By which token, if by one, and how.
    pub by: Option<(Slot, Use)>,
    /// The token that it asks for.
    pub wish: Option<Ht>,
}

impl Device {
    /// One that has never been here.
    pub fn new(since_ms: u64) -> Self {
        Self {
            software: String::new(),
            device: String::new(),
            first_ms: since_ms,
            last_ms: since_ms,
            by_password: true,
            fresh: None,
            current: None,
        }
    }

    /// One that nobody has: so that a token costs the same whoever shows it.
    pub fn made_up(ctx: &Ctx<'_>, kind: Ht) -> Self {
        Self { fresh: Some(Token::new(ctx, kind, 0)), ..Self::new(0) }
    }

    /// Which of its tokens this is.
    ///
    /// # Errors
    /// `credentials-expired` for one that was good (XEP-0484 §4.2); `not-authorized` for all else.
    /// `changed` is when the account's password was set: what goes back to another one is void,
    /// whenever it was given.
    pub fn check(
        &self,
        ctx: &Ctx<'_>,
        (account, id): (&Bare, &str),
        changed: u64,
        shown: &Shown<'_>,
    ) -> Result<(Slot, Vec<u8>), Failure> {
        let slots = [(Slot::Fresh, &self.fresh), (Slot::Current, &self.current)];
        for (slot, token) in slots {
            let Some(token) = token.as_ref().filter(|token| token.kind == shown.kind) else {
                continue;
            };
            let secret = token.secret(ctx, account, id);
            let code = shown.kind.initiator(&secret, shown.binding);
            if !bool::from(code.as_slice().ct_eq(shown.code)) {
                continue;
            }
            if token.expires_ms <= ctx.unix_ms || token.changed != changed {
                return Err(Failure::CredentialsExpired);
            }
            // Who has counted once counts always: or a replay had but to leave the count out.
            if shown.used.count.unwrap_or(0) <= token.count && token.count > 0 {
                return Err(Failure::NotAuthorized);
            }
            return Ok((slot, shown.kind.responder(&secret, shown.binding)));
        }
        Err(Failure::NotAuthorized)
    }

    /// It has logged in: what it is afterwards, and the token that it gets (XEP-0484 §3.3–3.5).
    pub fn logged_in(&mut self, ctx: &Ctx<'_>, login: &Login<'_>) -> Option<Issued> {
        let Login { account, agent, changed, by_password, by, wish } = *login;
        self.software.clone_from(&agent.software);
        self.device.clone_from(&agent.device);
        self.last_ms = ctx.unix_ms;
        self.by_password = by_password;
        let mut due = None;
        if let Some((slot, used)) = by {
            if slot == Slot::Fresh {
                self.current = self.fresh.take();
            }
            if let Some(token) = &mut self.current {
                token.count = token.count.max(used.count.unwrap_or(0));
                let half = ctx.settings.token_ms_max / 2;
                due = (token.expires_ms < ctx.unix_ms.saturating_add(half)).then_some(token.kind);
            }
            if used.invalidate {
                (self.current, self.fresh, due) = (None, None, None);
            }
        }
        let token = Token::new(ctx, wish.or(due)?, changed);
        let secret = token.secret(ctx, account, &agent.id);
        let issued = Issued { secret, expires_ms: token.expires_ms };
        self.fresh = Some(token);
        Some(issued)
    }

    /// Whether the store may as well keep what it has: nothing has changed but the last login, and
    /// that by little.
    pub fn is_nearly(&self, kept: &Self) -> bool {
        let last_ms = kept.last_ms;
        self.last_ms.abs_diff(last_ms) < LAST_MS_EXACT && Self { last_ms, ..self.clone() } == *kept
    }

    /// Whether it has shown the password last, which was set at `changed`.
    pub fn knows_password(&self, changed: u64) -> bool {
        self.by_password && self.last_ms > changed
    }

    /// Whether it has a token that is good, when the password was set at `changed`.
    pub fn has_token(&self, unix_ms: u64, changed: u64) -> bool {
        let good = |token: &&Token| token.expires_ms > unix_ms && token.changed == changed;
        [&self.fresh, &self.current].into_iter().flatten().any(|token| good(&token))
    }

    /// As the store has it.
    pub fn save(&self) -> Vec<u8> {
        let Self { software, device, first_ms, last_ms, by_password, fresh, current } = self;
        let by = u8::from(*by_password);
        let mut cell = format!("{first_ms} {last_ms} {by}\n{software}\n{device}\n");
        for (slot, token) in [("fresh", fresh), ("current", current)] {
            let Some(Token { kind, nonce, changed, expires_ms, count }) = token else { continue };
            let kind = kind.name();
            writeln!(cell, "{slot} {kind} {nonce} {changed} {expires_ms} {count}")
                .expect("writing to a String cannot fail");
        }
        cell.into_bytes()
    }

    /// What `save` gave.
    pub fn load(cell: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(cell).ok()?.split('\n');
        let mut times = lines.next()?.split(' ');
        let mut time = || times.next()?.parse().ok();
        let mut device = Self::new(time()?);
        (device.last_ms, device.by_password) = (time()?, time()? == 1);
        (device.software, device.device) = (lines.next()?.to_owned(), lines.next()?.to_owned());
        for line in lines.filter(|line| !line.is_empty()) {
            let (slot, token) = line.split_once(' ')?;
            let token = Token::load(token)?;
            match slot {
                "fresh" => device.fresh = Some(token),
                _ => device.current = Some(token),
            }
        }
        Some(device)
    }
}

impl Token {
    fn new(ctx: &Ctx<'_>, kind: Ht, changed: u64) -> Self {
        let mut nonce = [0; NONCE_BYTES];
        ctx.random.fill(&mut nonce);
        let expires_ms = ctx.unix_ms.saturating_add(ctx.settings.token_ms_max);
        let nonce = BASE64_URL_SAFE_NO_PAD.encode(nonce);
        Self { kind, nonce, changed, expires_ms, count: 0 }
    }

    fn load(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = Ht::named(words.next()?)?;
        let nonce = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self { kind, nonce, changed: number()?, expires_ms: number()?, count: number()? })
    }

    /// 256 bits, of this account, device and mechanism only.
    fn secret(&self, ctx: &Ctx<'_>, account: &Bare, id: &str) -> String {
        // No part can hold the separator, so that no two tokens are of the same parts.
        let parts = ["token", account.as_str(), id, self.kind.name(), &self.nonce];
        let parts = parts.map(|part| [part.as_bytes(), b"\0"]);
        let code = Hash::Sha256.hmac(&ctx.settings.token_key, parts.as_flattened());
        BASE64_URL_SAFE_NO_PAD.encode(code)
    }
}

/// What others see of a device instead of its id: the same at every login (XEP-0386 §4.2).
pub fn alias(settings: &Settings, account: &Bare, id: &str) -> String {
    const BYTES: usize = 9;
    let parts = ["device", account.as_str(), id].map(|part| [part.as_bytes(), b"\0"]);
    let code = Hash::Sha256.hmac(&settings.secret, parts.as_flattened());
    BASE64_URL_SAFE_NO_PAD.encode(&code[..BYTES])
}

/// What writes a device of which the store has `old`, and makes room for it.
///
/// # Errors
/// The store cannot be read.
pub async fn settle(
    store: &dyn Reads,
    account: &Bare,
    id: &str,
    old: Option<Vec<u8>>,
    new: Vec<u8>,
) -> Result<Unit, Fault> {
    let mut unit = Unit::default();
    if old.is_none() {
        let gone = surplus(store.cells(DEVICES, account).await?);
        let cut = |id| Change::Cut(DEVICES, account.clone(), id);
        unit.changes.extend(gone.into_iter().map(cut));
    }
    unit.changes.push(Change::Swap(DEVICES, account.clone(), id.into(), old, Some(new)));
    Ok(unit)
}

/// What takes its access from a device: what it logs in by goes, and what XEPs keep of it.
///
/// # Errors
/// The store cannot be read.
pub async fn revocation(
    store: &dyn Reads,
    hooks: &Hooks,
    account: &Bare,
    id: &str,
) -> Result<Unit, Fault> {
    let mut unit = Unit::from(Change::Cut(DEVICES, account.clone(), id.into()));
    for (table, is_of) in tables(hooks) {
        let cells = store.cells(table, account).await?;
        let its = cells.into_iter().filter(|(_, cell)| is_of(cell, id));
        unit.changes.extend(its.map(|(key, _)| Change::Cut(table, account.clone(), key)));
    }
    Ok(unit)
}

/// Where XEPs keep something of devices, and how it is told of which.
pub(crate) fn tables(hooks: &Hooks) -> impl Iterator<Item = (Table, IsOf)> {
    let all = hooks.xeps().iter().flat_map(|xep| xep.hooks);
    all.filter_map(|hook| match *hook {
        Hook::OfDevice(table, is_of) => Some((table, is_of)),
        _ => None,
    })
}

/// The ids of the devices that must go so that one more has room.
fn surplus(mut cells: Vec<(String, Vec<u8>)>) -> Vec<String> {
    let last = |cell: &[u8]| Device::load(cell).map_or(0, |device| device.last_ms);
    cells.sort_by_key(|(_, cell)| last(cell));
    let over = (cells.len() + 1).saturating_sub(DEVICES_MAX);
    cells.into_iter().take(over).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests;
