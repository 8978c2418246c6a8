"""poezio in a tmux of its own: typed into, and read from its pane and its log."""

import re
from time import time

from servers import DOMAIN
from terminal import Terminal
from waiting import until

# Of what is typed, so much is seen, however long it is
SEEN = 20
# It does not run as root, but where everybody is
BEGIN = "import os; os.geteuid = lambda: 1; from poezio.__main__ import run; run()"


def next_second():
    """Of archives it asks for whole seconds."""
    this = int(time())
    until(lambda: int(time()) > this, "the next second")


class Poezio(Terminal):
    """One in rooms."""

    name = "poezio"
    retracts = None  # has no command for it
    read_until = 0  # where in its log the last invitation ends

    def login(self):
        """Debian's slixmpp cannot bind SCRAM to TLS 1.3: all but PLAIN fail before it gets in."""
        self.start()
        self.shows(f"Your JID is {self.jid}")

    def start(self):
        home = self.folder / self.name
        home.mkdir(parents=True, exist_ok=True)
        (home / "poezio.cfg").write_text(
            f"[Poezio]\njid = {self.jid}\npassword = {self.password}\n"
            f"custom_host = 127.0.0.1\ncustom_port = {self.port}\nforce_encryption = true\n"
            f"ca_cert_path = {self.server.certificate.file}\nuse_log = true\n"
            "hide_user_list = true\nhide_exit_join = -1\nhide_status_change = -1\n"
        )
        self.log = home / "log"
        self.log.unlink(missing_ok=True)
        self.read_until = 0
        environment = {"HOME": home, "LC_ALL": "C.UTF-8", "TERM": "tmux-256color"}
        for what in ("CONFIG", "DATA", "CACHE"):
            environment[f"XDG_{what}_HOME"] = home / what.lower()
        poezio = ["/usr/bin/python3", "-c", BEGIN, "--file", home / "poezio.cfg"]
        self.opens(environment, *poezio, "--debug", self.log)

    def logout(self):
        self.begins("/quit")
        self.tmux("send-keys", "Enter")
        until(lambda: not self.runs(), "poezio to quit")

    def creates_room(self, room):
        """It asks for no configuration: who is invited finds the room as it is."""
        self.enters(room)

    def enters(self, room):
        """It asks the archive up to the second in which it does, and not for what that has."""
        next_second()
        self.types(f"/join {room}/{self.nick}")
        self.in_room(room)
        self.shows(f"You ({self.nick}) joined the room")

    def is_invited(self, room, _):
        found = self.reads(rf"RECV: <message [^\n]*(jid=\"{room}\"|from=\"{room}\"[^\n]*<invite)")
        self.read_until = found.end()

    def accepts(self, room):
        self.enters(room)

    def finds(self, room):
        self.types(f"/list conference.{DOMAIN}")
        self.shows(room.partition("@")[0])
        self.types("/close")

    def invites(self, room, contact):
        self.in_room(room, f"/invite {contact}")

    def says_in(self, room, text):
        self.in_room(room, f"/say {text}")

    def hears_in(self, room, nick, text):
        self.in_room(room)
        self.shows(f"{nick}> {text}")

    def names(self, room, subject):
        self.in_room(room, f"/topic {subject}")

    def sees_subject(self, room, subject):
        self.in_room(room)
        self.shows(f"set the subject to: {subject}")

    def takes_nick(self, room, nick):
        self.in_room(room, f"/nick {nick}")
        self.nick = nick

    def kicks(self, room, nick):
        self.in_room(room, f"/kick {nick}")

    def bans(self, room, contact):
        self.in_room(room, f"/ban {contact}")

    def bookmarks_room(self, room):
        self.in_room(room, f"/bookmark {room}/{self.nick} true")
        self.shows("Bookmarks saved")

    def leaves(self, room):
        """It asks the archive from the second on that follows the last that it has heard."""
        self.in_room(room, "/close")
        next_second()

    def is_sent_out(self, room):
        self.in_room(room)
        self.shows("You have been kicked")

    def heard_in(self, room):
        self.in_room(room)
        return re.findall(r"[\d:]{8} (\S+)> (.*?)\s*$", self.pane(), re.MULTILINE)

    def in_room(self, room, *lines):
        """Typed into its tab."""
        self.types(f"/win {room}")
        self.shows(f"[{room}]")
        for line in lines:
            self.types(line)

    def types(self, line):
        """And sees that it has been entered: what comes at once, it takes for pasted."""
        self.begins(line)
        self.tmux("send-keys", "Enter")
        until(lambda: not self.holds(line), f"poezio to enter: {line}")

    def begins(self, line):
        """The first letter opens the line, where nothing but commands can be typed."""
        for part in (line[0], line[1:]):
            self.tmux("send-keys", "-l", part)
            until(lambda: self.holds(part), f"poezio to take: {line}")

    def holds(self, part):
        return self.pane().rstrip().endswith(part[-SEEN:])

    def reads(self, pattern):
        """Of its log, behind what was read before."""

        def found():
            said = self.log.read_text(errors="replace") if self.log.exists() else ""
            return re.compile(pattern).search(said, self.read_until)

        until(lambda: found() is not None, f"poezio to log: {pattern}")
        return found()
