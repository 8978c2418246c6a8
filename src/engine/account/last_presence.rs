//! What an account said when it was available last: for who asks while it is away
//! (RFC 6121 §4.3.2).

use super::{Account, Output, wait::Then, wait::Wait};
use crate::{
    cells::Cells,
    ctx::Ctx,
    unit::{Change, Table, Unit},
};
use wire::Stanza;

/// Where it is kept.
pub const LAST_PRESENCE: Table = Table::named("last-presence");

/// The unavailable presence of the resource that was available last.
#[derive(Clone, Debug)]
pub struct LastPresence {
    /// When it was said, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What was said, from the full address, to nobody.
    pub stanza: Stanza,
}

impl LastPresence {
    /// What the store has of it; none when the account was never available.
    pub fn of(cells: &Cells) -> Option<Self> {
        let cell = std::str::from_utf8(cells.get(LAST_PRESENCE, "")?).ok()?;
        let (unix_ms, stanza) = cell.split_once(' ')?;
        Some(Self { unix_ms: unix_ms.parse().ok()?, stanza: Stanza::parse_one(stanza).ok()? })
    }
}

impl Account {
    /// Nobody waits for this commit, and nothing is lost with it but a time. One at a time: what is
    /// said meanwhile is written next, but only the last of it.
    pub(super) fn remember_presence(
        &mut self,
        said: &Stanza,
        ctx: &Ctx<'_>,
        out: &mut Vec<Output>,
    ) {
        let cell = format!("{} {}", ctx.unix_ms, said.to_text()).into_bytes();
        let change = Change::Put(LAST_PRESENCE, self.jid.clone(), String::new(), cell);
        // Who asks before it is committed is told it too.
        self.cells.learn(&change);
        match &mut self.remembering {
            Some(next) => *next = Some(change),
            None => self.write_presence(change, ctx, out),
        }
    }

    fn write_presence(&mut self, change: Change, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        self.remembering = Some(None);
        let unit = Unit { changes: vec![change], ..Unit::default() };
        let pair = (Some(self.jid.clone().into()), None);
        self.wait(Wait::for_unit(unit, pair, Then::Remember, None), ctx, out);
    }

    /// The write is over, one way or the other.
    pub(super) fn remember_on(&mut self, ctx: &Ctx<'_>, out: &mut Vec<Output>) {
        if let Some(Some(next)) = self.remembering.take().filter(|_| !self.departs) {
            self.write_presence(next, ctx, out);
        }
    }
}
