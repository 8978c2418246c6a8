//! What is said in rooms, in the inbox of who is a member. It stands in their logs alone.

use super::*;
use engine::unit::{AFFILIATIONS, Table};

const GARDEN: &str = "garden@conference.localhost";
const HALL: &str = "hall@conference.localhost";
const UNREAD: Flags = RECEIVED.and(Flags::SPEAKS);
const OPEN: &str = "";
const NO_ARCHIVE: &str = "<field var='muc#roomconfig_enablearchiving'><value>0</value></field>";

/// Where the room has what its members have read.
const MARKS: Table = Table::named("mark");

impl Account {
    fn puts(&mut self, room: &str, table: &'static str, key: &str, value: &str) {
        let room = Bare::parse(room).unwrap();
        let put = Change::Put(Table::named(table), room, key.into(), value.into());
        self.commit(put.into());
    }

    /// A room, to which the owner of the inbox is this.
    fn belongs(&mut self, room: &str, affiliation: &str, fields: &str) {
        self.commit(Change::Room(Bare::parse(room).unwrap()).into());
        let form_type = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig\
            </value></field>";
        let config = format!("<x xmlns='jabber:x:data' type='submit'>{form_type}{fields}</x>");
        self.puts(room, "room", "config", &config);
        self.puts(room, AFFILIATIONS.name(), OWNER, &format!("{affiliation} here\n\n"));
    }

    /// Somebody says this in a room.
    fn hears_in(&mut self, room: &str, flags: Flags, content: &str) -> Pos {
        self.said += 1;
        let (log, id) = (Bare::parse(room).unwrap(), self.said);
        let stanza =
            format!("<message id='{id}' type='groupchat' from='{room}/nurse'>{content}</message>");
        let stanza = Stanza::parse_one(&stanza).unwrap().to_text();
        let (peer, key, settles, foreign_id) = (log.clone(), None, None, None);
        let entry = Entry { log, flags, peer, key, settles, foreign_id, stanza };
        self.commit(Unit { entries: vec![entry], ..Unit::default() }).unwrap()
    }

    fn reads_up_to(&mut self, room: &str, displayed: Pos, since: Pos) {
        self.puts(room, MARKS.name(), OWNER, &format!("{} {}", displayed.0, since.0));
    }

    fn name_in(&self, room: &str, pos: Pos) -> String {
        self.settings.names.name(&Bare::parse(room).unwrap(), pos)
    }
}

#[test]
fn rooms_stand_among_the_others_by_what_was_said_last() {
    let mut juliet = Account::new();
    let [romeo, ..] = PEERS;
    juliet.belongs(GARDEN, "member", OPEN);
    juliet.belongs(HALL, "owner", OPEN);
    assert_eq!(juliet.unread(), [], "nothing was said there yet");
    let first = juliet.hears_in(GARDEN, UNREAD, "<body>hark</body>");
    let romeos = juliet.receives(romeo);
    let said = juliet.hears_in(HALL, UNREAD, "<body>hark</body>");
    let subject = juliet.hears_in(HALL, RECEIVED, "<subject>hark</subject>");
    juliet.reads_up_to(GARDEN, first, Pos(0));
    let told = juliet.inbox("", "").unwrap();
    let one = |jid: &str, unread, id, displayed, last| One {
        jid: jid.into(),
        unread,
        id,
        displayed,
        last: Some(last),
    };
    let (hall, garden) = (juliet.name_in(HALL, said), juliet.name_in(GARDEN, first));
    let wanted = [
        one(HALL, 1, juliet.name_in(HALL, subject), None, ("3".into(), hall)),
        one(romeo, 1, juliet.name(romeos), None, ("2".into(), juliet.name(romeos))),
        one(GARDEN, 0, garden.clone(), Some(garden.clone()), ("1".into(), garden)),
    ];
    assert_eq!(told.entries, wanted);
    assert_eq!(told.totals, ["3", "2", "2"]);
    let unread = juliet.inbox("unread-only='true'", "").unwrap();
    assert_eq!((&unread.entries[..], unread.totals), (&wanted[..2], told.totals));
    // Page by page, whichever log an id is of (XEP-0059).
    let mut set = "<max>1</max>".to_owned();
    for (index, wanted) in wanted.iter().enumerate() {
        let told = juliet.inbox("", &set).unwrap();
        assert_eq!(told.entries, std::slice::from_ref(wanted));
        assert_eq!(told.set, (Some(index.to_string()), "3".into()));
        set = format!("<max>1</max><after>{}</after>", wanted.id);
    }
    let before = format!("<before>{}</before>", wanted[2].id);
    assert_eq!(juliet.inbox("", &before).unwrap().entries, wanted[..2]);
    let elsewhere = juliet.name_in("elsewhere@conference.localhost", said);
    let after = format!("<after>{elsewhere}</after>");
    assert_eq!(juliet.inbox("", &after), Err(StanzaCondition::ItemNotFound));
}

