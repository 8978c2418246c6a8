//! What the owners of a room have chosen (XEP-0045 §10.2, §16.5.3).

use super::{rank::Role, xep_0500_slow_mode as slow_mode};
use crate::xep_0004_forms::{self as forms, Field, Given, Kind, Layout};
use engine::wire::*;

/// Which form it is.
pub const FORM_TYPE: &str = "http://jabber.org/protocol/muc#roomconfig";

const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const LANG: &str = "muc#roomconfig_lang";
const PERSISTENT: &str = "muc#roomconfig_persistentroom";
const PUBLIC: &str = "muc#roomconfig_publicroom";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
pub const MODERATED: &str = "muc#roomconfig_moderatedroom";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const WHOIS: &str = "muc#roomconfig_whois";
const SUBJECT: &str = "muc#roomconfig_changesubject";
const INVITES: &str = "muc#roomconfig_allowinvites";
/// Prosody's name, by which clients know it.
const MEMBERS_INVITE: &str = "{http://prosody.im/protocol/muc}roomconfig_allowmemberinvites";
pub const PRIVATE: &str = "muc#roomconfig_allowpm";
const OCCUPANTS_MAX: &str = "muc#roomconfig_maxusers";
pub const ARCHIVED: &str = "muc#roomconfig_enablearchiving";
pub const HISTORY: &str = "muc#maxhistoryfetch";
const BROADCAST: &str = "muc#roomconfig_presencebroadcast";
const MEMBERS: &str = "muc#roomconfig_getmemberlist";
const REGISTRATION: &str = "muc#roomconfig_allowregister";
const VOICE: &str = "muc#roomconfig_allowvoicerequests";
/// ejabberd's name, by which clients know it.
const QUERIES: &str = "allow_query_users";

/// Those who are in a room.
const ROLES: [Role; 3] = [Role::Moderator, Role::Participant, Role::Visitor];

/// Who may be sent to, or may send, privately (§16.5.3).
const WHOM: &[&str] = &["anyone", "participants", "moderators", "none"];

/// Choices of how many may be in a room; others may be given, too.
const SIZES: &[&str] = &["10", "20", "50", "100", "200", "500", "1000", "5000", "none"];

/// As it is asked for.
pub const LAYOUT: Layout = Layout {
    form_type: FORM_TYPE,
    title: "Configuration of the room",
    instructions: "What is left out stays as it is.",
    fields: &[
        text(NAME, "Name"),
        text(DESCRIPTION, "Description"),
        text(LANG, "Language of the discussion"),
        yes(PERSISTENT, "The room stays when the last occupant has left"),
        yes(PUBLIC, "Everybody may find the room"),
        yes(MEMBERS_ONLY, "Only members may enter"),
        yes(MODERATED, "Only who is given voice may speak"),
        yes(PROTECTED, "A password is needed to enter"),
        Field { var: SECRET, kind: Kind::TextPrivate, label: "Password", required: false },
        list(WHOIS, &["moderators", "anyone"], "Who may see the addresses of occupants"),
        yes(SUBJECT, "Occupants may change the subject"),
        yes(INVITES, "Occupants may invite others"),
        yes(MEMBERS_INVITE, "Members may invite others where only members may enter"),
        list(PRIVATE, WHOM, "Who may send private messages"),
        Field {
            var: OCCUPANTS_MAX,
            kind: Kind::ListSingleOpen(SIZES),
            label: "How many may be in the room",
            required: false,
        },
        yes(ARCHIVED, "What is said is kept in the archive"),
        text(HISTORY, "How many messages who enters is told at most"),
        Field {
            var: BROADCAST,
            kind: Kind::ListMultiOpen,
            label: "Roles whose presence is shown to all",
            required: false,
        },
        Field {
            var: MEMBERS,
            kind: Kind::ListMultiOpen,
            label: "Roles that may ask for the list of members",
            required: false,
        },
        yes(REGISTRATION, "Who enters may register as a member"),
        yes(VOICE, "Visitors may ask for voice"),
        yes(QUERIES, "Occupants may send requests to each other"),
        Field {
            var: slow_mode::CONFIGURED,
            kind: Kind::Number { max: slow_mode::PAUSE_SECONDS_MAX },
            label: "Seconds between two messages of one occupant; 0: any number",
            required: false,
        },
    ],
};

