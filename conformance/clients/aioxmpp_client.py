"""An aioxmpp client that is driven by lines on stdin and prints what it sees, a line each.

    aioxmpp_client.py JID PASSWORD PORT starttls|direct CERTIFICATE

Commands: `say JID TEXT`, `history JID`, `quit`. The library has no archives (XEP-0313), but pages
and forms, of which they are made.
"""

import asyncio
import json
import sys
from functools import partial

import aioxmpp
from aioxmpp import forms, xso
from aioxmpp.connector import STARTTLSConnector, XMPPOverTLSConnector
from aioxmpp.rsm.xso import ResultSetMetadata
from OpenSSL import SSL

CONNECTORS = {"starttls": STARTTLSConnector, "direct": XMPPOverTLSConnector}
MAM = "urn:xmpp:mam:2"
PAGE = 50


@aioxmpp.IQ.as_payload_class
class Query(xso.XSO):
    TAG = (MAM, "query")
    form = xso.Child([forms.Data])
    page = xso.Child([ResultSetMetadata])


@aioxmpp.IQ.as_payload_class
class Fin(xso.XSO):
    TAG = (MAM, "fin")
    UNKNOWN_ATTR_POLICY = xso.UnknownAttrPolicy.DROP
    complete = xso.Attr("complete", type_=xso.Bool(), default=False)
    page = xso.Child([ResultSetMetadata])


class Result(xso.XSO):
    TAG = (MAM, "result")
    UNKNOWN_ATTR_POLICY = xso.UnknownAttrPolicy.DROP
    forwarded = xso.Child([aioxmpp.misc.Forwarded])


aioxmpp.Message.mam_result = xso.Child([Result])


def show(*words):
    print(*words, flush=True)


def make_client(jid, password, port, way, certificate):
    def trust():
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(certificate)
        return context

    async def tell_password(_, tries):
        return password if tries == 0 else None

    security = aioxmpp.make_security_layer(tell_password)._replace(ssl_context_factory=trust)
    place = ("127.0.0.1", int(port), CONNECTORS[way]())
    return aioxmpp.Client(aioxmpp.JID.fromstr(jid), security, override_peer=[place])


async def is_back(stream, client):
    """Its own presence comes back (RFC 6121 §4.2.2): from now on messages are for it."""
    back = asyncio.get_running_loop().create_future()

    def on_presence(presence):
        if presence.from_ == client.local_jid and not back.done():
            back.set_result(None)

    dispatcher = client.summon(aioxmpp.dispatcher.SimplePresenceDispatcher)
    dispatcher.register_callback(None, client.local_jid, on_presence)
    await stream.send(aioxmpp.Presence(type_=aioxmpp.PresenceType.AVAILABLE))
    await back


def on_message(archive, message):
    text = message.body.any() if message.body else ""
    if not archive.takes(message) and text:
        show("message", message.from_.bare(), text)


class Archive:
    """Of the account. A page is there when its iq is answered: a stream is in order."""

    def __init__(self, client):
        self.stream = client
        self.results = []

    def takes(self, message):
        if message.mam_result:
            self.results.append(message.mam_result.forwarded)
        return bool(message.mam_result)

    async def history(self, contact):
        """All that it has of a contact, page by page."""
        fields = {"FORM_TYPE": MAM, "with": contact}
        query = Query()
        query.form = forms.Data(forms.DataType.SUBMIT)
        for name, value in fields.items():
            query.form.fields.append(forms.Field(var=name, values=[value]))
        query.page = ResultSetMetadata.limit(PAGE)
        self.results.clear()
        while not (fin := await self.stream.send(set_iq(query))).complete:
            query.page = fin.page.next_page(PAGE)
        lines = []
        for forwarded in self.results:
            said, time = forwarded.stanza, forwarded.delay.stamp.isoformat()
            is_own = str(said.from_.bare()) != contact
            if said.body:
                lines.append((time, said.body.any(), is_own))
        show("history", json.dumps(lines))


def set_iq(payload):
    return aioxmpp.IQ(aioxmpp.IQType.SET, payload=payload)


async def obey(stream, archive):
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while (line := (await commands.readline()).decode().rstrip("\n")) != "quit":
        command, to, *text = line.split(" ", 2)
        if command == "history":
            await archive.history(to)
            continue
        message = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=aioxmpp.JID.fromstr(to))
        message.body[None] = text[0]
        await stream.send(message)


async def main():
    client = make_client(*sys.argv[1:])
    messages = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
    archive = Archive(client)
    messages.register_callback(None, None, partial(on_message, archive))
    async with client.connected() as stream:
        await is_back(stream, client)
        secured = stream._xmlstream.transport.get_extra_info("ssl_object")
        show("online", client.local_jid, secured.get_protocol_version_name())
        await obey(stream, archive)


asyncio.run(main())