#[test]
fn rooms_are_those_of_members_that_have_an_archive() {
    for (room, affiliation, fields, is_told) in [
        (GARDEN, "member", OPEN, true),
        (GARDEN, "admin", OPEN, true),
        (GARDEN, "owner", OPEN, true),
        (GARDEN, "outcast", OPEN, false),
        (GARDEN, "none", OPEN, false),
        (GARDEN, "owner", NO_ARCHIVE, false),
        ("garden@closed.localhost", "owner", OPEN, false),
    ] {
        let mut juliet = Account::new();
        juliet.belongs(room, affiliation, fields);
        juliet.hears_in(room, UNREAD, "<body>hark</body>");
        assert_eq!(juliet.unread().len(), usize::from(is_told), "{room} {affiliation} {fields}");
    }
}

#[test]
fn unread_is_what_speaks_behind_the_mark() {
    let mut juliet = Account::new();
    juliet.belongs(GARDEN, "member", OPEN);
    let unread = |juliet: &mut Account| juliet.unread()[0].1;
    let said: Vec<_> =
        (0..30).map(|_| juliet.hears_in(GARDEN, UNREAD, "<body>hark</body>")).collect();
    juliet.hears_in(GARDEN, RECEIVED, "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>");
    assert_eq!(unread(&mut juliet), 30);
    // She became a member behind the fifth.
    juliet.reads_up_to(GARDEN, Pos(0), said[4]);
    assert_eq!(unread(&mut juliet), 25);
    assert_eq!(juliet.inbox("", "").unwrap().entries[0].displayed, None);
    juliet.reads_up_to(GARDEN, said[9], said[4]);
    assert_eq!(unread(&mut juliet), 20);
    // One that was taken back (XEP-0424).
    let left = "<message><retracted xmlns='urn:xmpp:message-retract:1'/></message>";
    juliet.commit(Change::Redact(Bare::parse(GARDEN).unwrap(), said[20], left.into()).into());
    assert_eq!(unread(&mut juliet), 19);
    juliet.reads_up_to(GARDEN, said[29], said[4]);
    assert_eq!(unread(&mut juliet), 0);
}

#[test]
fn what_the_account_said_itself_has_been_read_before_its_mark_is_written() {
    let mut juliet = Account::new();
    juliet.belongs(GARDEN, "member", OPEN);
    (0..5).for_each(|_| _ = juliet.hears_in(GARDEN, UNREAD, "<body>hark</body>"));
    let (room, secret) = (Bare::parse(GARDEN).unwrap(), juliet.settings.clone());
    let id = xeps::xep_0045_muc::xep_0421_occupant_id::id(&room, &juliet.owner, &secret);
    let own = format!("<body>ay</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>");
    let own = juliet.hears_in(GARDEN, UNREAD, &own);
    assert_eq!(juliet.unread(), [(GARDEN.to_owned(), 0)]);
    let other = "<body>x</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='other'/>";
    juliet.hears_in(GARDEN, UNREAD, other);
    juliet.hears_in(GARDEN, UNREAD, other);
    let told = juliet.inbox("", "").unwrap();
    assert_eq!(told.entries[0].unread, 2);
    assert_eq!(told.entries[0].displayed, Some(juliet.name_in(GARDEN, own)));
}

#[test]
fn no_more_are_counted_than_the_limit_says() {
    let mut juliet = Account::new();
    juliet.belongs(GARDEN, "member", OPEN);
    for (more, counted) in [(999, 999), (1, 1_000), (1, 1_000)] {
        (0..more).for_each(|_| _ = juliet.hears_in(GARDEN, UNREAD, "<body>hark</body>"));
        assert_eq!(juliet.unread(), [(GARDEN.to_owned(), counted)]);
    }
}

#[test]
fn whose_a_message_of_a_room_really_was_is_told_to_nobody() {
    let mut juliet = Account::new();
    juliet.belongs(GARDEN, "member", OPEN);
    let author = "<body>hark</body><x xmlns='http://jabber.org/protocol/muc#user'>\
        <item affiliation='member' role='participant' jid='nurse@localhost/chamber'/></x>";
    juliet.hears_in(GARDEN, UNREAD, author);
    let (_, replied) = juliet.replied("", "");
    let Ok(Reply::After(entries, _)) = replied else { panic!("{replied:?}") };
    let told = entries[0].to_text();
    assert!(told.contains("hark") && !told.contains("nurse@localhost"), "{told}");
}

#[test]
fn private_messages_in_a_room_are_a_conversation_of_their_own() {
    let mut juliet = Account::new();
    juliet.belongs(GARDEN, "member", OPEN);
    juliet.hears_in(GARDEN, UNREAD, "<body>hark</body>");
    juliet.receives(GARDEN);
    juliet.receives(GARDEN);
    assert_eq!(juliet.unread(), [(GARDEN.to_owned(), 2), (GARDEN.to_owned(), 1)]);
}
