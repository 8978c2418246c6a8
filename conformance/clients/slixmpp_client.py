"""A slixmpp client that is driven by lines on stdin and prints what it sees, a line each.

    slixmpp_client.py JID PASSWORD PORT starttls|direct CERTIFICATE

Commands: `say JID TEXT`, `ask JID` (to see its presence), `approve JID`, `quit`.
"""

import asyncio
import sys
from functools import partial
from pathlib import Path

from slixmpp import ClientXMPP


def show(*words):
    print(*words, flush=True)


class Client(ClientXMPP):
    def __init__(self, jid, password, port, tls, certificate):
        super().__init__(jid, password)
        self.port = int(port)
        self.enable_starttls = tls == "starttls"
        self.enable_direct_tls = tls == "direct"
        self.enable_plaintext = False
        self.ca_certs = Path(certificate)
        self.auto_authorize = None  # a request waits for `approve`
        for event in ("session_start", "message", "failed_auth", "connection_failed"):
            self.add_event_handler(event, getattr(self, "on_" + event))
        for event in ("got_online", "got_offline", "presence_subscribe", "presence_subscribed"):
            self.add_event_handler(event, partial(self.on_presence, event))
        self.add_event_handler("roster_update", self.on_roster)

    async def on_session_start(self, _):
        await self.get_roster()
        self.send_presence()
        secured = self.transport.get_extra_info("ssl_object")
        show("online", self.boundjid.full, secured.version() if secured else "plaintext")

    def on_message(self, message):
        if message["body"]:
            show("message", message["from"].bare, message["body"])

    def on_presence(self, event, presence):
        if presence["from"].bare != self.boundjid.bare:
            show(event, presence["from"].bare)

    def on_roster(self, iq):
        for jid, item in iq["roster"]["items"].items():
            show("roster", jid, item["subscription"])

    def on_failed_auth(self, stanza):
        show("failed_auth", stanza)

    def on_connection_failed(self, reason):
        show("connection_failed", reason)

    async def obey(self, line):
        command, *rest = line.split(" ", 2)
        if command == "say":
            self.send_message(mto=rest[0], mbody=rest[1], mtype="chat")
        elif command == "ask":
            self.send_presence_subscription(pto=rest[0], ptype="subscribe")
        elif command == "approve":
            self.send_presence_subscription(pto=rest[0], ptype="subscribed")
        elif command == "quit":
            await self.disconnect()
        else:
            show("unknown command", line)

    async def run(self):
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        self.connect("127.0.0.1", self.port)
        while line := (await commands.readline()).decode().rstrip("\n"):
            await self.obey(line)
            if line == "quit":
                break


async def main():
    await Client(*sys.argv[1:]).run()


asyncio.run(main())
