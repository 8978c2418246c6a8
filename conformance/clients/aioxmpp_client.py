"""An aioxmpp client that is driven by lines on stdin and prints what it sees, a line each.

    aioxmpp_client.py JID PASSWORD PORT starttls|direct CERTIFICATE

Commands: `say JID TEXT`, `quit`.
"""

import asyncio
import sys

import aioxmpp
from aioxmpp.connector import STARTTLSConnector, XMPPOverTLSConnector
from OpenSSL import SSL

CONNECTORS = {"starttls": STARTTLSConnector, "direct": XMPPOverTLSConnector}


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


def on_message(message):
    text = message.body.any() if message.body else ""
    if text:
        show("message", message.from_.bare(), text)


async def obey(stream):
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while (line := (await commands.readline()).decode().rstrip("\n")) != "quit":
        _, to, text = line.split(" ", 2)
        message = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=aioxmpp.JID.fromstr(to))
        message.body[None] = text
        await stream.send(message)


async def main():
    client = make_client(*sys.argv[1:])
    messages = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
    messages.register_callback(None, None, on_message)
    async with client.connected() as stream:
        await is_back(stream, client)
        secured = stream._xmlstream.transport.get_extra_info("ssl_object")
        show("online", client.local_jid, secured.get_protocol_version_name())
        await obey(stream)


asyncio.run(main())
