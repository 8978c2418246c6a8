"""What Gajim does in rooms (XEP-0045), by its own dialogs where it has any, and prints of them."""

from gajim.common import app
from gajim.gtk.util import get_app_window, open_window
from gi.repository import GLib
from nbxmpp.protocol import JID

ACCOUNT = "test"
EVENTS = "gc-message-received", "mam-message-received", "muc-invitation", "muc-added"
SIGNALS = "room-joined room-config-finished room-kicked room-subject room-join-failed".split()
LOOKS_A_SECOND = 20

invitations = {}
archived = {}  # ids, by room and text


def show(*words):
    print(*words, flush=True)


def module(name):
    return app.get_client(ACCOUNT).get_module(name)


class Watcher:
    """Of what happens to the rooms that it is in: signals want methods."""

    def __init__(self):
        self.watched = set()

    def watch(self, room):
        if room not in self.watched:
            self.watched.add(room)
            contact = module("Contacts").get_contact(room, groupchat=True)
            contact.multi_connect({signal: self.tell for signal in SIGNALS})

    def tell(self, contact, signal, *what):
        if signal in ("room-joined", "room-config-finished"):
            show("entered", contact.jid)
        elif signal == "room-subject":
            show("room_subject", contact.jid, what[0].text)
        else:
            show(signal, contact.jid)


watcher = Watcher()


def on_gc_message_received(event):
    if event.msgtxt:
        archived[event.room_jid, event.msgtxt] = event.stanza_id
        show("room_message", event.room_jid, event.properties.muc_nickname, event.msgtxt)


def on_mam_message_received(event):
    if event.properties.type.is_groupchat and event.msgtxt:
        show("room_message", event.jid, event.properties.muc_nickname, event.msgtxt)


def on_muc_added(event):
    """Before it enters, also by a bookmark."""
    watcher.watch(event.jid)


def on_muc_invitation(event):
    invitations[str(event.muc)] = event
    show("invited", event.muc, event.from_.bare)


def when(ready, act):
    """Acts as soon as it is ready; the main loop goes on."""

    def look():
        found = ready()
        if found:
            act(found)
        return not found

    GLib.timeout_add(1000 // LOOKS_A_SECOND, look)


def do_create(room, _):
    app.app.activate_action("create-groupchat", GLib.Variant("s", ACCOUNT))

    def fill(window):
        window._ui.name_entry.set_text(room.split("@")[0])
        window._ui.advanced_switch.set_active(True)
        window._ui.address_entry.set_text(room)
        window._ui.public_radio.set_active(True)
        window._ui.create_button.clicked()

    when(lambda: get_app_window("CreateGroupchatWindow"), fill)


def do_enter(room, _):
    window = open_window("GroupchatJoin", account=ACCOUNT, jid=room)
    when(window._join_button.get_sensitive, lambda _: window._join_button.clicked())


def do_accept(room, _):
    """By the button of the dialog that the notification of an invitation opens."""
    window = open_window("GroupChatInvitation", account=ACCOUNT, event=invitations.pop(room))
    window._on_join(None)


def do_rooms(*_):
    """Of the service that it has found by itself."""

    def ask(service):
        module("Discovery").disco_items(service, callback=on_rooms)

    when(lambda: module("MUC").service_jid, ask)


def on_rooms(task):
    show("rooms", *(item.jid for item in task.finish().items))


def do_type(room, line):
    """Into its window, where a slash begins a command."""
    app.window.select_chat(ACCOUNT, JID.from_string(room))
    if line.startswith("/"):
        app.commands.parse("groupchat", line)
        return
    app.window.get_chat_stack().get_message_input().insert_text(line)
    app.window.get_action("send-message").activate(None)


def do_invite(room, contact):
    do_type(room, f"/invite {contact}")


def do_say_in(room, text):
    do_type(room, text)


def do_name(room, subject):
    module("MUC").set_subject(room, subject)


def do_nick(room, nick):
    module("MUC").change_nick(room, nick)


def do_kick(room, nick):
    do_type(room, f"/kick {nick}")
    show("kicked", nick)


def do_affiliate(room, words):
    contact, affiliation = words.split()
    command = "/ban {}" if affiliation == "outcast" else "/affiliate {} " + affiliation
    do_type(room, command.format(contact))


def do_moderate(room, text):
    module("MUC").retract_message(JID.from_string(room), archived[room, text], "unseemly")


def do_leave(room, _):
    """By closing its window."""
    app.window._chat_page.remove_chat(ACCOUNT, JID.from_string(room))
