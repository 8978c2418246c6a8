"""The verbs in rooms (XEP-0045) of the clients that a small script drives.

A client's nick is its name, until it `takes_nick`. profanity.py and desktop_rooms.py hold the others.
"""

import re


class Occupant:
    """Beside the verbs of clients.Scripted."""

    bookmarks_room = None
    read_until = 0  # where in what it has printed the last invitation ends

    def creates_room(self, room):
        self.answers(f"create {room} {self.nick}", f"entered {room}")

    def enters(self, room):
        self.answers(f"enter {room} {self.nick}", f"entered {room}")

    def is_invited(self, room, by):
        found = self.process.expect(f"invited {room} {by}$", self.read_until)
        self.read_until = found.end()

    def accepts(self, room):
        self.enters(room)

    def finds(self, room):
        """In the list that its domain leads to."""
        self.answers("rooms", rf"rooms (\S+ )*{room}( .*)?")

    def invites(self, room, contact):
        self.process.tell(f"invite {room} {contact}")

    def says_in(self, room, text):
        self.process.tell(f"say_in {room} {text}")

    def hears_in(self, room, nick, text):
        self.process.expect(f"room_message {room} {nick} {re.escape(text)}$")

    def names(self, room, subject):
        self.process.tell(f"name {room} {subject}")

    def takes_nick(self, room, nick):
        self.process.tell(f"nick {room} {nick}")
        self.nick = nick

    def kicks(self, room, nick):
        self.answers(f"kick {room} {nick}", f"kicked {nick}")

    def bans(self, room, contact):
        self.process.tell(f"affiliate {room} {contact} outcast")

    def retracts(self, room, text):
        """As a moderator, what another has said (XEP-0425)."""
        self.process.tell(f"moderate {room} {text}")

    def leaves(self, room):
        self.process.tell(f"leave {room} {self.nick}")

    def heard_in(self, room):
        """Pairs of nick and text, in the order in which it shows them."""
        return re.findall(rf"^room_message {room} (\S+) (.*)$", self.process.printed(), re.MULTILINE)


class Observer(Occupant):
    """slixmpp, which tells of all that happens in a room."""

    def creates_room(self, room):
        self.enters(room)
        self.answers(f"configure {room}", f"configured {room}")

    def invites_directly(self, room, contact):
        self.process.tell(f"invite_directly {room} {contact}")

    def sees_named(self, room, subject):
        self.process.expect(f"room_subject {room} {re.escape(subject)}$")

    def sees_in(self, room, nick, since=0):
        self.process.expect(f"occupant {room} {nick} in ", since)

    def sees_out(self, room, nick, code="", since=0):
        codes = rf"(\d+,)*{code}(,\d+)*$" if code else ""
        self.process.expect(rf"occupant {room} {nick} out \S+ \S+ {codes}", since)

    def is_out(self, room, code):
        """Of which it has heard as the one concerned."""
        self.sees_out(room, self.nick, code)

    def is_kept_out(self, room, condition):
        self.answers(f"enter {room} {self.nick}", f"kept_out {room} {condition}")

    def sees_retracted(self, room, text):
        identifier = self.answers(f"stanza_id {room} {text}", r"stanza_id (\S+)")[1]
        self.process.expect(f"moderated {room} {identifier}$")

    def sees_occupants(self, room):
        return self.answers(f"occupants {room}", rf"occupants {room} (.*)")[1].split()
