"""What the clients do in rooms (XEP-0045), each scene a function of its cast.

The friend is slixmpp, which tells of all that it sees there.
"""

from clients import Converse, Slixmpp
from desktop import Gajim
from profanity import Bellringer
from servers import DOMAIN
from waiting import Failure, until


def room_of(owner, guest):
    return f"{owner.name}-and-{guest.name}@conference.{DOMAIN}"


def a_room_of_its_own(friend, client):
    """It makes a room by its own means, is found there, talks, and is the master of it."""
    room = room_of(client, friend)
    client.creates_room(room)
    client.invites(room, friend.jid)
    friend.is_invited(room, client.jid)
    friend.finds(room)  # of a client that configures none, no earlier (XEP-0045 section 10.1.1)
    friend.accepts(room)
    friend.sees_in(room, client.nick)
    talk(room, friend, client)
    client.names(room, f"the subject of {client.name}: <&> 🐦")
    friend.sees_named(room, f"the subject of {client.name}: <&> 🐦")
    friend.says_in(room, "an unseemly line")
    client.hears_in(room, friend.nick, "an unseemly line")
    if client.retracts:
        client.retracts(room, "an unseemly line")
        friend.sees_retracted(room, "an unseemly line")
    client.kicks(room, friend.nick)
    friend.is_out(room, 307)
    friend.enters(room)
    client.takes_nick(room, "master")
    friend.sees_out(room, client.name, 303)
    friend.sees_in(room, "master")
    client.bans(room, friend.jid)
    friend.is_out(room, 301)
    client.screenshot_of_room(room, "master")
    friend.is_kept_out(room, "forbidden")


def a_room_of_others(friend, client):
    """It is invited by the room, sees what was said before, is sent out, and comes back."""
    room = room_of(friend, client)
    said = [(friend.nick, f"before: {number} <&> 🐦") for number in range(2)]
    friend.creates_room(room)
    speak(room, friend, said)
    if client.finds:
        client.finds(room)
    friend.invites(room, client.jid)
    client.is_invited(room, friend.jid)
    client.accepts(room)
    friend.sees_in(room, client.nick)
    for nick, text in said:
        client.hears_in(room, nick, text)
    said += talk(room, friend, client)
    friend.names(room, "of nightingales & larks")
    client.sees_subject(room, "of nightingales & larks")
    client.screenshot_of_room(room)
    client.leaves(room)
    friend.sees_out(room, client.nick)
    away = [(friend.nick, f"while {client.name} is away: {number}") for number in range(3)]
    speak(room, friend, away)
    friend.invites_directly(room, client.jid)
    client.is_invited(room, friend.jid)
    client.accepts(room)
    for nick, text in away:
        client.hears_in(room, nick, text)
    has_heard(client, room, said + away)
    if client.bookmarks_room:
        comes_back_by_itself(room, friend, client)
    mark = len(friend.shown())
    friend.kicks(room, client.nick)
    friend.sees_out(room, client.nick, 307, mark)
    client.is_sent_out(room)


def a_night(friend, *clients):
    """Who was in a room when the server was killed is in it, and nobody else is (G6)."""
    room = f"night@conference.{DOMAIN}"
    friend.login()
    friend.creates_room(room)
    for client in clients:
        client.login()
        client.enters(room)
        friend.sees_in(room, client.nick)
    # Where nothing has been said, profanity shows nothing of what was said while it was away
    friend.says_in(room, "good night")
    for client in clients:
        client.hears_in(room, friend.nick, "good night")
    friend.server.kill()
    friend.server.start()
    # The friend has nothing to resume its session with: somebody else by now, for the room
    friend.stop()
    friend.login()
    friend.nick = "sleepless"
    friend.enters(room)
    there = sorted([friend.nick, *(client.nick for client in clients)])
    friend.says_in(room, "is anybody there?")
    for client in clients:
        client.hears_in(room, friend.nick, "is anybody there?")
        client.says_in(room, f"{client.name} is")
    for one in clients:
        friend.hears_in(room, one.nick, f"{one.name} is")
        for other in clients:
            one.hears_in(room, other.nick, f"{other.name} is")
    until(lambda: friend.sees_occupants(room) == there, f"nobody to be there but {there}")
    for client in (friend, *clients):
        client.logout()


def comes_back_by_itself(room, friend, client):
    """XEP-0048, in private XML (XEP-0049)."""
    client.bookmarks_room(room)
    client.logout()  # after which Dino's session may wait for it to come back (XEP-0198)
    mark = len(friend.shown())
    client.login()
    friend.sees_in(room, client.nick, since=mark)
    friend.says_in(room, f"welcome back, {client.name}")
    client.hears_in(room, friend.nick, f"welcome back, {client.name}")


def talk(room, friend, client):
    said = []
    for number, (speaker, hearer) in enumerate([(friend, client), (client, friend)] * 2):
        text = f"line {number} of {speaker.name}: ciao è già <&> 🐦"
        speaker.says_in(room, text)
        hearer.hears_in(room, speaker.nick, text)
        said.append((speaker.nick, text))
    return said


def speak(room, speaker, lines):
    for nick, text in lines:
        speaker.says_in(room, text)
        speaker.hears_in(room, nick, text)


def has_heard(client, room, expected):
    """All of it, once, in order, in the place where it keeps or shows what it knows."""

    def heard():
        return [line for line in client.heard_in(room) if line in expected]

    until(lambda: len(heard()) >= len(expected), f"{client.name} to have {expected}: {heard()}")
    if heard() != expected:
        raise Failure(f"{client.name} has of {room}: {heard()}, not {expected}")


class Bellfounder(Slixmpp):
    name = "bellfounder"


class Gatekeeper(Slixmpp):
    name = "gatekeeper"


class Nightwatch(Slixmpp):
    name = "nightwatch"


NIGHTS = [
    (
        "a night in which the server is killed",
        a_night,
        (Nightwatch, "direct"),
        (Bellringer, "starttls"),
        (Gajim, "direct"),
        (Converse, "wss"),
    ),
]
