//! What the owners of a room are asked (XEP-0045 §16.5.3).

use super::{rank::Role, whisper::WHOM, xep_0500_slow_mode as slow_mode};
use crate::xep_0004_forms::{Field, Kind, Layout};

/// Which form it is.
pub const FORM_TYPE: &str = "http://jabber.org/protocol/muc#roomconfig";

pub const NAME: &str = "muc#roomconfig_roomname";
pub const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
pub const LANG: &str = "muc#roomconfig_lang";
pub const PERSISTENT: &str = "muc#roomconfig_persistentroom";
pub const PUBLIC: &str = "muc#roomconfig_publicroom";
pub const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
pub const MODERATED: &str = "muc#roomconfig_moderatedroom";
pub const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
pub const SECRET: &str = "muc#roomconfig_roomsecret";
pub const WHOIS: &str = "muc#roomconfig_whois";
/// Clients look for it in what the room tells of itself, too, as for the two after it.
pub const SUBJECT: &str = "muc#roomconfig_changesubject";
pub const INVITES: &str = "muc#roomconfig_allowinvites";
/// Prosody's name, by which clients know it.
pub const MEMBERS_INVITE: &str = "{http://prosody.im/protocol/muc}roomconfig_allowmemberinvites";
pub const PRIVATE: &str = "muc#roomconfig_allowpm";
pub const OCCUPANTS_MAX: &str = "muc#roomconfig_maxusers";
pub const ARCHIVED: &str = "muc#roomconfig_enablearchiving";
pub const LOGGED: &str = "muc#roomconfig_enablelogging";
pub const HISTORY: &str = "muc#maxhistoryfetch";
pub const BROADCAST: &str = "muc#roomconfig_presencebroadcast";
pub const MEMBERS: &str = "muc#roomconfig_getmemberlist";
pub const REGISTRATION: &str = "muc#roomconfig_allowregister";
pub const VOICE: &str = "muc#roomconfig_allowvoicerequests";
/// Told of the room, too (§6.4).
pub const PUBSUB: &str = "muc#roomconfig_pubsub";
/// ejabberd's name, by which clients know it.
pub const QUERIES: &str = "allow_query_users";

/// Those who are in a room.
pub const ROLES: [Role; 3] = [Role::Moderator, Role::Participant, Role::Visitor];

/// Choices of how many may be in a room; others may be given, too.
pub const SIZES: &[&str] = &["10", "20", "50", "100", "200", "500", "1000", "5000", "none"];

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
        yes(LOGGED, "Who may enter may read the archive without having been here"),
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
        text(PUBSUB, "XMPP URI of an associated publish-subscribe node"),
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
