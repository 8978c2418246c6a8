"""Clients with windows: Gajim and Dino, on a screen in memory, in a home of their own."""

import os
import re
import shutil
import sqlite3
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import dino_rooms
from clients import HERE, Client, Scripted, screenshots
from servers import DOMAIN, target
from waiting import Failure, Process, until

PYTHON = "/usr/bin/python3"  # Debian's, which has Gajim's modules, and Pillow
CERTIFICATES = "gajim/cert_store"
SENT = 6  # what its database calls a line of one's own
PASTE_TRIES_MAX = 20  # looks at a field, until the keys are pressed again


class Desktop:
    """A screen, a session bus, and the environment of a user who has just been born."""

    def __init__(self, home):
        self.home = home
        self.processes = []
        for folder in ("config", "data", "cache", "runtime"):
            (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        bus = f"unix:path={home}/runtime/bus"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home / "runtime"),
            "DISPLAY": f":{self.screen()}",
            "DBUS_SESSION_BUS_ADDRESS": bus,
            "GDK_BACKEND": "x11",
            "GIO_USE_NETWORK_MONITOR": "base",  # "we have network", whatever there is
            "GIO_USE_VFS": "local",
            "GSETTINGS_BACKEND": "memory",
            "NO_AT_BRIDGE": "1",
        }
        self.launch("bus", ["dbus-daemon", "--session", "--nofork", f"--address={bus}"])
        until(Path(home / "runtime" / "bus").exists, "a session bus")

    def screen(self):
        """Xvfb takes a free number and says which."""
        reading, writing = os.pipe()
        size = "-screen 0 1000x700x24 -nolisten tcp".split()
        with os.fdopen(reading) as told:
            command = ["Xvfb", "-displayfd", str(writing), *size]
            self.launch("screen", command, env=os.environ, pass_fds=[writing])
            os.close(writing)
            number = told.readline().strip()
        if not number:
            raise Failure(f"no screen: {self.processes[-1].printed()}")
        return number

    def launch(self, name, command, **options):
        options.setdefault("env", getattr(self, "environment", None))
        process = Process(name, command, self.home / f"{name}.log", **options)
        self.processes.append(process)
        return process

    def run(self, *command):
        done = self.tries(*command)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.stderr}")

    def tries(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True)

    def screenshot(self, name):
        file = screenshots() / f"{name}.png"
        display = self.environment["DISPLAY"]
        shot = f"from PIL import ImageGrab; ImageGrab.grab(xdisplay='{display}').save('{file}')"
        self.run(PYTHON, "-c", shot)

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


class Gajim(Scripted):
    """Driven from within, by `gajim_client.py`."""

    name = "gajim"
    software = "Gajim"
    desktop = None

    def start(self, *how):
        self.stop()
        self.desktop = Desktop(self.folder / self.name)
        trusted = self.desktop.home / "data" / CERTIFICATES
        trusted.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.server.certificate.file, trusted / "test")
        super().start(*how)

    def environment(self):
        return self.desktop.environment

    def command(self):
        types = {"starttls": "START TLS"}
        host = self.url if self.way == "wss" else DOMAIN
        account = [f"{self.jid}/test", self.password, host, str(self.port)]
        return [PYTHON, HERE / "gajim_client.py", *account, types.get(self.way, "DIRECT TLS")]

    def history(self, contact):
        """Of its database, in the order of its windows, once it has read the archive."""
        read = "SELECT 1 FROM last_archive_message WHERE last_mam_id IS NOT NULL"
        question = (
            "SELECT time, message, kind FROM logs JOIN jids USING (jid_id)"
            " WHERE jid = ? AND message IS NOT NULL ORDER BY time, log_line_id"
        )
        lines = self.asks(question, contact) if self.asks(read) else []
        return [[iso(time), text, kind == SENT] for time, text, kind in lines]

    def asks(self, question, *values):
        file = self.desktop.home / "data" / "gajim" / "logs.db"
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            return database.execute(question, values).fetchall()

    def accepts(self, room):
        self.answers(f"accept {room}", f"entered {room}")

    def sees_subject(self, room, subject):
        self.process.expect(f"room_subject {room} {re.escape(subject)}$")

    def bookmarks_room(self, _):
        """As it does with all that it has entered."""

    def is_sent_out(self, room):
        self.process.expect(f"room-kicked {room}$")

    def heard_in(self, room):
        """Of its database, in the order of its windows."""
        question = (
            "SELECT contact_name, message FROM logs JOIN jids USING (jid_id)"
            " WHERE jid = ? AND message IS NOT NULL ORDER BY time, log_line_id"
        )
        return self.asks(question, room)

    def screenshot(self):
        self.desktop.screenshot(self.name)

    def screenshot_of_room(self, _, name="room"):
        self.desktop.screenshot(f"{self.name}-{name}")

    def stop(self):
        super().stop()
        if self.desktop:
            self.desktop.stop()


