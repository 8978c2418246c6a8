"""What Dino does in rooms (XEP-0045): by its dialogs, and by words with a slash."""

import re
import time

from waiting import until

# Where things are in its window, which has the same size every time
FIELD = 600, 351
MEMBERS = 689, 28
INVITE_BELOW_ONE = 642, 199
FIRST_ROW = 200, 80
CLOSE_FIRST_ROW = 272, 82
MOMENT = 0.5  # of a second


class Guest:
    """Beside the verbs of desktop.Dino."""

    finds = None  # it shows no list of rooms
    retracts = None  # nor has it a command for that
    read_until = 0

    def creates_room(self, room):
        self.enters(room)

    def enters(self, room):
        """A link opens the dialog; before the button is the list of accounts."""
        self.desktop.run("dino-im", f"xmpp:{room}?join")
        self.dialog("Join Channel", "key", "--delay", "60", "shift+Tab", "space")
        self.conversation(room)
        self.receives_presence(f"from='{room}/{self.nick}'")

    def is_invited(self, room, _):
        """It would show that, if there was anything here that shows such things."""
        told = rf" +<\{{jabber:x:conference\}}:x .*jid='{room}'"
        self.read_until = self.process.expect(told, self.read_until).end()

    def accepts(self, room):
        self.enters(room)

    def invites(self, room, contact):
        """The owner, when nobody else is there."""
        name = "Invite to Conference"
        self.open_chat(room)
        until(lambda: self.opens(name), f"Dino to ask: {name}")
        self.dialog(name, "type", "--delay", "60", contact)
        self.dialog(name, "key", "--delay", "60", *"Tab space shift+Tab shift+Tab space".split())
        until(lambda: not self.windows("--name", name), f"Dino to have asked: {name}")
        until(self.is_plain, "Dino to show nothing but its window")

    def opens(self, name):
        """What is below the button comes with a click, and goes with another."""
        for place in (MEMBERS, INVITE_BELOW_ONE):
            self.clicks(*place)
            time.sleep(MOMENT)
        return self.windows("--name", name)

    def is_plain(self):
        """What else is there goes with a click; with one more it is in the field."""
        for _ in range(2):
            self.clicks(*FIELD)
            time.sleep(MOMENT)
        return len(self.windows("--class", "dino")) == 1

    def says_in(self, room, text):
        self.say(room, text)

    def hears_in(self, room, nick, text):
        until(lambda: (nick, text) in self.heard_in(room), f"Dino to hear of {nick}: {text}")

    def names(self, room, subject):
        self.say(room, f"/topic {subject}")

    def sees_subject(self, room, subject):
        """It does not show it unless asked to."""
        self.process.expect(rf" +{re.escape(subject)}$")

    def takes_nick(self, room, nick):
        self.say(room, f"/nick {nick}")
        self.nick = nick

    def kicks(self, room, nick):
        self.say(room, f"/kick {nick}")

    def bans(self, room, contact):
        """Whom it calls by the nick, which is the name here."""
        self.say(room, f"/affiliate {contact.split('@')[0]} outcast")

    def bookmarks_room(self, _):
        """As it does with all."""

    def leaves(self, room):
        """The room in which something was said last stands above the others."""
        self.open_chat(room)
        until(lambda: self.closes_first(room), f"Dino to close {room}")

    def closes_first(self, room):
        """The button comes when the mouse has been in the row for a moment."""
        self.points_at(*FIRST_ROW)
        time.sleep(MOMENT)
        self.clicks(*CLOSE_FIRST_ROW)
        time.sleep(MOMENT)
        question = (
            "SELECT active FROM conversation c JOIN jid j ON c.jid_id = j.id WHERE bare_jid = ?"
        )
        return self.asks(question, room) == (0,)

    def is_sent_out(self, room):
        self.receives_presence(f"from='{room}/{self.nick}'", "type='unavailable'")

    def heard_in(self, room):
        """Of its database, in the order of its windows."""
        question = (
            "SELECT iif(direction, our_resource, counterpart_resource), body FROM message m"
            " JOIN jid j ON m.counterpart_id = j.id WHERE bare_jid = ? ORDER BY time, m.id"
        )
        return self.asks_all(question, room)

    def screenshot_of_room(self, room, name="room"):
        self.open_chat(room)
        self.desktop.screenshot(f"{self.name}-{name}")

    def dialog(self, name, *what):
        """Into a window, once it is there; it may be gone before the last key is up."""
        until(lambda: self.windows("--name", name), f"Dino to ask: {name}")
        search = ["xdotool", "search", "--onlyvisible", "--name", name]
        self.desktop.tries(*search, "windowfocus", *what)

    def windows(self, *which):
        search = ["xdotool", "search", "--onlyvisible", *which]
        return self.desktop.tries(*search).stdout.split()

    def points_at(self, x, y):
        self.desktop.run("xdotool", "mousemove", str(x), str(y))

    def clicks(self, x, y):
        self.points_at(x, y)
        self.desktop.run("xdotool", "click", "1")
