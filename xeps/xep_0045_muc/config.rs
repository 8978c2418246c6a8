//! What the owners of a room have chosen (XEP-0045 §10.2, §16.5.3).

use super::{fields::*, rank::Role, whisper::Whispers, xep_0500_slow_mode as slow_mode};
use crate::xep_0004_forms::{self as forms, Field, Given};
use engine::wire::*;

/// The longest text of a configuration, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The longest name, and the longest language: they are told of many rooms at once (§6.3).
const NAME_BYTES_MAX: usize = 512;
const LANG_BYTES_MAX: usize = 64;
/// The most messages that who enters is told.
pub const HISTORY_ENTRIES_MAX: usize = 50;
/// What who enters is told when nobody chose.
const HISTORY_ENTRIES: usize = 20;

/// What the owners have chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub name: String,
    pub description: String,
    pub lang: String,
    pub is_persistent: bool,
    pub is_public: bool,
    pub is_members_only: bool,
    pub is_moderated: bool,
    pub password: Option<String>,
    /// Everybody sees everybody's address, not moderators alone.
    pub is_non_anonymous: bool,
    pub may_change_subject: bool,
    pub may_invite: bool,
    /// Members may, where that makes members (§9.5).
    pub may_members_invite: bool,
    pub whispers: Whispers,
    /// `None`: as many as the service allows.
    pub occupants_max: Option<usize>,
    pub is_archived: bool,
    /// Who may enter may read it, without having been here.
    pub may_all_read: bool,
    /// Messages that who enters is told at most.
    pub history_max: usize,
    /// Whether moderators, participants, visitors are shown to all.
    pub broadcasts: [bool; 3],
    /// Members may ask who else is one, when addresses are seen.
    pub shows_members: bool,
    pub may_register: bool,
    pub may_ask_for_voice: bool,
    /// Occupants may send each other requests (§17.4).
    pub may_query: bool,
    /// A node that goes with the room (§6.4).
    pub pubsub: String,
    /// Between two messages of the same (XEP-0500); 0: none.
    pub slow_mode_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            lang: String::new(),
            is_persistent: true,
            is_public: true,
            is_members_only: false,
            is_moderated: false,
            password: None,
            is_non_anonymous: false,
            may_change_subject: false,
            may_invite: true,
            may_members_invite: false,
            whispers: Whispers::Anyone,
            occupants_max: None,
            is_archived: true,
            may_all_read: true,
            history_max: HISTORY_ENTRIES,
            broadcasts: [true; 3],
            shows_members: true,
            may_register: true,
            may_ask_for_voice: true,
            may_query: true,
            pubsub: String::new(),
            slow_mode_seconds: 0,
        }
    }
}

impl Config {
    /// Of what nobody can read: nothing is opened by that.
    pub fn closed() -> Self {
        Self { is_public: false, is_members_only: true, ..Self::default() }
    }

    /// As it is kept: the fields with their values, a form of type `submit`.
    pub fn save(&self) -> String {
        let field = |field: &Field| {
            let values = self.values(field.var).into_iter();
            let values = values.map(|value| Draft::new(forms::VALUE).text(value));
            values.fold(Draft::new(forms::FIELD).attribute("var", field.var), Draft::child)
        };
        let form = Draft::new(forms::X).attribute("type", "submit");
        let form = LAYOUT.fields.iter().map(field).fold(form, Draft::child);
        form.finish().as_str().to_owned()
    }

    /// As it was kept.
    pub fn load(kept: &str) -> Option<Self> {
        let message = Stanza::parse_one(&format!("<message>{kept}</message>")).ok()?;
        let given = LAYOUT.read(message.child(forms::X)?).ok()?;
        Self::default().with(&given).ok()
    }

    /// The form that is filled in with what is (§10.2).
    pub fn form(&self) -> Draft {
        LAYOUT.filled(|field| match field.var {
            INVITES => vec![String::from(if self.lets_invite() { "1" } else { "0" })],
            var => self.values(var),
        })
    }

