"""What the clients play with each other, each scene a function of its cast."""

from clients import Slixmpp, XmppJs
from profanity import Profanity


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


# Each client logs in once with STARTTLS and once with TLS from the first byte.
SCENES = [
    ("chat", chat, (Slixmpp, "starttls"), (Profanity, "starttls")),
    ("chat", chat, (Profanity, "direct"), (XmppJs, "starttls")),
    ("chat", chat, (Slixmpp, "direct"), (XmppJs, "direct")),
    ("roster and presence", roster_and_presence, (Slixmpp, "starttls"), (Profanity, "starttls")),
]
