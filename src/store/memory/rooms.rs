//! What accounts are to rooms.

use super::data::{Data, Log};
use engine::{
    unit::{AFFILIATIONS, MARKS, OUTCAST, OWN_KEYS, ROOM},
    wire::Bare,
};

impl Data {
    pub(super) fn affiliated(
        &self,
        who: &Bare,
        after: Option<&Bare>,
        max: usize,
    ) -> Vec<(Bare, Vec<u8>)> {
        let rooms =
            self.logs.iter().filter(|(of, log)| log.account.is_none() && of.local().is_some());
        let held = rooms.filter_map(|(of, log)| {
            Some((of.clone(), log.cells.get(&AFFILIATIONS)?.get(who.as_str())?.clone()))
        });
        let after = after.map_or("", |after| after.as_str());
        let mut found: Vec<_> = held.filter(|(of, _)| of.as_str() > after).collect();
        found.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        found.truncate(max);
        found
    }

    /// With an account goes what rooms have of it, but that it is banned.
    pub(super) fn leave_rooms(&mut self, who: &Bare) {
        self.logs.values_mut().for_each(|log| log.lose(who));
    }
}

impl Log {
    fn lose(&mut self, who: &Bare) {
        let who = who.as_str();
        if let Some(marks) = self.cells.get_mut(&MARKS) {
            marks.remove(who);
        }
        if let Some(affiliations) = self.cells.get_mut(&AFFILIATIONS) {
            affiliations.retain(|key, value| key != who || value.starts_with(OUTCAST));
        }
        if let Some(cells) = self.cells.get_mut(&ROOM) {
            OWN_KEYS.into_iter().for_each(|of| drop(cells.remove(&format!("{of}{who}"))));
        }
    }
}