const fn text(var: &'static str, label: &'static str) -> Field {
    Field { var, kind: Kind::TextSingle, label, required: false }
}

const fn yes(var: &'static str, label: &'static str) -> Field {
    Field { var, kind: Kind::Boolean, label, required: false }
}

const fn list(var: &'static str, of: &'static [&'static str], label: &'static str) -> Field {
    Field { var, kind: Kind::ListSingle(of), label, required: false }
}

/// The longest text of a configuration, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The most messages that who enters is told.
pub const HISTORY_ENTRIES_MAX: usize = 50;
/// What who enters is told when nobody chose.
const HISTORY_ENTRIES: usize = 20;

/// Who may send private messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whispers {
    Anyone,
    Participants,
    Moderators,
    Nobody,
}

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
            history_max: HISTORY_ENTRIES,
            broadcasts: [true; 3],
            shows_members: true,
            may_register: true,
            may_ask_for_voice: true,
            may_query: true,
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
        Self::default().changed(&given).ok()
    }

    /// The form that is filled in with what is (§10.2).
    pub fn form(&self) -> Draft {
        LAYOUT.filled(|field| self.values(field.var))
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
            SECRET => {
                self.password = Some(value.to_owned()).filter(|secret| !secret.is_empty());
                return Ok(());
            }
            WHOIS => return is(&mut self.is_non_anonymous, value == "anyone"),
            PRIVATE => {
                self.whispers = Whispers::parse(value).ok_or(var)?;
                return Ok(());
            }
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
                self.slow_mode_seconds = value.parse().unwrap_or_default();
                return Ok(());
            }
            BROADCAST => {
                let all = given.all(var);
                let is_shown = |role: Role| all.iter().any(|one| one == role.as_str());
                self.broadcasts = ROLES.map(is_shown);
                return Ok(());
            }
            MEMBERS => {
                let all = given.all(var);
                return is(&mut self.shows_members, all.iter().any(|role| role != "moderator"));
            }
            PERSISTENT => &mut self.is_persistent,
            PUBLIC => &mut self.is_public,
            MEMBERS_ONLY => &mut self.is_members_only,
            MODERATED => &mut self.is_moderated,
            SUBJECT => &mut self.may_change_subject,
            INVITES => &mut self.may_invite,
            MEMBERS_INVITE => &mut self.may_members_invite,
            ARCHIVED => &mut self.is_archived,
            REGISTRATION => &mut self.may_register,
            VOICE => &mut self.may_ask_for_voice,
            QUERIES => &mut self.may_query,
            _ => return Ok(()),
        };
        is(flag, is_yes(value))
    }

    /// Whether who has this role is shown to all.
    pub fn broadcasts(&self, role: Role) -> bool {
        ROLES.iter().zip(self.broadcasts).any(|(one, is_shown)| *one == role && is_shown)
    }

    /// Whether anybody may read what is said in it, who finds it (§7.2.12).
    pub fn is_logged(&self) -> bool {
        self.is_archived && self.is_public && !self.is_members_only && self.password.is_none()
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

impl Whispers {
    const ALL: [Self; 4] = [Self::Anyone, Self::Participants, Self::Moderators, Self::Nobody];

    pub fn as_str(self) -> &'static str {
        WHOM[Self::ALL.iter().position(|one| *one == self).unwrap_or_default()]
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

fn is_yes(value: &str) -> bool {
    matches!(value, "1" | "true")
}

fn put(into: &mut String, value: &str) -> Result<(), &'static str> {
    value.clone_into(into);
    Ok(())
}

fn is(flag: &mut bool, value: bool) -> Result<(), &'static str> {
    *flag = value;
    Ok(())
}
