"""Gajim, windows and all, driven by lines on stdin; prints what its own events tell.

    gajim_client.py JID PASSWORD ADDRESS PORT TYPE

TYPE is `START TLS` or `DIRECT TLS`, ADDRESS also the URL of a WebSocket. Gajim trusts the
certificates in its own store. Commands: the functions `do_…`, and `quit`.
"""

import os
import sys

import gi

gi.require_version("Gdk", "3.0")

import gajim_rooms  # noqa: E402
from gajim.common import app, configpaths, ged  # noqa: E402
from gajim.common.settings import Settings  # noqa: E402
from gajim.common.structs import OutgoingMessage  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402
from nbxmpp.protocol import JID  # noqa: E402

ACCOUNT = "test"
VERSIONS = {
    Gio.TlsProtocolVersion.TLS_1_2: "TLSv1.2",
    Gio.TlsProtocolVersion.TLS_1_3: "TLSv1.3",
}
EVENTS = ("signed-in", "message-received", "presence-received", "subscribe-presence-received")


def show(*words):
    print(*words, flush=True)


def prepare(jid, password, address, port, type_):
    """An account in its settings, as the wizard would have left it."""
    configpaths.init()
    configpaths.create_paths()
    app.settings = settings = Settings()
    settings.init()
    settings.set("use_keyring", False)
    settings.set("check_for_update", False)
    settings.set("confirm_close_muc", False)
    account = {
        "name": jid.localpart,
        "hostname": jid.domain,
        "resource": jid.resource,
        "password": password,
        "account_label": ACCOUNT,
        "active": True,
        "use_custom_host": True,
        "custom_host": address,
        "custom_port": int(port),
        "custom_type": type_,
    }
    if ACCOUNT not in settings.get_accounts():
        settings.add_account(ACCOUNT)
    for name, value in account.items():
        settings.set_account_setting(ACCOUNT, name, value)
    settings.shutdown()


def client():
    return app.get_client(ACCOUNT)


def contact(jid):
    return client().get_module("Contacts").get_contact(jid)


def on_signed_in(_):
    """Its presence has been sent by now."""
    connection = client().connection
    version = "wss:" if connection.is_websocket else VERSIONS[connection.tls_version]
    show("online", client().get_own_jid(), version)


def on_message_received(event):
    show("message", event.jid, event.msgtxt)


def on_presence_received(event):
    show("got_offline" if event.show == "offline" else "got_online", event.jid)


def on_subscribe_presence_received(event):
    show("presence_subscribe", event.jid)


def do_say(to, text):
    app.window.add_chat(ACCOUNT, JID.from_string(to), "contact", select=True)
    message = OutgoingMessage(account=ACCOUNT, contact=contact(to), message=text, type_="chat")
    client().send_message(message)


def do_approve(jid, _):
    client().get_module("Presence").subscribed(jid)


def do_ask(jid, _):
    client().get_module("Presence").subscribe(jid)


def obey(source, _condition):
    line = source.readline().rstrip("\n")
    if line in ("", "quit"):
        app.app.start_shutdown(message="")  # its window would ask who has lines unread
        return False
    command, *words = line.split(" ", 2)
    (globals() | vars(gajim_rooms))["do_" + command](*(words + ["", ""])[:2])
    return True


def main():
    jid, *account = sys.argv[1:]
    prepare(JID.from_string(jid), *account)
    known = globals() | vars(gajim_rooms)
    for event in EVENTS + gajim_rooms.EVENTS:
        handler = known["on_" + event.replace("-", "_")]
        app.ged.register_event_handler(event, ged.CORE, handler)
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN, obey)
    if os.geteuid() == 0:  # it refuses root, and a container may have nobody else
        os.geteuid = lambda: 1
    sys.argv[1:] = ["--loglevel", "gajim=WARNING"]
    from gajim.gajim import main as run

    run()


main()
