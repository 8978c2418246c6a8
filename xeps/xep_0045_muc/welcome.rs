//! What who enters must know: who is here, as far as it may see that, and what was said
//! (XEP-0045 §7.2.2, §7.2.13, §7.2.15).

use super::{
    history,
    line::{Effect, Step},
    names::status,
    room::Room,
    show::{Viewer, addressed},
    sight::at_once,
};
use engine::{ctx::Ctx, wire::*};

impl Room {
    /// §7.1: the others, itself, what was said, the subject; in this order.
    pub fn welcome(
        &self,
        from: &Jid,
        nick: &str,
        stanza: &Stanza,
        codes: Vec<u16>,
        step: &mut Step,
        ctx: &Ctx<'_>,
    ) {
        let versions = self.tell_affiliations(stanza, from, step, ctx);
        self.tell_picture(from, step);
        self.tell_others(from, step, ctx);
        let Some(mut show) = self.show(nick, ctx) else { return };
        show.stanza_id.clone_from(&stanza.head.id);
        show.own_statuses = self.entry_statuses(codes);
        show.word.versions = versions;
        step.show(show);
        self.tell_history(from, stanza, step, ctx);
    }

    /// A session is told who else is here, of those whom it sees.
    pub fn tell_others(&self, to: &Jid, step: &mut Step, ctx: &Ctx<'_>) {
        let Some((own, occupant)) = self.occupants.by(to) else { return };
        let Some(seat) = occupant.seat(to) else { return };
        let sees_address = self.shows_addresses_to(occupant.role);
        let viewer = Viewer { sees_address, is_own: false, wants_versions: false };
        let others = self.occupants.iter();
        let seen = others.filter(|(nick, other)| *nick != own && seat.sees(other.seen()));
        let seen = seen.filter_map(|(nick, _)| self.show(nick, ctx)).collect();
        for shown in at_once(seen, viewer) {
            step.send(addressed(&shown, to));
        }
    }

    fn entry_statuses(&self, mut codes: Vec<u16>) -> Vec<u16> {
        if self.config.is_non_anonymous {
            codes.push(status::NON_ANONYMOUS);
        }
        if self.config.is_logged() {
            codes.push(status::LOGGED);
        }
        codes
    }

    /// §7.2.13: what of the history it wants.
    fn tell_history(&self, to: &Jid, stanza: &Stanza, step: &mut Step, ctx: &Ctx<'_>) {
        let asked = history::Asked::read(stanza, self.config.history_max, ctx.unix_ms);
        if self.config.is_archived && asked.max > 0 && asked.chars_max > 0 {
            step.effects.push(Effect::History(asked.stanza(&self.jid, to)));
        }
        step.send(self.subject.told(&self.jid, to));
    }
}