class Dino(dino_rooms.Guest, Client):
    """Driven by its actions and its keyboard; what it knows stands in its database."""

    name = "dino"
    software = "Dino"
    desktop = None
    process = None

    def login(self):
        self.stop()
        self.read_until = 0
        self.desktop = Desktop(self.folder / self.name)
        self.database = self.desktop.home / "data" / "dino" / "dino.db"
        if not self.database.exists():
            self.makes_account()
        try:
            self.comes_online()
        except Failure:
            # Now and then it locks itself out of its database when it starts, and ends.
            if "database is locked" not in self.process.printed():
                raise
            self.comes_online()
        if ("xmpp-tls}:proceed" in self.process.printed()) != (self.way == "starttls"):
            raise Failure(f"Dino did not get in by {self.way}")

    def comes_online(self):
        self.process = self.launch("dino", "--print-xmpp=all")
        self.receives_presence(f"from='{self.jid}/")

    def receives_presence(self, *attributes):
        """Its log has them in any order."""
        wanted = "".join(f"(?=.*{attribute})" for attribute in attributes)
        self.process.expect(rf"<\{{jabber:client\}}:presence {wanted}")

    def makes_account(self):
        """As its dialog would; its first start makes the database."""
        first = self.launch("first start")
        table = "SELECT 1 FROM sqlite_master WHERE name = 'account'"
        until(lambda: self.asks(table), "Dino to make its database")
        first.stop()
        with sqlite3.connect(self.database) as database:
            account = (self.jid, "test", self.password)
            database.execute(
                "INSERT INTO account(bare_jid, resourcepart, password, enabled) VALUES(?, ?, ?, 1)",
                account,
            )

    def launch(self, name, *how):
        """It trusts one certificate, and its DNS knows one way in."""
        records = self.desktop.home / "dns"
        service = {"starttls": "_xmpp-client", "direct": "_xmpps-client"}[self.way]
        records.write_text(
            f"SRV {service}._tcp.{DOMAIN} {DOMAIN} {self.port}\nA {DOMAIN} 127.0.0.1\n"
        )
        environment = self.desktop.environment | {
            "LD_PRELOAD": f"{target()}/clients/trust.so libresolv_wrapper.so",
            "RESOLV_WRAPPER_HOSTS": str(records),
            "SSL_CERT_FILE": str(self.server.certificate.file),
        }
        return self.desktop.launch(name, ["dino-im", *how], env=environment)

    def asks(self, question, *values):
        """Of its database; nothing, as long as it has not made it."""
        found = self.asks_all(question, *values)
        return found[0] if found else None

    def asks_all(self, question, *values):
        try:
            with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
                return database.execute(question, values).fetchall()
        except sqlite3.OperationalError:
            return []

    def conversation(self, contact):
        question = (
            "SELECT c.id FROM conversation c JOIN jid j ON c.jid_id = j.id WHERE bare_jid = ?"
        )
        return until(lambda: self.asks(question, contact), f"Dino to talk with {contact}")[0]

    def acts(self, action, *values):
        self.desktop.run("gapplication", "action", "im.dino.Dino", action, *map(str, values))

    def is_asked(self, contact):
        self.receives_presence(f"from='{contact}", "type='subscribe'")

    def approve(self, contact):
        self.acts("accept-subscription", self.conversation(contact))

    def open_chat(self, contact):
        self.acts("open-conversation", self.conversation(contact))

    def say(self, to, text):
        """By the clipboard: no keyboard has all letters."""
        given = self.desktop.home / "clipboard.txt"
        given.write_text(text)
        clipboard = "xclip -quiet -selection clipboard -in".split()
        self.desktop.launch("clipboard", [*clipboard, str(given)])
        until(lambda: self.selection("clipboard") == text, "the clipboard")
        until(lambda: self.pastes(to, text), f"Dino to paste: {text}")
        self.presses("End", "Return")

    def pastes(self, to, text):
        """When its field has what is in the clipboard, this can be selected there."""
        self.open_chat(to)
        self.presses("ctrl+a", "ctrl+v")
        for _ in range(PASTE_TRIES_MAX):
            self.presses("ctrl+a")
            if self.selection("primary") == text:
                return True
        return False

    def selection(self, name):
        return self.desktop.tries("xclip", "-selection", name, "-out").stdout

    def presses(self, *keys):
        window = "search --onlyvisible --class dino windowfocus key --delay 50".split()
        self.desktop.run("xdotool", *window, *keys)

    def hears(self, sender, text):
        question = (
            "SELECT 1 FROM message m JOIN jid j ON m.counterpart_id = j.id"
            " WHERE bare_jid = ? AND body = ? AND direction = 0"
        )
        until(lambda: self.asks(question, sender, text), f"Dino to hear of {sender}: {text}")

    def screenshot(self):
        self.desktop.screenshot(self.name)

    def logout(self):
        self.acts("quit")
        self.process.ended()

    def shown(self):
        return self.process.printed() if self.process else ""

    def stop(self):
        if self.desktop:
            self.desktop.stop()
