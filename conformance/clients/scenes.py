"""What the clients play with each other, each scene a function of its cast.

Everybody is logged in when a scene begins and when it ends. They are played on one server: first
those that must be `ALONE`, then all lists of `AT_THE_SAME_TIME`, each in its order. What one scene
leaves in a roster, the next of its list finds there; two lists have no account in common.
"""

from datetime import datetime, timezone

from clients import Admin, Aioxmpp, Converse, Nbxmpp, Newcomer, Slixmpp, XmppJs
from desktop import Dino, Gajim
from poezio import Poezio
from profanity import Beginner, Bellringer, Profanity
from rooms import Bellfounder, Gatekeeper, a_room_of_its_own, a_room_of_others
from servers import DOMAIN
from waiting import Failure


def chat(one, other):
    """Both directions, asserted from what the reader prints."""
    one.open_chat(other.jid)
    other.open_chat(one.jid)
    for number, (sender, reader) in enumerate([(one, other), (other, one), (one, other)]):
        text = f"line {number} of {sender.name} to {reader.name}: ciao è già <&> 🐦"
        sender.say(reader.jid, text)
        reader.hears(sender.jid, text)


def roster_and_presence(slixmpp, profanity):
    """RFC 6121 §3.1 and §4: both subscribe to each other, then see each other come and go."""
    slixmpp.ask(profanity.jid)
    profanity.is_asked(slixmpp.jid)
    profanity.approve(slixmpp.jid)
    profanity.ask(slixmpp.jid)
    slixmpp.is_asked(profanity.jid)
    slixmpp.approve(profanity.jid)
    slixmpp.has_mutual(profanity.jid)
    profanity.has_mutual(slixmpp.jid)
    profanity.sees(slixmpp.jid, "offline", after=slixmpp.logout)
    profanity.sees(slixmpp.jid, "online", after=slixmpp.login)
    slixmpp.sees(profanity.jid, "offline", after=profanity.logout)
    slixmpp.sees(profanity.jid, "online", after=profanity.login)


def messages_for_who_is_away(writer, away):
    """XEP-0160: shown once, in order, with the time that they were sent at (XEP-0203)."""
    away.logout()
    texts = [f"while {away.name} is away: {number} <&> 🐦" for number in range(3)]
    begun = datetime.now(timezone.utc).replace(microsecond=0)  # stamps are to the second
    for text in texts:
        writer.say(away.jid, text)
    writer.settles()
    ended = datetime.now(timezone.utc)
    away.login()
    heard = hears_last(away, writer, "back again")
    same([text for _, text in heard], texts, f"{away.name} heard after its login")
    for time, text in heard:
        same(begun <= time <= ended, True, f"{begun} <= {time} <= {ended}, the time of {text}")
    away.logout()
    away.login()
    same(hears_last(away, writer, "once more"), [], f"{away.name} heard after another login")


def blocking(blocker, blocked):
    """XEP-0191: who is blocked sees the other go, and is not heard, until that ends."""
    blocked.sees(blocker.jid, "offline", after=lambda: blocker.block(blocked.jid))
    blocked.say(blocker.jid, "a line that is not for you")
    blocked.is_bounced(blocker.jid)
    blocked.sees(blocker.jid, "online", after=lambda: blocker.unblock(blocked.jid))
    same(hears_last(blocker, blocked, "a line for you"), [], f"{blocker.name} heard while blocking")


def two_devices(phone, desktop, friend):
    """XEP-0280: what one device sends and receives, the other has a copy of, once."""
    friend.say(f"{phone.jid}/{phone.resource}", "a line for the phone <&> 🐦")
    phone.hears(friend.jid, "a line for the phone <&> 🐦")
    desktop.has_copy("received", friend.jid, "a line for the phone <&> 🐦")
    desktop.say(friend.jid, "a line of the desktop")
    friend.hears(desktop.jid, "a line of the desktop")
    phone.has_copy("sent", friend.jid, "a line of the desktop")
    friend.say(phone.jid, "a line for both")
    for device in (phone, desktop):
        device.hears(friend.jid, "a line for both")
        device.settles()
        copies = device.shown().count("copy_")
        same(copies, 1, f"copies that {device.resource} has")


