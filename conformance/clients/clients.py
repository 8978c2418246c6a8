"""The clients that a small script drives: slixmpp, aioxmpp, nbxmpp, xmpp.js, Converse.js.

All clients have the same verbs; profanity.py and desktop.py hold the others.

`login` asserts that the stream is encrypted and the certificate verified. What a client heard
or saw is read from what it prints itself.
"""

import json
import os
import re
from datetime import datetime
from pathlib import Path

from occupants import Observer, Occupant
from servers import DOMAIN, target
from waiting import Failure, Process

HERE = Path(__file__).resolve().parent
PASSWORD = "a password with spaces & signs: <ü>"


class Client:
    """One account of one server. `way` is the way in, one of the server's `ways`."""

    has_account = True
    resource = "test"
    # What history.py lets it miss: more than it asks an archive for at once, some of it told twice
    lines_an_hour = 4
    takes_what_waits = True

    def __init__(self, server, folder, way):
        self.server = server
        self.folder = folder
        self.way = way
        self.password = PASSWORD
        self.jid = f"{self.name}@{DOMAIN}"
        self.nick = self.name
        self.url, self.port = server.ways[way]


class Scripted(Occupant, Client):
    """A client library behind a small script that reads commands and prints events."""

    process = None

    def login(self):
        self.start()
        schemes = {"ws": "ws:", "wss": "wss:", "bosh": "https:", "host-meta": "wss:"}
        tls = r"TLSv1\.[23]" if self.way != "ws" else "plaintext"
        protection = f"({schemes.get(self.way, tls)}|{tls})"
        # With XEP-0386 the resource is what was asked for, and more
        self.process.expect(rf"online {self.jid}/{self.resource}(/\S+)? {protection}$")

    def start(self, *how):
        self.read_until = 0
        log = self.folder / f"{self.name}-{self.resource}.log"
        command = [*self.command(), *how]
        self.process = Process(self.name, command, log, env=self.environment())

    def authenticates(self, namespace, mechanism, since=0):
        """How it logs in, by its own words."""
        self.process.expect(f"authenticates {namespace} {mechanism}$", since)

    def environment(self):
        return dict(os.environ)

    def say(self, to, text):
        self.process.tell(f"say {to} {text}")

    def hears(self, sender, text):
        self.process.expect(rf"message {sender} (\S+ )?{re.escape(text)}$")

    def ask(self, contact):
        self.process.tell(f"ask {contact}")

    def is_asked(self, contact):
        self.process.expect(f"presence_subscribe {contact}$")

    def approve(self, contact):
        self.process.tell(f"approve {contact}")

    def open_chat(self, _):
        """Nothing to open: it prints every message."""

    def answers(self, command, expected, *more):
        """Tells it a command, and waits for the lines that this prints; they are patterns."""
        since = len(self.process.printed())
        self.process.tell(command)
        for pattern in (expected, *more):
            found = self.process.expect(f"{pattern}$", since)
        return found

    def history(self, contact):
        """What it knows of a contact, in its order: time, text, and whether it is its own."""
        return json.loads(self.answers(f"history {contact}", r"history (\[.*\])")[1])

    def logout(self):
        self.process.tell("quit")
        code = self.process.ended()
        if code != 0:
            raise Failure(f"{self.name} exited with {code}")

    def shown(self):
        return self.process.printed() if self.process else ""

    def stop(self):
        if self.process:
            self.process.stop()


class Slixmpp(Observer, Scripted):
    name = "slixmpp"

    def command(self):
        return python(self, "python", "slixmpp_client.py", self.port)

    def has_mutual(self, contact):
        self.process.expect(f"roster {contact} both$")

    def sees(self, contact, state, after):
        """`after` is the action that must cause it."""
        since = len(self.process.printed())
        after()
        self.process.expect(f"got_{state} {contact}$", since)

    def settles(self):
        """What it has sent until now has been dealt with by the server."""
        self.answers("settle", "settled")

    def heard(self, sender):
        """What it has shown of this sender since login: pairs of time and text, in order."""
        lines = re.findall(rf"^message {sender} (\S+) (.*)$", self.process.printed(), re.MULTILINE)
        return [(datetime.fromisoformat(time), text) for time, text in lines]

    def say_and_ask(self, to, text):
        """For a receipt, which a client sends when it has shown the message (XEP-0184)."""
        asked = self.answers(f"say_and_ask {to} {text}", r"asked_for_receipt (\S+)")
        return asked[1]

    def has_receipt(self, sender, receipt):
        self.process.expect(f"receipt {sender} {receipt}$")

    def is_bounced(self, contact):
        """What it has said does not reach the contact, and it is told so."""
        self.process.expect(f"message_error {contact} service-unavailable$")

    def has_copy(self, how, contact, text):
        """Of what another client of its account has sent to a contact, or received from one."""
        self.process.expect(rf"copy_{how} {contact} {re.escape(text)}$")

    def pushes(self, account):
        """What it has been told as a push service."""
        lines = re.findall(rf"^pushed {account} (.*)$", self.process.printed(), re.MULTILINE)
        return [line.split() for line in lines]

    def bookmark(self, room):
        """In the place of all that it had."""
        self.answers(f"bookmark {room}", f"bookmarked {room}")

    def has_bookmark(self, room):
        self.answers("bookmarks", f"bookmarks {room}")

    def block(self, contact):
        self.answers(f"block {contact}", f"blocked {contact}")

    def unblock(self, contact):
        self.answers(f"unblock {contact}", "blocked ?")


