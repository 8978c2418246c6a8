//! What must have room in a mailbox: with less of it a client's stream would end again each time
//! that it comes back, for what has ended it is told again.

use crate::settings::Settings;
use anyhow::ensure;
use engine::{
    roster::{self, REQUESTS_MAX},
    setting::Setting,
    unacked::UNACKED_BYTES_MAX,
};
use xeps::{xep_0045_muc as rooms, xep_0352_csi as csi};

/// So much of others may come beside the presence of all contacts, when a client comes: what
/// strangers ask, and as much again.
const OTHER_STANZAS: usize = 2 * REQUESTS_MAX;

/// What has been chosen, what a mailbox must have room for then, and why.
type Need = (&'static str, usize, usize, &'static str);

impl Settings {
    /// Whether the mailboxes of a shell with these limits have room for what streams and XEPs may
    /// put into them at once.
    ///
    /// # Errors
    /// What is too small for what.
    pub fn fits(&self, shell: &net::Limits) -> anyhow::Result<()> {
        const HELD: &str = "half of it has room for what was held, when its client wakes";
        let engine = self.engine([0; 32]);
        let chosen = |of: &Setting| usize::try_from(engine.number(of)).unwrap_or(usize::MAX);
        let stanza = self.streams.after_auth.stanza_bytes_max;
        let items = self.streams.roster_items_max;
        let (held, held_bytes) = (chosen(&csi::STANZAS_MAX), chosen(&csi::BYTES_MAX));
        let shown = chosen(&rooms::SHOWN_OCCUPANTS_MAX);
        let bytes = [
            (
                "limits.stanza_bytes_max",
                stanza,
                UNACKED_BYTES_MAX + stanza,
                "a client that comes back is told 1 MiB at once, and one stanza more",
            ),
            (
                "limits.roster_items_max",
                items,
                2 * roster::bytes_max(items),
                "half of it has room for a whole roster",
            ),
            ("xep.0352.held_bytes_max", held_bytes, 2 * held_bytes, HELD),
        ];
        let stanzas = [
            (
                "limits.roster_items_max",
                items,
                items + OTHER_STANZAS,
                "all contacts may be there when a client comes, and 1000 stanzas more",
            ),
            (
                "xep.0045.shown_occupants_max",
                shown,
                2 * shown,
                "half of it has room for all who are shown to who comes into a room",
            ),
            ("xep.0352.held_stanzas_max", held, 2 * held, HELD),
        ];
        has_room("limits.mailbox_bytes_max", shell.mailbox_bytes_max, &bytes)?;
        has_room("limits.mailbox_stanzas_max", shell.mailbox_stanzas_max, &stanzas)
    }
}

fn has_room(key: &str, room: usize, needs: &[Need]) -> anyhow::Result<()> {
    for (of, value, least, why) in needs {
        let enough = room >= *least;
        ensure!(enough, "{key} is {room}, but must be at least {least}, as {of} is {value}: {why}");
    }
    Ok(())
}