def push(service, phone, friend):
    """XEP-0357: told of what comes while it is away, once; a service that refuses is left."""
    service.answers("serve_pushes phone", "serves_pushes")
    phone.answers(f"enable_push {service.jid}/{service.resource} phone", "push_enabled phone")
    friend.say(phone.jid, "a line while it is here")
    phone.hears(friend.jid, "a line while it is here")
    phone.logout()
    friend.say(phone.jid, "a line while it is away")
    service.process.expect(f"pushed {phone.jid} phone 1 nightingale taken$")
    friend.say(phone.jid, "one more")
    friend.settles()
    phone.login()
    phone.hears(friend.jid, "a line while it is away")
    phone.hears(friend.jid, "one more")
    same(len(service.pushes(phone.jid)), 1, "notifications of one burst")
    service.answers("serve_pushes", "serves_pushes")
    phone.logout()
    friend.say(phone.jid, "a line after which nothing is told")
    service.process.expect(f"pushed {phone.jid} phone 1 nightingale refused$")
    service.settles()
    phone.login()
    phone.logout()
    friend.say(phone.jid, "a line of which nothing is told")
    friend.settles()
    service.settles()
    phone.login()
    phone.hears(friend.jid, "a line of which nothing is told")
    same(len(service.pushes(phone.jid)), 2, "notifications in all")


def vcard(owner, reader):
    """XEP-0054: published in one session, read by somebody else while the owner is away."""
    owner.answers("vcard_publish Nightingale Juliet <Capulet> & 🐦", "published")
    owner.logout()
    reader.answers(f"vcard {owner.jid}", f"vcard {owner.jid} Nightingale Juliet <Capulet> & 🐦")
    owner.login()


def last_activity(slixmpp, profanity):
    """XEP-0012: of the server, and of somebody who has just left."""
    slixmpp.answers(f"last {DOMAIN}", rf"last {DOMAIN} \d+ .*")
    slixmpp.logout()
    profanity.answers(f"/lastactivity get {DOMAIN}", f"{DOMAIN} up since ", "0 days, 0 hrs")
    profanity.sees_last_activity(slixmpp.jid)
    slixmpp.login()


def software(slixmpp, profanity):
    """XEP-0092: of the server, and of each other."""
    name = slixmpp.server.name.title()
    profanity.answers(f"/serversoftware {DOMAIN}", f"Name    : {name}")
    profanity.answers(f"/software {slixmpp.jid}/test", f"{slixmpp.jid}/test", "Slixmpp")
    slixmpp.answers(f"version {DOMAIN}", rf"version {DOMAIN} {name} \S+")
    slixmpp.answers(f"version {profanity.jid}/test", rf"version {profanity.jid}/test Profanity \S+")


def time_of_the_server(slixmpp):
    """XEP-0202."""
    begun = datetime.now(timezone.utc).replace(microsecond=0)
    told = slixmpp.answers(f"time {DOMAIN}", rf"time {DOMAIN} (\S+)")[1]
    ended = datetime.now(timezone.utc)
    same(begun <= datetime.fromisoformat(told) <= ended, True, f"{begun} <= {told} <= {ended}")


def bookmarks(client):
    """XEP-0048 in XEP-0049: they outlive the session, and the change of them too."""
    for room in ("balcony", "orchard"):
        client.bookmark(f"{room}@conference.{DOMAIN}")
        client.logout()
        client.login()
        client.has_bookmark(f"{room}@conference.{DOMAIN}")


def account_of_ones_own(newcomer):
    """XEP-0077: made, its password changed, removed; the right password works, and no other."""
    newcomer.registers()
    newcomer.answers("password another", "password_changed")
    newcomer.logout()
    newcomer.is_refused()
    newcomer.password = "another"
    newcomer.login()
    newcomer.answers("remove_account", "account_removed")
    newcomer.logout()
    newcomer.is_refused()


def account_of_a_beginner(admin, beginner):
    """XEP-0077, by profanity, which cannot remove it."""
    beginner.registers()
    beginner.login()
    beginner.changes_password("another <&> 🐦")
    beginner.logout()
    beginner.login()
    beginner.logout()
    admin.answers(f"admin delete-user accountjids={beginner.jid}", "completed delete-user.*")


def users_counted(admin, profanity):
    """XEP-0133 §4.20: accounts that are online now."""
    admin.answers("admin get-online-users-num", r"completed .*\bonlineusersnum=2\b.*")
    profanity.logout()
    admin.answers("admin get-online-users-num", r"completed .*\bonlineusersnum=1\b.*")
    profanity.login()


def announcement(admin, profanity):
    """XEP-0133 §4.23: everybody who is online is told."""
    profanity.clears_console()
    admin.answers("admin announce announcement=soon <&> 🐦,subject=news", "completed announce.*")
    profanity.shows("soon <&> 🐦")