    /// Whether occupants may invite others, as the room is now.
    pub fn lets_invite(&self) -> bool {
        if self.is_members_only { self.may_members_invite } else { self.may_invite }
    }

    fn values(&self, var: &str) -> Vec<String> {
        let flag = |is: bool| vec![String::from(if is { "1" } else { "0" })];
        let text = |text: &str| match text {
            "" => Vec::new(),
            text => vec![text.to_owned()],
        };
        match var {
            NAME => text(&self.name),
            DESCRIPTION => text(&self.description),
            LANG => text(&self.lang),
            PUBSUB => text(&self.pubsub),
            PERSISTENT => flag(self.is_persistent),
            PUBLIC => flag(self.is_public),
            MEMBERS_ONLY => flag(self.is_members_only),
            MODERATED => flag(self.is_moderated),
            PROTECTED => flag(self.password.is_some()),
            SECRET => text(self.password.as_deref().unwrap_or_default()),
            WHOIS => text(if self.is_non_anonymous { "anyone" } else { "moderators" }),
            SUBJECT => flag(self.may_change_subject),
            INVITES => flag(self.may_invite),
            MEMBERS_INVITE => flag(self.may_members_invite),
            PRIVATE => text(self.whispers.as_str()),
            OCCUPANTS_MAX => {
                vec![self.occupants_max.map_or_else(|| "none".into(), |max| max.to_string())]
            }
            ARCHIVED => flag(self.is_archived),
            LOGGED => flag(self.may_all_read),
            HISTORY => vec![self.history_max.to_string()],
            BROADCAST => {
                let shown = ROLES.iter().zip(self.broadcasts).filter(|(_, is_shown)| *is_shown);
                shown.map(|(role, _)| role.as_str().to_owned()).collect()
            }
            MEMBERS if self.shows_members => ROLES.map(|role| role.as_str().to_owned()).into(),
            MEMBERS => vec!["moderator".into()],
            REGISTRATION => flag(self.may_register),
            VOICE => flag(self.may_ask_for_voice),
            QUERIES => flag(self.may_query),
            slow_mode::CONFIGURED => vec![self.slow_mode_seconds.to_string()],
            _ => Vec::new(),
        }
    }

