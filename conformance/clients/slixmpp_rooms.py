"""What the slixmpp client does in rooms (XEP-0045), and prints of them."""

from slixmpp import JID
from slixmpp.exceptions import PresenceError

PLUGINS = "0045 0249 0359 0421 0425".split()
EVENTS = (
    "groupchat_message groupchat_subject groupchat_presence groupchat_invite"
    " groupchat_direct_invite moderated_message"
).split()


def show(*words):
    print(*words, flush=True)


class Rooms:
    """Beside a `ClientXMPP` that has these plugins and hands on these events."""

    def on_groupchat_message(self, message):
        room, nick = message["from"].bare, message["from"].resource
        if message["body"]:
            self.spoken[room, message["body"]] = message["stanza_id"]["id"]
            show("room_message", room, nick, message["body"])

    def on_groupchat_subject(self, message):
        show("room_subject", message["from"].bare, message["subject"])

    def on_groupchat_presence(self, presence):
        if presence["type"] == "error":
            return
        state = "out" if presence["type"] == "unavailable" else "in"
        item, codes = presence["muc"], sorted(presence["muc"]["status_codes"])
        shown = [presence["from"].resource, state, item["role"], item["affiliation"]]
        show("occupant", presence["from"].bare, *shown, ",".join(map(str, codes)) or "-")

    def on_groupchat_invite(self, message):
        show("invited", message["from"].bare, message["muc"]["invite"]["from"].bare)

    def on_groupchat_direct_invite(self, message):
        show("invited", message["groupchat_invite"]["jid"], message["from"].bare)

    def on_moderated_message(self, message):
        show("moderated", message["from"].bare, message["retract"]["id"])

    async def do_enter(self, room, nick):
        try:
            await self.plugin["xep_0045"].join_muc_wait(JID(room), nick, timeout=120)
            show("entered", room)
        except PresenceError as error:
            show("kept_out", room, error.condition)

    async def do_configure(self, room, _):
        """As it stands: what was locked is open now."""
        form = await self.plugin["xep_0045"].get_room_config(room)
        form.reply()
        await self.plugin["xep_0045"].set_room_config(room, form)
        show("configured", room)

    async def do_leave(self, room, nick):
        self.plugin["xep_0045"].leave_muc(JID(room), nick)

    async def do_say_in(self, room, text):
        self.send_message(mto=room, mbody=text, mtype="groupchat")

    async def do_name(self, room, subject):
        self.plugin["xep_0045"].set_subject(room, subject)

    async def do_invite(self, room, contact):
        self.plugin["xep_0045"].invite(room, contact)

    async def do_invite_directly(self, room, contact):
        self.plugin["xep_0249"].send_invitation(contact, JID(room))

    async def do_kick(self, room, nick):
        await self.plugin["xep_0045"].set_role(room, nick, "none")
        show("kicked", nick)

    async def do_affiliate(self, room, words):
        contact, affiliation = words.split()
        await self.plugin["xep_0045"].set_affiliation(room, affiliation, jid=JID(contact))
        show("affiliated", contact, affiliation)

    async def do_moderate(self, room, text):
        identifier = self.spoken[room, text]
        await self.plugin["xep_0425"].moderate(JID(room), identifier)
        show("has_moderated", text)

    async def do_stanza_id(self, room, text):
        show("stanza_id", self.spoken[room, text])

    async def do_rooms(self, *_):
        """From the domain to its services, and from those that have rooms to their list."""
        disco = self.plugin["xep_0030"]
        services = (await disco.get_items(jid=self.boundjid.domain))["disco_items"]["items"]
        for service, *_ in services:
            info = (await disco.get_info(jid=service, cached=False))["disco_info"]
            if any(identity[0] == "conference" for identity in info["identities"]):
                items = (await disco.get_items(jid=service))["disco_items"]["items"]
                show("rooms", *(room for room, *_ in items))

    async def do_occupants(self, room, _):
        """By whom it knows to be there."""
        show("occupants", room, *sorted(self.plugin["xep_0045"].get_roster(JID(room))))