def user_added_and_deleted(admin, newcomer):
    """XEP-0133 §4.1 and §4.2: who is deleted while logged in is gone at once."""
    account = f"accountjid={newcomer.jid},password=first,password-verify=first"
    admin.answers(f"admin add-user {account}", "completed add-user.*")
    newcomer.password = "first"
    newcomer.login()
    admin.answers(f"admin delete-user accountjids={newcomer.jid}", "completed delete-user.*")
    newcomer.process.expect("disconnected")
    newcomer.logout()
    newcomer.is_refused()


def removal(slixmpp, profanity):
    """RFC 6121 §2.5: who removes a contact takes the subscriptions of both sides with it."""
    slixmpp.sees(profanity.jid, "offline", after=lambda: profanity.removes(slixmpp.jid))
    slixmpp.process.expect(f"roster {profanity.jid} none$")


def pre_approval(slixmpp, profanity):
    """RFC 6121 §3.4: who was approved before asking is answered by the server."""
    profanity.approve(slixmpp.jid)
    profanity.settles()
    slixmpp.sees(profanity.jid, "online", after=lambda: slixmpp.ask(profanity.jid))
    slixmpp.process.expect(f"roster {profanity.jid} to$")
    profanity.answers("/sub received", "No outstanding subscription requests.")


def before_a_screen(friend, client):
    """A client with windows does what it does when somebody sits before it, and is seen to."""
    friend.ask(client.jid)
    client.is_asked(friend.jid)
    friend.sees(client.jid, "online", after=lambda: client.approve(friend.jid))
    friend.answers(
        f"software {client.jid}/test", f"software {client.jid}/test client {client.software}"
    )
    client.open_chat(friend.jid)
    client.say(friend.jid, f"a line of {client.software}: <&>")
    friend.hears(client.jid, f"a line of {client.software}: <&>")
    text = f"a line for {client.software}: ciao è già <&> 🐦"
    receipt = friend.say_and_ask(client.jid, text)
    client.hears(friend.jid, text)
    friend.has_receipt(client.jid, receipt)
    client.screenshot()
    friend.sees(client.jid, "offline", after=client.logout)
    friend.sees(client.jid, "online", after=client.login)


def logs_in_by_sasl2(client):
    """XEP-0388, and the binding of RFC 6120 after it."""
    client.authenticates("urn:xmpp:sasl:2", r"SCRAM-SHA-\S+")


def comes_back_by_a_token(client, friend):
    """XEP-0388 and 0386 with the password; then, twice, with a token (XEP-0484)."""
    client.authenticates("urn:xmpp:sasl:2", "SCRAM-SHA-1")
    for number in range(2):
        client.comes_back("urn:xmpp:sasl:2", "HT-SHA-256-NONE")
        friend.say(client.jid, f"line {number} to who is back")
        client.hears(friend.jid, f"line {number} to who is back")


def hears_last(reader, writer, text):
    """A last line, after which nothing that was on its way before can come: what came before."""
    writer.say(reader.jid, text)
    reader.open_chat(writer.jid)
    reader.hears(writer.jid, text)
    return [line for line in reader.heard(writer.jid) if line[1] != text]


def same(found, expected, what):
    if found != expected:
        raise Failure(f"{what}: {found}, not {expected}")


class Nurse(Slixmpp):
    name = "nurse"


class Friar(Slixmpp):
    name = "friar"


class Apothecary(Slixmpp):
    name = "apothecary"


class Sampson(Slixmpp):
    name = "sampson"
    resource = "phone"


class SampsonsDesktop(Slixmpp):
    name = "sampson"
    resource = "desktop"


class Gregory(Slixmpp):
    name = "gregory"


class Abraham(Slixmpp):
    name = "abraham"


class Potpan(Profanity):
    name = "potpan"


class Page(Slixmpp):
    name = "page"


class Porter(Slixmpp):
    name = "porter"


class Watchman(Converse):
    name = "watchman"


class Weaver(XmppJs):
    name = "weaver"


