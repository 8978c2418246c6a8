"""A client with nbxmpp, Gajim's library, driven by lines on stdin; prints what it sees.

    nbxmpp_client.py JID PASSWORD ADDRESS starttls|direct|wss CERTIFICATE

ADDRESS is HOST:PORT, or the URL of a WebSocket. Commands: `say JID TEXT`, `quit`.
"""

import sys

import gi

gi.require_version("Soup", "3.0")

from gi.repository import Gio, GLib  # noqa: E402
from nbxmpp.client import Client  # noqa: E402
from nbxmpp.const import ConnectionProtocol, ConnectionType  # noqa: E402
from nbxmpp.protocol import JID, Message, Presence  # noqa: E402
from nbxmpp.structs import StanzaHandler  # noqa: E402

WAYS = {
    "starttls": (ConnectionProtocol.TCP, ConnectionType.START_TLS),
    "direct": (ConnectionProtocol.TCP, ConnectionType.DIRECT_TLS),
    "wss": (ConnectionProtocol.WEBSOCKET, ConnectionType.DIRECT_TLS),
}
VERSIONS = {
    Gio.TlsProtocolVersion.TLS_1_2: "TLSv1.2",
    Gio.TlsProtocolVersion.TLS_1_3: "TLSv1.3",
}


def show(*words):
    print(*words, flush=True)


class Driven:
    def __init__(self, jid, password, address, way, certificate):
        self.loop = GLib.MainLoop()
        self.jid = JID.from_string(jid)
        self.client = client = Client()
        client.set_domain(self.jid.domain)
        client.set_username(self.jid.localpart)
        client.set_resource(self.jid.resource)
        client.set_password(password)
        client.set_custom_host(address, *WAYS[way])
        client.set_accepted_certificates([Gio.TlsCertificate.new_from_file(certificate)])
        for signal in ("connected", "connection-failed", "disconnected", "stanza-sent"):
            client.subscribe(signal, getattr(self, "on_" + signal.replace("-", "_")))
        client.register_handler(StanzaHandler(name="message", callback=self.on_message))
        client.register_handler(StanzaHandler(name="presence", callback=self.on_presence))
        GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN, self.obey)

    def on_connected(self, *_):
        self.client.send_stanza(Presence())

    def on_connection_failed(self, *_):
        show("connection_failed", *self.client.get_error())
        self.loop.quit()

    def on_disconnected(self, *_):
        show("disconnected", *self.client.get_error())
        self.loop.quit()

    def on_stanza_sent(self, _client, _signal, nonza):
        """How it logs in; it tells of everything that it sends, be it an element or text."""
        if not isinstance(nonza, str) and nonza.getName() in ("auth", "authenticate"):
            show("authenticates", nonza.getAttr("xmlns"), nonza.getAttr("mechanism"))

    def on_presence(self, _client, stanza, _properties):
        """Its own presence comes back (RFC 6121 §4.2.2): from now on messages are for it."""
        if stanza.getFrom() == self.client.get_bound_jid():
            show("online", stanza.getFrom(), VERSIONS.get(self.client.tls_version, "plaintext"))

    def on_message(self, _client, stanza, _properties):
        if stanza.getBody():
            show("message", stanza.getFrom().bare, stanza.getBody())

    def obey(self, source, _condition):
        line = source.readline().rstrip("\n")
        if line in ("", "quit"):
            self.client.disconnect()
            return False
        _, to, text = line.split(" ", 2)
        self.client.send_stanza(Message(to=to, body=text, typ="chat"))
        return True

    def run(self):
        self.client.connect()
        self.loop.run()


Driven(*sys.argv[1:]).run()
