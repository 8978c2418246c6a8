"""A slixmpp client that is driven by lines on stdin and prints what it sees, a line each.

    slixmpp_client.py JID PASSWORD PORT starttls|direct CERTIFICATE [register]

It wants copies of what other clients of its account send and receive. With `register` it makes its
account first. Commands: the functions `do_…`, with what is missing of their words taken for empty.
"""

import asyncio
import json
import sys
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import slixmpp_rooms
from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

PLUGINS = "0012 0030 0048 0049 0050 0054 0077 0092 0133 0184 0191 0199 0202 0203 0280 0313".split()
PUBSUB = "{http://jabber.org/protocol/pubsub}"
PUSH = "urn:xmpp:push:0"
DATA = "{jabber:x:data}"


def show(*words):
    print(*words, flush=True)


class Client(slixmpp_rooms.Rooms, ClientXMPP):
    def __init__(self, jid, password, port, tls, certificate, *register):
        super().__init__(jid, password)
        self.port = int(port)
        self.enable_starttls = tls == "starttls"
        self.enable_direct_tls = tls == "direct"
        self.enable_plaintext = False
        self.ca_certs = Path(certificate)
        self.auto_authorize = None  # a request waits for `approve`
        for number in PLUGINS + slixmpp_rooms.PLUGINS:
            self.register_plugin(f"xep_{number}")
        events = ["session_start", "message", "message_error", "receipt_received"]
        events += ["presence_available", "carbon_sent", "carbon_received", *slixmpp_rooms.EVENTS]
        self.spoken = {}  # the archive's ids of what was said in rooms, by room and text
        for event in [*events, "failed_auth", "connection_failed", "disconnected", *register]:
            self.add_event_handler(event, getattr(self, "on_" + event))
        for event in ("got_online", "got_offline", "presence_subscribe", "presence_subscribed"):
            self.add_event_handler(event, partial(self.on_presence, event))
        self.add_event_handler("roster_update", self.on_roster)
        self.nodes = set()  # of its push service
        pushes = MatchXPath("{jabber:client}iq/" + PUBSUB + "pubsub/" + PUBSUB + "publish")
        self.register_handler(Callback("push", pushes, self.on_push))

    async def on_register(self, form):
        account = self.make_iq_set()
        account["register"]["username"] = self.boundjid.user
        account["register"]["password"] = self.password
        await account.send()
        show("registered", *sorted(form["register"]["fields"]))

    async def on_session_start(self, _):
        await self.get_roster()
        await self.plugin["xep_0280"].enable()
        self.send_presence()

    def on_presence_available(self, presence):
        """Its own presence comes back (RFC 6121 §4.2.2): from now on messages are for it."""
        if presence["from"] == self.boundjid:
            secured = self.transport.get_extra_info("ssl_object")
            show("online", self.boundjid.full, secured.version() if secured else "plaintext")

    def on_message(self, message):
        """With the time that it was sent at, when it says so, or else the time of now."""
        if message["body"] and message["type"] != "groupchat":
            stamp = message["delay"]["stamp"] or datetime.now(timezone.utc)
            show("message", message["from"].bare, stamp.isoformat(), message["body"])

    def on_carbon_sent(self, message):
        sent = message["carbon_sent"]
        if sent["body"]:
            show("copy_sent", sent["to"].bare, sent["body"])

    def on_carbon_received(self, message):
        received = message["carbon_received"]
        if received["body"]:
            show("copy_received", received["from"].bare, received["body"])

    def on_push(self, iq):
        """As a push service (XEP-0357) that knows these nodes; shows node, count and secret."""
        node = iq.xml.find(f"{PUBSUB}pubsub/{PUBSUB}publish").get("node")
        fields = {
            field.get("var"): field.findtext(DATA + "value")
            for field in iq.xml.iter(DATA + "field")
        }
        known = node in self.nodes
        shown = [fields.get("message-count"), fields.get("secret")]
        show("pushed", iq["from"].bare, node, *shown, "taken" if known else "refused")
        answer = iq.reply()
        if not known:
            answer.error()
            answer["error"]["condition"] = "item-not-found"
        answer.send()

    def on_message_error(self, message):
        show("message_error", message["from"].bare, message["error"]["condition"])

    def on_receipt_received(self, message):
        show("receipt", message["from"].bare, message["receipt"])

    def on_presence(self, event, presence):
        if presence["from"].bare != self.boundjid.bare:
            show(event, presence["from"].bare)

    def on_roster(self, iq):
        for jid, item in iq["roster"]["items"].items():
            show("roster", jid, item["subscription"])

    def on_failed_auth(self, failure):
        show("failed_auth", failure["condition"])

    def on_connection_failed(self, reason):
        show("connection_failed", reason)

    def on_disconnected(self, reason):
        show("disconnected", reason)

    async def do_say(self, to, text):
        self.send_message(mto=to, mbody=text, mtype="chat")

    async def do_say_and_ask(self, to, text):
        """For a receipt (XEP-0184)."""
        message = self.make_message(mto=to, mbody=text, mtype="chat")
        message["id"] = self.new_id()
        message["request_receipt"] = True
        message.send()
        show("asked_for_receipt", message["id"])

    async def do_software(self, jid, _):
        info = await self.plugin["xep_0030"].get_info(jid=jid, cached=False)
        for category, _type, _language, name in info["disco_info"]["identities"]:
            show("software", jid, category, name)

    async def do_ask(self, contact, _):
        self.send_presence_subscription(pto=contact, ptype="subscribe")

    async def do_approve(self, contact, _):
        self.send_presence_subscription(pto=contact, ptype="subscribed")

    async def do_settle(self, *_):
        """A reading of the archive has seen what was written before."""
        await self.plugin["xep_0313"].retrieve(rsm={"max": 1})
        show("settled")

    async def do_serve_pushes(self, *nodes):
        self.nodes = {node for node in nodes if node}
        show("serves_pushes")

    async def do_enable_push(self, service, node):
        enable = ET.fromstring(
            f"<enable xmlns='{PUSH}' jid='{service}' node='{node}'>"
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
            "<field var='secret'><value>nightingale</value></field></x></enable>"
        )
        request = self.make_iq_set(ito=self.boundjid.bare)
        request.append(enable)
        await request.send()
        show("push_enabled", node)

    async def do_block(self, contact, _):
        await self.plugin["xep_0191"].block(contact)
        show("blocked", *await self.plugin["xep_0191"].get_blocked_jids())

    async def do_unblock(self, contact, _):
        await self.plugin["xep_0191"].unblock(contact)
        show("blocked", *await self.plugin["xep_0191"].get_blocked_jids())

    async def do_vcard_publish(self, nickname, full_name):
        vcard = self.plugin["xep_0054"].make_vcard()
        vcard["FN"] = full_name
        vcard["NICKNAME"] = nickname
        await self.plugin["xep_0054"].publish_vcard(vcard)
        show("published")

    async def do_vcard(self, jid, _):
        vcard = (await self.plugin["xep_0054"].get_vcard(jid, local=False))["vcard_temp"]
        show("vcard", jid, *vcard["NICKNAME"], vcard["FN"])

    async def do_last(self, jid, _):
        last = (await self.plugin["xep_0012"].get_last_activity(jid))["last_activity"]
        show("last", jid, last["seconds"], last["status"])

    async def do_version(self, jid, _):
        software = (await self.plugin["xep_0092"].get_version(jid))["software_version"]
        show("version", jid, software["name"], software["version"])

    async def do_time(self, jid, _):
        time = (await self.plugin["xep_0202"].get_entity_time(jid))["entity_time"]
        # its own reader of this puts one more "Z" at the end of the time, and then refuses it
        show("time", jid, time.xml.findtext("{urn:xmpp:time}utc"))

    async def do_history(self, contact, _):
        """All that the archive has of a contact, page by page (XEP-0313)."""
        lines = []
        async for message in self.plugin["xep_0313"].iterate(with_jid=contact, rsm={"max": 50}):
            forwarded = message["mam_result"]["forwarded"]
            stamp, said = forwarded["delay"]["stamp"], forwarded["stanza"]
            is_own = said["from"].bare == self.boundjid.bare
            if said["body"]:
                lines.append((stamp.isoformat(), said["body"], is_own))
        show("history", json.dumps(lines))

    async def do_bookmark(self, room, _):
        bookmarks = Bookmarks()
        bookmarks.add_conference(room, self.boundjid.user)
        await self.plugin["xep_0048"].set_bookmarks(bookmarks)
        show("bookmarked", room)

    async def do_bookmarks(self, *_):
        answer = await self.plugin["xep_0048"].get_bookmarks()
        show("bookmarks", *(room["jid"] for room in answer["private"]["bookmarks"]))

    async def do_password(self, password, _):
        await self.plugin["xep_0077"].change_password(password)
        show("password_changed")

    async def do_remove_account(self, *_):
        await self.plugin["xep_0077"].cancel_registration()
        show("account_removed")

    async def do_admin(self, command, fields):
        """Fills the fields (`NAME=VALUE`, separated by commas) into the form that comes."""
        completed = asyncio.get_running_loop().create_future()

        def proceed(iq, session):
            if iq["command"]["status"] == "completed":
                completed.set_result(iq["command"])
                return
            session["payload"] = iq["command"]["form"]
            session["payload"].reply()
            session["payload"]["values"] = dict(field.split("=", 1) for field in fields.split(","))
            self.plugin["xep_0050"].complete_command(session)

        def fail(iq, _):
            completed.set_exception(IqError(iq))

        steps = {"next": proceed, "error": fail}
        getattr(self.plugin["xep_0133"], command.replace("-", "_"))(session=steps)
        values = (await completed)["form"]["values"]
        show("completed", command, *(f"{name}={value}" for name, value in values.items()))

    async def obey(self, line):
        command, *words = line.split(" ", 2)
        try:
            await getattr(self, "do_" + command)(*(words + ["", ""])[:2])
        except IqError as error:
            show("error", command, error.condition)

    async def run(self):
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        self.connect("127.0.0.1", self.port)
        while (line := (await commands.readline()).decode().rstrip("\n")) != "quit":
            await self.obey(line)
        await self.disconnect()


async def main():
    await Client(*sys.argv[1:]).run()


asyncio.run(main())
