//! The words of XEP-0045.

use engine::{settings::Settings, unit::Pos, wire::*};

/// What every room says that it is.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// What occupants are told.
pub const USER: &str = "http://jabber.org/protocol/muc#user";
/// What moderators and admins ask.
pub const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// What owners ask.
pub const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// Who enters says this in presence (§7.2).
pub const JOIN: Name = Name::new(MUC, "x");
pub const HISTORY: Name = Name::new(MUC, "history");
pub const PASSWORD: Name = Name::new(MUC, "password");

/// What is told in presence and messages.
pub const X: Name = Name::new(USER, "x");
pub const ITEM: Name = Name::new(USER, "item");
pub const ACTOR: Name = Name::new(USER, "actor");
pub const REASON: Name = Name::new(USER, "reason");
pub const STATUS: Name = Name::new(USER, "status");
pub const INVITE: Name = Name::new(USER, "invite");
pub const DECLINE: Name = Name::new(USER, "decline");
pub const CONTINUE: Name = Name::new(USER, "continue");
pub const DESTROYED: Name = Name::new(USER, "destroy");
/// The password that goes along with an invitation (§7.8.2).
pub const KEY: Name = Name::new(USER, "password");

pub const ADMIN_QUERY: Name = Name::new(ADMIN, "query");
pub const ADMIN_ITEM: Name = Name::new(ADMIN, "item");
pub const ADMIN_REASON: Name = Name::new(ADMIN, "reason");

pub const OWNER_QUERY: Name = Name::new(OWNER, "query");
pub const DESTROY: Name = Name::new(OWNER, "destroy");
pub const DESTROY_REASON: Name = Name::new(OWNER, "reason");
pub const DESTROY_PASSWORD: Name = Name::new(OWNER, "password");

pub const BODY: Name = Name::new(ns::CLIENT, "body");
pub const SUBJECT: Name = Name::new(ns::CLIENT, "subject");
pub const THREAD: Name = Name::new(ns::CLIENT, "thread");

/// What a message is called in an archive (XEP-0359).
pub const STANZA_ID: Name = Name::new("urn:xmpp:sid:0", "stanza-id");
/// When it was said (XEP-0203).
pub const DELAY: Name = Name::new("urn:xmpp:delay", "delay");

/// What is left of a message that was taken back (XEP-0424), and by whom (XEP-0425).
pub const RETRACTED: Name = Name::new("urn:xmpp:message-retract:1", "retracted");
pub const MODERATED: Name = Name::new("urn:xmpp:message-moderate:1", "moderated");
pub const MODERATED_0: Name = Name::new("urn:xmpp:message-moderate:0", "moderated");

/// The name of a place in the log of a room.
pub fn stanza_id(room: &Bare, pos: Pos, settings: &Settings) -> Payload {
    let id = settings.names.name(room, pos);
    Draft::new(STANZA_ID).attribute("by", room.as_str()).attribute("id", id).finish()
}

/// That a room told it at `stamp` (XEP-0082).
pub fn delay(room: &Bare, stamp: String) -> Payload {
    Draft::new(DELAY).attribute("from", room.as_str()).attribute("stamp", stamp).finish()
}

/// Status codes (§16.6).
pub mod status {
    /// Everybody sees everybody's address.
    pub const NON_ANONYMOUS: u16 = 100;
    /// What anybody may see of the configuration has changed.
    pub const CONFIGURED: u16 = 104;
    /// This presence is your own.
    pub const SELF: u16 = 110;
    /// What is said can be read by everybody.
    pub const LOGGED: u16 = 170;
    pub const NOT_LOGGED: u16 = 171;
    pub const NOW_NON_ANONYMOUS: u16 = 172;
    pub const NOW_SEMI_ANONYMOUS: u16 = 173;
    /// The room has been made.
    pub const CREATED: u16 = 201;
    /// The nick is another than was asked for.
    pub const NICK_MODIFIED: u16 = 210;
    pub const BANNED: u16 = 301;
    pub const NICK_CHANGED: u16 = 303;
    pub const KICKED: u16 = 307;
    /// By a change of affiliation.
    pub const REMOVED: u16 = 321;
    /// The room is for members only now.
    pub const MEMBERS_ONLY: u16 = 322;
    /// The service is no more.
    pub const SHUT_DOWN: u16 = 332;
    /// For a technical reason.
    pub const LOST: u16 = 333;
}
