"""profanity in a tmux of its own: typed into, and read from its pane."""

import re
import sqlite3
from datetime import datetime

from servers import DOMAIN
from terminal import Terminal
from waiting import until


class Profanity(Terminal):
    name = "profanity"
    # To the microsecond, and nothing of earlier days: so it shows what it was told, and when
    settings = """[logging]
chlog=false
[ui]
splash=false
roster=false
history=false
time.chat=%Y-%m-%dT%H:%M:%S.%f+00:00
"""

    def login(self):
        self.start("--account", "test")
        self.shows("logged in successfully")
        self.shows("[TLS] [online]")
        self.type("/tls cert")
        self.shows(self.server.certificate.fingerprint)

    def start(self, *how):
        home = self.folder / self.name
        (home / "profanity").mkdir(parents=True, exist_ok=True)
        (home / "profanity" / "profrc").write_text(self.settings)
        (home / "profanity" / "accounts").write_text(
            f"[test]\nenabled=true\njid={self.jid}\nresource=test\npassword={self.password}\n"
            f"server=127.0.0.1\nport={self.port}\ntls.policy={self.tls_policy()}\n"
        )
        self.last_pane = ""
        self.cleared = 0
        # OpenSSL trusts what SSL_CERT_FILE holds; profanity asks, and we never answer, otherwise
        environment = {
            "XDG_CONFIG_HOME": home,
            "XDG_DATA_HOME": home,
            "SSL_CERT_FILE": self.server.certificate.file,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        self.opens(environment, "profanity", *how)

    def tls_policy(self):
        return "force" if self.way == "starttls" else "legacy"

    def say(self, to, text):
        self.type(f"/msg {to} {text}")

    def open_chat(self, contact):
        """Messages of this contact appear in the pane from now on."""
        self.type(f"/msg {contact}")
        self.shows(f" {contact} ")

    def hears(self, _, text):
        self.shows(text)

    def is_asked(self, contact):
        self.shows(f"Received authorization request from {contact}")

    def approve(self, contact):
        self.type(f"/sub allow {contact}")

    def ask(self, contact):
        self.type(f"/sub request {contact}")

    def removes(self, contact):
        self.type(f"/roster remove {contact}")

    def has_mutual(self, contact):
        self.asks_until("/roster", f"{contact} - both")

    def sees(self, contact, state, after):
        """`after` is the action that must cause it."""
        self.clears_console()
        after()
        self.shows(f"{contact} (test) is {state}")

    def answers(self, command, *expected):
        """Types a command, and waits for what this shows in the console."""
        self.clears_console()
        self.type(command)
        for text in expected:
            self.shows(text)

    def sees_last_activity(self, contact):
        """For the first second it is as if the contact were there (XEP-0012)."""
        self.asks_until(f"/lastactivity get {contact}", f"{contact} last logged in ")

    def asks_until(self, command, text):
        """Types a command again and again, until the console shows what it must come to."""

        def probe():
            self.type(command)
            return text in self.pane()

        self.clears_console()
        until(probe, f"profanity to answer {command} with: {text}")

    def clears_console(self):
        """Done when it has refused a word of ours, of its own for each time, that follows."""
        self.cleared += 1
        self.type("/win 1")
        self.type("/clear")
        self.type(f"/cleared-{self.cleared}")
        self.shows(f"Unknown command: /cleared-{self.cleared}")

    def settles(self):
        """What it has sent until now has been dealt with by the server."""
        self.answers(f"/lastactivity get {DOMAIN}", f"{DOMAIN} up since ")

    def heard(self, sender):
        """What it shows of this sender since login: pairs of time and text, in order."""
        self.open_chat(sender)
        lines = re.findall(rf"^(\S+) - {sender}.*?: (.*?)\s*$", self.pane(), re.MULTILINE)
        return [(datetime.fromisoformat(time), text) for time, text in lines]

    def history(self, contact):
        """Of its database, by time: as texts, whole seconds stand behind those with a fraction."""
        user = self.jid.replace("@", "_at_")
        file = self.folder / self.name / "profanity" / "database" / user / "chatlog.db"
        question = "SELECT timestamp, message, from_jid FROM ChatLogs ORDER BY id"
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            lines = database.execute(question).fetchall()
        lines.sort(key=lambda line: datetime.fromisoformat(line[0]))
        return [[time, text, sender == self.jid] for time, text, sender in lines]

    def is_bounced(self, contact):
        """What it has said does not reach the contact, and it is told so."""
        self.open_chat(contact)
        self.shows("service-unavailable")

    def bookmark(self, room):
        """Beside what it has already."""
        self.answers(f"/bookmark add {room} autojoin off", f"Bookmark added for {room}")

    def has_bookmark(self, room):
        self.asks_until("/bookmark list", room)

    def block(self, contact):
        self.answers(f"/blocked add {contact}", f"User {contact} successfully blocked")

    def unblock(self, contact):
        self.answers(f"/blocked remove {contact}", f"User {contact} successfully unblocked")

    def logout(self):
        self.type("/quit")
        until(lambda: not self.runs(), "profanity to quit")

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")


class Bellringer(Profanity):
    """One in rooms."""

    name = "bellringer"
    settings = Profanity.settings + "occupants=false\n[connection]\nreconnect=2\n"
    retracts = None  # has no command for it

    def creates_room(self, room):
        self.enters(room)
        self.shows("/room accept")
        self.type("/room accept")
        self.shows("Room unlocked")

    def enters(self, room):
        self.type(f"/join {room} nick {self.nick}")
        self.shows(f"-> You have joined the room as {self.nick}")

    def is_invited(self, room, _):
        """It calls the room the inviter, when that is who brings the invitation."""
        self.type("/win 1")
        self.shows(f"Use '/join {room}' to accept the invitation")

    def accepts(self, room):
        self.clears_console()
        self.enters(room)

    def finds(self, room):
        self.asks_until("/rooms", room)

    def invites(self, room, contact):
        self.in_room(room, f"/invite send {contact}")

    def says_in(self, room, text):
        self.in_room(room, text)

    def hears_in(self, room, nick, text):
        self.in_room(room)
        self.shows(f"{nick}: {text}")

    def names(self, room, subject):
        self.in_room(room, f"/subject set {subject}")

    def sees_subject(self, room, subject):
        self.in_room(room)
        self.shows(subject)

    def takes_nick(self, room, nick):
        self.in_room(room, f"/nick {nick}")
        self.nick = nick

    def kicks(self, room, nick):
        self.in_room(room, f"/kick {nick}")

    def bans(self, room, contact):
        self.in_room(room, f"/ban {contact}")

    def bookmarks_room(self, room):
        self.in_room(room, f"/bookmark add {room} nick {self.nick} autojoin on")

    def leaves(self, room):
        self.in_room(room, "/close")

    def is_sent_out(self, room):
        self.type("/win 1")
        self.shows("Kicked from ")

    def heard_in(self, room):
        self.in_room(room)
        return re.findall(r"^\S+ - (\S+): (.*?)\s*$", self.pane(), re.MULTILINE)

    def in_room(self, room, *lines):
        """Typed into its window."""
        self.type(f"/win {room}")
        for line in lines:
            self.type(line)


class Historian(Profanity):
    """One that keeps what it is told, and asks for what it was not.

    profanity 0.13 asks for one page, and not when it has been told something that waited.
    """

    takes_what_waits = False
    lines_an_hour = 2
    settings = """[logging]
chlog=true
[ui]
splash=false
roster=false
history=true
[connection]
mam=true
carbons=true
"""


class Beginner(Profanity):
    """Somebody who has no account before a scene, nor after it."""

    name = "beginner"
    has_account = False

    def registers(self):
        """And quits: profanity 0.13 cannot log in where it has registered before."""
        self.start()
        self.type(f"/register {self.name} {DOMAIN} port {self.port} tls {self.tls_policy()}")
        self.types_twice(self.password)
        self.shows("Registration successful.")
        self.logout()

    def changes_password(self, password):
        self.clears_console()
        self.type("/changepassword")
        self.types_twice(password)
        self.shows("Password successfully changed.")
        self.password = password

    def types_twice(self, password):
        self.shows("Enter password:")
        self.type(password)
        self.shows("Confirm password:")
        self.type(password)