# Each client logs in once with STARTTLS and once with TLS from the first byte.
ALONE = [
    ("users counted", users_counted, (Admin, "starttls"), (Profanity, "starttls")),
    ("announcement", announcement, (Admin, "direct"), (Profanity, "direct")),
]
EVERY_DAY = [
    ("chat", chat, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("chat", chat, (Profanity, "direct"), (XmppJs, "starttls")),
    ("chat", chat, (Slixmpp, "direct"), (XmppJs, "direct")),
    ("roster and presence", roster_and_presence, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("offline", messages_for_who_is_away, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("offline", messages_for_who_is_away, (Profanity, "direct"), (Slixmpp, "direct")),
    ("blocking", blocking, (Profanity, "starttls"), (Slixmpp, "direct")),
    ("blocking", blocking, (Slixmpp, "starttls"), (Profanity, "direct")),
    ("last activity", last_activity, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("software version", software, (Slixmpp, "direct"), (Profanity, "direct")),
    ("removal of a contact", removal, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("pre-approval", pre_approval, (Slixmpp, "direct"), (Profanity, "direct")),
]
ACCOUNTS = [
    ("vCard", vcard, (Abraham, "direct"), (Admin, "starttls")),
    ("time", time_of_the_server, (Abraham, "starttls")),
    ("bookmarks in private XML", bookmarks, (Abraham, "direct")),
    ("bookmarks in private XML", bookmarks, (Potpan, "starttls")),
    ("an account of one's own", account_of_ones_own, (Newcomer, "starttls")),
    ("an account of one's own", account_of_a_beginner, (Admin, "direct"), (Beginner, "starttls")),
    ("user added and deleted", user_added_and_deleted, (Admin, "direct"), (Newcomer, "direct")),
]
GAJIM = [
    ("before a screen", before_a_screen, (Nurse, "direct"), (Gajim, "starttls")),
    ("chat", chat, (Nurse, "starttls"), (Gajim, "wss")),
    ("a room of its own", a_room_of_its_own, (Nurse, "direct"), (Gajim, "starttls")),
    ("a room of others", a_room_of_others, (Nurse, "starttls"), (Gajim, "direct")),
]
DINO = [
    ("before a screen", before_a_screen, (Friar, "starttls"), (Dino, "starttls")),
    ("chat", chat, (Friar, "starttls"), (Dino, "direct")),
    ("a room of its own", a_room_of_its_own, (Friar, "direct"), (Dino, "starttls")),
    ("a room of others", a_room_of_others, (Friar, "starttls"), (Dino, "direct")),
]
LIBRARIES = [
    ("chat", chat, (Aioxmpp, "starttls"), (Nbxmpp, "starttls")),
    ("chat", chat, (Nbxmpp, "direct"), (Aioxmpp, "direct")),
    ("SASL2", logs_in_by_sasl2, (Nbxmpp, "starttls")),
    ("SASL2", logs_in_by_sasl2, (Nbxmpp, "direct")),
    ("FAST", comes_back_by_a_token, (Weaver, "starttls"), (Aioxmpp, "starttls")),
    ("FAST", comes_back_by_a_token, (Weaver, "direct"), (Aioxmpp, "direct")),
    ("SASL2", logs_in_by_sasl2, (Nbxmpp, "wss")),
    ("FAST", comes_back_by_a_token, (Weaver, "wss"), (Aioxmpp, "direct")),
    ("FAST", comes_back_by_a_token, (Weaver, "ws"), (Aioxmpp, "direct")),
    ("chat", chat, (Nbxmpp, "wss"), (Weaver, "wss")),
    ("chat", chat, (Aioxmpp, "starttls"), (Weaver, "ws")),
]
BROWSER = [
    ("before a screen", before_a_screen, (Page, "direct"), (Converse, "wss")),
    ("before a screen", before_a_screen, (Porter, "starttls"), (Watchman, "bosh")),
    ("a room of its own", a_room_of_its_own, (Page, "starttls"), (Converse, "wss")),
    ("a room of others", a_room_of_others, (Page, "direct"), (Converse, "wss")),
]
DEVICES = [
    (
        "two devices",
        two_devices,
        (Sampson, "starttls"),
        (SampsonsDesktop, "direct"),
        (Gregory, "direct"),
    ),
    ("push", push, (Apothecary, "starttls"), (Sampson, "direct"), (Gregory, "starttls")),
]
TERMINAL = [
    ("a room of its own", a_room_of_its_own, (Bellfounder, "direct"), (Bellringer, "starttls")),
    ("a room of others", a_room_of_others, (Bellfounder, "starttls"), (Bellringer, "direct")),
    ("a room of its own", a_room_of_its_own, (Gatekeeper, "direct"), (Poezio, "starttls")),
    ("a room of others", a_room_of_others, (Gatekeeper, "starttls"), (Poezio, "starttls")),
]
AT_THE_SAME_TIME = [TERMINAL, EVERY_DAY, ACCOUNTS, DEVICES, GAJIM, DINO, LIBRARIES, BROWSER]