    /// With what was submitted; what was left out stays.
    ///
    /// # Errors
    /// The field that nothing can be made of.
    pub fn changed(&self, given: &Given) -> Result<Self, &'static str> {
        let mut new = self.with(given)?;
        for (var, max) in [(NAME, NAME_BYTES_MAX), (LANG, LANG_BYTES_MAX)] {
            let value = given.one(var).unwrap_or_default();
            // One that is longer has been since before there was this limit, and may stay.
            if value.len() > max && self.values(var) != [value] {
                return Err(var);
            }
        }
        // Where only members may enter, it is they of whom the document's field says whether they
        // may invite. Of two fields that say so that one counts which says something new.
        let flag = |var| given.one(var).map(is_yes);
        if let Some(may) = flag(INVITES).filter(|_| new.is_members_only) {
            new.may_invite = self.may_invite;
            let by_both = flag(MEMBERS_INVITE);
            let says_new = may != self.lets_invite() && by_both != Some(!self.may_members_invite);
            if by_both.is_none() || says_new {
                new.may_members_invite = may;
            }
        }
        Ok(new)
    }

    /// With these values, as they are kept.
    fn with(&self, given: &Given) -> Result<Self, &'static str> {
        let mut new = self.clone();
        for field in LAYOUT.fields {
            if given.has(field.var) {
                new.take(field.var, given)?;
            }
        }
        // §10.1.3: who wants a password has to say which.
        match given.one(PROTECTED).map(is_yes) {
            Some(false) => new.password = None,
            Some(true) if new.password.is_none() => return Err(SECRET),
            _ => {}
        }
        Ok(new)
    }

    fn take(&mut self, var: &'static str, given: &Given) -> Result<(), &'static str> {
        let value = given.one(var).unwrap_or_default();
        if value.len() > TEXT_BYTES_MAX {
            return Err(var);
        }
        let flag = match var {
            NAME => return put(&mut self.name, value),
            DESCRIPTION => return put(&mut self.description, value),
            LANG => return put(&mut self.lang, value),
            PUBSUB => return put(&mut self.pubsub, value),
            SECRET => {
                self.password = Some(value.to_owned()).filter(|secret| !secret.is_empty());
                return Ok(());
            }
            WHOIS => return set(&mut self.is_non_anonymous, value == "anyone"),
            PRIVATE => return set(&mut self.whispers, Whispers::parse(value).ok_or(var)?),
            OCCUPANTS_MAX => {
                self.occupants_max = match value {
                    "" | "none" | "0" => None,
                    size => Some(size.parse().map_err(|_| var)?),
                };
                return Ok(());
            }
            HISTORY => {
                let max: usize = value.parse().map_err(|_| var)?;
                self.history_max = max.min(HISTORY_ENTRIES_MAX);
                return Ok(());
            }
            slow_mode::CONFIGURED => {
                return set(&mut self.slow_mode_seconds, value.parse().unwrap_or_default());
            }
            BROADCAST => {
                let all = given.all(var);
                let is_shown = |role: Role| all.iter().any(|one| one == role.as_str());
                self.broadcasts = ROLES.map(is_shown);
                return Ok(());
            }
            MEMBERS => {
                let all = given.all(var);
                return set(&mut self.shows_members, all.iter().any(|role| role != "moderator"));
            }
            PERSISTENT => &mut self.is_persistent,
            PUBLIC => &mut self.is_public,
            MEMBERS_ONLY => &mut self.is_members_only,
            MODERATED => &mut self.is_moderated,
            SUBJECT => &mut self.may_change_subject,
            INVITES => &mut self.may_invite,
            MEMBERS_INVITE => &mut self.may_members_invite,
            ARCHIVED => &mut self.is_archived,
            LOGGED => &mut self.may_all_read,
            REGISTRATION => &mut self.may_register,
            VOICE => &mut self.may_ask_for_voice,
            QUERIES => &mut self.may_query,
            _ => return Ok(()),
        };
        set(flag, is_yes(value))
    }

    /// Whether who has this role is shown to all.
    pub fn broadcasts(&self, role: Role) -> bool {
        ROLES.iter().zip(self.broadcasts).any(|(one, is_shown)| *one == role && is_shown)
    }

    /// Whether whoever finds it may enter.
    pub fn is_open(&self) -> bool {
        self.is_public && !self.is_members_only && self.password.is_none()
    }

    /// Whether anybody may read what is said in it, who finds it (§7.2.12).
    pub fn is_logged(&self) -> bool {
        self.is_archived && self.may_all_read && self.is_open()
    }

    /// What anybody learns of a room who asks (§6.4, §16.3).
    pub fn features(&self) -> [&'static str; 6] {
        let either = |is: bool, yes, no| if is { yes } else { no };
        [
            either(self.is_public, "muc_public", "muc_hidden"),
            either(self.is_persistent, "muc_persistent", "muc_temporary"),
            either(self.is_members_only, "muc_membersonly", "muc_open"),
            either(self.is_moderated, "muc_moderated", "muc_unmoderated"),
            either(self.is_non_anonymous, "muc_nonanonymous", "muc_semianonymous"),
            either(self.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
        ]
    }
}

fn is_yes(value: &str) -> bool {
    matches!(value, "1" | "true")
}

fn put(into: &mut String, value: &str) -> Result<(), &'static str> {
    value.clone_into(into);
    Ok(())
}

fn set<T>(into: &mut T, value: T) -> Result<(), &'static str> {
    *into = value;
    Ok(())
}
