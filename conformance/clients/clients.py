"""The clients: slixmpp, profanity and xmpp.js, all with the same verbs.

`login` asserts that the stream is encrypted and the certificate verified. What a client heard
or saw is read from what it prints itself.
"""

import os
import re
from pathlib import Path

from servers import DOMAIN, target
from waiting import Failure, Process

HERE = Path(__file__).resolve().parent
PASSWORD = "a password with spaces & signs: <ü>"


class Client:
    """One account of one server. `tls` is `starttls` or `direct`."""

    def __init__(self, server, folder, tls):
        self.server = server
        self.folder = folder
        self.tls = tls
        self.jid = f"{self.name}@{DOMAIN}"
        self.port = server.port if tls == "starttls" else server.port_tls


class Scripted(Client):
    """A client library behind a small script that reads commands and prints events."""

    def login(self):
        log = self.folder / f"{self.name}.log"
        arguments = [f"{self.jid}/test", PASSWORD, str(self.port), self.tls]
        self.process = Process(self.name, self.command(arguments), log, env=self.environment())
        self.process.expect(rf"online {self.jid}/test TLSv1\.[23]$")

    def environment(self):
        return dict(os.environ)

    def say(self, to, text):
        self.process.tell(f"say {to} {text}")

    def hears(self, sender, text):
        self.process.expect(f"message {sender} {re.escape(text)}$")

    def open_chat(self, _):
        """Nothing to open: it prints every message."""

    def logout(self):
        self.process.tell("quit")
        code = self.process.ended()
        if code != 0:
            raise Failure(f"{self.name} exited with {code}")

    def shown(self):
        return self.process.printed()

    def stop(self):
        self.process.stop()


class Slixmpp(Scripted):
    name = "slixmpp"

    def command(self, arguments):
        python = target() / "clients" / "python" / "bin" / "python"
        return [python, HERE / "slixmpp_client.py", *arguments, self.server.certificate.file]

    def ask(self, contact):
        self.process.tell(f"ask {contact}")

    def is_asked(self, contact):
        self.process.expect(f"presence_subscribe {contact}$")

    def approve(self, contact):
        self.process.tell(f"approve {contact}")

    def has_mutual(self, contact):
        self.process.expect(f"roster {contact} both$")

    def sees(self, contact, state, after):
        """`after` is the action that must cause it."""
        since = len(self.process.printed())
        after()
        self.process.expect(f"got_{state} {contact}$", since)


class XmppJs(Scripted):
    name = "xmppjs"

    def command(self, arguments):
        folder = target() / "clients" / "node"
        return [folder / "node", HERE / "xmppjs_client.mjs", *arguments, folder / "node_modules"]

    def environment(self):
        certificate = {"NODE_EXTRA_CA_CERTS": str(self.server.certificate.file)}
        return os.environ | certificate | {"NODE_OPTIONS": "--dns-result-order=ipv4first"}