class Newcomer(Slixmpp):
    """Somebody who has no account before a scene, nor after it."""

    name = "newcomer"
    has_account = False

    def registers(self):
        """And logs in, on the same stream."""
        self.start("register")
        self.process.expect(r"registered .*\bpassword\b")
        self.process.expect(f"online {self.jid}/test")

    def is_refused(self):
        """Its password is not right, or there is no such account."""
        self.start()
        self.process.expect("failed_auth not-authorized$")
        self.logout()


class Admin(Slixmpp):
    """An administrator of the server."""

    name = "admin"


class Aioxmpp(Scripted):
    name = "aioxmpp"

    def command(self):
        return python(self, "aioxmpp", "aioxmpp_client.py", self.port)


class Nbxmpp(Scripted):
    """Newer than the one in Debian's Gajim."""

    name = "nbxmpp"

    def command(self):
        address = self.url if self.way == "wss" else f"{DOMAIN}:{self.port}"
        return python(self, "nbxmpp", "nbxmpp_client.py", address)


class XmppJs(Scripted):
    name = "xmppjs"

    def command(self):
        return node("xmppjs_client.mjs", f"{self.jid}/test", self.password, self.url)

    def environment(self):
        certificate = {"NODE_EXTRA_CA_CERTS": str(self.server.certificate.file)}
        return os.environ | certificate | {"NODE_OPTIONS": "--dns-result-order=ipv4first"}

    def comes_back(self, namespace, mechanism):
        """It loses its connection, and logs in again in this way."""
        since = len(self.process.printed())
        self.process.tell("reconnect")
        self.authenticates(namespace, mechanism, since)
        self.process.expect(f"online {self.jid}/", since)


class Converse(Scripted):
    """Converse.js in a browser: prints what its page shows.

    It opens a chat as often as there are lines that waited, and then shows each as often.
    """

    takes_what_waits = False
    name = "converse"
    software = "Converse"

    def command(self):
        account = [f"{self.jid}/test", self.password, self.url, self.server.certificate.file]
        folder = self.folder / f"chromium-{self.name}-{self.way}"
        return node("converse_client.mjs", *account, folder)

    def open_chat(self, contact):
        self.process.tell(f"open {contact}")
        self.process.expect(f"opened {contact}$")

    def screenshot(self):
        self.takes_screenshot(f"{self.name}-{self.way}.png")

    def takes_screenshot(self, name):
        file = screenshots() / name
        self.process.tell(f"screenshot {file}")
        self.process.expect(f"screenshot {file}$")

    def is_invited(self, room, _):
        """When the room brings the invitation, it calls the room the inviter."""
        self.answers("invitation", f'invitation .*"{room}".*')

    def accepts(self, room):
        self.answers(f"accept {room} {self.nick}", f"entered {room}")

    def sees_subject(self, room, subject):
        self.answers(f"shows {room} {subject}", "shows .*")

    def is_sent_out(self, room):
        self.answers(f"shows {room} You have been kicked", "shows .*")

    def heard_in(self, room):
        heard = json.loads(self.answers(f"heard_in {room}", r"heard_in (\[.*\])")[1])
        return [tuple(line) for line in heard]

    def screenshot_of_room(self, _, name="room"):
        self.takes_screenshot(f"{self.name}-{name}.png")


def python(client, home, script, address):
    """A script in the environment that its libraries are installed in."""
    interpreter = target() / "clients" / home / "bin" / "python"
    arguments = [f"{client.jid}/{client.resource}", client.password, str(address), client.way]
    return [interpreter, HERE / script, *arguments, client.server.certificate.file]


def node(script, *arguments):
    folder = target() / "clients" / "node"
    return [folder / "node", HERE / script, *arguments, folder / "node_modules"]


def screenshots():
    """Kept beyond the run."""
    folder = target() / "clients" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
