//! The admins and owners of a room as its configuration lists them (XEP-0045 §10.2): all of them,
//! so that who is not in a list any more is none.

use super::{fields::FORM_TYPE, members::Members, rank::Affiliation, room::Room};
use crate::xep_0004_forms::{Field, Given, Kind, Layout};
use engine::wire::*;
use std::collections::BTreeMap;

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";
/// A longer list is not shown, so that nobody gives it back as it was a while ago; and none is
/// taken.
const LISTED_MAX: usize = 100;

/// The lists of a configuration.
pub const LISTS: Layout = Layout {
    form_type: FORM_TYPE,
    title: "",
    instructions: "",
    fields: &[
        Field { var: ADMINS, kind: Kind::JidMulti, label: "All admins", required: false },
        Field { var: OWNERS, kind: Kind::JidMulti, label: "All owners", required: false },
    ],
};

impl Room {
    /// As they are.
    pub fn lists(&self) -> Vec<Draft> {
        let list = |field: &Field| {
            let of = if field.var == OWNERS { Affiliation::Owner } else { Affiliation::Admin };
            let all: Vec<_> = self.members.all(of).map(|(who, _)| who.as_str()).collect();
            (all.len() <= LISTED_MAX).then(|| field.filled(all))
        };
        LISTS.fields.iter().filter_map(list).collect()
    }

    /// Who becomes something else by these lists. An owner who is listed no more is an admin still
    /// (§10.2), unless the admins are listed, too, and an admin a member.
    ///
    /// # Errors
    /// `conflict` when nobody would be an owner (§10.4); `not-acceptable` for who can be nothing.
    pub fn listed_anew(&self, given: &Given) -> Result<BTreeMap<Bare, Affiliation>, StanzaError> {
        let mut all = BTreeMap::new();
        let no_owner = if given.has(ADMINS) { Affiliation::Member } else { Affiliation::Admin };
        // Who is in both lists is an owner.
        for (var, of, then) in [
            (ADMINS, Affiliation::Admin, Affiliation::Member),
            (OWNERS, Affiliation::Owner, no_owner),
        ] {
            if !given.has(var) {
                continue;
            }
            let listed: Vec<_> = given.jids(var).iter().map(Jid::bare).collect();
            if listed.len() > LISTED_MAX {
                return Err(StanzaCondition::PolicyViolation.into());
            }
            for (who, _) in self.members.all(of).filter(|(who, _)| !listed.contains(who)) {
                all.entry(who.clone()).or_insert(then);
            }
            for who in listed {
                if who.local().is_none() {
                    return Err(StanzaCondition::NotAcceptable.into());
                }
                Members::can_keep(&who)?;
                // An owner among the admins is no less than that, unless he is no owner any more.
                let is_owner = of == Affiliation::Admin
                    && self.members.of(&who) == Affiliation::Owner
                    && !given.has(OWNERS);
                if !is_owner {
                    all.insert(who, of);
                }
            }
        }
        all.retain(|who, to| self.members.of(who) != *to);
        let leave: Vec<_> = all.keys().collect();
        let has_owner = all.values().any(|to| *to == Affiliation::Owner);
        // One whose last owner's account was removed goes on, as an administrator wants it.
        let had_one = self.has_another_owner(&[]);
        if had_one && !has_owner && !self.has_another_owner(&leave) {
            return Err(StanzaCondition::Conflict.into());
        }
        self.members.have_room(all.iter().map(|(who, to)| (who, *to)))?;
        Ok(all)
    }
}
